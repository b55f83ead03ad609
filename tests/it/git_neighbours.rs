//! What other programs do to a repository at the worst moment.

use std::path::Path;
use std::sync::{Arc, Mutex};

use irmin_core::backend::{Backend, Durability, Expected, Note, Published, Stage, Target, View};
use irmin_core::io::{DirEntry, File, Io, LockGuard, Metadata, OpenMode, StdIo};
use irmin_core::{Code, Error, Result};
use irmin_git::{GitBackend, InitOptions, Options};
use irmin_tests::git_support::{
    batch, blob, branch, command, commit_batch, edit, fsck, git, has_git, is,
};

use crate::git_repository::{done, fresh, open};

type Before = dyn Fn(&str, &str) -> Result<()> + Send + Sync;

/// Real files, where a test acts, or fails, before an operation on a path.
pub(crate) struct Meddled {
    inner: StdIo,
    before: Box<Before>,
    /// A name that listings do not show.
    hidden: Option<String>,
}

impl Meddled {
    fn open(
        path: &Path,
        before: impl Fn(&str, &str) -> Result<()> + Send + Sync + 'static,
    ) -> GitBackend {
        Meddled::open_hiding(path, None, before)
    }

    fn open_hiding(
        path: &Path,
        hidden: Option<String>,
        before: impl Fn(&str, &str) -> Result<()> + Send + Sync + 'static,
    ) -> GitBackend {
        let io = Meddled { hidden, ..Meddled::files(path, before) };
        GitBackend::open_on(Arc::new(io), &Options::default()).unwrap()
    }

    /// The files of a directory.
    pub(crate) fn files(
        path: &Path,
        before: impl Fn(&str, &str) -> Result<()> + Send + Sync + 'static,
    ) -> Meddled {
        Meddled { inner: StdIo::open(path).unwrap(), before: Box::new(before), hidden: None }
    }
}

impl std::fmt::Debug for Meddled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Meddled({:?})", self.inner)
    }
}

impl Io for Meddled {
    fn open(&self, path: &str, mode: OpenMode) -> Result<Box<dyn File>> {
        (self.before)("open", path)?;
        self.inner.open(path, mode)
    }
    fn metadata(&self, path: &str) -> Result<Option<Metadata>> {
        self.inner.metadata(path)
    }
    fn list(&self, path: &str) -> Result<Vec<DirEntry>> {
        (self.before)("list", path)?;
        let mut entries = self.inner.list(path)?;
        entries.retain(|entry| self.hidden.as_ref() != Some(&entry.name));
        Ok(entries)
    }
    fn create_dir(&self, path: &str) -> Result<()> {
        self.inner.create_dir(path)
    }
    fn link(&self, from: &str, to: &str) -> Result<()> {
        (self.before)("link", to)?;
        self.inner.link(from, to)
    }
    fn rename(&self, from: &str, to: &str) -> Result<()> {
        (self.before)("rename", to)?;
        self.inner.rename(from, to)
    }
    fn remove(&self, path: &str) -> Result<()> {
        (self.before)("remove", path)?;
        self.inner.remove(path)
    }
    fn remove_dir(&self, path: &str) -> Result<()> {
        self.inner.remove_dir(path)
    }
    fn sync_dir(&self, path: &str) -> Result<()> {
        self.inner.sync_dir(path)
    }
    fn try_lock(&self, path: &str) -> Result<Option<Box<dyn LockGuard>>> {
        self.inner.try_lock(path)
    }
    fn back_off(&self, attempt: u32) {
        self.inner.back_off(attempt.min(3));
    }
}

fn stems(path: &Path) -> Vec<String> {
    let names = std::fs::read_dir(path.join("objects/pack")).unwrap();
    let names = names.map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut stems: Vec<String> =
        names.filter_map(|name| name.strip_suffix(".pack").map(str::to_owned)).collect();
    stems.sort_unstable();
    stems
}

#[test]
fn a_stage_that_ended_does_not_take_the_files_of_the_next() {
    let (_dir, path, store) = fresh();
    let other: &'static GitBackend = Box::leak(Box::new(open(&path)));
    type Begun = Arc<Mutex<Option<Box<dyn Stage>>>>;
    let begun: Begun = Arc::default();
    let slot = begun.clone();
    // Watches hear of a publish before the stage that it came from is dropped.
    let guard = store.watch(Arc::new(move |_| {
        let mut stage = other.stage().unwrap();
        stage.put(vec![blob(b"of the other")]).unwrap();
        *slot.lock().unwrap() = Some(stage);
    }));
    let (first, a) = commit_batch("main", "1", None);
    let mut stage = store.stage().unwrap();
    stage.put(first.objects).unwrap();
    let edits = vec![edit("main", Expected::Absent, Some(a))];
    done(stage.publish(edits, Durability::Durable, Note::default()));
    drop(guard);
    let next = begun.lock().unwrap().take().unwrap();
    done(next.publish(vec![], Durability::Durable, Note::default()));
    assert!(other.find_many(&[blob(b"of the other").id]).unwrap()[0].is_some());
}

/// Git does not write an object that it finds in a pack: once a pack was visible, some commit of
/// git may stand on it.
#[test]
fn what_git_may_have_built_on_stays() {
    if !has_git() {
        return;
    }
    let (_dir, path, store) = fresh();
    let (first, a) = commit_batch("main", "1", None);
    done(store.publish(first));
    let mut second = commit_batch("main", "2", Some(a)).0;
    second.objects.push(blob(b"shared text"));
    let (place, met) = (path.clone(), Mutex::new(false));
    let store = Meddled::open(&path, move |what, on| {
        if what == "link"
            && on == "refs/heads/main.lock"
            && !std::mem::replace(&mut met.lock().unwrap(), true)
        {
            std::fs::write(place.join("text"), "shared text").unwrap();
            git(&place, &["hash-object", "-w", "text"]);
            let id = blob(b"shared text").id.to_string();
            let input = format!("100644 blob {id}\tfile\n");
            std::fs::write(place.join("tree"), input).unwrap();
            let made = std::process::Stdio::from(std::fs::File::open(place.join("tree")).unwrap());
            let tree = command(&place).arg("mktree").stdin(made).output().unwrap().stdout;
            let tree = String::from_utf8(tree).unwrap();
            let new = git(&place, &["commit-tree", tree.trim(), "-m", "of git"]);
            git(&place, &["update-ref", "refs/heads/main", &new]);
        }
        Ok(())
    });
    assert!(matches!(store.publish(second).unwrap(), Published::Lost { .. }));
    assert_eq!(git(&path, &["cat-file", "-p", "main:file"]), "shared text");
    fsck(&path);
}

#[test]
fn an_index_whose_pack_a_listing_missed_stays() {
    let (_dir, path, store) = fresh();
    done(store.publish(commit_batch("main", "1", None).0));
    let [stem] = &stems(&path)[..] else { panic!("one pack") };
    let hidden = Some(format!("{stem}.pack"));
    let store = Meddled::open_hiding(&path, hidden, |_, _| Ok(()));
    assert!(path.join(format!("objects/pack/{stem}.idx")).exists());
    drop(store);
}

#[test]
fn a_lock_that_could_not_be_given_back_is_known_as_ours() {
    let (_dir, path, store) = fresh();
    let (first, a) = commit_batch("main", "1", None);
    done(store.publish(first));
    let foreign = path.join("refs/heads/other.lock");
    let place = foreign.clone();
    let store = Meddled::open(&path, move |what, on| match (what, on) {
        ("remove", "refs/heads/main.lock") => Err(Error::new(Code::Io, "no more")),
        ("link", "refs/heads/main.lock") => {
            std::fs::write(&place, "").unwrap();
            Ok(())
        }
        _ => Ok(()),
    });
    let (mut second, b) = commit_batch("main", "2", Some(a));
    second.edits.push(edit("other", Expected::Absent, Some(b)));
    assert!(store.publish(second).is_err());
    assert!(path.join("refs/heads/main.lock").exists());
    drop(store);
    let store = open(&path);
    assert!(!path.join("refs/heads/main.lock").exists());
    assert!(foreign.exists());
    done(store.publish(commit_batch("main", "3", Some(a)).0));
}

#[test]
fn a_move_that_failed_half_way_leaves_no_lock() {
    let (_dir, path, store) = fresh();
    let (first, a) = commit_batch("main", "1", None);
    done(store.publish(first));
    drop(store);
    let store = Meddled::open(&path, |what, on| match (what, on) {
        ("rename", "refs/heads/main") => Err(Error::new(Code::Io, "no more")),
        _ => Ok(()),
    });
    let (mut second, b) = commit_batch("main", "2", Some(a));
    second.edits.push(edit("before", Expected::Absent, Some(b)));
    assert_eq!(store.publish(second).unwrap_err().code(), Code::Poisoned);
    for name in ["main", "before"] {
        assert!(!path.join(format!("refs/heads/{name}.lock")).exists(), "{name}");
    }
    // What moved is whole, and others go on.
    done(open(&path).publish(commit_batch("main", "3", Some(a)).0));
    if has_git() {
        fsck(&path);
    }
}

#[test]
fn a_journal_finds_its_place_free_of_empty_directories() {
    if !has_git() {
        return;
    }
    let (_dir, path, store) = fresh();
    git(&path, &["config", "core.logAllRefUpdates", "true"]);
    drop(store);
    let store = open(&path);
    let (first, a) = commit_batch("main", "1", None);
    done(store.publish(first));
    std::fs::create_dir_all(path.join("logs/refs/heads/topic/deep")).unwrap();
    done(store.publish(batch(vec![], vec![edit("topic", Expected::Absent, Some(a))])));
    assert_eq!(git(&path, &["reflog", "show", "--format=%H", "topic"]), a.to_string());
}

/// A program that is about to make `a/b` holds a lock in the directory `a`.
#[test]
fn a_lock_below_the_name_of_a_new_branch_is_waited_for() {
    let (_dir, path, store) = fresh();
    let (first, a) = commit_batch("main", "1", None);
    done(store.publish(first));
    let lock = path.join("refs/heads/topic/deep.lock");
    std::fs::create_dir(path.join("refs/heads/topic")).unwrap();
    std::fs::write(&lock, "").unwrap();
    let new = || batch(vec![], vec![edit("topic", Expected::Absent, Some(a))]);
    let e = store.publish(new()).unwrap_err();
    assert_eq!(e.code(), Code::Locked, "{e}");
    assert!(e.to_string().contains("refs/heads/topic"), "{e}");
    assert!(!path.join("refs/heads/topic.lock").exists() && lock.exists());
    std::fs::remove_file(&lock).unwrap();
    done(store.publish(new()));
    let at = store.read_ref(&branch("topic"), View::Durable).unwrap();
    assert_eq!(at, Some(Target::Object(a.into())));
}

#[test]
fn packs_that_an_incremental_index_names_stay() {
    let (_dir, path, store) = fresh();
    std::fs::create_dir(path.join("objects/pack/multi-pack-index.d")).unwrap();
    let mut tip = None;
    for n in 0..12 {
        let (next, id) = commit_batch("main", &n.to_string(), tip);
        done(store.publish(next));
        tip = Some(id);
    }
    assert_eq!(stems(&path).len(), 12);
}

#[test]
fn packs_that_cannot_be_merged_do_not_stop_the_others() {
    let (_dir, path, store) = fresh();
    let mut tip = None;
    let mut commit = |store: &GitBackend, n: usize| {
        let (next, id) = commit_batch("main", &n.to_string(), tip);
        done(store.publish(next));
        tip = Some(id);
    };
    (0..6).for_each(|n| commit(&store, n));
    let damaged = stems(&path);
    for (n, stem) in damaged.iter().enumerate() {
        // The pack of one, the index of the next.
        let file = path.join(format!("objects/pack/{stem}.{}", ["pack", "idx"][n % 2]));
        let mut bytes = std::fs::read(&file).unwrap();
        let at = bytes.len() - 30;
        bytes[at] ^= 0x40;
        std::fs::write(&file, bytes).unwrap();
    }
    let opened: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = opened.clone();
    // The reader of this one wants no object of the damaged packs.
    let store = Meddled::open(&path, move |what, on| {
        if what == "open" {
            seen.lock().unwrap().push(on.to_owned());
        }
        Ok(())
    });
    for n in 6..40 {
        let id = blob(n.to_string().as_bytes());
        done(store.publish(batch(vec![id], vec![])));
        assert!(stems(&path).len() <= damaged.len() + 10, "{} packs", stems(&path).len());
    }
    assert!(damaged.iter().all(|stem| stems(&path).contains(stem)));
    let opened = opened.lock().unwrap();
    for stem in &damaged {
        let times = opened.iter().filter(|path| path.contains(stem)).count();
        assert!(times <= 2, "{stem} was opened {times} times");
    }
}

#[test]
fn what_comes_into_an_alternate_later_is_found() {
    if !has_git() {
        return;
    }
    let (dir, path, lender) = fresh();
    let (first, a) = commit_batch("main", "1", None);
    done(lender.publish(first));
    git(dir.path(), &["clone", "-q", "--bare", "--shared", "store.git", "borrower.git"]);
    let borrower = dir.path().join("borrower.git");
    let store = open(&borrower);
    assert!(store.find_many(&[a]).unwrap()[0].is_some());
    let (second, b) = commit_batch("main", "2", Some(a));
    done(lender.publish(second));
    git(&path, &["repack", "-a", "-d", "-q"]);
    git(&borrower, &["update-ref", "refs/heads/main", &b.to_string()]);
    assert!(store.find_many(&[b]).unwrap()[0].is_some());
    done(store.publish(batch(vec![], vec![edit("main", is(b), Some(a))])));
}

#[test]
fn a_lock_of_any_working_tree_is_taken_away_after_a_crash() {
    let (_dir, path, store) = fresh();
    let (first, a) = commit_batch("main", "1", None);
    done(store.publish(first));
    std::fs::create_dir_all(path.join("worktrees/w/refs/bisect")).unwrap();
    let temp = path.join("objects/pack/tmp_irmin_ref_1");
    std::fs::write(&temp, format!("{a}\n")).unwrap();
    let locks = ["worktrees/w/HEAD.lock", "worktrees/w/refs/bisect/bad.lock"];
    for lock in locks {
        std::fs::hard_link(&temp, path.join(lock)).unwrap();
    }
    std::fs::write(path.join("worktrees/w/index.lock"), "").unwrap();
    drop(open(&path));
    assert!(locks.iter().all(|lock| !path.join(lock).exists()));
    assert!(!temp.exists() && path.join("worktrees/w/index.lock").exists());
}

#[test]
fn a_config_of_someone_else_is_no_beginning_of_ours() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config");
    std::fs::write(&file, "mine\n").unwrap();
    let made = GitBackend::open_or_init(dir.path(), &InitOptions::default(), &Options::default());
    let e = made.unwrap_err();
    assert_eq!(e.code(), Code::NameClash);
    assert!(e.to_string().contains("config"), "{e}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine\n");
}

#[test]
fn several_may_make_one_repository_at_once() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let path = dir.path().join(format!("{round}.git"));
        std::thread::scope(|scope| {
            for n in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    let new = InitOptions::default();
                    let store = GitBackend::open_or_init(path, &new, &Options::default()).unwrap();
                    done(store.publish(commit_batch(&format!("b{n}"), "x", None).0));
                });
            }
        });
        assert_eq!(open(&path).refs("refs/heads/").unwrap().len(), 4);
    }
}
