//! The first serial line: a 16550 that the monitor connects to its standard input and output.

use alloc::string::String;
use core::fmt::{self, Write};

use crate::machine::{read, write};

const DATA: u16 = 0x3f8;
const STATUS: u16 = DATA + 5;
const HAS_INPUT: u8 = 0x01;
const CAN_TAKE: u8 = 0x20;
/// What terminals send to take the last character back.
const BACKSPACE: u8 = 0x08;
const DELETE: u8 = 0x7f;

/// The longest line that is taken: nothing of a longer one is.
const MAX_LINE: usize = 4096;

struct Line;

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            while read(STATUS) & CAN_TAKE == 0 {
                core::hint::spin_loop();
            }
            write(DATA, byte);
        }
        Ok(())
    }
}

/// Prints.
pub fn print(text: fmt::Arguments<'_>) {
    // Writing to a port does not fail.
    let _ = Line.write_fmt(text);
}

/// Waits for a line; what is not UTF-8 in it is replaced. Nothing for one that is too long.
///
/// Files end lines with a line feed, terminals with a carriage return, others with both: what is empty
/// between the two is a line without a command.
pub fn read_line() -> Option<String> {
    let mut line = alloc::vec::Vec::new();
    let mut fits = true;
    loop {
        while read(STATUS) & HAS_INPUT == 0 {
            core::hint::spin_loop();
        }
        match read(DATA) {
            b'\n' | b'\r' => return fits.then(|| String::from_utf8_lossy(&line).into_owned()),
            BACKSPACE | DELETE => {
                line.pop();
            }
            byte if line.len() < MAX_LINE => line.push(byte),
            _ => fits = false,
        }
    }
}
