//! `irmin watch`: telling changes as they happen.

use std::io::Write as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use clap::Args;
use irmin_core::{Branch, Change, Commit, Contents, Path, Repo, Tree};
use serde_json::{Value, json};

use crate::args::path_parser;
use crate::commands::diff::tree_change_json;
use crate::commands::{Session, Work};
use crate::exit::{Exit, Failure, Outcome, Stop};
use crate::names;

/// Get notifications when values change.
///
/// Each change is a line: `+ path` for a new value, `* path` for another one, `- path` for one that
/// is gone; paths are below PATH. With a command, every move of the branch is a line of JSON on its
/// standard input; it is started again if it ended well, and its failure ends the watch. The watch
/// ends when it is interrupted or when its output is closed.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin watch --root notes.git greetings
  irmin watch --root notes.git / --json
  irmin watch --root notes.git / -- tee changes.jsonl")]
pub(crate) struct WatchArgs {
    /// Key to watch, with everything below; `/` is the whole store
    #[arg(value_parser = path_parser())]
    path: Path,
    /// Begin with what changed since this commit
    #[arg(long, value_name = "COMMIT")]
    from: Option<String>,
    /// How often to look for changes, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0.25, value_parser = interval)]
    interval: f64,
    /// Command to execute
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<std::ffi::OsString>,
}

fn interval(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.01..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds between 0.01 and 3600".into()),
    }
}

impl Work for WatchArgs {
    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let branch = session.branch(repo)?;
        if branch.name().is_none() {
            return Err(Failure::usage("a commit never changes: watch a branch").into());
        }
        let mut last = match &self.from {
            Some(revision) => Some(names::resolve(repo, revision)?),
            None => branch.head()?,
        };
        let mut listener = Listener { command: &self.command, running: None };
        let pause = Duration::from_secs_f64(self.interval);
        loop {
            last = self.look(session, repo, &branch, last.as_ref(), &mut listener)?;
            if !wait(pause) {
                return Ok(Exit::Ok);
            }
        }
    }
}

impl WatchArgs {
    /// Tells what changed since `last`, and answers what is there now.
    fn look<C: Contents>(
        &self,
        session: &mut Session<'_>,
        repo: &Repo<C>,
        branch: &Branch<C>,
        last: Option<&Commit<C>>,
        listener: &mut Listener<'_>,
    ) -> Outcome<Option<Commit<C>>> {
        repo.refresh()?;
        let head = branch.head()?;
        if head.as_ref() == last {
            return Ok(head);
        }
        let view = |commit: Option<&Commit<C>>| -> Outcome<Tree<C>> {
            let tree = commit.map_or_else(Tree::empty, Commit::tree);
            Ok(tree.get_tree(&self.path)?.unwrap_or_default())
        };
        let changes = view(last)?.diff(&view(head.as_ref())?)?;
        if changes.is_empty() {
            return Ok(head);
        }
        if session.out.json || !self.command.is_empty() {
            let line = self.event(branch, head.as_ref(), &changes)?;
            if self.command.is_empty() {
                session.out.json(&line)?;
            } else {
                listener.tell(&line)?;
            }
        } else {
            for change in &changes {
                session.out.line(format!("{} /{}", sign(change), change.path))?;
            }
        }
        session.out.flush()?;
        Ok(head)
    }

    /// One move of the branch as JSON.
    fn event<C: Contents>(
        &self,
        branch: &Branch<C>,
        head: Option<&Commit<C>>,
        changes: &[Change<C>],
    ) -> Outcome<Value> {
        let rows: Result<Vec<Value>, irmin_core::Error> = changes
            .iter()
            .map(|change| tree_change_json(&self.path.join(&change.path), change))
            .collect();
        Ok(json!({
            "branch": branch.name().map(|name| name.to_string()),
            "commit": head.map(|commit| commit.id().to_string()),
            "changes": rows?,
        }))
    }
}

/// The sign of a change.
pub(crate) fn sign<C>(change: &Change<C>) -> char {
    match (&change.old, &change.new) {
        (None, _) => '+',
        (_, None) => '-',
        _ => '*',
    }
}

/// The command that hears of changes.
struct Listener<'a> {
    command: &'a [std::ffi::OsString],
    running: Option<(Child, ChildStdin)>,
}

impl Listener<'_> {
    fn tell(&mut self, line: &Value) -> Outcome<()> {
        if let Some((child, _)) = &mut self.running {
            match child.try_wait().map_err(|e| self.failed(&e))? {
                None => {}
                Some(status) if status.success() => self.running = None,
                Some(status) => {
                    let message = format!("the command ended: {status}");
                    return Err(Failure::absent(message).into());
                }
            }
        }
        if self.running.is_none() {
            self.running = Some(self.start()?);
        }
        let Some((_, stdin)) = &mut self.running else { return Ok(()) };
        match writeln!(stdin, "{line}").and_then(|()| stdin.flush()) {
            // It may end without reading everything; the next event starts it again.
            Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(self.failed(&e)),
            _ => Ok(()),
        }
    }

    fn start(&self) -> Outcome<(Child, ChildStdin)> {
        let (program, arguments) = self.command.split_first().ok_or(Stop::Closed)?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|e| self.failed(&e))?;
        let stdin = child.stdin.take().ok_or(Stop::Closed)?;
        Ok((child, stdin))
    }

    fn failed(&self, error: &std::io::Error) -> Stop {
        let name = self.command.first().cloned().unwrap_or_default();
        Failure::file(std::path::Path::new(&name), error).into()
    }
}

/// Waits, and says whether anyone still reads standard output.
#[cfg(unix)]
fn wait(pause: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = std::io::stdout();
    // No event is asked for: what is always told is that the other end was closed.
    let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
    let pause = Timespec {
        tv_sec: i64::try_from(pause.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: pause.subsec_nanos().into(),
    };
    match poll(&mut polled, Some(&pause)) {
        Ok(_) => {
            let closed = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
            !polled.iter().any(|fd| fd.revents().intersects(closed))
        }
        // A signal that does not end the program only cuts the pause short.
        Err(_) => true,
    }
}

/// Waits; a closed output is noticed at the next change.
#[cfg(not(unix))]
#[allow(clippy::disallowed_methods, reason = "the program owns the clock")]
fn wait(pause: Duration) -> bool {
    std::thread::sleep(pause);
    true
}
