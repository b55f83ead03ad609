//! What an operating system's library would bring: an entry point, a heap, and five functions.
//!
//! This is the only place of the repository with `unsafe` code, and nothing depends on it.

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

/// As above: the personality of the unwinder.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

// The compiler calls these five by name. They are written with the string instructions of the
// processor, since a loop here would be recognised and turned into a call of itself.

#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, n: usize) -> *mut u8 {
    // SAFETY: the caller vouches for both ranges; the direction flag is clear by the ABI.
    unsafe {
        asm!("rep movsb", inout("rcx") n => _, inout("rdi") to => _, inout("rsi") from => _,
             options(nostack, preserves_flags));
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, n: usize) -> *mut u8 {
    if to.addr().wrapping_sub(from.addr()) >= n {
        // SAFETY: copying forwards, no byte is overwritten before it is read.
        return unsafe { memcpy(to, from, n) };
    }
    // SAFETY: as above, backwards from the last byte; the flag is cleared again.
    unsafe {
        asm!("std", "rep movsb", "cld",
             inout("rcx") n => _,
             inout("rdi") to.wrapping_add(n).wrapping_sub(1) => _,
             inout("rsi") from.wrapping_add(n).wrapping_sub(1) => _,
             options(nostack));
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, n: usize) -> *mut u8 {
    // SAFETY: the caller vouches for the range; the direction flag is clear by the ABI.
    unsafe {
        asm!("rep stosb", inout("rcx") n => _, inout("rdi") to => _, in("al") byte as u8,
             options(nostack, preserves_flags));
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, n: usize) -> i32 {
    for i in 0..n {
        // SAFETY: the caller vouches for both ranges.
        let (x, y) = unsafe { (a.add(i).read_volatile(), b.add(i).read_volatile()) };
        if x != y {
            return i32::from(x) - i32::from(y);
        }
    }
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, n: usize) -> i32 {
    // SAFETY: as the caller's.
    unsafe { memcmp(a, b, n) }
}
