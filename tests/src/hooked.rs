//! A backend that lets a test act between the steps of the code under test.

use std::fmt;
use std::sync::{Arc, Mutex};

use irmin_core::backend::{Backend, Batch, Submitted, Target, View, Wait};
use irmin_core::{Key, Object, RefName, Result};

/// What sees, and may change, an object that was read.
pub type OnObject = Arc<dyn Fn(&Key, &mut Option<Object>) + Send + Sync>;
/// What runs after a ref was read and before its value is returned.
pub type OnRef = Arc<dyn Fn(&RefName) + Send + Sync>;
/// What runs before a batch is submitted, or before it is waited for.
pub type OnStep = Arc<dyn Fn() + Send + Sync>;

#[derive(Clone, Default)]
struct Hooks {
    object: Option<OnObject>,
    ref_read: Option<OnRef>,
    submit: Option<OnStep>,
    wait: Option<OnStep>,
}

/// Passes everything on to another backend, and calls the hooks that a test has set.
pub struct Hooked {
    inner: Arc<dyn Backend>,
    hooks: Mutex<Hooks>,
}

impl Hooked {
    /// A backend without hooks.
    #[must_use]
    pub fn new(inner: Arc<dyn Backend>) -> Arc<Self> {
        Arc::new(Hooked { inner, hooks: Mutex::default() })
    }

    fn hooks(&self) -> Hooks {
        self.hooks.lock().unwrap().clone()
    }

    /// Calls `f` for every object that is read.
    pub fn on_object(&self, f: impl Fn(&Key, &mut Option<Object>) + Send + Sync + 'static) {
        self.hooks.lock().unwrap().object = Some(Arc::new(f));
    }

    /// Calls `f` after a ref was read, before the reader has its value.
    pub fn on_ref_read(&self, f: impl Fn(&RefName) + Send + Sync + 'static) {
        self.hooks.lock().unwrap().ref_read = Some(Arc::new(f));
    }

    /// Calls `f` before a batch is submitted.
    pub fn on_submit(&self, f: impl Fn() + Send + Sync + 'static) {
        self.hooks.lock().unwrap().submit = Some(Arc::new(f));
    }

    /// Calls `f` after a batch was submitted, before it is waited for.
    pub fn on_wait(&self, f: impl Fn() + Send + Sync + 'static) {
        self.hooks.lock().unwrap().wait = Some(Arc::new(f));
    }

    /// Removes all hooks.
    pub fn clear(&self) {
        *self.hooks.lock().unwrap() = Hooks::default();
    }
}

impl fmt::Debug for Hooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hooked({:?})", self.inner)
    }
}

impl Backend for Hooked {
    fn get_many(&self, keys: &[Key], wait: Wait) -> Result<Vec<Option<Object>>> {
        let mut found = self.inner.get_many(keys, wait)?;
        if let Some(hook) = self.hooks().object {
            keys.iter().zip(&mut found).for_each(|(key, object)| hook(key, object));
        }
        Ok(found)
    }
    fn read_ref(&self, name: &RefName, view: View) -> Result<Option<Target>> {
        let target = self.inner.read_ref(name, view)?;
        if let Some(hook) = self.hooks().ref_read {
            hook(name);
        }
        Ok(target)
    }
    fn submit(&self, batch: Batch) -> Result<Submitted<'_>> {
        let hooks = self.hooks();
        if let Some(hook) = hooks.submit {
            hook();
        }
        let submitted = self.inner.submit(batch)?;
        Ok(match hooks.wait {
            None => submitted,
            Some(hook) => Submitted::Accepted(Box::new(move || {
                hook();
                submitted.wait()
            })),
        })
    }
    irmin_core::pass_on! { Backend for inner:
        format pin read_range find_many find_prefix refs ref_names stage watch refresh recorded capabilities
    }
}
