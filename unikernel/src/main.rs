//! A key-value store that boots.
//!
//! irmin-core, the memory backend and nothing else on a bare x86_64 machine: no operating system,
//! no std, no libc. The machine reads commands from its serial port, runs them on a store through
//! [`irmin_core::kv::Kv`], prints what comes out, and leaves with a status. [`script`] has the
//! commands; `run` boots it in QEMU and compares everything it says.
//!
//! What links here links in any unikernel: if anything below irmin-core used std, this program
//! would not build.
#![no_std]
#![no_main]

extern crate alloc;

mod boot;
#[path = "../../no-std-check/src/builtins.rs"]
mod builtins;
mod machine;
mod memory;
mod runtime;
mod script;
mod serial;

use machine::Status;

/// What the machine does once it has memory.
fn main() -> Status {
    serial::print(format_args!("irmin-unikernel {}\n", env!("CARGO_PKG_VERSION")));
    serial::print(format_args!("ready\n"));
    script::run()
}
