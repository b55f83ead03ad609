//! The first serial line: a 16550 that the monitor connects to its standard input and output.

use alloc::string::String;
use core::fmt::{self, Write};

use crate::machine::{read, write};

const DATA: u16 = 0x3f8;
const STATUS: u16 = DATA + 5;
const HAS_INPUT: u8 = 0x01;
const CAN_TAKE: u8 = 0x20;

/// The longest line that is taken; the rest of a longer one is dropped.
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

/// Waits for a line; what is not UTF-8 in it is replaced.
pub fn read_line() -> String {
    let mut line = alloc::vec::Vec::new();
    loop {
        while read(STATUS) & HAS_INPUT == 0 {
            core::hint::spin_loop();
        }
        match read(DATA) {
            b'\n' => return String::from_utf8_lossy(&line).into_owned(),
            b'\r' => {}
            byte if line.len() < MAX_LINE => line.push(byte),
            _ => {}
        }
    }
}
