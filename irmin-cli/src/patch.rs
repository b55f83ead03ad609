//! Changes as text: unified diffs that `git apply` reads, and their statistics.

use std::time::Duration;

use irmin_core::{Metadata, Path};
use similar::{DiffOp, TextDiff};

/// How long one value's diff may be searched for a short form before a longer one is taken.
const PATIENCE: Duration = Duration::from_secs(2);
/// Values beyond this size are compared, but not line by line.
const TEXT_LIMIT: usize = 16 << 20;

/// A value and its mode, on one side of a change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Side<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) mode: Metadata,
}

/// How many lines a change adds and removes; nothing for values that are not text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) added: usize,
    pub(crate) removed: usize,
}

/// A change of one key as text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Patch {
    /// Lines with their ends, as they are printed.
    pub(crate) text: Vec<u8>,
    /// None if a side is not text.
    pub(crate) counts: Option<Counts>,
}

/// How many lines are shown around a change.
const CONTEXT: usize = 3;

/// The text form of a change.
pub(crate) fn patch(path: &Path, old: Option<Side<'_>>, new: Option<Side<'_>>) -> Patch {
    if let (Some(before), Some(after)) = (old, new)
        && what(before.mode) != what(after.mode)
    {
        // As git does: nothing becomes a link, it gives way to one.
        let (removal, addition) = (patch(path, old, None), patch(path, None, new));
        let counts = removal
            .counts
            .zip(addition.counts)
            .map(|(removal, addition)| Counts { added: addition.added, removed: removal.removed });
        return Patch { text: [removal.text, addition.text].concat(), counts };
    }
    let mut text = header(path, old.map(|s| s.mode), new.map(|s| s.mode)).into_bytes();
    let (before, after) = (old.map_or(&b""[..], |s| s.bytes), new.map_or(&b""[..], |s| s.bytes));
    let from = old.map_or_else(|| "/dev/null".into(), |_| name("a/", path));
    let to = new.map_or_else(|| "/dev/null".into(), |_| name("b/", path));
    if before == after {
        return Patch { text, counts: Some(Counts::default()) };
    }
    if !is_text(before) || !is_text(after) {
        text.extend_from_slice(format!("Binary files {from} and {to} differ\n").as_bytes());
        return Patch { text, counts: None };
    }
    // A name with a blank in it ends with a tab, by which `patch` knows where it ends.
    let end = |name: &str| if name.contains(' ') && !name.starts_with('"') { "\t" } else { "" };
    text.extend(format!("--- {from}{}\n+++ {to}{}\n", end(&from), end(&to)).into_bytes());
    let counts = hunks(&lines(before), &lines(after), &mut text);
    Patch { text, counts: Some(counts) }
}

/// The lines of a value, with their ends: a line feed alone ends one, as in git.
pub(crate) fn lines(value: &[u8]) -> Vec<&[u8]> {
    value.split_inclusive(|b| *b == b'\n').collect()
}

/// Writes what differs between two lists of lines, byte for byte.
fn hunks(old: &[&[u8]], new: &[&[u8]], text: &mut Vec<u8>) -> Counts {
    let diff = TextDiff::configure().timeout(PATIENCE).diff_slices(old, new);
    let mut counts = Counts::default();
    for group in diff.grouped_ops(CONTEXT) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let range = |first: std::ops::Range<usize>, last: std::ops::Range<usize>| match last
            .end
            .saturating_sub(first.start)
        {
            0 => format!("{},0", first.start),
            1 => format!("{}", first.start + 1),
            len => format!("{},{len}", first.start + 1),
        };
        let (was, is) = (
            range(first.old_range(), last.old_range()),
            range(first.new_range(), last.new_range()),
        );
        text.extend(format!("@@ -{was} +{is} @@\n").into_bytes());
        for op in &group {
            let (gone, come) = (old.get(op.old_range()), new.get(op.new_range()));
            let (gone, come) = (gone.unwrap_or_default(), come.unwrap_or_default());
            if let DiffOp::Equal { .. } = op {
                signed(b' ', gone, text);
                continue;
            }
            signed(b'-', gone, text);
            signed(b'+', come, text);
            counts.removed += gone.len();
            counts.added += come.len();
        }
    }
    counts
}

fn signed(sign: u8, lines: &[&[u8]], text: &mut Vec<u8>) {
    for line in lines {
        text.push(sign);
        text.extend_from_slice(line);
        if !line.ends_with(b"\n") {
            text.extend_from_slice(b"\n\\ No newline at end of file\n");
        }
    }
}

/// What something is to git, whatever its permissions.
fn what(mode: Metadata) -> u32 {
    match mode {
        Metadata::Normal | Metadata::Exec => 0o100_000,
        Metadata::Link => 0o120_000,
        Metadata::Other(mode) => mode & 0o170_000,
    }
}

/// Whether a value is shown line by line: no NUL in it (as git decides), and not huge.
fn is_text(bytes: &[u8]) -> bool {
    bytes.len() <= TEXT_LIMIT && !bytes.contains(&0)
}

fn header(path: &Path, old: Option<Metadata>, new: Option<Metadata>) -> String {
    let mut text = format!("diff --git {} {}\n", name("a/", path), name("b/", path));
    let modes = match (old, new) {
        (None, Some(new)) => format!("new file mode {}\n", octal(new)),
        (Some(old), None) => format!("deleted file mode {}\n", octal(old)),
        (Some(old), Some(new)) if old != new => {
            format!("old mode {}\nnew mode {}\n", octal(old), octal(new))
        }
        _ => String::new(),
    };
    text.push_str(&modes);
    text
}

/// A path behind a prefix, quoted as a whole where it must be.
fn name(prefix: &str, path: &Path) -> String {
    let text = path.to_string();
    match text.strip_prefix('"') {
        Some(quoted) => format!("\"{prefix}{quoted}"),
        None => format!("{prefix}{text}"),
    }
}

fn octal(mode: Metadata) -> String {
    match mode {
        Metadata::Normal => "100644".into(),
        Metadata::Exec => "100755".into(),
        Metadata::Link => "120000".into(),
        Metadata::Other(mode) => format!("{mode:06o}"),
    }
}

/// A line of `--stat`: the path, the number of changed lines, and a bar of at most `width` signs.
pub(crate) fn stat_line(path: &str, pad: usize, counts: Option<Counts>, width: usize) -> String {
    let Some(Counts { added, removed }) = counts else {
        return format!(" {path:pad$} | Bin");
    };
    let total = added + removed;
    let scale = |n: usize| match total {
        total if total <= width => n,
        // Something that changed shows at least one sign.
        total => (n * width / total).max(usize::from(n > 0)),
    };
    let bar = "+".repeat(scale(added)) + &"-".repeat(scale(removed));
    format!(" {path:pad$} | {total:4} {bar}").trim_end().to_owned()
}

/// The last line of `--stat`.
pub(crate) fn stat_summary(keys: usize, counts: Counts) -> String {
    let plural =
        |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let mut text = format!(" {} changed", plural(keys, "key", "keys"));
    if counts.added > 0 {
        text += &format!(", {}(+)", plural(counts.added, "insertion", "insertions"));
    }
    if counts.removed > 0 {
        text += &format!(", {}(-)", plural(counts.removed, "deletion", "deletions"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(bytes: &[u8]) -> Option<Side<'_>> {
        Some(Side { bytes, mode: Metadata::Normal })
    }

    fn text(path: &str, old: Option<Side<'_>>, new: Option<Side<'_>>) -> String {
        String::from_utf8(patch(&Path::parse(path).unwrap(), old, new).text).unwrap()
    }

    #[test]
    fn an_update() {
        let got = text("a/b", side(b"1\n2\n3\n"), side(b"1\n2x\n3\n"));
        let want =
            "diff --git a/a/b b/a/b\n--- a/a/b\n+++ b/a/b\n@@ -1,3 +1,3 @@\n 1\n-2\n+2x\n 3\n";
        assert_eq!(got, want);
    }

    #[test]
    fn a_new_and_a_removed_key() {
        assert_eq!(
            text("x", None, side(b"hi")),
            "diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+hi\n\
             \\ No newline at end of file\n"
        );
        assert_eq!(
            text("x", side(b"hi\n"), None),
            "diff --git a/x b/x\ndeleted file mode 100644\n--- a/x\n+++ /dev/null\n\
             @@ -1 +0,0 @@\n-hi\n"
        );
    }

    #[test]
    fn modes_and_binary_values() {
        let exec = Some(Side { bytes: b"1", mode: Metadata::Exec });
        assert_eq!(
            text("x", side(b"1"), exec),
            "diff --git a/x b/x\nold mode 100644\nnew mode 100755\n"
        );
        let binary = patch(&Path::parse("x").unwrap(), side(b"1"), side(b"\0"));
        assert_eq!(binary.counts, None);
        assert!(binary.text.ends_with(b"Binary files a/x and b/x differ\n"));
    }

    /// A line ends with a line feed and nothing else, and bytes are what they are.
    #[test]
    fn lines_are_gits() {
        let got = patch(
            &Path::parse("a b").unwrap(),
            side(b"1\r2\n\xff\n\xe2\x80\xa8\x0b"),
            side(b"1\r3\n\xff\n"),
        );
        let want =
            b"diff --git a/a b b/a b\n--- a/a b\t\n+++ b/a b\t\n@@ -1,3 +1,2 @@\n-1\r2\n+1\r3\n \
            \xff\n-\xe2\x80\xa8\x0b\n\\ No newline at end of file\n";
        assert_eq!(got.text.escape_ascii().to_string(), want.escape_ascii().to_string());
        assert_eq!(got.counts, Some(Counts { added: 1, removed: 2 }));
    }

    #[test]
    fn a_file_gives_way_to_a_link() {
        let link = Some(Side { bytes: b"to", mode: Metadata::Link });
        let got = patch(&Path::parse("x").unwrap(), side(b"1\n"), link);
        assert_eq!(
            String::from_utf8(got.text).unwrap(),
            "diff --git a/x b/x\ndeleted file mode 100644\n--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n\
             -1\ndiff --git a/x b/x\nnew file mode 120000\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n\
             +to\n\\ No newline at end of file\n"
        );
        assert_eq!(got.counts, Some(Counts { added: 1, removed: 1 }));
    }

    #[test]
    fn names_are_quoted_whole() {
        let odd = Path::new([b"caf\xe9".as_slice()]).unwrap();
        let patch = patch(&odd, side(b"1\n"), side(b"2\n"));
        let text = String::from_utf8(patch.text).unwrap();
        assert!(text.starts_with(r#"diff --git "a/caf\351" "b/caf\351""#), "{text}");
    }

    #[test]
    fn statistics() {
        let counts = Counts { added: 3, removed: 1 };
        assert_eq!(stat_line("a", 3, Some(counts), 40), " a   |    4 +++-");
        let big = Counts { added: 1000, removed: 1 };
        assert_eq!(stat_line("a", 1, Some(big), 10), " a | 1001 +++++++++-");
        assert_eq!(stat_line("a", 1, None, 10), " a | Bin");
        assert_eq!(stat_line("a", 1, Some(Counts::default()), 10), " a |    0");
        assert_eq!(stat_summary(1, counts), " 1 key changed, 3 insertions(+), 1 deletion(-)");
        assert_eq!(stat_summary(2, Counts::default()), " 2 keys changed");
    }
}
