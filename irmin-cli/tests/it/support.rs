//! Running the program in a directory of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The program under test.
pub(crate) const IRMIN: &str = env!("CARGO_BIN_EXE_irmin");

/// A directory of its own, with nothing of the user's environment.
pub(crate) struct Place {
    dir: tempfile::TempDir,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    fn new(output: &Output) -> Self {
        Run {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Requires success and answers what was printed.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// Requires an exit code and answers what was told.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        self.err
    }
}

impl Place {
    /// An empty directory.
    pub(crate) fn new() -> Self {
        Place { dir: tempfile::tempdir().unwrap() }
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// A program that will run there, with a fixed author, date and time zone.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("TZ", "UTC")
            .env("LC_ALL", "C.UTF-8")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "bob")
            .env("GIT_AUTHOR_EMAIL", "bob@example.org")
            .env("GIT_COMMITTER_NAME", "bob")
            .env("GIT_COMMITTER_EMAIL", "bob@example.org")
            .env("IRMIN_AUTHOR", "ann <ann@example.org>")
            .env("IRMIN_DATE", "1000000000")
            .stdin(Stdio::null());
        command
    }

    /// The program under test, on the store `store.git`.
    pub(crate) fn irmin(&self) -> Command {
        let mut command = self.command(IRMIN);
        command.env("IRMIN_ROOT", "store.git");
        command
    }

    /// Runs the program on the store `store.git`.
    pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Run {
        Run::new(&self.irmin().args(arguments).output().unwrap())
    }

    /// Runs it with something on standard input.
    pub(crate) fn feed(&self, arguments: &[&str], input: impl AsRef<[u8]>) -> Run {
        self.write("fed", input);
        let file = fs::File::open(self.path("fed")).unwrap();
        Run::new(&self.irmin().args(arguments).stdin(file).output().unwrap())
    }

    /// Runs another program.
    pub(crate) fn other(&self, program: &str, arguments: &[&str]) -> Run {
        Run::new(&self.command(program).args(arguments).output().unwrap())
    }

    /// Runs git.
    pub(crate) fn git(&self, arguments: &[&str]) -> Run {
        self.other("git", arguments)
    }
}

/// The words of a command line: blanks part them, single quotes keep them together.
pub(crate) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    assert!(!quoted, "{line}: a quote is open");
    words.extend(word);
    words
}

/// The directory of this package.
pub(crate) fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
