//! Keeping the panics of callers' functions out of the store.

/// Runs a function of the caller's; nothing if it panics.
#[cfg(feature = "std")]
pub(crate) fn contain<T>(f: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).ok()
}

/// Without std a panic ends the program anyway.
#[cfg(not(feature = "std"))]
pub(crate) fn contain<T>(f: impl FnOnce() -> T) -> Option<T> {
    Some(f())
}
