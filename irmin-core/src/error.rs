//! The one error of the store: few kinds, each saying what the caller must do.
//!
//! Functions answer `Ok(None)` for what is absent and `Err` for what could not be found out.
//! [`ErrorKind`] is what programs match on; [`Code`] is the finer, stable name that exit codes and
//! the answers of servers are made from.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::id::Key;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// What the caller can do about an [`Error`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request itself is wrong: change it.
    Invalid,
    /// Something that the request names does not exist: name something else.
    NotFound,
    /// Stored bytes are damaged: run a check, restore them from a copy.
    Corrupt,
    /// Objects are not here (yet): fetch [`Error::missing`] and run the request again.
    Missing,
    /// An object was collected while the request ran: run it again on a fresh head.
    Collected,
    /// The request contradicts the current state: look at that state and decide.
    Conflict,
    /// Others keep winning the race for the same ref: wait and run the request again.
    Contended,
    /// The environment failed (disk, lock, network): repair it and run the request again.
    Unavailable,
    /// This store cannot do that: use another one.
    Unsupported,
    /// The caller may not do that.
    Denied,
    /// A limit would be passed: ask for less, or raise the limit.
    TooLarge,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal => $kind:ident,)*) => {
        /// The stable name of an error: the catalogue that every door of the store speaks from.
        ///
        /// ```
        /// use irmin_core::{Code, ErrorKind};
        /// assert_eq!(Code::InvalidPath.as_str(), "invalid_path");
        /// assert_eq!(Code::InvalidPath.kind(), ErrorKind::Invalid);
        /// ```
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// All codes, for documentation and for the tests that keep it complete.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The code as it appears on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }

            /// What the caller can do about it.
            #[must_use]
            pub const fn kind(self) -> ErrorKind {
                match self { $(Code::$name => ErrorKind::$kind,)* }
            }
        }
    };
}

codes! {
    /// An argument that no finer code describes.
    InvalidArgument = "invalid_argument" => Invalid,
    /// A path or step that cannot be a key.
    InvalidPath = "invalid_path" => Invalid,
    /// A branch, tag or ref name that git would refuse.
    InvalidName = "invalid_name" => Invalid,
    /// A value that its contents type refuses.
    InvalidValue = "invalid_value" => Invalid,
    /// A directory where a value is asked for.
    ValueExpected = "value_expected" => Invalid,
    /// A value where a directory is asked for.
    DirectoryExpected = "directory_expected" => Invalid,
    /// A hash or revision that cannot be read.
    InvalidRevision = "invalid_revision" => Invalid,
    /// A short hash or name that several objects answer to.
    AmbiguousRevision = "ambiguous_revision" => Invalid,
    /// A branch, commit, path or store that does not exist.
    NotFound = "not_found" => NotFound,
    /// Stored bytes that do not decode or do not have their hash.
    CorruptObject = "corrupt_object" => Corrupt,
    /// A store (its control files, refs or configuration) that cannot be understood.
    CorruptStore = "corrupt_store" => Corrupt,
    /// Objects that the store does not have, or not at hand.
    MissingObjects = "missing_objects" => Missing,
    /// A tree whose contents were cut away on purpose.
    Pruned = "pruned" => Missing,
    /// An object that was collected.
    Collected = "collected" => Collected,
    /// A compare-and-set whose expectation does not hold.
    PreconditionFailed = "precondition_failed" => Conflict,
    /// A merge with conflicts.
    MergeConflict = "merge_conflict" => Conflict,
    /// A ref that clashes with another one (`a` and `a/b`).
    NameClash = "name_clash" => Conflict,
    /// All retries were used up by other writers.
    TooManyRetries = "too_many_retries" => Contended,
    /// A lock that others hold.
    Locked = "locked" => Contended,
    /// The device, file or network failed.
    Io = "io" => Unavailable,
    /// An earlier failed sync makes every later write of this handle uncertain.
    Poisoned = "poisoned" => Unavailable,
    /// The store was closed.
    Closed = "closed" => Unavailable,
    /// The store, format or build does not offer that.
    Unsupported = "unsupported" => Unsupported,
    /// The format cannot hold the value (a mode, header or time zone it has no place for).
    Unrepresentable = "unrepresentable" => Unsupported,
    /// A store opened for reading only.
    ReadOnly = "read_only" => Denied,
    /// Not allowed for this caller.
    Forbidden = "forbidden" => Denied,
    /// A value, name, tree or message over its limit.
    PayloadTooLarge = "payload_too_large" => TooLarge,
    /// A search that was cut off by its bound.
    LimitReached = "limit_reached" => TooLarge,
}

/// The error of every operation of the store.
///
/// It prints as one sentence that names the thing and the cause; the chain of causes is behind
/// [`core::error::Error::source`]. It is one pointer wide and can be cloned, because one failed
/// sync fails every write that waited for it.
///
/// ```
/// use irmin_core::{Code, Error, ErrorKind};
/// let e = Error::new(Code::NotFound, "branch `draft` does not exist");
/// assert_eq!(e.kind(), ErrorKind::NotFound);
/// assert_eq!(e.to_string(), "branch `draft` does not exist");
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: Code,
    context: String,
    missing: Vec<Key>,
    source: Option<Arc<dyn core::error::Error + Send + Sync>>,
}

impl Error {
    /// An error with its stable code and a sentence that names the thing and the cause.
    #[must_use]
    pub fn new(code: Code, context: impl Into<String>) -> Self {
        Error(Box::new(Inner { code, context: context.into(), missing: Vec::new(), source: None }))
    }

    /// The objects that a read needs and that are not at hand.
    #[must_use]
    pub fn missing_objects(keys: Vec<Key>) -> Self {
        let context = match keys.as_slice() {
            [key] => alloc::format!("object {} is not in the store", key.hash),
            [first, rest @ ..] => alloc::format!(
                "object {} and {} others are not in the store",
                first.hash,
                rest.len()
            ),
            [] => String::from("objects are not in the store"),
        };
        let mut error = Error::new(Code::MissingObjects, context);
        error.0.missing = keys;
        error
    }

    /// Stored bytes that cannot be what `hash` says they are.
    #[must_use]
    pub fn corrupt(what: &str, hash: &crate::Hash, why: impl fmt::Display) -> Self {
        Error::new(Code::CorruptObject, alloc::format!("{what} {hash} is corrupt: {why}"))
    }

    /// Attaches the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl core::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// Puts `context` in front of the message: `context: message`.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.0.context = alloc::format!("{context}: {}", self.0.context);
        self
    }

    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.code.kind()
    }

    /// The stable name of the error.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The objects to fetch before the request can succeed (for [`ErrorKind::Missing`]).
    #[must_use]
    pub fn missing(&self) -> &[Key] {
        &self.0.missing
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.context)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.as_str(), self.0.context)?;
        if let Some(source) = &self.0.source {
            write!(f, " ({source})")?;
        }
        Ok(())
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.0.source.as_ref().map(|s| &**s as &(dyn core::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn codes_are_distinct_and_snake_case() {
        let all: BTreeSet<_> = Code::ALL.iter().map(|c| c.as_str()).collect();
        assert_eq!(all.len(), Code::ALL.len());
        assert!(all.iter().all(|c| c.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
    }

    #[test]
    fn an_error_is_one_pointer_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
    }
}
