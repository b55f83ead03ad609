//! What decorators do not change, written once.

/// What [`pass_on`](crate::pass_on) writes is made of these, also in crates without std.
#[doc(hidden)]
pub mod passed {
    pub use alloc::boxed::Box;
    pub use alloc::sync::Arc;
    pub use alloc::vec::Vec;
    pub use core::ops::Range;
}

/// Writes the methods of a [`Backend`](crate::backend::Backend) or of a
/// [`Stage`](crate::backend::Stage) that call those of a field and do nothing else: what a decorator
/// does not change.
///
/// Methods with a default are passed on only where they are listed: a decorator that leaves out
/// `open_values`, `get_within` and `put_value` holds large values in memory, and one that leaves out `recorded`
/// forgets how values merge.
///
/// ```
/// use std::sync::Arc;
/// use irmin_core::backend::{Backend, Batch, MemoryBackend, Stage, Submitted};
/// use irmin_core::{Code, Error, Format, FormatSpec, Result};
///
/// /// A store that nobody writes to.
/// #[derive(Debug)]
/// struct Frozen(Arc<dyn Backend>);
///
/// fn refused<T>() -> Result<T> {
///     Err(Error::new(Code::ReadOnly, "the store is frozen"))
/// }
///
/// impl Backend for Frozen {
///     fn submit(&self, _: Batch) -> Result<Submitted<'_>> {
///         refused()
///     }
///     fn stage(&self) -> Result<Box<dyn Stage + '_>> {
///         refused()
///     }
///     irmin_core::pass_on! { Backend for 0:
///         format pin get_many get get_within resident_dir resident_commit read_range open_values
///         find_many find_prefix refs ref_names read_ref watch refresh recorded capabilities
///     }
/// }
///
/// let store = Frozen(Arc::new(MemoryBackend::new(Format::new(FormatSpec::git()))));
/// assert!(store.refs("")?.is_empty());
/// assert_eq!(store.publish(Batch::default()).unwrap_err().code(), Code::ReadOnly);
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[macro_export]
macro_rules! pass_on {
    (Backend for $field:tt: $($method:ident)*) => {
        $($crate::pass_on! { @backend $method $field })*
    };
    (Stage for $field:tt: $($method:ident)*) => {
        $($crate::pass_on! { @stage $method $field })*
    };
    (@backend format $field:tt) => {
        fn format(&self) -> &$crate::Format {
            self.$field.format()
        }
    };
    (@backend pin $field:tt) => {
        fn pin(&self) -> $crate::Result<$crate::backend::Pin> {
            self.$field.pin()
        }
    };
    (@backend get_many $field:tt) => {
        fn get_many(&self, keys: &[$crate::Key], wait: $crate::backend::Wait) -> $crate::Result<$crate::backend::passed::Vec<Option<$crate::Object>>> {
            self.$field.get_many(keys, wait)
        }
    };
    (@backend get $field:tt) => {
        fn get(&self, key: &$crate::Key, wait: $crate::backend::Wait) -> $crate::Result<Option<$crate::Object>> {
            self.$field.get(key, wait)
        }
    };
    (@backend get_within $field:tt) => {
        fn get_within(&self, key: &$crate::Key, most: u64, wait: $crate::backend::Wait) -> $crate::Result<Option<$crate::Object>> {
            self.$field.get_within(key, most, wait)
        }
    };
    (@backend resident_dir $field:tt) => {
        fn resident_dir(&self, key: &$crate::Key) -> Option<$crate::backend::passed::Arc<$crate::Dir>> {
            self.$field.resident_dir(key)
        }
    };
    (@backend resident_commit $field:tt) => {
        fn resident_commit(&self, key: &$crate::Key) -> Option<$crate::backend::passed::Arc<$crate::CommitData>> {
            self.$field.resident_commit(key)
        }
    };
    (@backend read_range $field:tt) => {
        fn read_range(&self, key: &$crate::Key, range: $crate::backend::passed::Range<u64>) -> $crate::Result<$crate::Bytes> {
            self.$field.read_range(key, range)
        }
    };
    (@backend open_values $field:tt) => {
        fn open_values(&self, keys: &[$crate::Key], wait: $crate::backend::Wait) -> $crate::Result<$crate::backend::passed::Vec<Option<$crate::backend::passed::Box<dyn $crate::backend::ValueRead>>>> {
            self.$field.open_values(keys, wait)
        }
    };
    (@backend find_many $field:tt) => {
        fn find_many(&self, hashes: &[$crate::Hash]) -> $crate::Result<$crate::backend::passed::Vec<Option<$crate::Key>>> {
            self.$field.find_many(hashes)
        }
    };
    (@backend find_prefix $field:tt) => {
        fn find_prefix(&self, prefix: &$crate::HashPrefix) -> $crate::Result<$crate::backend::passed::Vec<$crate::Key>> {
            self.$field.find_prefix(prefix)
        }
    };
    (@backend refs $field:tt) => {
        fn refs(&self, prefix: &str) -> $crate::Result<$crate::backend::passed::Vec<($crate::RefName, $crate::backend::Target)>> {
            self.$field.refs(prefix)
        }
    };
    (@backend ref_names $field:tt) => {
        fn ref_names(&self, prefix: &str) -> $crate::Result<$crate::backend::passed::Vec<$crate::RefName>> {
            self.$field.ref_names(prefix)
        }
    };
    (@backend read_ref $field:tt) => {
        fn read_ref(&self, name: &$crate::RefName, view: $crate::backend::View) -> $crate::Result<Option<$crate::backend::Target>> {
            self.$field.read_ref(name, view)
        }
    };
    (@backend submit $field:tt) => {
        fn submit(&self, batch: $crate::backend::Batch) -> $crate::Result<$crate::backend::Submitted<'_>> {
            self.$field.submit(batch)
        }
    };
    (@backend stage $field:tt) => {
        fn stage(&self) -> $crate::Result<$crate::backend::passed::Box<dyn $crate::backend::Stage + '_>> {
            self.$field.stage()
        }
    };
    (@backend watch $field:tt) => {
        fn watch(&self, notify: $crate::backend::OnRefChange) -> $crate::Result<$crate::backend::WatchGuard> {
            self.$field.watch(notify)
        }
    };
    (@backend refresh $field:tt) => {
        fn refresh(&self) -> $crate::Result<()> {
            self.$field.refresh()
        }
    };
    (@backend recorded $field:tt) => {
        fn recorded(&self) -> $crate::backend::Recorded {
            self.$field.recorded()
        }
    };
    (@backend capabilities $field:tt) => {
        fn capabilities(&self) -> $crate::backend::Capabilities {
            self.$field.capabilities()
        }
    };
    (@stage put $field:tt) => {
        fn put(&mut self, objects: $crate::backend::passed::Vec<$crate::Object>) -> $crate::Result<$crate::backend::passed::Vec<$crate::Key>> {
            self.$field.put(objects)
        }
    };
    (@stage put_value $field:tt) => {
        fn put_value(&mut self, format: &$crate::Format, len: u64, read: &mut dyn $crate::io::Read) -> $crate::Result<$crate::Key> {
            self.$field.put_value(format, len, read)
        }
    };
    (@stage get_many $field:tt) => {
        fn get_many(&self, keys: &[$crate::Key]) -> $crate::Result<$crate::backend::passed::Vec<Option<$crate::Object>>> {
            self.$field.get_many(keys)
        }
    };
    (@stage publish $field:tt) => {
        fn publish(self: $crate::backend::passed::Box<Self>, edits: $crate::backend::passed::Vec<$crate::backend::RefEdit>, durability: $crate::backend::Durability, note: $crate::backend::Note) -> $crate::Result<$crate::backend::Published> {
            self.$field.publish(edits, durability, note)
        }
    };
}
