//! The commands, one module for each or for a family.

pub(crate) mod apply;
pub(crate) mod blame;
pub(crate) mod branch;
pub(crate) mod check;
pub(crate) mod checkout;
pub(crate) mod completions;
pub(crate) mod diff;
pub(crate) mod dot;
pub(crate) mod export;
pub(crate) mod get;
pub(crate) mod head;
pub(crate) mod help;
pub(crate) mod import;
pub(crate) mod last_modified;
pub(crate) mod list;
pub(crate) mod log;
pub(crate) mod man;
pub(crate) mod merge;
pub(crate) mod op;
pub(crate) mod set;
pub(crate) mod stats;
pub(crate) mod store;
pub(crate) mod tag;
pub(crate) mod watch;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::sync::Arc;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use irmin_core::backend::{Journaled, Target, View, resolve_ref};
use irmin_core::contents::json::{Json, JsonValue};
use irmin_core::{Branch, Code, Commit, CommitOptions, Contents, Key, RefName, Repo, Tree};

use crate::args::Message;
use crate::cli::{Cli, Command};
use crate::exit::{Exit, Failure, Outcome, Stop};
use crate::names;
use crate::output::{Output, failure_json};
use crate::settings::{ContentsType, Env, Place, Settings, StoreKind, load_files};
use crate::store::{Access, Opened, location, open};
use crate::worktree::common_dir;

/// A command that works on a store, whatever the type of its values.
pub(crate) trait Work {
    /// Whether a store that does not exist is made.
    const ACCESS: Access = Access::Existing;

    /// Whether it brings the working tree along when it changes what `HEAD` is.
    const BRINGS_FILES: bool = false;

    /// Does it.
    ///
    /// # Errors
    /// Why it cannot be done.
    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome;
}

/// What one command works with.
pub(crate) struct Session<'a> {
    pub(crate) settings: Settings,
    pub(crate) out: Output,
    /// The merge policies that the store asks for.
    pub(crate) policies: Vec<String>,
    /// The journal of the store, if it keeps one.
    pub(crate) journal: Option<Arc<Journaled>>,
    /// What of the store is written and not synced.
    pub(crate) not_synced: Vec<&'static str>,
    /// The words that name the command.
    command: String,
    pub(crate) env: Env<'a>,
}

impl Session<'_> {
    fn work<W: Work>(&mut self, work: &W) -> Outcome {
        let opened = open(&self.settings, W::ACCESS, &self.command)?;
        let Opened { repo, contents, policies, journal, has_tree, not_synced } = opened;
        self.policies = policies;
        self.journal = journal;
        self.not_synced = not_synced;
        // A `HEAD` that cannot be read is told by the commands that need it.
        let before = if has_tree { head_of(&repo).ok() } else { None };
        let exit = match contents {
            ContentsType::String => work.run(self, &repo),
            ContentsType::Json => work.run(self, &repo.typed::<Json>()?),
            ContentsType::JsonValue => work.run(self, &repo.typed::<JsonValue>()?),
        }?;
        if has_tree && !W::BRINGS_FILES && before != head_of(&repo).ok() {
            self.out.note(
                "the working tree still shows what the branch was before: `irmin checkout` \
                 brings it along",
            );
        }
        Ok(exit)
    }

    /// The branch, or the commit, that the command works on, and may change.
    ///
    /// Where git has checked out a commit and no branch, one has to be named: nobody would look for
    /// the change on `main`, and a commit on no branch is lost.
    pub(crate) fn branch<C: Contents>(&self, repo: &Repo<C>) -> Outcome<Branch<C>> {
        if self.settings.place == Place::Main
            && let Some(key) = detached_head(repo)?
        {
            let hash = key.hash;
            let why = format!("the repository is on no branch: its HEAD is commit {hash}");
            let hint = "name a branch with `--branch`, or check one out: `irmin checkout main`";
            return Err(Failure::precondition(why).hint(hint).into());
        }
        self.place(repo)
    }

    /// The branch, or the commit, that the command reads.
    pub(crate) fn place<C: Contents>(&self, repo: &Repo<C>) -> Outcome<Branch<C>> {
        Ok(match &self.settings.place {
            Place::Main => match detached_head(repo)? {
                None => repo.main()?,
                Some(key) => repo.detached(&names::resolve(repo, &key.hash.to_string())?),
            },
            Place::Branch(name) => repo.branch(name)?,
            Place::Commit(revision) => repo.detached(&names::resolve(repo, revision)?),
        })
    }

    /// The commit that the command works on, which must exist.
    pub(crate) fn head<C: Contents>(&self, repo: &Repo<C>) -> Outcome<Commit<C>> {
        let branch = self.place(repo)?;
        match branch.head()? {
            Some(head) => Ok(head),
            None => Err(no_commit(&branch)?.into()),
        }
    }

    /// The branch to read from: one that does not exist is empty, and people are told.
    pub(crate) fn reads<C: Contents>(&self, repo: &Repo<C>) -> Outcome<Branch<C>> {
        let branch = self.place(repo)?;
        if branch.head()?.is_none() {
            let Failure { message, hint, .. } = no_commit(&branch)?;
            self.out
                .note(&hint.map_or(message.clone(), |hint| format!("{message}\n  hint: {hint}")));
        }
        Ok(branch)
    }

    /// Tells what a write made: the commit, or that nothing changed.
    pub(crate) fn wrote<C: Contents>(
        &mut self,
        branch: &Branch<C>,
        commit: Option<&Commit<C>>,
    ) -> Outcome {
        if self.out.json {
            let name = branch.name().map(|name| name.to_string());
            let id = commit.map(|commit| commit.id().to_string());
            self.out.json(&serde_json::json!({"branch": name, "commit": id}))?;
        } else if let (Some(commit), None) = (commit, branch.name()) {
            self.out.note(&format!("commit {} is on no branch", commit.id()));
        } else if let Some(commit) = commit {
            self.out.detail(&format!("commit {}", commit.id()));
        } else {
            self.out.detail("nothing changed");
        }
        Ok(Exit::Ok)
    }
}

/// The commit that `HEAD` is at.
fn head_of(repo: &Repo) -> Outcome<Option<Key>> {
    Ok(resolve_ref(&**repo.backend(), &RefName::head(), View::Durable)?.1)
}

/// The commit that `HEAD` is, where it stands for no branch.
fn detached_head<C: Contents>(repo: &Repo<C>) -> Outcome<Option<Key>> {
    Ok(match repo.backend().read_ref(&RefName::head(), View::Durable)? {
        Some(Target::Object(key)) => Some(key),
        _ => None,
    })
}

/// The failure of a command that needs a commit where there is none.
pub(crate) fn no_commit<C: Contents>(branch: &Branch<C>) -> Outcome<Failure> {
    let main = branch.repo().main()?.name();
    Ok(match branch.name() {
        Some(name) if main.as_ref() != Some(&name) => {
            let failure = Failure::absent(format!("branch `{name}` does not exist"));
            names::among(branch.repo(), name.as_str(), failure)
        }
        Some(name) => Failure::absent(format!("branch `{name}` has no commit yet")),
        None => Failure::absent("there is no commit"),
    })
}

/// The tree of a commit's first parent; empty for a root.
pub(crate) fn parent_tree<C: Contents>(commit: &Commit<C>) -> Outcome<Tree<C>> {
    let parents = commit.parents()?;
    Ok(parents.first().map_or_else(Tree::empty, Commit::tree))
}

impl Message {
    /// The options of a commit with this message, or with the default one.
    pub(crate) fn options(&self, default: impl Into<String>) -> CommitOptions {
        CommitOptions::new(self.message.clone().unwrap_or_else(|| default.into()))
    }
}

/// Runs the command line and says how it ended.
pub(crate) fn run(arguments: Vec<OsString>) -> u8 {
    let json = arguments.iter().take_while(|text| *text != "--").any(|text| text == "--json");
    let parsed = Cli::command().try_get_matches_from(arguments);
    let parsed = parsed.and_then(|matches| {
        let cli = Cli::from_arg_matches(&matches).map_err(|e| e.format(&mut Cli::command()))?;
        Ok((cli, words(&matches)))
    });
    let (cli, command) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return refuse(&error, json),
    };
    let env = |name: &str| std::env::var_os(name);
    let resolved = load_files(&cli.global, &env)
        .and_then(|files| Settings::resolve(&cli.global, &env, &files));
    let (settings, failure) = match resolved {
        Ok(settings) => (settings, None),
        Err(failure) => (Settings::plain(&cli.global), Some(failure)),
    };
    let out = Output::new(&settings, &env);
    // Help must be there when the settings are not.
    let needs_none = match cli.command {
        None | Some(Command::Help(_) | Command::Completions(_) | Command::Man(_)) => true,
        Some(_) => false,
    };
    if let Some(failure) = failure.filter(|_| !needs_none) {
        out.failure(&failure);
        return failure.exit.code();
    }
    let mut session = Session {
        settings,
        out,
        policies: Vec::new(),
        journal: None,
        not_synced: Vec::new(),
        command,
        env: &env,
    };
    let outcome = dispatch(&mut session, cli.command.as_ref());
    let flushed = session.out.finish().map_err(Stop::from);
    match outcome.and_then(|exit| flushed.map(|()| exit)) {
        Ok(exit) => exit.code(),
        Err(Stop::Closed) => Exit::Ok.code(),
        Err(Stop::Failed(mut failure)) => {
            if failure.code == Code::MissingObjects.as_str() && is_shallow(&session.settings) {
                failure.hint = Some(SHALLOW.into());
            }
            session.out.failure(&failure);
            failure.exit.code()
        }
    }
}

const SHALLOW: &str =
    "the repository is shallow: `git fetch --unshallow` brings the commits before";

/// Whether the store is a clone of git without the beginning of its history.
fn is_shallow(settings: &Settings) -> bool {
    let dir = || common_dir(&location(settings).ok()?).ok();
    settings.store == StoreKind::Git && dir().is_some_and(|dir| dir.join("shallow").exists())
}

/// The words that name a command: `branch create`.
fn words(matches: &ArgMatches) -> String {
    let (mut words, mut at) = (Vec::new(), matches);
    while let Some((word, below)) = at.subcommand() {
        words.push(word);
        at = below;
    }
    words.join(" ")
}

/// Tells what is wrong with the command line; help and version come this way too.
fn refuse(error: &clap::Error, json: bool) -> u8 {
    let code = u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.code());
    if code == 0 {
        match error.print() {
            Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
                let _ = writeln!(io::stderr(), "irmin: standard output: {e}");
                return Exit::Failure.code();
            }
            _ => {}
        }
    } else {
        let text = error.render().to_string();
        let text = text.strip_prefix("error:").unwrap_or(&text);
        let _ = if json {
            let failure = Failure::usage(text.split("\n\n").next().unwrap_or_default().trim());
            writeln!(io::stderr(), "{}", failure_json(&failure))
        } else {
            write!(io::stderr(), "irmin:{text}")
        };
    }
    code
}

fn dispatch(session: &mut Session<'_>, command: Option<&Command>) -> Outcome {
    let Some(command) = command else { return help::usage(session) };
    match command {
        Command::Help(args) => args.run(session),
        Command::Init(args) => session.work(args),
        Command::Get(args) => session.work(args),
        Command::Set(args) => session.work(args),
        Command::Remove(args) => session.work(args),
        Command::List(args) => session.work(args),
        Command::Tree(args) => session.work(args),
        Command::Merge(args) => session.work(args),
        Command::Snapshot(args) => session.work(args),
        Command::Revert(args) => session.work(args),
        Command::Watch(args) => session.work(args),
        Command::Dot(args) => session.work(args),
        Command::Options(args) => args.run(session),
        Command::Completions(args) => args.run(session),
        Command::Man(args) => args.run(session),
        Command::Branches(args) => session.work(args),
        Command::Branch(args) => session.work(args),
        Command::Tag(args) => session.work(args),
        Command::Op(args) => session.work(args),
        Command::Undo(args) => session.work(args),
        Command::Checkout(args) => session.work(args),
        Command::Log(args) => session.work(args),
        Command::Blame(args) => session.work(args),
        Command::LastModified(args) => session.work(args),
        Command::Diff(args) => session.work(args),
        Command::Show(args) => session.work(args),
        Command::Apply(args) => session.work(args),
        Command::Import(args) => session.work(args),
        Command::Export(args) => session.work(args),
        Command::Check(args) => session.work(args),
        Command::Stats(args) => session.work(args),
    }
}
