//! Locks: those of std where there is one, spinning ones otherwise.
//!
//! The two mirror one another, so that the rest of the crate is written once. A panic while a
//! lock is held does not poison it: what the locks of this crate guard is always consistent
//! between statements.

#[cfg(feature = "std")]
mod imp {
    use std::sync::PoisonError;
    pub use std::sync::{MutexGuard, OnceLock, RwLockReadGuard, RwLockWriteGuard};

    /// A mutual exclusion lock.
    #[derive(Debug, Default)]
    pub struct Mutex<T>(std::sync::Mutex<T>);

    impl<T> Mutex<T> {
        /// A lock around a value.
        pub const fn new(value: T) -> Self {
            Mutex(std::sync::Mutex::new(value))
        }

        /// Waits for the lock.
        pub fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }

        /// The value, without its lock.
        pub fn into_inner(self) -> T {
            self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
        }
    }

    /// A lock that many readers or one writer hold.
    #[derive(Debug, Default)]
    pub struct RwLock<T>(std::sync::RwLock<T>);

    impl<T> RwLock<T> {
        /// A lock around a value.
        pub const fn new(value: T) -> Self {
            RwLock(std::sync::RwLock::new(value))
        }

        /// Waits until no one writes.
        pub fn read(&self) -> RwLockReadGuard<'_, T> {
            self.0.read().unwrap_or_else(PoisonError::into_inner)
        }

        /// Waits until no one reads or writes.
        pub fn write(&self) -> RwLockWriteGuard<'_, T> {
            self.0.write().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

#[cfg(not(feature = "std"))]
mod imp {
    pub use spin::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

    /// A value that is set at most once.
    #[derive(Debug)]
    pub struct OnceLock<T>(spin::Once<T>);

    impl<T> Default for OnceLock<T> {
        fn default() -> Self {
            Self::new()
        }
    }

    impl<T: Clone> Clone for OnceLock<T> {
        fn clone(&self) -> Self {
            let copy = Self::new();
            if let Some(value) = self.get() {
                let _ = copy.set(value.clone());
            }
            copy
        }
    }

    impl<T> OnceLock<T> {
        /// An empty cell.
        pub const fn new() -> Self {
            OnceLock(spin::Once::new())
        }

        /// The value, if it is set.
        pub fn get(&self) -> Option<&T> {
            self.0.get()
        }

        /// Sets the value, or gives it back if there is one already.
        ///
        /// # Errors
        /// The value, if the cell is full.
        pub fn set(&self, value: T) -> Result<(), T> {
            let mut value = Some(value);
            self.0.call_once(|| match value.take() {
                Some(value) => value,
                None => unreachable!("the closure runs at most once"),
            });
            value.map_or(Ok(()), Err)
        }

        /// The value, made now if it is not set.
        pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
            self.0.call_once(make)
        }

        /// Empties the cell.
        pub fn take(&mut self) -> Option<T> {
            core::mem::take(self).0.try_into_inner()
        }
    }
}

pub use imp::{Mutex, MutexGuard, OnceLock, RwLock, RwLockReadGuard, RwLockWriteGuard};
