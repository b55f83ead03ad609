//! What a repository takes from its surroundings, and what callers say of a change.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::backend::Durability;
use crate::id::CommitId;
use crate::info::Info;

/// A clock: seconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The clock and the author of changes that do not name them.
///
/// ```
/// use irmin_core::Context;
/// let context = Context::new("ann <ann@example.org>", || 1_000);
/// assert_eq!(context.now(), 1_000);
/// ```
#[derive(Clone)]
pub struct Context {
    clock: Clock,
    author: String,
}

impl Context {
    /// A context with this author and clock.
    #[must_use]
    pub fn new(author: impl Into<String>, clock: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Context { clock: Arc::new(clock), author: author.into() }
    }

    /// The author `irmin` and the clock of the system.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn system() -> Self {
        Context::new("irmin", system_clock)
    }

    /// The same clock with another author.
    #[must_use]
    pub fn with_author(self, author: impl Into<String>) -> Self {
        Context { author: author.into(), ..self }
    }

    /// The time, in seconds since 1970.
    #[must_use]
    pub fn now(&self) -> i64 {
        (self.clock)()
    }

    /// The author.
    #[must_use]
    pub fn author(&self) -> &str {
        &self.author
    }
}

#[cfg(feature = "std")]
// The one place that reads the clock: what programs pass when they want the system's.
#[allow(clippy::disallowed_methods)]
fn system_clock() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context({})", self.author)
    }
}

/// What a caller says of a write: why, and, where it matters, who, when, and how.
///
/// A text is a `CommitOptions` with that message; everything else has a default.
///
/// ```
/// use irmin_core::CommitOptions;
/// let options = CommitOptions::new("first words").author("ann <ann@example.org>").date(1_000).allow_empty();
/// assert_eq!(CommitOptions::from("first words").message, options.message);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CommitOptions {
    /// The commit message.
    pub message: String,
    /// Who; the context's author if absent.
    pub author: Option<String>,
    /// When, in seconds since 1970; the context's clock if absent.
    pub date: Option<i64>,
    /// All that a commit says beside its tree and parents, in place of the above.
    pub info: Option<Info>,
    /// Whether a commit is made even if nothing changes.
    pub allow_empty: bool,
    /// The parents of the commit; the head of the branch if absent.
    pub parents: Option<Vec<CommitId>>,
    /// How often the write is replayed when other processes win the race for the branch; the
    /// repository's limit if absent.
    pub retries: Option<usize>,
    /// How safe the write must be when it returns.
    pub durability: Durability,
}

impl CommitOptions {
    /// With this message.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        CommitOptions { message: message.into(), ..CommitOptions::default() }
    }

    /// By this author: `name` or `name <e-mail>`.
    #[must_use]
    pub fn author(self, author: impl Into<String>) -> Self {
        CommitOptions { author: Some(author.into()), ..self }
    }

    /// At that time, in seconds since 1970.
    #[must_use]
    pub fn date(self, date: i64) -> Self {
        CommitOptions { date: Some(date), ..self }
    }

    /// Making a commit even if nothing changes.
    #[must_use]
    pub fn allow_empty(self) -> Self {
        CommitOptions { allow_empty: true, ..self }
    }

    /// With these parents in place of the head.
    #[must_use]
    pub fn parents(self, parents: impl Into<Vec<CommitId>>) -> Self {
        CommitOptions { parents: Some(parents.into()), ..self }
    }

    /// With that many replays at most.
    #[must_use]
    pub fn retries(self, retries: usize) -> Self {
        CommitOptions { retries: Some(retries), ..self }
    }

    /// Returning before the write survives the loss of power.
    #[must_use]
    pub fn relaxed(self) -> Self {
        CommitOptions { durability: Durability::Relaxed, ..self }
    }

    /// The info of the commit.
    pub(crate) fn to_info(&self, context: &Context) -> Info {
        if let Some(info) = &self.info {
            return info.clone();
        }
        let author = self.author.as_deref().unwrap_or(context.author());
        let date = self.date.unwrap_or_else(|| context.now());
        Info::new(author, date, self.message.as_str())
    }
}

impl From<&str> for CommitOptions {
    fn from(message: &str) -> Self {
        CommitOptions::new(message)
    }
}
impl From<String> for CommitOptions {
    fn from(message: String) -> Self {
        CommitOptions::new(message)
    }
}
impl From<Info> for CommitOptions {
    fn from(info: Info) -> Self {
        CommitOptions { info: Some(info), ..CommitOptions::default() }
    }
}
