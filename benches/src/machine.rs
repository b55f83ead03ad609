//! What the system says about itself. All of it is Linux's; elsewhere the figures are absent.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};

/// The processor time of this process so far, of all threads, user and system, in seconds.
#[must_use]
pub fn cpu() -> f64 {
    usage(UsageWho::RUSAGE_SELF)
}

/// The processor time of the programs that this one started and waited for, in seconds.
#[must_use]
pub fn cpu_of_children() -> f64 {
    usage(UsageWho::RUSAGE_CHILDREN)
}

fn usage(who: UsageWho) -> f64 {
    let used =
        getrusage(who).map(|used| (used.user_time() + used.system_time()).num_microseconds());
    used.unwrap_or_default() as f64 / 1e6
}

/// The load of the last minute.
#[must_use]
pub fn load1() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

/// The file system that a directory is in.
#[must_use]
pub fn file_system(dir: &Path) -> Option<String> {
    let dir = dir.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let (_, system) = mounts
        .filter(|(place, _)| dir.starts_with(place))
        .max_by_key(|(place, _)| Path::new(place).components().count())?;
    Some(system.to_owned())
}

/// Lets the peak of the memory in use begin anew.
pub fn forget_peak() {
    // Where that is refused the peak is that of the whole process, which the record then shows.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The peak of the memory in use, in bytes.
#[must_use]
pub fn peak_memory() -> Option<u64> {
    status("VmHWM:")
}

/// The memory in use, in bytes.
#[must_use]
pub fn memory() -> Option<u64> {
    status("VmRSS:")
}

/// The bytes that this process made the kernel hand to storage so far.
#[must_use]
pub fn written() -> Option<u64> {
    let io = fs::read_to_string("/proc/self/io").ok()?;
    io.lines().find_map(|line| line.strip_prefix("write_bytes: "))?.parse().ok()
}

fn status(field: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The bytes that the files below a directory take on the disk.
#[must_use]
pub fn disk(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => disk(&entry.path()),
        Ok(found) => found.blocks() * 512,
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

/// The median of writing 1 KiB over old bytes and syncing it so many times, in microseconds: what
/// any durable write costs at least.
#[must_use]
pub fn sync_probe(dir: &Path, rounds: usize) -> Option<f64> {
    let path = dir.join("sync-probe");
    let file = File::options().create(true).truncate(true).write(true).open(&path).ok()?;
    let mut times = Vec::new();
    for round in 0..=rounds {
        let start = Instant::now();
        file.write_all_at(&[round as u8; 1024], 0).ok()?;
        file.sync_data().ok()?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    let _ = fs::remove_file(path);
    // The first one made the file.
    times.remove(0);
    times.sort_unstable_by(f64::total_cmp);
    times.get(times.len() / 2).copied()
}

/// The machine that figures are from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The model of its processor.
    pub cpu: String,
    /// How many threads it runs at once.
    pub cores: usize,
    /// Its memory in bytes.
    pub memory: u64,
    /// The kernel.
    pub kernel: String,
    /// The compiler.
    pub rustc: String,
    /// The git command.
    pub git: String,
    /// The features of the processor that hashing uses.
    pub features: String,
    /// Who gets memory in pages of megabytes.
    pub huge_pages: String,
    /// Microseconds of processor time to write to a MiB of memory for the first time: a part of
    /// all that makes a store in memory grow. In virtual machines it can be most of it.
    pub new_mebibyte_us: f64,
}

impl Machine {
    /// Whether both are one machine, whatever new memory cost when.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        *self == Machine { new_mebibyte_us: self.new_mebibyte_us, ..other.clone() }
    }

    /// This machine.
    #[must_use]
    pub fn this() -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line = info.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(": ")).map_or("", |(_, value)| value).to_owned()
        };
        let flags = field("flags");
        let known = ["sha_ni", "avx2", "avx512f"];
        let has = known.into_iter().filter(|name| flags.split(' ').any(|flag| flag == *name));
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kib = memory.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok());
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Machine {
            cpu: field("model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory: kib.unwrap_or_default() * 1024,
            kernel: format!("Linux {}", release.trim()),
            rustc: version("rustc"),
            git: version("git"),
            features: has.collect::<Vec<_>>().join(" "),
            huge_pages: huge_pages(),
            new_mebibyte_us: new_mebibyte(),
        }
    }
}

/// Who gets huge pages.
fn huge_pages() -> String {
    let setting = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    let setting = setting.unwrap_or_default();
    match setting.split(['[', ']']).nth(1) {
        Some("madvise") => "for heaps that ask, as a warm one does".to_owned(),
        chosen => chosen.unwrap_or("unknown").to_owned(),
    }
}

/// What writing to new memory takes, by MiB.
fn new_mebibyte() -> f64 {
    const MEBIBYTES: usize = 64;
    let before = cpu();
    let mut memory: Vec<u8> = Vec::with_capacity(MEBIBYTES << 20);
    memory.resize(MEBIBYTES << 20, 1);
    std::hint::black_box(&memory);
    (cpu() - before) * 1e6 / MEBIBYTES as f64
}

fn version(program: &str) -> String {
    let output = Command::new(program).arg("--version").output();
    let text = output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned());
    text.unwrap_or_else(|_| format!("{program} is not installed"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn file_systems_have_names() {
        assert_eq!(file_system(Path::new("/proc/self")).as_deref(), Some("proc"));
        assert!(file_system(Path::new("/")).is_some());
        assert_eq!(file_system(Path::new("/there/is/no/such/place")), None);
    }
}
