//! Limits: one bound for everything that an input can make large.
//!
//! The constants bound names, which are checked wherever they are made. [`Limits`] bounds work
//! and sizes; a repository carries one and programs may change it.

/// The longest step, in bytes: what file systems allow for a name.
pub const STEP: usize = 255;
/// The longest path, in bytes, slashes included.
pub const PATH: usize = 4096;
/// The most steps that a path that callers build may have.
pub const DEPTH: usize = 256;
/// The deepest directory that is read: git's own bound (`core.maxTreeDepth`).
pub const READ_DEPTH: usize = 2048;
/// The longest path that a walk over a tree follows, in bytes: callers' own paths are far shorter.
pub const READ_PATH: usize = 64 << 10;
/// The longest ref name in bytes, `refs/heads/` included.
pub const REF_NAME: usize = 255;

const _: () = assert!(STEP < PATH && DEPTH < READ_DEPTH && PATH < READ_PATH);

/// Bounds on sizes and work; each is inclusive.
///
/// ```
/// use irmin_core::Limits;
/// let small = Limits { value: 1024, ..Limits::default() };
/// assert_eq!(small.parents, Limits::default().parents);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest value that is handled in memory, in bytes.
    pub value: usize,
    /// The largest value that is written or read as a stream, in bytes: what a disk may take, since
    /// memory does not depend on it.
    pub streamed: u64,
    /// The largest object that is decoded, in bytes.
    pub object: usize,
    /// The most entries in one directory.
    pub entries: usize,
    /// The longest commit message, in bytes.
    pub message: usize,
    /// The most parents of one commit.
    pub parents: usize,
    /// The most entries that a sorted list returns at once.
    pub list: usize,
    /// The most entries that one walk over a tree (a fold, a diff, a merge, a copy) may meet: equal
    /// subtrees are stored once and met as often as they are referred to.
    pub visits: usize,
    /// How often a write is replayed when other processes win the race for its branch.
    pub retries: usize,
    /// The memory that the new objects of one write may take, in bytes: those of a larger one go to
    /// the store as they are made, where nobody sees them before the write is complete.
    pub batch: usize,
    /// The memory that decoded directories may take, in bytes.
    pub cache: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            value: 64 << 20,
            streamed: 1 << 40,
            object: 1 << 30,
            entries: 10_000_000,
            message: 1 << 20,
            parents: 64,
            list: 10_000_000,
            visits: 100_000_000,
            retries: 13,
            batch: 8 << 20,
            cache: 64 << 20,
        }
    }
}
