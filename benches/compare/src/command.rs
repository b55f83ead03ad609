//! The git command: `fast-import` for many keys, the plumbing for one, `merge-tree` for merges.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;

use tempfile::TempDir;

use crate::side::{Edit, Result, Side};

pub(crate) struct Git {
    names: Rc<Vec<String>>,
    dir: TempDir,
}

impl Git {
    pub(crate) fn new(names: Rc<Vec<String>>, dir: &Path) -> Result<Self> {
        let git = Git { names, dir: tempfile::tempdir_in(dir)? };
        git.run(&["init", "--quiet", "--bare", "--initial-branch=main"], &[])?;
        Ok(git)
    }

    /// Runs git and gives what it prints.
    fn run(&self, args: &[&str], input: &[u8]) -> Result<String> {
        let mut child = Command::new("git")
            .args(["-c", "user.name=bench", "-c", "user.email=bench@example.com"])
            // By default it syncs the packs of `fast-import`, and nothing else that is done here.
            .args(["-c", "core.fsync=none"])
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

    fn import(&self, branch: &str, from: Option<&str>, edits: &[Edit]) -> Result<()> {
        let mut stream = Vec::new();
        writeln!(stream, "commit refs/heads/{branch}")?;
        write!(stream, "committer bench <bench@example.com> 1700000000 +0000\ndata 5\nbench\n")?;
        if let Some(from) = from {
            writeln!(stream, "from refs/heads/{from}^0")?;
        }
        for (index, value) in edits {
            writeln!(stream, "M 100644 inline {}\ndata {}", self.names[*index], value.len())?;
            stream.extend_from_slice(value);
            stream.push(b'\n');
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
        self.import("main", None, edits)
    }

    fn fork(&mut self, branch: &str) -> Result<()> {
        if branch == "one" {
            // What the plumbing starts from.
            self.run(&["read-tree", "main"], &[])?;
        }
        self.run(&["branch", branch, "main"], &[])?;
        Ok(())
    }

    fn commit(&mut self, branch: &str, edits: &[Edit]) -> Result<()> {
        match edits {
            [edit] => self.plumbing(branch, edit),
            edits => self.import(branch, Some(branch), edits),
        }
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
