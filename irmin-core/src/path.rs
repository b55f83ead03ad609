//! Paths: where a value is in a tree.
//!
//! A path is a sequence of *steps*, each a non-empty byte string without `/` and NUL. Paths that
//! callers build are also *git-safe*: no step is one that `git fsck --strict` refuses, so that
//! whatever the store writes can be cloned and checked out anywhere. Directories that other
//! programs wrote may hold stranger names; [`Step`] carries those, and [`Path::foreign`] names
//! them for reading.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::fmt;

use crate::error::{Code, Error, Result};
use crate::limits;

/// One name in a directory: bytes, in order of bytes.
///
/// It prints like a [`Path`], quoted where it must be.
#[derive(Clone, PartialEq, Eq)]
pub struct Step(Name);

/// Most names are short, and the maps that hold them are searched for each value that is set: a
/// short one is where it is compared, without a place of its own.
#[derive(Clone, PartialEq, Eq)]
enum Name {
    /// So many bytes, and zeros behind them.
    Short(u8, [u8; SHORT]),
    /// More bytes than are short.
    Long(Box<[u8]>),
}

/// The most bytes of a name that are kept in line: as many as leave it three words.
const SHORT: usize = 22;

impl Name {
    fn of(name: &[u8]) -> Self {
        let mut bytes = [0; SHORT];
        match (bytes.get_mut(..name.len()), u8::try_from(name.len())) {
            (Some(start), Ok(len)) => {
                start.copy_from_slice(name);
                Name::Short(len, bytes)
            }
            _ => Name::Long(name.into()),
        }
    }
}

/// The bytes of a short name as numbers that are in the same order.
fn words(bytes: &[u8; SHORT]) -> (u128, u64) {
    let first = bytes.first_chunk().map_or(0, |chunk| u128::from_be_bytes(*chunk));
    // The two overlap, which does not matter where the first are equal.
    (first, bytes.last_chunk().map_or(0, |chunk| u64::from_be_bytes(*chunk)))
}

impl Step {
    /// A git-safe step.
    ///
    /// # Errors
    /// `invalid_path` if it is empty, holds `/` or NUL, or is a name that `git fsck --strict`
    /// refuses; `payload_too_large` if it is longer than [`limits::STEP`].
    pub fn new(name: impl AsRef<[u8]>) -> Result<Self> {
        let name = name.as_ref();
        check_git_safe(name)?;
        Ok(Step(Name::of(name)))
    }

    /// A step as found in a directory that another program wrote.
    #[must_use]
    pub fn foreign(name: &[u8]) -> Self {
        Step(Name::of(name))
    }

    /// The bytes of the name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Name::Short(len, bytes) => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Name::Long(bytes) => bytes,
        }
    }

    /// The name as text, if it is text.
    #[must_use]
    pub fn to_str(&self) -> Option<&str> {
        core::str::from_utf8(self.as_bytes()).ok()
    }
}

impl PartialOrd for Step {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Step {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        match (&self.0, &other.0) {
            // Of names that only zeros tell apart the shorter one begins the other.
            (Name::Short(len, bytes), Name::Short(other_len, other)) => {
                words(bytes).cmp(&words(other)).then(len.cmp(other_len))
            }
            _ => self.as_bytes().cmp(other.as_bytes()),
        }
    }
}
/// As that of the bytes, which maps of steps are asked with.
impl core::hash::Hash for Step {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}
impl AsRef<[u8]> for Step {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}
impl Borrow<[u8]> for Step {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}
impl PartialEq<str> for Step {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}
impl PartialEq<&str> for Step {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_quoted(self.as_bytes(), f)
    }
}
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_quoted(self.as_bytes(), f)
    }
}

/// A sequence of steps from the root of a tree; the empty path is the root itself.
///
/// The text form joins the steps with `/`. A path that holds control characters, `"`, `\` or
/// bytes that are not UTF-8 is printed between quotes with the escapes of C, as git prints it, so
/// that every path has one text form and [`Path::parse_quoted`] reads it back.
///
/// ```
/// use irmin_core::Path;
/// let path = Path::parse("greetings/en")?;
/// assert_eq!(path.steps().collect::<Vec<_>>(), [b"greetings".as_slice(), b"en"]);
/// assert_eq!(path, Path::parse("/greetings//en/")?);
/// assert!(Path::parse("a/../b").is_err());
///
/// let odd = Path::new([b"caf\xe9".as_slice()])?;
/// assert_eq!(odd.to_string(), r#""caf\351""#);
/// assert_eq!(Path::parse_quoted(&odd.to_string())?, odd);
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Path {
    /// The steps joined by `/`, which no step contains.
    joined: Vec<u8>,
}

impl Path {
    /// The path of the root.
    #[must_use]
    pub const fn root() -> Self {
        Path { joined: Vec::new() }
    }

    /// A path of these steps.
    ///
    /// # Errors
    /// As [`Step::new`], and `payload_too_large` for a path over [`limits::PATH`] bytes or
    /// [`limits::DEPTH`] steps.
    pub fn new<S: AsRef<[u8]>>(steps: impl IntoIterator<Item = S>) -> Result<Self> {
        let mut path = Path::root();
        for step in steps {
            check_git_safe(step.as_ref())?;
            path.push_foreign(step.as_ref());
        }
        path.check_size()?;
        Ok(path)
    }

    /// Reads `a/b/c`; empty steps (leading, trailing and double slashes) are dropped.
    ///
    /// # Errors
    /// As [`Path::new`].
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self> {
        let text = text.as_ref();
        if is_plain(text) {
            return Ok(Path { joined: text.to_vec() });
        }
        Path::new(text.split(|b| *b == b'/').filter(|s| !s.is_empty()))
    }

    /// A path for *reading* what other programs wrote: any steps without `/` and NUL.
    ///
    /// # Errors
    /// `invalid_path` if a step is empty or holds `/` or NUL, and as [`Path::new`] for sizes.
    pub fn foreign<S: AsRef<[u8]>>(steps: impl IntoIterator<Item = S>) -> Result<Self> {
        let mut path = Path::root();
        for step in steps {
            let step = step.as_ref();
            if step.is_empty() || step.iter().any(|b| matches!(b, b'/' | 0)) {
                return Err(invalid(step, "is empty or holds `/` or a NUL"));
            }
            path.push_foreign(step);
        }
        path.check_size()?;
        Ok(path)
    }

    /// Reads the text form, quoted or not: the inverse of `to_string`.
    ///
    /// # Errors
    /// `invalid_path` for a quoted text that does not end or has an unknown escape, and as
    /// [`Path::foreign`].
    pub fn parse_quoted(text: &str) -> Result<Self> {
        let bytes = match text.strip_prefix('"') {
            Some(rest) => unquote(rest).ok_or_else(|| {
                Error::new(Code::InvalidPath, format!("{text} is not a quoted path"))
            })?,
            None => text.as_bytes().to_vec(),
        };
        Path::foreign(bytes.split(|b| *b == b'/').filter(|s| !s.is_empty()))
    }

    /// The steps, outermost first.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = &[u8]> + Clone {
        self.joined.split(|b| *b == b'/').filter(|s| !s.is_empty())
    }

    /// The steps joined by `/`.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.joined
    }

    /// Whether it is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.joined.is_empty()
    }

    /// How many steps it has.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.steps().count()
    }

    /// This path and one more step.
    #[must_use]
    pub fn child(&self, step: &[u8]) -> Self {
        let mut path = self.clone();
        path.push_foreign(step);
        path
    }

    /// This path followed by another one.
    #[must_use]
    pub fn join(&self, other: &Path) -> Self {
        let mut path = self.clone();
        other.steps().for_each(|step| path.push_foreign(step));
        path
    }

    /// The directory it is in and its last step; nothing for the root.
    #[must_use]
    pub fn split_last(&self) -> Option<(Path, &[u8])> {
        let last = self.steps().next_back()?;
        let end = self.joined.len().saturating_sub(last.len() + 1);
        Some((Path { joined: self.joined.get(..end)?.to_vec() }, last))
    }

    /// What is left of this path below `prefix`, if it is there or below.
    #[must_use]
    pub fn strip_prefix(&self, prefix: &Path) -> Option<Path> {
        let mut steps = self.steps();
        for step in prefix.steps() {
            if steps.next()? != step {
                return None;
            }
        }
        let mut rest = Path::root();
        steps.for_each(|step| rest.push_foreign(step));
        Some(rest)
    }

    /// Checks that every step is one that a store may write.
    ///
    /// # Errors
    /// As [`Step::new`].
    pub fn check_git_safe(&self) -> Result<()> {
        if is_plain(&self.joined) {
            return Ok(());
        }
        self.steps().try_for_each(check_git_safe)
    }

    fn push_foreign(&mut self, step: &[u8]) {
        if !self.joined.is_empty() {
            self.joined.push(b'/');
        }
        self.joined.extend_from_slice(step);
    }

    fn check_size(&self) -> Result<()> {
        let too_large = |what: String| Err(Error::new(Code::PayloadTooLarge, what));
        if self.joined.len() > limits::PATH {
            let shown = self.joined.get(..40).unwrap_or_default().escape_ascii();
            return too_large(format!("path `{shown}…` has more than {} bytes", limits::PATH));
        }
        if self.depth() > limits::DEPTH {
            return too_large(format!("path `{self}` has more than {} steps", limits::DEPTH));
        }
        Ok(())
    }
}

impl PartialOrd for Path {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Path {
    /// The order of the steps, so that a directory comes right before what is in it.
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.steps().cmp(other.steps())
    }
}
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_quoted(&self.joined, f)
    }
}
impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}
impl core::str::FromStr for Path {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Path::parse(text)
    }
}

/// What can be used as a path: a path, text such as `"a/b"`, or a list of steps.
pub trait IntoPath {
    /// The path: one that is lent is not copied.
    ///
    /// # Errors
    /// As [`Path::new`].
    fn into_path<'p>(self) -> Result<Cow<'p, Path>>
    where
        Self: 'p;
}

/// What a path is read from, each by its own function.
macro_rules! into_path {
    ($([$($of:tt)*] $from:ty => $read:expr;)*) => {$(
        impl<$($of)*> IntoPath for $from {
            fn into_path<'p>(self) -> Result<Cow<'p, Path>>
            where
                Self: 'p,
            {
                ($read)(self)
            }
        }
    )*};
}

into_path! {
    [] Path => |path| Ok(Cow::Owned(path));
    [] &Path => |path| Ok(Cow::Borrowed(path));
    [] Cow<'_, Path> => Ok;
    [] &Cow<'_, Path> => |path: Self| Ok(Cow::Borrowed(&**path));
    [] &str => |text| Path::parse(text).map(Cow::Owned);
    [] &String => |text| Path::parse(text).map(Cow::Owned);
    [] String => |text| Path::parse(text).map(Cow::Owned);
    [S: AsRef<[u8]>, const N: usize] [S; N] => |steps| Path::new(steps).map(Cow::Owned);
    [S: AsRef<[u8]>] &[S] => |steps| Path::new(steps).map(Cow::Owned);
}

fn invalid(step: &[u8], why: &str) -> Error {
    Error::new(Code::InvalidPath, format!("step `{}` {why}", step.escape_ascii()))
}

/// Whether these are steps joined by `/`, each once and few, that no rule for names is about.
///
/// Most paths are such ones: to look at each byte once is all that checking them takes.
fn is_plain(joined: &[u8]) -> bool {
    let mut before = b'/';
    let mut plain = joined.len() <= limits::STEP;
    for byte in joined {
        // What disguises `.git` begins with a dot, or has a backslash, a tilde, or no ASCII.
        plain &= (b' '..b'~').contains(byte) & (*byte != b'\\');
        plain &= (before != b'/') | ((*byte != b'.') & (*byte != b'/'));
        before = *byte;
    }
    plain & (joined.is_empty() | (before != b'/'))
}

const _: () = assert!(limits::STEP <= limits::PATH && limits::STEP / 2 < limits::DEPTH);

/// Checks a step against what `git fsck --strict` refuses in a tree.
///
/// Source: git's `fsck.c` and `path.c`/`utf8.c` (names that HFS+ and NTFS take for `.git`).
pub(crate) fn check_git_safe(step: &[u8]) -> Result<()> {
    if step.is_empty() {
        return Err(invalid(step, "is empty"));
    }
    if step.len() > limits::STEP {
        let shown = step.get(..40).unwrap_or_default().escape_ascii();
        let what = format!("step `{shown}…` has more than {} bytes", limits::STEP);
        return Err(Error::new(Code::PayloadTooLarge, what));
    }
    if step.iter().any(|b| matches!(b, b'/' | 0)) {
        return Err(invalid(step, "holds `/` or a NUL"));
    }
    if step == b"." || step == b".." {
        return Err(invalid(step, "is a reference to a directory, not a name in one"));
    }
    if is_hfs_dotgit(step) || is_ntfs_dotgit(step) {
        return Err(invalid(
            step,
            "is a name that git reserves (`.git`, or one that disguises it)",
        ));
    }
    Ok(())
}

/// Whether HFS+ takes the name for `.git`: it ignores case and some code points.
fn is_hfs_dotgit(step: &[u8]) -> bool {
    // What it ignores is not ASCII: in most names there is nothing to ignore.
    if step.is_ascii() {
        return step.eq_ignore_ascii_case(b".git");
    }
    let Ok(text) = core::str::from_utf8(step) else { return false };
    let ignored = |c: &char| {
        matches!(*c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{206a}'..='\u{206f}' | '\u{feff}')
    };
    let significant = text.chars().filter(|c| !ignored(c)).map(|c| c.to_ascii_lowercase());
    significant.eq(".git".chars())
}

/// Whether NTFS takes the name for `.git`: `.git` or its short name `git~1`, in any case, followed
/// by spaces and dots, or by a stream name after `:`, or by a path after `\`.
fn is_ntfs_dotgit(step: &[u8]) -> bool {
    // git looks at each part that a backslash separates: on Windows that is a directory separator.
    step.split(|b| *b == b'\\').any(|part| {
        let after = |prefix: &[u8]| {
            let (start, rest) = part.split_at_checked(prefix.len())?;
            start.eq_ignore_ascii_case(prefix).then_some(rest)
        };
        let Some(rest) = after(b".git").or_else(|| after(b"git~1")) else { return false };
        let name = rest.split(|b| *b == b':').next().unwrap_or_default();
        name.iter().all(|b| matches!(b, b' ' | b'.'))
    })
}

fn write_quoted(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let plain = |text: &str| !text.chars().any(|c| c.is_control() || matches!(c, '"' | '\\'));
    match core::str::from_utf8(bytes) {
        Ok(text) if plain(text) => f.write_str(text),
        _ => {
            f.write_str("\"")?;
            for chunk in bytes.utf8_chunks() {
                chunk.valid().chars().try_for_each(|c| match c {
                    '"' | '\\' => write!(f, "\\{c}"),
                    '\n' => f.write_str("\\n"),
                    '\t' => f.write_str("\\t"),
                    '\r' => f.write_str("\\r"),
                    c if c.is_control() => {
                        let mut buffer = [0; 4];
                        let encoded = c.encode_utf8(&mut buffer).as_bytes();
                        encoded.iter().try_for_each(|b| write!(f, "\\{b:03o}"))
                    }
                    c => write!(f, "{c}"),
                })?;
                chunk.invalid().iter().try_for_each(|b| write!(f, "\\{b:03o}"))?;
            }
            f.write_str("\"")
        }
    }
}

/// The bytes of a quoted text whose opening quote is gone.
fn unquote(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    loop {
        match bytes.next()? {
            b'"' => return bytes.next().is_none().then_some(out),
            b'\\' => match bytes.next()? {
                c @ (b'"' | b'\\') => out.push(c),
                b'n' => out.push(b'\n'),
                b't' => out.push(b'\t'),
                b'r' => out.push(b'\r'),
                high @ b'0'..=b'3' => {
                    let (mid, low) = (bytes.next()?, bytes.next()?);
                    let octal = |b: u8| b.checked_sub(b'0').filter(|d| *d < 8);
                    out.push((high - b'0') << 6 | octal(mid)? << 3 | octal(low)?);
                }
                _ => return None,
            },
            b => out.push(b),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    #[test]
    fn names_that_git_refuses() {
        for name in [
            "",
            ".",
            "..",
            ".git",
            ".GIT",
            ".Git ",
            ".git.",
            ".git...",
            ".git::$INDEX_ALLOCATION",
            "git~1",
            "GIT~1",
            "GIT~1.",
            ".git\\x",
            "a\\.git",
            ".g\u{200c}it",
            "\u{feff}.git",
        ] {
            assert!(Step::new(name).is_err(), "{name:?}");
        }
    }

    /// A quick look never allows what the rules refuse, and takes no step for another one.
    #[test]
    fn what_looks_plain_is_safe() {
        let parts =
            ["a", "b c", "git", ".", "..", ".git", "git~1", "\\", "/", "", ":", "~", "x.y", "é"];
        let long = "x".repeat(limits::STEP + 1);
        let mut plain = 0;
        for a in parts {
            for b in parts {
                for text in [
                    alloc::format!("{a}{b}"),
                    alloc::format!("{a}/{b}"),
                    alloc::format!("{b}{long}{a}"),
                ] {
                    let steps = text.split('/').filter(|step| !step.is_empty());
                    let slow = Path::new(steps);
                    if is_plain(text.as_bytes()) {
                        plain += 1;
                        assert_eq!(slow.unwrap().as_bytes(), text.as_bytes(), "{text:?}");
                    } else {
                        assert_eq!(Path::parse(&text).ok(), slow.ok(), "{text:?}");
                    }
                }
            }
        }
        assert!(plain > 20, "{plain}");
        let deep = Path::foreign([b"..".as_slice(), b"a"]).unwrap();
        assert!(deep.check_git_safe().is_err());
    }

    #[test]
    fn names_that_only_look_like_them() {
        for name in [
            ".gitignore",
            ".gitmodules",
            ".gitx",
            "git",
            "git~2",
            "a.git",
            ".git~1",
            "...",
            "a b",
            "é",
            "-x",
            "con",
            "a:b",
            ".g\u{200b}it",
        ] {
            assert!(Step::new(name).is_ok(), "{name:?}");
        }
        assert!(Step::new([0xff, 0xfe]).is_ok());
    }

    #[test]
    fn the_text_form_is_reversible() {
        for bytes in [&b"a"[..], b"a b", b"\"", b"\\", b"\x01\n\t", b"\xff", "é\u{85}".as_bytes()]
        {
            let path = Path::new([b"dir", bytes]).unwrap();
            assert_eq!(Path::parse_quoted(&path.to_string()).unwrap(), path, "{path}");
        }
        assert_eq!(Path::parse("é/a b").unwrap().to_string(), "é/a b");
        for bad in ["\"a", "\"a\\x\"", "\"a\"b", "\"\\777\""] {
            assert!(Path::parse_quoted(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes() {
        assert!(Step::new("x".repeat(limits::STEP)).is_ok());
        assert!(Step::new("x".repeat(limits::STEP + 1)).is_err());
        assert!(Path::new(vec!["x"; limits::DEPTH]).is_ok());
        assert!(Path::new(vec!["x"; limits::DEPTH + 1]).is_err());
        let long = "x".repeat(limits::STEP);
        assert!(Path::new(vec![long.as_str(); limits::PATH / limits::STEP + 1]).is_err());
    }

    #[test]
    fn parts_of_paths() {
        let path = Path::parse("a/b/c").unwrap();
        let (dir, last) = path.split_last().unwrap();
        assert_eq!((dir.to_string(), last), ("a/b".to_string(), b"c".as_slice()));
        assert!(Path::root().split_last().is_none());
        assert_eq!(path.strip_prefix(&dir).unwrap().to_string(), "c");
        assert!(path.strip_prefix(&Path::parse("a/c").unwrap()).is_none());
        assert_eq!(dir.child(b"c"), path);
        let mut sorted = ["a-b", "a/b", "a"].map(|p| Path::parse(p).unwrap());
        sorted.sort();
        assert_eq!(sorted.map(|p| p.to_string()), ["a", "a/b", "a-b"]);
    }
}
