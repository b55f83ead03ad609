//! Runs irmin-core as a static Linux process in which there is no std and no libc.
//!
//! What links here links in a unikernel: if anything below irmin-core used std, this program would
//! not build. It exits with 0 if all checks hold, with the number of the first one that does not
//! otherwise, and with 101 after a panic.
#![no_std]
#![no_main]

extern crate alloc;

mod builtins;
mod checks;
mod runtime;

/// What the process does: called by its entry point, once memory is there.
fn main() -> u8 {
    for (number, (name, check)) in (1..).zip(checks::ALL) {
        let holds = check();
        runtime::print(if holds { "ok      " } else { "FAILED  " });
        runtime::print(name);
        runtime::print("\n");
        if !holds {
            return number;
        }
    }
    0
}
