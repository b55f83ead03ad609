//! What an operating system's library would bring: the end after a panic.

use core::panic::PanicInfo;

use crate::machine::{Status, leave};
use crate::serial::print;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    print(format_args!("FAILED  {info}\n"));
    leave(Status::Panic)
}

/// Named by the precompiled `alloc`, which was built to unwind; nothing here ever does.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    leave(Status::Panic)
}
