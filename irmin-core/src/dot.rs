//! Pictures of stores: their graph in the language of Graphviz.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use hashbrown::HashSet;

use crate::contents::Contents;
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::path::Path;
use crate::repo::{Commit, CommitGraph, Repo};
use crate::tree::{KindedHash, Tree, TreeKind};

/// What a [picture](Repo::dot) shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DotOptions {
    /// Whether directories and values are shown too, or branches and commits only.
    pub full: bool,
    /// How many parent steps from the heads commits are shown; all of them if absent.
    pub depth: Option<usize>,
}

impl Default for DotOptions {
    fn default() -> Self {
        DotOptions { full: true, depth: None }
    }
}

/// How many digits of a hash are shown.
const DIGITS: usize = 8;
/// How many characters of a value or step are shown.
const CHARS: usize = 10;

impl<C: Contents> Repo<C> {
    /// Writes the graph of the branches and their history for Graphviz's `dot`.
    ///
    /// The shapes are those of OCaml Irmin: a commit is a bold box, a directory a dotted one, a
    /// value a plain one with its first characters, a branch a filled name. A commit points to its
    /// parents with bold arrows and to its directory with a dashed one, a directory to other ones
    /// with solid arrows and to values with dotted ones, each with the name of the entry. What
    /// several directories share is one box.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use irmin_core::{Context, DotOptions, Format, FormatSpec, Repo, backend::MemoryBackend};
    /// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
    /// # let repo = Repo::new(backend, Context::new("ann", || 0))?;
    /// repo.main()?.set("a", "hello", "first")?;
    /// let mut picture = String::new();
    /// repo.dot(&DotOptions::default(), &mut picture)?;
    /// assert!(picture.starts_with("digraph"));
    /// assert!(picture.contains("(hello)"));
    /// # Ok::<(), irmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `io` if `out` cannot be written, and those of reading.
    pub fn dot(&self, options: &DotOptions, out: &mut dyn Write) -> Result<()> {
        let graph = self.history(&self.heads()?, options.depth)?;
        let mut dot = Dot { out, seen: HashSet::new(), todo: Vec::new() };
        dot.line(format_args!("digraph irmin {{"))?;
        dot.line(format_args!("  rankdir=LR;"))?;
        dot.commits(&graph, options.full)?;
        while let Some((hash, tree)) = dot.todo.pop() {
            dot.directory(hash, &tree)?;
        }
        for name in self.branches()? {
            let Some(head) = self.branch(name.as_str())?.head()? else { continue };
            let label = Text(name.as_str());
            dot.line(format_args!(
                "  \"b:{label}\" [label=\"{label}\", shape=plaintext, style=filled];"
            ))?;
            // A branch that was made meanwhile may be at a commit that is not in the picture.
            if graph.commits.contains(&head) {
                let id = head.id();
                dot.line(format_args!("  \"b:{label}\" -> \"c:{id}\" [style=bold];"))?;
            }
        }
        dot.line(format_args!("}}"))
    }
}

/// A picture in the making.
struct Dot<'a, C> {
    out: &'a mut dyn Write,
    /// The directories and values that have a box.
    seen: HashSet<(Hash, bool)>,
    /// The directories whose entries are still to be drawn.
    todo: Vec<(Hash, Tree<C>)>,
}

impl<C: Contents> Dot<'_, C> {
    fn line(&mut self, text: fmt::Arguments<'_>) -> Result<()> {
        let failed = |_| Error::new(Code::Io, "the picture cannot be written");
        self.out.write_fmt(text).and_then(|()| self.out.write_char('\n')).map_err(failed)
    }

    fn commits(&mut self, graph: &CommitGraph<C>, full: bool) -> Result<()> {
        for commit in &graph.commits {
            let (id, label) = (commit.id(), commit.id().hash().short(DIGITS));
            self.line(format_args!("  \"c:{id}\" [label=\"{label}\", shape=box, style=bold];"))?;
            if full {
                self.root(commit)?;
            }
        }
        for (child, parent) in &graph.edges {
            self.line(format_args!("  \"c:{child}\" -> \"c:{parent}\" [style=bold];"))?;
        }
        Ok(())
    }

    fn root(&mut self, commit: &Commit<C>) -> Result<()> {
        let hash = commit.tree_id().hash();
        self.line(format_args!("  \"c:{}\" -> \"n:{hash}\" [style=dashed];", commit.id()))?;
        self.node(hash, commit.tree())
    }

    fn node(&mut self, hash: Hash, tree: Tree<C>) -> Result<()> {
        if !self.seen.insert((hash, true)) {
            return Ok(());
        }
        let label = hash.short(DIGITS);
        self.line(format_args!("  \"n:{hash}\" [label=\"{label}\", shape=box, style=dotted];"))?;
        self.todo.push((hash, tree));
        Ok(())
    }

    fn directory(&mut self, from: Hash, tree: &Tree<C>) -> Result<()> {
        for (step, kind) in tree.list(Path::root())? {
            // Kept, and not followed: there is nothing of it here.
            if matches!(kind, TreeKind::Opaque(_)) {
                continue;
            }
            let path = Path::foreign([step.as_bytes()])?;
            let Some(child) = tree.get_tree(&path)? else { continue };
            let name = preview(step.as_bytes());
            let name = Text(&name);
            match child.hash()? {
                KindedHash::Node(id) => {
                    let to = id.hash();
                    self.line(format_args!("  \"n:{from}\" -> \"n:{to}\" [label=\"{name}\"];"))?;
                    self.node(to, child)?;
                }
                KindedHash::Value(id, _) => {
                    let to = id.hash();
                    self.line(format_args!(
                        "  \"n:{from}\" -> \"v:{to}\" [label=\"{name}\", style=dotted];"
                    ))?;
                    self.value(to, &child)?;
                }
            }
        }
        Ok(())
    }

    fn value(&mut self, hash: Hash, tree: &Tree<C>) -> Result<()> {
        if !self.seen.insert((hash, false)) {
            return Ok(());
        }
        let text = tree.value()?.map(|value| value.encode()).transpose()?;
        let text = text.map(|text| preview(&text)).unwrap_or_default();
        let (label, text) = (hash.short(DIGITS), Text(&text));
        self.line(format_args!("  \"v:{hash}\" [label=\"{label} ({text})\", shape=box];"))
    }
}

/// The first characters of some text.
fn preview(bytes: &[u8]) -> String {
    match core::str::from_utf8(bytes) {
        Ok(text) => text.chars().take(CHARS).collect(),
        Err(_) => String::from("<blob>"),
    }
}

/// Text between the quotes of Graphviz.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '"' | '\\' => write!(f, "\\{c}"),
            '\n' => f.write_str("\\\\n"),
            '\r' => f.write_str("\\\\r"),
            '\t' => f.write_str("\\\\t"),
            // As text: what a terminal or a viewer would act on is shown, not done.
            c if c.is_control() => write!(f, "\\\\u{{{:x}}}", u32::from(c)),
            c => f.write_char(c),
        })
    }
}
