//! A heap that has its memory before the clock starts.
//!
//! A store in memory grows as it is written to, and every page of it that the process never had is
//! cleared by the kernel first. What that takes is a property of the machine: a fraction of a
//! microsecond a page on plain hardware, several where a hypervisor takes unused memory away and
//! has to find it again. [`Machine::new_mebibyte_us`](crate::machine::Machine::new_mebibyte_us)
//! tells it, and a heap that is warm leaves it out.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What makes malloc of glibc keep what it got: nothing is mapped apart, nothing is given back, and
/// pages are huge where the system has such.
const TUNABLES: &str =
    "glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=0x7fffffffffff";
/// The variable of the environment that has these settings.
pub const VARIABLE: &str = "GLIBC_TUNABLES";

/// The size of the blocks that it is filled with, in bytes.
const BLOCK: usize = 32 << 20;

/// Makes a heap keep what it gets: the program is started again, unless it was, with settings of
/// malloc that are read when a program starts.
///
/// # Errors
/// Those of starting it.
pub fn keep() -> io::Result<()> {
    if std::env::var(VARIABLE).as_deref() == Ok(TUNABLES) {
        return Ok(());
    }
    let mut again = Command::new(std::env::current_exe()?);
    Err(again.args(std::env::args_os().skip(1)).env(VARIABLE, TUNABLES).exec())
}

/// Fills and empties a heap of so many MiB, which then has them if it [keeps](keep) what it gets.
pub fn warm(mebibytes: usize) {
    let blocks = (mebibytes << 20).div_ceil(BLOCK);
    // Of ones: memory of zeros would not be written to.
    let filled: Vec<Vec<u8>> = (0..blocks).map(|_| vec![1; BLOCK]).collect();
    std::hint::black_box(&filled);
}
