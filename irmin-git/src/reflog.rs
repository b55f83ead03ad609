//! The journals of refs, `logs/…`, as git writes them.
//!
//! A line is `<old> <new> <name> <<e-mail>> <seconds> <zone>`, a tab and a message. Journals are
//! for people: they are written while the refs are locked, and not synced.

use irmin_core::Result;
use irmin_core::backend::{Note, Target};
use irmin_core::io::{FileKind, Io, OpenMode};

use crate::files;
use crate::refs::Places;
use crate::settings::Reflogs;
use irmin_core::RefName;

/// What stands for no object in a journal.
const NONE: &str = "0000000000000000000000000000000000000000";

/// Whether git would begin a journal for this ref.
fn wanted(reflogs: Reflogs, name: &str) -> bool {
    let kinds = ["refs/heads/", "refs/remotes/", "refs/notes/"];
    match reflogs {
        Reflogs::Existing => false,
        Reflogs::All => true,
        Reflogs::Branches => name == "HEAD" || kinds.iter().any(|kind| name.starts_with(kind)),
    }
}

/// The line for a change.
fn line(old: Option<&Target>, new: Option<&Target>, note: &Note) -> Vec<u8> {
    let id = |target: Option<&Target>| match target {
        Some(Target::Object(key)) => key.hash.to_string(),
        _ => NONE.to_owned(),
    };
    // Whatever would break the line becomes a space, as in git.
    let clean = |text: &str| text.replace(['\n', '\r', '\0'], " ");
    let author = clean(&note.author);
    let who = match author.split_once('<') {
        Some((name, rest)) => {
            let mail = rest.split('>').next().unwrap_or_default();
            format!("{} <{}>", name.trim().replace('>', ""), mail.trim())
        }
        None => format!("{} <>", author.trim().replace('>', "")),
    };
    let message = clean(note.message.lines().next().unwrap_or_default());
    let (old, new, date) = (id(old), id(new), note.date.max(0));
    let mut line = format!("{old} {new} {} {date} +0000", who.trim_start());
    if !message.trim().is_empty() {
        line.push('\t');
        line.push_str(message.trim());
    }
    line.push('\n');
    line.into_bytes()
}

/// Whether a ref has a journal, or should have one.
pub(crate) fn is_kept(io: &dyn Io, places: &Places, reflogs: Reflogs, name: &RefName) -> bool {
    let has = || io.metadata(&places.log(name)).is_ok_and(|found| found.is_some());
    wanted(reflogs, name.as_str()) || has()
}

/// Gives the journal of a ref to the one that takes its place.
///
/// # Errors
/// `io`, `name_clash`; nothing depends on it.
pub(crate) fn rename(io: &dyn Io, places: &Places, from: &RefName, to: &RefName) -> Result<()> {
    let (from, to) = (places.log(from), places.log(to));
    if io.metadata(&from)?.is_none_or(|m| m.kind != FileKind::File) {
        return Ok(());
    }
    for (end, _) in to.match_indices('/') {
        io.create_dir(to.get(..end).unwrap_or_default())?;
    }
    files::clear_empty_dirs(io, &to)?;
    io.rename(&from, &to)
}

/// Adds a change of a ref to its journal, if it has one or should have.
///
/// # Errors
/// `io`; nothing depends on it.
pub(crate) fn append(
    io: &dyn Io,
    places: &Places,
    reflogs: Reflogs,
    name: &RefName,
    (old, new): (Option<&Target>, Option<&Target>),
    note: &Note,
) -> Result<()> {
    let symbolic = |t: Option<&Target>| matches!(t, Some(Target::Symbolic(_)));
    if symbolic(old) || symbolic(new) {
        return Ok(());
    }
    let path = places.log(name);
    if new.is_none() {
        // A ref takes its journal with it: the name may become a directory of others.
        return files::remove(io, &path);
    }
    // The directory that journals of removed refs left there is none.
    let exists = io.metadata(&path)?.is_some_and(|m| m.kind != FileKind::Dir);
    if !exists {
        if !wanted(reflogs, name.as_str()) {
            return Ok(());
        }
        for (end, _) in path.match_indices('/') {
            io.create_dir(path.get(..end).unwrap_or_default())?;
        }
    }
    files::clear_empty_dirs(io, &path)?;
    let file = io.open(&path, OpenMode::ReadWrite)?;
    file.write_at(&line(old, new, note), file.len()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use irmin_core::{HashFunction, Key};

    #[test]
    fn a_line_stays_one_line() {
        let target = Target::Object(Key::from(HashFunction::Sha1.digest(b"x")));
        for (author, who) in [
            ("ann <ann@example.org>", "ann <ann@example.org>"),
            ("ann", "ann <>"),
            ("a\nb <c\nd>", "a b <c d>"),
            ("<x>", "<x>"),
            ("a > b", "a  b <>"),
        ] {
            let note = Note { author: author.into(), date: -5, message: "first\nsecond".into() };
            let line = String::from_utf8(line(None, Some(&target), &note)).unwrap();
            let Target::Object(key) = target else { panic!("an object") };
            assert_eq!(line, format!("{NONE} {} {who} 0 +0000\tfirst\n", key.hash));
        }
    }
}
