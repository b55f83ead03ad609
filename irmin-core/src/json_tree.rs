//! L7: one JSON object as a hierarchy of keys, and back: OCaml Irmin's `Json_tree`.
//!
//! An object becomes a directory, each of its members a key in it, and everything else, arrays
//! among them, a value. So members can be read, watched and merged on their own, and equal parts
//! of two objects are stored once.
//!
//! ```
//! use std::sync::Arc;
//! use irmin_core::backend::MemoryBackend;
//! use irmin_core::contents::json::JsonValue;
//! use irmin_core::{Context, Format, FormatSpec, Repo, json_tree};
//!
//! let backend = MemoryBackend::new(Format::new(FormatSpec::git()));
//! let repo = Repo::new(Arc::new(backend), Context::new("ann", || 1_000))?.typed::<JsonValue>()?;
//! let main = repo.main()?;
//! let ann: JsonValue = r#"{"name":"Ann","home":{"city":"Oslo","zip":150}}"#.parse()?;
//! json_tree::set(&main, "people/ann", &ann, "meet Ann")?;
//! assert_eq!(main.get("people/ann/home/zip")?.unwrap().to_string(), "150");
//! main.set("people/ann/home/city", JsonValue::String("Bergen".into()), "she moved")?;
//! let home = json_tree::get(&main, "people/ann/home")?.unwrap();
//! assert_eq!(home.to_string(), r#"{"city":"Bergen","zip":150}"#);
//! # Ok::<(), irmin_core::Error>(())
//! ```
//!
//! # What comes back
//! What was put in, as JSON is compared: the order of members means nothing, and they come back
//! sorted. Two things differ from the original on purpose. An empty object is kept, as the value
//! `{}`, where the original drops it with the directory; only at the root of a tree it is the
//! empty tree. And a name that is no [step](crate::Step) of a path, such as `""` or `a/b`, is
//! refused with the path of its object, as are two members of one name: a store that takes them
//! cannot give them back.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use crate::contents::json::{JsonValue, MAX_DEPTH, Members};
use crate::error::{Code, Error, Result};
use crate::path::{IntoPath, Path};
use crate::repo::{Branch, Commit, CommitOptions};
use crate::tree::{Concrete, FoldOptions, Tree, Visit};

/// The tree of a JSON value: a directory if it is an object with members.
///
/// # Errors
/// `invalid_path` for a name that is no step, `invalid_value` for a name that comes twice,
/// and `payload_too_large` for a path that is too long or too deep.
pub fn to_tree(json: &JsonValue) -> Result<Tree<JsonValue>> {
    let JsonValue::Object(members) = json else { return Tree::of_contents(json.clone()) };
    let mut tree = Tree::empty();
    let mut todo = Vec::from([(Path::root(), members)]);
    while let Some((dir, members)) = todo.pop() {
        let mut names = BTreeSet::new();
        for (name, value) in members {
            if !names.insert(name) {
                let why = format!("the object `{dir}` has two members `{name}`");
                return Err(Error::new(Code::InvalidValue, why));
            }
            let path = Path::new(dir.steps().chain([name.as_bytes()]));
            let path = path.map_err(|e| e.context(format_args!("a member of `{dir}`")))?;
            match value {
                JsonValue::Object(inner) if !inner.is_empty() => todo.push((path, inner)),
                leaf => tree.set(&path, leaf.clone())?,
            }
        }
    }
    Ok(tree)
}

/// The JSON value of a tree.
///
/// # Errors
/// `invalid_value` for a name that is not text, or if directories and what is in their values are
/// nested deeper than JSON is [read](MAX_DEPTH), `unrepresentable` for an entry that is kept but not followed, such as a git
/// submodule, and those of reading.
pub fn of_tree(tree: &Tree<JsonValue>) -> Result<JsonValue> {
    // The members so far of each directory on the way, and what is done.
    let mut open: Vec<Members> = Vec::new();
    let mut whole = None;
    tree.fold(FoldOptions::default(), |visit| {
        let (path, value) = match visit {
            Visit::Enter(path, _) => {
                if open.len() >= MAX_DEPTH {
                    let why = format!("`{path}`: JSON has at most {MAX_DEPTH} levels");
                    return Err(Error::new(Code::InvalidValue, why));
                }
                open.push(Vec::new());
                return Ok(ControlFlow::Continue(()));
            }
            Visit::Leave(path, _) => (path, JsonValue::Object(open.pop().unwrap_or_default())),
            Visit::Leaf(path, leaf) => {
                let value = leaf.value().map_err(|e| e.context(format_args!("`{path}`")))?;
                let opaque = || {
                    let why = format!("`{path}` is neither a value nor a directory");
                    Error::new(Code::Unrepresentable, why)
                };
                let value = value.ok_or_else(opaque)?;
                let left = MAX_DEPTH.saturating_sub(open.len());
                value.check_depth(left).map_err(|e| e.context(format_args!("`{path}`")))?;
                (path, value)
            }
            Visit::Unread(..) => return Ok(ControlFlow::Continue(())),
        };
        match (open.last_mut(), path.split_last()) {
            (Some(members), Some((_, name))) => {
                members.push((String::from(as_text(path, name)?), value));
            }
            _ => whole = Some(value),
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(whole.unwrap_or(JsonValue::Object(Vec::new())))
}

fn as_text<'a>(path: &Path, name: &'a [u8]) -> Result<&'a str> {
    core::str::from_utf8(name).map_err(|_| {
        Error::new(Code::InvalidValue, format!("`{path}`: the name is not text, as JSON's are"))
    })
}

/// A JSON value as the values of its tree, by path.
///
/// # Errors
/// As [`to_tree`].
pub fn to_concrete(json: &JsonValue) -> Result<Concrete<JsonValue>> {
    to_tree(json)?.to_concrete()
}

/// The JSON value that some values by path are: [`to_concrete`] back.
///
/// # Errors
/// As [`Tree::of_concrete`] and [`of_tree`].
pub fn of_concrete(mut concrete: Concrete<JsonValue>) -> Result<JsonValue> {
    match concrete.remove(&Path::root()) {
        Some((value, _)) if concrete.is_empty() => Ok(value),
        Some(_) => Err(Error::new(Code::InvalidPath, "there are values inside a value, the root")),
        None => of_tree(&Tree::of_concrete(concrete)?),
    }
}

/// Puts a JSON value into a tree, in place of what is at the path.
///
/// # Errors
/// As [`to_tree`] and [`Tree::set`].
pub fn set_tree(tree: &mut Tree<JsonValue>, path: impl IntoPath, json: &JsonValue) -> Result<()> {
    let path = path.into_path()?;
    match json {
        JsonValue::Object(members) if !members.is_empty() || path.is_root() => {
            let made = to_tree(json).map_err(|e| at(&path, e))?;
            tree.set_tree(&path, made)
        }
        leaf => tree.set(&path, leaf.clone()),
    }
}

/// The JSON value at a path of a tree, if there is anything.
///
/// # Errors
/// As [`of_tree`] and [`Tree::get_tree`].
pub fn get_tree(tree: &Tree<JsonValue>, path: impl IntoPath) -> Result<Option<JsonValue>> {
    let path = path.into_path()?;
    let found = tree.get_tree(&path)?.map(|tree| of_tree(&tree));
    found.transpose().map_err(|e| at(&path, e))
}

/// Says where in a tree something is wrong.
fn at(path: &Path, error: Error) -> Error {
    if path.is_root() { error } else { error.context(format_args!("`{path}`")) }
}

/// Puts a JSON value into a branch, in place of what is at the path, as one commit.
///
/// # Errors
/// As [`set_tree`] and [`Branch::set`].
pub fn set(
    branch: &Branch<JsonValue>,
    path: impl IntoPath,
    json: &JsonValue,
    options: impl Into<CommitOptions>,
) -> Result<Option<Commit<JsonValue>>> {
    let path = path.into_path()?;
    branch.transaction(options, |tree| set_tree(tree, &path, json))
}

/// The JSON value at a path of a branch, if there is anything.
///
/// # Errors
/// As [`get_tree`].
pub fn get(branch: &Branch<JsonValue>, path: impl IntoPath) -> Result<Option<JsonValue>> {
    get_tree(&branch.tree()?, path)
}
