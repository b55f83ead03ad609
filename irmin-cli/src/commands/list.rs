//! `irmin list` and `irmin tree`: what is in the store.

use clap::Args;
use irmin_core::{Branch, Contents, Path, Repo, TreeKind};
use serde_json::{Map, Value, json};

use crate::args::path_parser;
use crate::commands::export::leaves;
use crate::commands::{Session, Work};
use crate::exit::{Exit, Outcome};
use crate::output::{Output, is_one_line, mode_name, put_value};

/// List subdirectories.
///
/// Each entry is a line: `FILE name` for a value, `DIR name` for a directory, `OTHER name` for
/// what is kept and not followed, such as a git submodule. What is not there has no entries.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin list --root notes.git
  irmin list --root notes.git greetings
  irmin list --root notes.git greetings --commit main~1")]
pub(crate) struct ListArgs {
    /// Path to look up; the root if absent
    #[arg(value_parser = path_parser())]
    path: Option<Path>,
}

impl Work for ListArgs {
    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let path = self.path.clone().unwrap_or_default();
        let branch = session.reads(repo)?;
        let entries = branch.list(&path)?;
        if entries.is_empty() {
            note_nothing(&session.out, &branch, &path)?;
        }
        let out = &mut session.out;
        if out.json {
            let entries: Vec<Value> =
                entries.iter().map(|(step, kind)| entry_json(&step.to_string(), *kind)).collect();
            out.json(&entries.into())?;
            return Ok(Exit::Ok);
        }
        for (step, kind) in entries {
            out.line(entry_line(&step.to_string(), kind))?;
        }
        Ok(Exit::Ok)
    }
}

/// Tells people why nothing is listed at a path.
fn note_nothing<C: Contents>(out: &Output, branch: &Branch<C>, path: &Path) -> Outcome<()> {
    match branch.get_tree(path)? {
        Some(found) if found.metadata().is_some() => {
            out.note(&format!("`/{path}` is a value: `irmin get` prints it"));
        }
        None if branch.head()?.is_some() => out.note(&format!("there is nothing at `/{path}`")),
        _ => {}
    }
    Ok(())
}

/// An entry as a line.
pub(crate) fn entry_line(name: &str, kind: TreeKind) -> String {
    let word = match kind {
        TreeKind::Value(_) => "FILE",
        TreeKind::Node => "DIR",
        TreeKind::Opaque(_) => "OTHER",
    };
    format!("{word} {name}")
}

/// An entry as JSON.
pub(crate) fn entry_json(name: &str, kind: TreeKind) -> Value {
    match kind {
        TreeKind::Value(metadata) => {
            json!({"name": name, "kind": "file", "mode": mode_name(metadata)})
        }
        TreeKind::Node => json!({"name": name, "kind": "dir"}),
        TreeKind::Opaque(mode) => {
            json!({"name": name, "kind": "other", "mode": format!("{mode:06o}")})
        }
    }
}

/// The longest value that `tree` prints.
const SHOWN: usize = 200;

/// List the store contents.
///
/// Each value is a line: its path, dots, and the value. A value that is not a short line of text
/// is described instead, unless --values asks for it.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin tree --root notes.git
  irmin tree --root notes.git greetings
  irmin tree --root notes.git --json")]
pub(crate) struct TreeArgs {
    /// Path to begin at; the root if absent
    #[arg(value_parser = path_parser())]
    path: Option<Path>,
    /// Print all values whole, whatever they are
    #[arg(long)]
    values: bool,
}

impl Work for TreeArgs {
    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let prefix = self.path.clone().unwrap_or_default();
        let branch = session.reads(repo)?;
        let Some(tree) = branch.get_tree(&prefix)? else {
            note_nothing(&session.out, &branch, &prefix)?;
            return Ok(Exit::Ok);
        };
        let json = session.out.json;
        let mut lines: Vec<(String, Vec<u8>)> = Vec::new();
        leaves(&tree, |path, leaf| {
            let path = prefix.join(path);
            let value = leaf.value()?.map(|value| value.encode()).transpose()?;
            if json {
                let line = leaf_json(&path, value.as_deref(), leaf.root_kind());
                session.out.json(&line)?;
            } else {
                let shown = value
                    .map_or_else(|| b"<not a value>".to_vec(), |value| shown(&value, self.values));
                lines.push((format!("/{path}"), shown));
            }
            Ok(())
        })?;
        let lines = dotted(&lines);
        session.out.bytes(&lines)?;
        Ok(Exit::Ok)
    }
}

fn leaf_json(path: &Path, value: Option<&[u8]>, kind: TreeKind) -> Value {
    let mut object = Map::new();
    object.insert("path".into(), path.to_string().into());
    if let Some(value) = value {
        put_value(&mut object, value);
    }
    let mode = match kind {
        TreeKind::Value(metadata) => mode_name(metadata),
        TreeKind::Opaque(mode) => format!("{mode:06o}"),
        TreeKind::Node => "040000".into(),
    };
    object.insert("mode".into(), mode.into());
    Value::Object(object)
}

/// A value, or its description.
fn shown(value: &[u8], whole: bool) -> Vec<u8> {
    if whole || (value.len() <= SHOWN && is_one_line(value)) {
        return value.to_vec();
    }
    match std::str::from_utf8(value) {
        Ok(text) => {
            let lines = text.lines().count();
            let plural = if lines == 1 { "" } else { "s" };
            format!("<{lines} line{plural}, {} bytes>", value.len()).into_bytes()
        }
        Err(_) => format!("<binary, {} bytes>", value.len()).into_bytes(),
    }
}

/// Keys and values with dots between them, all lines of the same width.
///
/// The width is the original's: 79 dots between the longest key and the longest value.
fn dotted(lines: &[(String, Vec<u8>)]) -> Vec<u8> {
    let longest = |width: fn(&(String, Vec<u8>)) -> usize| lines.iter().map(width).max();
    let keys = longest(|(key, _)| key.len()).unwrap_or(0);
    let values = longest(|(_, value)| value.len()).unwrap_or(0);
    let width = 79 + keys + values;
    let mut text = Vec::new();
    for (key, value) in lines {
        text.extend_from_slice(key.as_bytes());
        text.resize(text.len() + width.saturating_sub(key.len() + value.len()), b'.');
        text.extend_from_slice(value);
        text.push(b'\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_width_of_the_original() {
        let lines = [("/a/b".to_string(), b"1".to_vec()), ("/a/long".into(), b"12".to_vec())];
        let text = String::from_utf8(dotted(&lines)).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], format!("/a/b{}1", ".".repeat(83)));
        assert_eq!(lines[1], format!("/a/long{}12", ".".repeat(79)));
        assert!(dotted(&[]).is_empty());
    }

    #[test]
    fn values_that_do_not_fit_a_line_are_described() {
        assert_eq!(shown(b"hello", false), b"hello");
        assert_eq!(shown(b"a\nb\n", false), b"<2 lines, 4 bytes>");
        assert_eq!(shown(b"a\nb\n", true), b"a\nb\n");
        assert_eq!(shown(b"\xff", false), b"<binary, 1 bytes>");
        assert_eq!(shown(&[b'x'; 201], false), b"<1 line, 201 bytes>");
    }

    #[test]
    fn entries() {
        assert_eq!(entry_line("a", TreeKind::Node), "DIR a");
        assert_eq!(entry_line("a", TreeKind::Opaque(0o160_000)), "OTHER a");
        assert_eq!(
            entry_json("a", TreeKind::Opaque(0o160_000)).to_string(),
            r#"{"name":"a","kind":"other","mode":"160000"}"#
        );
    }
}
