//! The heap: all memory between the image and the end of what the machine has, and its accounts.

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicUsize, Ordering};

use linked_list_allocator::LockedHeap;

use crate::boot::STACK_SIZE;

/// What the monitor says of the machine: `hvm_start_info` of the PVH protocol.
#[repr(C)]
pub struct StartInfo {
    magic: u32,
    version: u32,
    flags: u32,
    modules: u32,
    module_list: u64,
    command_line: u64,
    rsdp: u64,
    memory_map: u64,
    memory_map_len: u32,
    reserved: u32,
}

/// One range of the memory map.
#[repr(C)]
#[derive(Clone, Copy)]
struct Range {
    address: u64,
    size: u64,
    kind: u32,
    reserved: u32,
}

const MAGIC: u32 = 0x336e_c578;
const RAM: u32 = 1;
/// What `boot` has mapped.
const MAPPED: u64 = 1 << 30;
/// Fills the stack, so that what of it was never used can be told.
const UNUSED: u64 = 0x5555_aaaa_5555_aaaa;

unsafe extern "C" {
    static image_start: u8;
    static code_end: u8;
    static image_end: u8;
    static mut stack_start: [u64; STACK_SIZE / 8];
}

/// The heap, counted.
struct Counted {
    heap: LockedHeap,
    used: AtomicUsize,
    peak: AtomicUsize,
    size: AtomicUsize,
}

#[global_allocator]
static HEAP: Counted = Counted {
    heap: LockedHeap::empty(),
    used: AtomicUsize::new(0),
    peak: AtomicUsize::new(0),
    size: AtomicUsize::new(0),
};

// SAFETY: all of it is the heap's; the numbers beside it only watch. The methods with a default
// are built on these two.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller's.
        let at = unsafe { self.heap.alloc(layout) };
        if !at.is_null() {
            let used = self.used.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
            self.peak.fetch_max(used, Ordering::Relaxed);
        }
        at
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        self.used.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller's.
        unsafe { self.heap.dealloc(at, layout) };
    }
}

/// Takes the memory of the machine.
///
/// # Safety
/// Once, before anything allocates, with what the monitor passed to the entry point.
pub unsafe fn init(info: *const StartInfo) {
    let start = (&raw const image_end).addr();
    // SAFETY: the caller vouches for the pointer, and the monitor for what it points to.
    let end = unsafe { end_of_memory(info, start) };
    HEAP.size.store(end - start, Ordering::Relaxed);
    // SAFETY: the range is memory that nobody else knows of.
    unsafe { HEAP.heap.lock().init(start as *mut u8, end - start) };

    let here = 0_u64;
    let depth = (&raw const here).addr() - (&raw const stack_start).addr();
    // The frames that are live, and some room for those of this loop.
    for word in 0..(depth / 8).saturating_sub(64) {
        // SAFETY: below the live frames the stack is free.
        unsafe { (&raw mut stack_start).cast::<u64>().add(word).write_volatile(UNUSED) };
    }
}

/// The end of the memory in which an address is.
unsafe fn end_of_memory(info: *const StartInfo, address: usize) -> usize {
    // SAFETY: as the caller's.
    let info = unsafe { &*info };
    assert!(info.magic == MAGIC && info.version >= 1, "the monitor gives no memory map");
    // SAFETY: as the caller's.
    let map = unsafe {
        core::slice::from_raw_parts(info.memory_map as *const Range, info.memory_map_len as usize)
    };
    let holds = |range: &&Range| {
        range.kind == RAM && (range.address..range.address + range.size).contains(&(address as u64))
    };
    let range = map.iter().find(holds).expect("the image is in memory");
    (range.address + range.size).min(MAPPED) as usize
}

/// What the program takes, in bytes.
pub struct Use {
    /// Machine code.
    pub code: usize,
    /// Code, constants, data and stack.
    pub image: usize,
    /// The most of the heap that was in use at any time.
    pub heap: usize,
    /// How much heap there is.
    pub heap_size: usize,
    /// The deepest that the stack was.
    pub stack: usize,
}

/// What the program takes so far.
pub fn used() -> Use {
    let (start, code, end) = (
        (&raw const image_start).addr(),
        (&raw const code_end).addr(),
        (&raw const image_end).addr(),
    );
    let words = STACK_SIZE / 8;
    let untouched = (0..words)
        // SAFETY: inside of the stack; what is written there meanwhile is only looked at.
        .take_while(|word| unsafe {
            (&raw const stack_start).cast::<u64>().add(*word).read_volatile() == UNUSED
        })
        .count();
    Use {
        code: code - start,
        image: end - start,
        heap: HEAP.peak.load(Ordering::Relaxed),
        heap_size: HEAP.size.load(Ordering::Relaxed),
        stack: (words - untouched) * 8,
    }
}
