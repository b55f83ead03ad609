//! `irmin dot`: the store as a graph.

use std::path::{Path as FilePath, PathBuf};
use std::process::Command;

use clap::Args;
use irmin_core::{Contents, DotOptions, Repo};
use serde_json::json;

use crate::commands::{Session, Work};
use crate::exit::{Exit, Failure, Outcome};
use crate::formats::is_dash;

/// Dump the contents of the store as a Graphviz file.
///
/// It writes BASENAME.dot with the branches and the commits they lead to, and calls the `dot`
/// program, if there is one, to make BASENAME.png. With - the graph goes to standard output.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin dot --root notes.git history
  irmin dot --root notes.git history --full --depth 3 --no-dot-call")]
pub(crate) struct DotArgs {
    /// Basename for the .dot and .png files, or - for standard output
    basename: PathBuf,
    /// Limit the history depth
    #[arg(short, long)]
    depth: Option<usize>,
    /// Show the full graph of objects, including the filesystem nodes and the content blobs
    #[arg(long)]
    full: bool,
    /// Do not call the `dot` utility on the generated `.dot` file
    #[arg(long)]
    no_dot_call: bool,
}

impl Work for DotArgs {
    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let mut graph = String::new();
        // One commit deep is the heads alone: no step to a parent.
        let depth = self.depth.map(|depth| depth.saturating_sub(1));
        repo.dot(&DotOptions { full: self.full, depth }, &mut graph)?;
        if is_dash(&self.basename) {
            session.out.bytes(graph.as_bytes())?;
            return Ok(Exit::Ok);
        }
        let dot = with_extension(&self.basename, ".dot");
        std::fs::write(&dot, graph).map_err(|e| Failure::file(&dot, &e))?;
        let png = with_extension(&self.basename, ".png");
        let drawn = !self.no_dot_call && draw(session, &dot, &png)?;
        let (text, image) = (dot.display(), png.display());
        session.out.done(&if drawn {
            format!("wrote {text} and {image}")
        } else {
            format!("wrote {text}")
        });
        if session.out.json {
            let png = drawn.then(|| png.to_string_lossy());
            session.out.json(&json!({"dot": dot.to_string_lossy(), "png": png}))?;
        }
        Ok(Exit::Ok)
    }
}

/// The basename with something behind it; a dot in the name is part of the name.
fn with_extension(basename: &FilePath, extension: &str) -> PathBuf {
    let mut name = basename.as_os_str().to_owned();
    name.push(extension);
    name.into()
}

/// Calls `dot`, and says whether it drew.
fn draw(session: &Session<'_>, dot: &FilePath, png: &FilePath) -> Outcome<bool> {
    let program = FilePath::new("dot");
    // `dot` knows no `--`: a name that begins with a dash must not look like an option.
    let file = |path: &FilePath| FilePath::new(".").join(path);
    match Command::new(program).arg("-Tpng").arg("-o").arg(file(png)).arg(file(dot)).status() {
        Ok(status) if status.success() => Ok(true),
        Ok(status) => {
            let message = format!("`dot` could not draw {}: {status}", dot.display());
            Err(Failure::absent(message).into())
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            session.out.note(&format!(
                "there is no `dot` program to draw {}: install Graphviz, or use --no-dot-call",
                dot.display()
            ));
            Ok(false)
        }
        Err(e) => Err(Failure::file(program, &e).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names() {
        assert_eq!(with_extension(FilePath::new("v1.2"), ".dot"), PathBuf::from("v1.2.dot"));
    }
}
