//! The git command: `fast-import` for many keys, the plumbing for one, `merge-tree` for merges.

use std::collections::HashSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;

use tempfile::TempDir;

use crate::side::{Edit, Result, Side, Syncs};

pub(crate) struct Git {
    names: Rc<Vec<String>>,
    dir: TempDir,
    syncs: Syncs,
}

impl Git {
    pub(crate) fn new(names: Rc<Vec<String>>, dir: &Path, syncs: Syncs) -> Result<Self> {
        let git = Git { names, dir: tempfile::tempdir_in(dir)?, syncs };
        git.run(&["init", "--quiet", "--bare", "--initial-branch=main"], &[])?;
        Ok(git)
    }

    /// Runs git and gives what it prints.
    fn run(&self, args: &[&str], input: &[u8]) -> Result<String> {
        let mut child = Command::new("git")
            .args(["-c", "user.name=bench", "-c", "user.email=bench@example.com"])
            // By default it syncs the packs of `fast-import`, and nothing else that is done here.
            .args([
                "-c",
                if self.syncs == Syncs::On { "core.fsync=all" } else { "core.fsync=none" },
            ])
            .args(args)
            .current_dir(self.dir.path())
            // Neither what the machine is configured to, nor a repository around this one.
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_DIR", self.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // What is not empty goes to programs that read all of it before they print.
        child.stdin.take().ok_or("git has no input")?.write_all(input)?;
        let output = child.wait_with_output()?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("git {}: {why}", args.join(" ")).into());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    fn import(&self, branch: &str, from: Option<&str>, commits: &[&[Edit]]) -> Result<()> {
        let mut stream = Vec::new();
        let mut from = from.map(|from| format!("from refs/heads/{from}^0\n"));
        for edits in commits {
            writeln!(stream, "commit refs/heads/{branch}")?;
            write!(
                stream,
                "committer bench <bench@example.com> 1700000000 +0000\ndata 5\nbench\n"
            )?;
            // The others follow from the one before.
            stream.extend_from_slice(from.take().unwrap_or_default().as_bytes());
            for (index, value) in *edits {
                writeln!(stream, "M 100644 inline {}\ndata {}", self.names[*index], value.len())?;
                stream.extend_from_slice(value);
                stream.push(b'\n');
            }
        }
        self.run(&["fast-import", "--quiet"], &stream)?;
        Ok(())
    }

    /// One key in the way of scripts: five processes, and the index that the last commit left.
    fn plumbing(&self, branch: &str, (index, value): &Edit) -> Result<()> {
        let blob = self.run(&["hash-object", "-w", "--stdin"], value)?;
        let entry = format!("100644,{blob},{}", self.names[*index]);
        self.run(&["update-index", "--add", "--cacheinfo", &entry], &[])?;
        let tree = self.run(&["write-tree"], &[])?;
        let name = format!("refs/heads/{branch}");
        let commit = self.run(&["commit-tree", "-m", "bench", "-p", &name, &tree], &[])?;
        self.run(&["update-ref", &name, &commit], &[])?;
        Ok(())
    }
}

impl Side for Git {
    fn name(&self) -> &'static str {
        "git command"
    }

    fn fewer(&self) -> usize {
        10
    }

    fn fill(&mut self, edits: &[Edit]) -> Result<()> {
        self.import("main", None, &[edits])
    }

    fn fork(&mut self, branch: &str) -> Result<()> {
        if branch.starts_with("one") {
            // What the plumbing starts from.
            self.run(&["read-tree", "main"], &[])?;
        }
        self.run(&["branch", branch, "main"], &[])?;
        Ok(())
    }

    fn commit(&mut self, branch: &str, edits: &[Edit]) -> Result<()> {
        match edits {
            [edit] => self.plumbing(branch, edit),
            edits => self.import(branch, Some(branch), &[edits]),
        }
    }

    fn history(&mut self, branch: &str, commits: &[Vec<Edit>]) -> Result<()> {
        self.import(branch, Some(branch), &commits.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    fn files(&self) -> Option<PathBuf> {
        Some(self.dir.path().to_owned())
    }

    fn list(&mut self) -> Result<Option<usize>> {
        Ok(Some(self.run(&["ls-tree", "--name-only", "main"], &[])?.lines().count()))
    }

    fn last_modified(&mut self, branch: &str, picks: &[usize]) -> Result<Option<usize>> {
        let mut wanted: HashSet<&str> = picks.iter().map(|i| &*self.names[*i]).collect();
        let log =
            self.run(&["log", "--format=tformat:>", "--name-only", branch, "--not", "main"], &[])?;
        let commits = log
            .split('>')
            .filter(|names| names.lines().filter(|name| wanted.remove(name)).count() > 0);
        let commits = commits.count();
        if wanted.is_empty() { Ok(Some(commits)) } else { Err("a lost key".into()) }
    }

    fn get(&mut self, _: &[usize]) -> Result<Option<usize>> {
        Ok(None)
    }

    fn diff(&mut self, branch: &str) -> Result<usize> {
        Ok(self.run(&["diff-tree", "-r", "--name-only", "main", branch], &[])?.lines().count())
    }

    /// The tree alone, without the commit: so it does less than the others.
    fn merge(&mut self, ours: &str, theirs: &str) -> Result<()> {
        self.run(&["merge-tree", "--write-tree", ours, theirs], &[])?;
        Ok(())
    }

    fn walk(&mut self, branch: &str) -> Result<Option<usize>> {
        Ok(Some(self.run(&["rev-list", branch], &[])?.lines().count()))
    }

    fn bases(&mut self, ours: &str, theirs: &str) -> Result<Option<usize>> {
        Ok(Some(self.run(&["merge-base", "--all", ours, theirs], &[])?.lines().count()))
    }
}
