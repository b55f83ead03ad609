//! The ports of the machine, and the way out of it.

use core::arch::asm;

/// How a run ended. The monitor's debug port turns a value into the exit status `2 * value + 1`.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// All that was asked held: exit status 33.
    Ok = 0x10,
    /// Something did not: exit status 35.
    Failed = 0x11,
    /// The program itself is wrong: exit status 37.
    Panic = 0x12,
}

/// Ends the machine.
pub fn leave(status: Status) -> ! {
    write(0xf4, status as u8);
    // No debug port: there is nothing more to do, and no interrupt to wake up for.
    loop {
        // SAFETY: it waits for an interrupt and touches nothing.
        unsafe { asm!("hlt", options(nomem, nostack)) };
    }
}

/// Writes a byte to a port.
pub fn write(port: u16, byte: u8) {
    // SAFETY: the ports of this program are the serial line and the debug port, which change no
    // memory.
    unsafe { asm!("out dx, al", in("dx") port, in("al") byte, options(nomem, nostack)) };
}

/// Reads a byte from a port.
pub fn read(port: u16) -> u8 {
    let byte: u8;
    // SAFETY: as above.
    unsafe { asm!("in al, dx", in("dx") port, out("al") byte, options(nomem, nostack)) };
    byte
}
