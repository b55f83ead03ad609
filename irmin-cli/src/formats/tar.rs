//! One tree as a tar archive: the same bytes for the same commit, on every machine.
//!
//! The form is ustar, with the extended headers of POSIX for what does not fit: long or odd names,
//! and values of 8 GiB and more. As in `git archive`, a comment names the commit, and a second
//! one the tree; the modification time of everything is the commit's, and nobody owns it.

use irmin_core::{Commit, Contents, KindedHash, Metadata, Path, Tree, TreeKind};

use super::Sink;
use super::untar::TREE;
use crate::commands::export::{leaves, today};
use crate::exit::Outcome;
use crate::progress::Progress;

const BLOCK: usize = 512;

/// The longest name, or target of a link, that a header holds.
const NAME: usize = 100;

/// The first size that eleven octal digits do not hold.
const LARGE: u64 = 1 << 33;

/// Writes a tree; the answer is how many keys there are, and what is no value.
pub(crate) fn export<C: Contents>(
    commit: &Commit<C>,
    tree: &Tree<C>,
    sink: &mut Sink,
    progress: &mut Progress,
) -> Outcome<(u64, Vec<String>)> {
    let date = u64::try_from(commit.info().committer.date).unwrap_or(0);
    let comment = |text: &str| record("comment", text.as_bytes());
    // Git looks at the first alone; the second is for `irmin import --verify`.
    let hash = match tree.hash()? {
        KindedHash::Node(id) => id.to_string(),
        KindedHash::Value(id, _) => id.to_string(),
    };
    let comments = [comment(&commit.id().to_string()), comment(&format!("{TREE}{hash}"))].concat();
    extended(sink, b'g', &comments, date)?;
    let (mut keys, mut skipped) = (0_u64, Vec::new());
    leaves(tree, |path, leaf| {
        progress.step();
        // Someone else may have written this store: `..` must not get out.
        path.check_git_safe()?;
        let (TreeKind::Value(metadata), Some(mut value)) =
            (leaf.root_kind(), leaf.open(Path::root())?)
        else {
            skipped.push(path.to_string());
            return Ok(());
        };
        keys += 1;
        let link = metadata == Metadata::Link;
        let mut target = Vec::new();
        if link {
            value.copy_to(&mut target)?;
        }
        let entry = Entry {
            name: path.as_bytes(),
            link: &target,
            size: if link { 0 } else { value.len() },
            mode: match today(metadata) {
                Metadata::Link => 0o777,
                Metadata::Exec => 0o755,
                _ => 0o644,
            },
            date,
            kind: if link { b'2' } else { b'0' },
        };
        let more = entry.records();
        if !more.is_empty() {
            extended(sink, b'x', &more, date)?;
        }
        sink.put(&entry.header())?;
        if !link {
            sink.value(&mut value)?;
            fill(sink, value.len())?;
        }
        Ok(())
    })?;
    // Two empty blocks end an archive; programs write whole records of twenty.
    sink.put(&[0; 2 * BLOCK])?;
    Ok((keys, skipped))
}

/// What a header says.
struct Entry<'a> {
    name: &'a [u8],
    link: &'a [u8],
    size: u64,
    mode: u64,
    date: u64,
    kind: u8,
}

impl Entry<'_> {
    fn header(&self) -> [u8; BLOCK] {
        let mut header = [0; BLOCK];
        let mut put = |at: usize, bytes: &[u8]| {
            header.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
        };
        // What is cut here is whole in the extended header before.
        put(0, self.name.get(..NAME).unwrap_or(self.name));
        let number = |value: u64, digits: usize| format!("{value:0digits$o}\0").into_bytes();
        put(100, &number(self.mode, 7));
        put(108, &number(0, 7));
        put(116, &number(0, 7));
        put(124, &number(if self.size < LARGE { self.size } else { 0 }, 11));
        put(136, &number(self.date.min(LARGE - 1), 11));
        put(148, b"        ");
        put(156, &[self.kind]);
        put(157, self.link.get(..NAME).unwrap_or(self.link));
        put(257, b"ustar\x0000");
        let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
        let text = format!("{sum:06o}\0 ");
        header.iter_mut().skip(148).zip(text.as_bytes()).for_each(|(to, from)| *to = *from);
        header
    }

    /// What the header has no room for.
    fn records(&self) -> Vec<u8> {
        let mut records = Vec::new();
        let odd = |text: &[u8]| text.len() > NAME || !text.is_ascii();
        if odd(self.name) {
            records.extend(record("path", self.name));
        }
        if odd(self.link) {
            records.extend(record("linkpath", self.link));
        }
        if self.size >= LARGE {
            records.extend(record("size", self.size.to_string().as_bytes()));
        }
        records
    }
}

/// A record of an extended header: its own length, a blank, a name, `=`, a value, a line end.
fn record(name: &str, value: &[u8]) -> Vec<u8> {
    let rest = name.len() + value.len() + 3;
    // The length counts its own digits.
    let mut len = rest + 1;
    while len != rest + len.to_string().len() {
        len = rest + len.to_string().len();
    }
    [format!("{len} {name}=").as_bytes(), value, b"\n"].concat()
}

fn extended(sink: &mut Sink, kind: u8, records: &[u8], date: u64) -> Outcome<()> {
    let size = u64::try_from(records.len()).unwrap_or(u64::MAX);
    let name = if kind == b'g' { "pax_global_header" } else { "pax_header" };
    let entry = Entry { name: name.as_bytes(), link: b"", size, mode: 0o644, date, kind };
    sink.put(&entry.header())?;
    sink.put(records)?;
    fill(sink, size)
}

/// Fills the last block.
fn fill(sink: &mut Sink, size: u64) -> Outcome<()> {
    let over = usize::try_from(size % 512).unwrap_or(0);
    let blanks = [0; BLOCK];
    sink.put(blanks.get(..(BLOCK - over) % BLOCK).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_themselves() {
        assert_eq!(record("path", b"a"), b"9 path=a\n");
        assert_eq!(record("path", &[b'x'; 91]).get(..4), Some(&b"101 "[..]));
        for n in 0..300 {
            let record = record("path", &vec![b'x'; n]);
            let text = String::from_utf8(record).unwrap();
            assert_eq!(text.split(' ').next().unwrap().parse::<usize>().unwrap(), text.len());
        }
    }
}
