//! How a command ends: exit codes, and the one place where errors become them.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::ops::ControlFlow;

use irmin_core::{Code, Error, ErrorKind};

/// The exit code of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It was done.
    Ok = 0,
    /// What was asked for is absent, or something else went wrong.
    Failure = 1,
    /// The command line, a name or a settings file is wrong.
    Usage = 2,
    /// A merge has conflicts; nothing was written.
    Conflict = 3,
    /// An expectation (`--if-…`, a `test` operation) does not hold, or others kept winning.
    Precondition = 4,
    /// Not allowed.
    Denied = 5,
    /// The store is damaged.
    Corrupt = 7,
}

impl Exit {
    /// The number that the shell sees.
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }

    /// The code for an error of the store.
    pub(crate) fn of(code: Code) -> Exit {
        match code {
            Code::MergeConflict => Exit::Conflict,
            Code::PreconditionFailed | Code::TooManyRetries => Exit::Precondition,
            Code::Forbidden => Exit::Denied,
            Code::MissingObjects => Exit::Corrupt,
            _ => match code.kind() {
                ErrorKind::Invalid => Exit::Usage,
                ErrorKind::Corrupt => Exit::Corrupt,
                _ => Exit::Failure,
            },
        }
    }
}

/// Why a command failed, ready to be told.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// The stable name of the error, for `--json`.
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    pub(crate) hint: Option<String>,
}

impl Failure {
    fn new(exit: Exit, code: Code, message: impl Into<String>) -> Self {
        Failure {
            exit,
            code: code.as_str(),
            message: message.into(),
            causes: Vec::new(),
            hint: None,
        }
    }

    /// The command line or the settings are wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Failure::new(Exit::Usage, Code::InvalidArgument, message)
    }

    /// What was named does not exist.
    pub(crate) fn absent(message: impl Into<String>) -> Self {
        Failure::new(Exit::Failure, Code::NotFound, message)
    }

    /// An expectation does not hold.
    pub(crate) fn precondition(message: impl Into<String>) -> Self {
        Failure::new(Exit::Precondition, Code::PreconditionFailed, message)
    }

    /// A file outside the store could not be read or written.
    pub(crate) fn file(path: &std::path::Path, error: &io::Error) -> Self {
        let path = path.display().to_string();
        Failure::new(Exit::Failure, Code::Io, format!("{path}: {error}"))
    }

    /// Adds what the user could do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut causes = Vec::new();
        let mut next = error.source();
        // A chain of causes is short; the bound only guards against one that loops.
        while let Some(cause) = next.filter(|_| causes.len() < 8) {
            let text = cause.to_string();
            // Many messages end with their cause already.
            let told = causes.last().map_or_else(|| error.to_string(), String::clone);
            if !told.ends_with(&text) {
                causes.push(text);
            }
            next = cause.source();
        }
        Failure {
            exit: Exit::of(error.code()),
            code: error.code().as_str(),
            message: error.to_string(),
            causes,
            hint: hint_for(error.code()).map(str::to_owned),
        }
    }
}

/// What usually helps, where the message alone does not say.
fn hint_for(code: Code) -> Option<&'static str> {
    match code {
        Code::CorruptObject | Code::CorruptStore | Code::MissingObjects => {
            Some("`irmin check` lists everything that is damaged")
        }
        Code::Locked => Some("another program is writing; try again when it has finished"),
        Code::TooManyRetries => Some("others keep changing this branch; try again"),
        Code::AmbiguousRevision => Some("write more digits, or a full name such as refs/heads/…"),
        _ => None,
    }
}

/// What can stop a command: a failure, or a reader of its output that went away.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It failed.
    Failed(Box<Failure>),
    /// Nobody reads the output any more: no reason to complain.
    Closed,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Failed(Box::new(failure))
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Failure::from(error).into()
    }
}

impl From<io::Error> for Stop {
    /// The failure of writing to standard output.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Stop::Closed;
        }
        let message = format!("standard output: {error}");
        Failure::new(Exit::Failure, Code::Io, message).into()
    }
}

/// The result of a command.
pub(crate) type Outcome<T = Exit> = Result<T, Stop>;

/// Carries why a callback stopped past the library that called it.
#[derive(Debug, Default)]
pub(crate) struct Carried(Option<Stop>);

impl Carried {
    /// What the callback answers: it goes on unless it failed.
    pub(crate) fn flow(&mut self, outcome: Outcome<()>) -> ControlFlow<()> {
        match outcome {
            Ok(()) => ControlFlow::Continue(()),
            Err(why) => {
                self.0 = Some(why);
                ControlFlow::Break(())
            }
        }
    }

    /// How it ended.
    pub(crate) fn outcome(self) -> Outcome<()> {
        self.0.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documented table, over the whole catalogue: a code that is added must be placed here.
    #[test]
    fn every_code_has_its_exit() {
        for code in Code::ALL {
            let expected = match code.as_str() {
                "invalid_argument" | "invalid_path" | "invalid_name" | "invalid_value"
                | "value_expected" | "directory_expected" | "invalid_revision"
                | "ambiguous_revision" => 2,
                "merge_conflict" => 3,
                "precondition_failed" | "too_many_retries" => 4,
                "forbidden" => 5,
                "corrupt_object" | "corrupt_store" | "missing_objects" => 7,
                "not_found" | "pruned" | "collected" | "name_clash" | "locked" | "io"
                | "poisoned" | "closed" | "unsupported" | "unrepresentable" | "read_only"
                | "payload_too_large" | "limit_reached" => 1,
                other => panic!("{other} has no exit code in this table"),
            };
            assert_eq!(Exit::of(*code).code(), expected, "{}", code.as_str());
        }
    }

    #[test]
    fn causes_are_listed_once() {
        let io = io::Error::new(io::ErrorKind::PermissionDenied, "no");
        let failure = Failure::from(Error::new(Code::Io, "reading HEAD").with_source(io));
        assert_eq!(failure.message, "reading HEAD");
        assert_eq!(failure.causes, ["no"]);
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let closed = io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(matches!(Stop::from(closed), Stop::Closed));
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert!(matches!(Stop::from(full), Stop::Failed(_)));
    }
}
