//! Whether a merge is idempotent, for types that may be parts of themselves.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::TypeId;

/// What a merge knows of its idempotence.
///
/// That of a list of trees of lists cannot be known when the merge of the list is made, because
/// that would make the merge of the list first. So the question is put when it is asked.
#[derive(Clone)]
pub(super) enum Idempotence {
    Known(bool),
    /// That of a type with parts.
    Parts(fn(&mut Asked) -> bool),
    /// Both have to be.
    Both(Arc<(Idempotence, Idempotence)>),
}

/// The types that were asked already.
#[derive(Debug, Default)]
pub struct Asked(Vec<TypeId>);

impl Asked {
    /// Asks the parts of a type. A type that comes up again inside of itself adds nothing to what
    /// its other parts say.
    pub fn parts<T: 'static>(&mut self, parts: &[fn(&mut Asked) -> bool]) -> bool {
        let id = TypeId::of::<T>();
        if self.0.contains(&id) {
            return true;
        }
        self.0.push(id);
        parts.iter().all(|part| part(self))
    }
}

impl Idempotence {
    pub(super) const NO: Idempotence = Idempotence::Known(false);
    pub(super) const YES: Idempotence = Idempotence::Known(true);

    pub(super) fn ask(&self, asked: &mut Asked) -> bool {
        match self {
            Idempotence::Known(answer) => *answer,
            Idempotence::Parts(parts) => parts(asked),
            Idempotence::Both(both) => both.0.ask(asked) && both.1.ask(asked),
        }
    }

    pub(super) fn and(&self, other: &Idempotence) -> Idempotence {
        match (self, other) {
            (Idempotence::Known(a), Idempotence::Known(b)) => Idempotence::Known(*a && *b),
            _ => Idempotence::Both(Arc::new((self.clone(), other.clone()))),
        }
    }
}
