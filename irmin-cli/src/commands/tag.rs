//! `irmin tag`: names of commits that stay where they are.

use clap::{Args, Subcommand};
use irmin_core::{Code, CommitOptions, Contents, Kind, Repo, Tag, TagForm};
use serde_json::{Value, json};

use crate::commands::log::subject;
use crate::commands::{Session, Work};
use crate::exit::{Exit, Failure, Outcome};
use crate::names;
use crate::output::style;
use crate::time;

/// Name commits, list and remove such names.
///
/// Without arguments the tags are listed. With -m a tag is annotated: an object of its own says
/// who made it, when and why, as in git. A tag does not move unless --force says so.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin tag --root notes.git v1.0
  irmin tag --root notes.git v0.9 main~1 -m 'the one before'
  irmin tag --root notes.git")]
pub(crate) struct TagArgs {
    #[command(subcommand)]
    command: Option<TagCommand>,
    #[command(flatten)]
    create: CreateArgs,
    /// Remove the tag
    #[arg(short, long, requires = "name", conflicts_with_all = ["revision", "message", "force"])]
    delete: bool,
}

#[derive(Subcommand, Debug)]
enum TagCommand {
    /// Tag the head of the current branch, or a revision
    #[command(after_long_help = "\
Examples:
  irmin tag create --root notes.git v1.1
  irmin tag create --root notes.git v1.1 main~1 --force")]
    Create(CreateArgs),
    /// Remove a tag
    #[command(after_long_help = "\
Examples:
  irmin tag delete --root notes.git v0.8")]
    Delete {
        /// The tag
        #[arg(value_name = "NAME")]
        tag: String,
    },
    /// List tags
    #[command(after_long_help = "\
Examples:
  irmin tag list --root notes.git
  irmin tag list --root notes.git --json")]
    List,
    /// Show what a tag names, and what it says
    #[command(after_long_help = "\
Examples:
  irmin tag show --root notes.git v0.8")]
    Show {
        /// The tag
        #[arg(value_name = "NAME")]
        tag: String,
    },
}

#[derive(Args, Debug)]
struct CreateArgs {
    /// The name of the tag
    name: Option<String>,
    /// What is tagged; the head of the current branch if absent
    revision: Option<String>,
    /// Annotate the tag with this message
    #[arg(short, long, value_name = "MESSAGE", requires = "name")]
    message: Option<String>,
    /// Move the tag if there is one of that name
    #[arg(short, long, requires = "name")]
    force: bool,
}

impl Work for TagArgs {
    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        // Not left to the parser: it would take `--root DIR list` for a tag of that name.
        if let (Some(_), Some(name)) = (&self.command, &self.create.name) {
            let message = format!("after the name of a tag, `{name}`, no command follows");
            let hint = "`irmin tag create NAME REVISION` takes any revision";
            return Err(Failure::usage(message).hint(hint).into());
        }
        match (&self.command, &self.create.name) {
            (Some(TagCommand::Create(create)), _) => create.run(session, repo),
            (Some(TagCommand::Delete { tag }), _) => delete(session, repo, tag),
            (Some(TagCommand::Show { tag }), _) => show(session, repo, tag),
            (None, Some(tag)) if self.delete => delete(session, repo, tag),
            (None, Some(_)) => self.create.run(session, repo),
            (None, None) | (Some(TagCommand::List), _) => list(session, repo),
        }
    }
}

impl CreateArgs {
    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let Some(name) = &self.name else {
            return Err(Failure::usage("a tag needs a name").into());
        };
        let commit = match &self.revision {
            Some(revision) => names::resolve(repo, revision)?,
            None => session.head(repo)?,
        };
        let old = repo.read_tag(name)?;
        if let (Some(old), false) = (&old, self.force) {
            let message = format!("tag `{name}` exists already, at {}", old.target);
            return Err(Failure::precondition(message).hint("--force moves it").into());
        }
        let (form, options) = match &self.message {
            None => (TagForm::Light, CommitOptions::new(format!("tag: {}", commit.id()))),
            // Git ends the message of a tag with a line end.
            Some(message) if message.ends_with('\n') => {
                (TagForm::Annotated, message.as_str().into())
            }
            Some(message) => (TagForm::Annotated, format!("{message}\n").into()),
        };
        let id = repo.write_tag(name, &commit, form, old.as_ref().map(|old| old.id), options)?;
        if session.out.json {
            let commit = commit.id().to_string();
            session.out.json(&json!({"tag": name, "commit": commit, "id": id.to_string()}))?;
            return Ok(Exit::Ok);
        }
        if let Some(old) = old.filter(|old| old.id != id) {
            session.out.note(&format!("tag `{name}` was at {}", old.target));
        }
        session.out.detail(&format!("tag `{name}` is at {}", commit.id()));
        Ok(Exit::Ok)
    }
}

fn delete<C: Contents>(session: &mut Session<'_>, repo: &Repo<C>, name: &str) -> Outcome {
    let tag = existing(repo, name)?;
    repo.remove_tag(name, "tag: removed")?;
    session.out.note(&format!("tag `{name}` was at {}", tag.id));
    if session.out.json {
        let commit = Value::Null;
        session.out.json(&json!({"tag": name, "commit": commit, "id": Value::Null}))?;
    }
    Ok(Exit::Ok)
}

fn list<C: Contents>(session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
    let mut rows = Vec::new();
    for name in repo.tags()? {
        if session.out.json {
            // A tag that was removed meanwhile is none.
            rows.extend(repo.read_tag(name.as_str())?.as_ref().map(tag_json));
        } else {
            session.out.line(name.to_string())?;
        }
    }
    if session.out.json {
        session.out.json(&rows.into())?;
    }
    Ok(Exit::Ok)
}

fn show<C: Contents>(session: &mut Session<'_>, repo: &Repo<C>, name: &str) -> Outcome {
    let tag = existing(repo, name)?;
    let out = &mut session.out;
    if out.json {
        out.json(&tag_json(&tag))?;
        return Ok(Exit::Ok);
    }
    out.styled(style::HASH, format!("tag {}", tag.name))?;
    let what = if tag.kind == Kind::Commit { "Commit".into() } else { tag.kind.to_string() };
    if let Some(annotation) = &tag.annotation {
        if let Some(tagger) = &annotation.tagger {
            let who = out.foreign(&tagger.author);
            out.line([b"Tagger: ", who.as_slice()].concat())?;
            out.line(format!("Date: {}", time::format(tagger.date, &time::local())))?;
        }
        out.line(format!("{what}: {}", tag.target))?;
        out.line("")?;
        let message = out.foreign(annotation.message.trim_ascii_end());
        out.line(message)?;
    } else {
        out.line(format!("{what}: {}", tag.target))?;
        let commit = repo.resolve(tag.id.to_string().as_str());
        if let Ok(commit) = commit {
            out.line("")?;
            let message = out.foreign(subject(&commit.info().message));
            out.line(message)?;
        }
    }
    Ok(Exit::Ok)
}

/// A tag that must be there.
fn existing<C: Contents>(repo: &Repo<C>, name: &str) -> Outcome<Tag> {
    match repo.read_tag(name) {
        Ok(Some(tag)) => Ok(tag),
        Ok(None) => {
            let failure = Failure::absent(format!("tag `{name}` does not exist"));
            Err(failure.hint("`irmin tag list` lists the tags").into())
        }
        Err(e) if e.code() == Code::InvalidName => Err(e.into()),
        Err(e) => Err(e.context(format_args!("tag `{name}`")).into()),
    }
}

/// A tag as JSON.
fn tag_json(tag: &Tag) -> Value {
    let says = tag.annotation.as_ref();
    let tagger = says.and_then(|says| says.tagger.as_ref());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let commit = (tag.kind == Kind::Commit).then(|| tag.target.to_string());
    json!({
        "tag": tag.name.to_string(),
        "commit": commit,
        "id": tag.id.to_string(),
        "annotated": says.is_some(),
        "author": tagger.map(|tagger| text(&tagger.author)),
        "date": tagger.map(|tagger| tagger.date),
        "message": says.map(|says| text(&says.message)),
    })
}
