//! The suite that every backend passes: the contract of
//! [`Backend`], as tests.
//!
//! ```
//! use std::sync::Arc;
//! use irmin_core::backend::MemoryBackend;
//! use irmin_core::{Format, FormatSpec};
//! use irmin_tests::conformance::Subject;
//! let make = || Arc::new(MemoryBackend::new(Format::new(FormatSpec::git()))) as Arc<_>;
//! Subject::new("memory", make).run();
//! ```

mod make;
mod objects;
mod persistence;
mod races;
mod refs;
mod stages;
mod tips;
mod values;
mod watches;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use irmin_core::backend::Backend;

pub use make::Store;

/// A backend under test.
pub struct Subject<'a> {
    name: String,
    make: Box<dyn Fn() -> Arc<dyn Backend> + 'a>,
    reopen: Option<Box<Reopen<'a>>>,
}

/// What opens a store again that is given up here.
type Reopen<'a> = dyn Fn(Arc<dyn Backend>) -> Arc<dyn Backend> + 'a;

/// One test of the suite.
type Case = fn(&Store);

impl<'a> Subject<'a> {
    /// A backend, with what makes an empty store of it, each time another one.
    pub fn new(name: impl Into<String>, make: impl Fn() -> Arc<dyn Backend> + 'a) -> Self {
        Subject { name: name.into(), make: Box::new(make), reopen: None }
    }

    /// How to open a store again: without it the tests of persistence are left out. The store
    /// that it gets is the last handle of it.
    #[must_use]
    pub fn reopening(mut self, reopen: impl Fn(Arc<dyn Backend>) -> Arc<dyn Backend> + 'a) -> Self {
        self.reopen = Some(Box::new(reopen));
        self
    }

    /// The names of the tests.
    #[must_use]
    pub fn cases() -> Vec<&'static str> {
        all().iter().map(|(name, _)| *name).collect()
    }

    /// Runs every test on a store of its own.
    ///
    /// # Panics
    /// With the names of the tests that failed, after all of them ran.
    pub fn run(&self) {
        self.run_only("");
    }

    /// Runs the tests whose name contains a text.
    ///
    /// # Panics
    /// As [`run`](Subject::run), and if there is no such test.
    pub fn run_only(&self, part: &str) {
        let mut failed = Vec::new();
        let mut ran = 0;
        let mut check = |name: &'static str, case: &dyn Fn()| {
            if name.contains(part) {
                ran += 1;
                if catch_unwind(AssertUnwindSafe(case)).is_err() {
                    failed.push(name);
                }
            }
        };
        for (name, case) in all() {
            check(name, &|| case(&Store::new((self.make)())));
        }
        if let Some(reopen) = &self.reopen {
            for (name, case) in persistence::CASES {
                check(name, &|| case((self.make)(), reopen));
            }
        } else {
            let declared = (self.make)().capabilities().persistent;
            assert!(!declared, "{}: a persistent store needs `reopening`", self.name);
        }
        assert!(ran > 0, "no test is named like `{part}`");
        assert!(failed.is_empty(), "{} fails {failed:?} of {ran} tests", self.name);
    }
}

impl std::fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Subject({})", self.name)
    }
}

fn all() -> Vec<(&'static str, Case)> {
    let parts = [
        objects::CASES,
        refs::CASES,
        stages::CASES,
        values::CASES,
        watches::CASES,
        tips::CASES,
        races::CASES,
    ];
    parts.concat()
}
