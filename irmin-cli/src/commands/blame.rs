//! `irmin blame`: which commit each line of a value is from.

use clap::Args;
use irmin_core::history::Same;
use irmin_core::{Contents, Path, Repo};
use serde_json::json;
use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::args::path_parser;
use crate::commands::log::{SHORT, subject};
use crate::commands::{Session, Work};
use crate::exit::{Exit, Failure, Outcome};
use crate::names;
use crate::output::style;
use crate::patch::lines;
use crate::time;

/// Show which commit each line of a value is from.
///
/// Each line has the commit that brought it, its author and date, its number, and its text; merges
/// are followed to the side that has the line, but no value to another key that it had before. Of
/// a value that is not text it is the commit that set it.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin blame --root notes.git greetings/en
  irmin blame --root notes.git greetings/en --rev main~1
  irmin blame --root notes.git greetings/en --json")]
pub(crate) struct BlameArgs {
    /// The key
    #[arg(value_parser = path_parser())]
    path: Path,
    /// Begin at this revision; the head of the branch if absent
    #[arg(long, value_name = "REV")]
    rev: Option<String>,
}

impl Work for BlameArgs {
    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let head = match &self.rev {
            Some(revision) => names::resolve(repo, revision)?,
            None => session.head(repo)?,
        };
        let Some(value) = head.tree().get(&self.path)? else {
            let message = format!("there is no value at `{}` in {}", self.path, head.id());
            return Err(Failure::absent(message).into());
        };
        let value = value.encode()?;
        let text = is_text(&value);
        let lines = if text { lines(&value) } else { vec![&value[..]] };
        let mut compare = |old: &[u8], new: &[u8]| {
            if text && is_text(old) { in_common(old, new) } else { Vec::new() }
        };
        let blamed = repo.blame(&head, &self.path, lines.len(), &mut compare)?;
        let (zone, out) = (time::local(), &mut session.out);
        let width = lines.len().to_string().len();
        let author = |blamed: &irmin_core::Blamed<C>| {
            String::from_utf8_lossy(&blamed.commit.info().author.author).into_owned()
        };
        let widest = blamed.iter().map(|b| author(b).chars().count()).max().unwrap_or(0);
        for (number, (line, from)) in lines.iter().zip(&blamed).enumerate() {
            let (info, number) = (from.commit.info(), number + 1);
            if out.json {
                out.json(&json!({
                    "line": number,
                    "value": text.then(|| String::from_utf8_lossy(without_end(line))),
                    "commit": from.commit.id().to_string(),
                    "original": from.line + 1,
                    "author": author(from),
                    "date": info.author.date,
                    "message": String::from_utf8_lossy(subject(&info.message)),
                }))?;
                continue;
            }
            let hash = out.paint(style::HASH, from.commit.id().hash().short(SHORT).as_bytes());
            let who = out.foreign(author(from).as_bytes());
            let blanks = " ".repeat(widest.saturating_sub(author(from).chars().count()));
            let date = time::sortable(info.author.date, &zone);
            let rest = format!("{blanks} {date} {number:>width$}) ");
            let shown = if text {
                out.foreign(without_end(line))
            } else {
                format!("<binary, {} bytes>", line.len()).into_bytes()
            };
            out.line([&hash[..], b" (", &who, rest.as_bytes(), &shown].concat())?;
        }
        Ok(Exit::Ok)
    }
}

/// Whether a value has lines.
fn is_text(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok() && !value.contains(&0)
}

fn without_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

/// The lines that two versions have in common.
fn in_common(old: &[u8], new: &[u8]) -> Vec<Same> {
    let same = |op: DiffOp| match op {
        DiffOp::Equal { old_index, new_index, len } => {
            Some(Same { old: old_index, new: new_index, len })
        }
        _ => None,
    };
    let ops = capture_diff_slices(Algorithm::Myers, &lines(old), &lines(new));
    ops.into_iter().filter_map(same).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_lines() {
        let same = in_common(b"a\nb\nc\n", b"b\nx\nc\n");
        let parts: Vec<_> = same.iter().map(|s| (s.old, s.new, s.len)).collect();
        assert_eq!(parts, [(1, 0, 1), (2, 2, 1)]);
        assert!(is_text(b"a") && !is_text(b"\xff") && !is_text(b"a\0"));
        assert!(lines(b"").is_empty());
    }
}
