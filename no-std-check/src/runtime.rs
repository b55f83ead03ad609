//! What an operating system's library would bring: an entry point, a heap, and the end after a
//! panic. The functions that the compiler calls are in `builtins`.
//!
//! Programs like this one and `unikernel` are the only places of the repository with `unsafe` code,
//! and nothing depends on them.

use core::arch::{asm, global_asm};
use core::mem::MaybeUninit;
use core::panic::PanicInfo;

use linked_list_allocator::LockedHeap;

const HEAP_SIZE: usize = 64 << 20;

/// Zero pages, which cost nothing until they are touched.
static mut HEAP: [MaybeUninit<u8>; HEAP_SIZE] = [MaybeUninit::uninit(); HEAP_SIZE];

#[global_allocator]
static ALLOCATOR: LockedHeap = LockedHeap::empty();

// The kernel enters here with an aligned stack and no return address.
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "and rsp, -16", "call {}", "ud2", sym start);

extern "C" fn start() -> ! {
    // SAFETY: this runs once, before anything allocates, and no one else names HEAP.
    unsafe { ALLOCATOR.lock().init((&raw mut HEAP).cast(), HEAP_SIZE) };
    exit(crate::main())
}

/// Writes to the standard output.
pub fn print(text: &str) {
    // SAFETY: the system call `write` (1) reads `text.len()` bytes at `text`, and clobbers only
    // what is named here.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") 1_usize => _,
            in("rdi") 1_usize,
            in("rsi") text.as_ptr(),
            in("rdx") text.len(),
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack, readonly),
        );
    }
}

fn exit(status: u8) -> ! {
    // SAFETY: the system call `exit_group` (231) does not return.
    unsafe {
        asm!("syscall", in("rax") 231_usize, in("rdi") usize::from(status), options(noreturn, nostack))
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    print("FAILED  a panic\n");
    exit(101)
}

/// Named by the precompiled `alloc`, which was built to unwind; nothing here ever does.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    exit(102)
}
