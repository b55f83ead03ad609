//! From the first instruction to [`start`]: the way into 64-bit mode.
//!
//! The monitor loads the image and enters it by the PVH protocol (the note below names the entry
//! point): 32-bit protected mode, no paging, `ebx` points to what the machine has. The first
//! gibibyte is mapped to itself in pages of 2 MiB, which is more than the machine will have.
//! Formats: <https://xenbits.xen.org/docs/unstable/misc/pvh.html>, Intel SDM volume 3, chapters 2-4.

use core::arch::global_asm;

use crate::{machine, memory};

/// The stack; `memory` tells how much of it was ever used, and `script` stops when all of it was.
pub const STACK_SIZE: usize = 256 << 10;

global_asm!(
    r#"
    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 4, 18              // the length of the name and of the value, and what it is: the entry
    .asciz "Xen"
    .long boot32

    .section .boot, "ax"
    .code32
    .globl boot32
boot32:
    cli
    cld
    mov esp, offset stack_end
    mov ebp, ebx                // what the machine has

    mov eax, offset directory_pointers + 3
    mov [page_map], eax
    mov eax, offset directory + 3
    mov [directory_pointers], eax
    xor ecx, ecx
2:  mov eax, ecx
    shl eax, 21
    or eax, 0x83                // present, writable, 2 MiB
    mov [ecx * 8 + directory], eax
    inc ecx
    cmp ecx, 512
    jne 2b
    mov eax, offset page_map
    mov cr3, eax

    mov eax, cr4
    or eax, 0x620               // PAE, and SSE with its exceptions: the code uses it
    mov cr4, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x100               // long mode
    wrmsr
    mov eax, cr0
    and eax, 0xfffffffb         // no emulation of the floating-point unit
    or eax, 0x80000003          // paging, and waiting for that unit
    mov cr0, eax

    lgdt [gdt_pointer]
    push 0x08
    mov eax, offset boot64
    push eax
    retf

    .code64
boot64:
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov rsp, offset stack_end
    mov edi, ebp
    xor ebp, ebp
    call {start}
    ud2

    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff    // code, 64 bits
    .quad 0x00cf93000000ffff    // data
gdt_pointer:
    .word 23
    .long gdt

    .section .bss.boot, "aw", @nobits
    .balign 4096
page_map:
    .skip 4096
directory_pointers:
    .skip 4096
directory:
    .skip 4096
    .globl stack_start
stack_start:
    .skip {stack_size}
    .globl stack_end
stack_end:
    .text
"#,
    start = sym start,
    stack_size = const STACK_SIZE,
);

/// Where 64-bit code begins; `info` is what the machine has.
extern "C" fn start(info: *const memory::StartInfo) -> ! {
    // SAFETY: this runs once, before anything allocates, with the pointer that the monitor gave.
    unsafe { memory::init(info) };
    machine::leave(crate::main())
}
