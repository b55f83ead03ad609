//! Three workers at once, each on a branch of its own, that bring their work into main.
//!
//! No worker waits for another or takes a lock: each merges when it likes, and whoever is slower
//! merges again. `cargo run -p irmin-core --example process`
#![allow(clippy::print_stdout, reason = "an example says what it does")]

use std::sync::Arc;
use std::thread;

use irmin_core::backend::MemoryBackend;
use irmin_core::containers::{Container, Counter};
use irmin_core::contents::Policies;
use irmin_core::{
    Branch, Code, Context, Error, Format, FormatSpec, LcaLimits, LogOptions, Repo, Result,
};

const WORKERS: [&str; 3] = ["Ann", "Bob", "Cleo"];
const JOBS: u32 = 6;

/// Does all jobs of one worker, and hands them in two at a time.
fn work(repo: &Repo, name: &str) -> Result<()> {
    // Commits tell edits apart, so each worker signs with a name of its own.
    let repo = repo.with_context(Context::system().with_author(name));
    let (main, own) = (repo.main()?, repo.branch(name)?);
    for job in 1..=JOBS {
        own.set(format!("jobs/{name}/{job}"), format!("done by {name}"), "a job")?;
        Counter::at(&own, "jobs done")?.inc(1, "count it")?;
        if job % 2 == 0 {
            main.merge(&own, format!("the work of {name} up to {job}"))?.resolved()?;
            hear(&own, &main)?;
        }
    }
    Ok(())
}

/// Brings into a branch what the others have handed in.
fn hear(own: &Branch, main: &Branch) -> Result<()> {
    if let Some(head) = main.head()? {
        own.merge_commit(&head, LcaLimits::default(), "what the others did")?.resolved()?;
    }
    Ok(())
}

fn main() -> Result<()> {
    let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
    let policies = Policies::new().with("jobs done".parse()?, Counter::policy());
    let repo = Repo::new(backend, Context::system())?.with_policies(policies);
    let main = repo.main()?;
    main.set("rules", "hand in every second job", "open the workshop")?;
    for name in WORKERS {
        main.fork(name)?;
    }

    thread::scope(|scope| {
        let started: Vec<_> =
            WORKERS.iter().map(|name| scope.spawn(|| work(&repo, name))).collect();
        let gone = |_| Error::new(Code::InvalidArgument, "a worker panicked");
        started.into_iter().try_for_each(|worker| worker.join().map_err(gone)?)
    })?;

    // In which order they came differs from run to run; what they made together does not.
    let done = Counter::at(&main, "jobs done")?.read()?;
    for name in WORKERS {
        let jobs = main.list(format!("jobs/{name}"))?.len();
        println!("{name}: {jobs} jobs");
        assert_eq!(jobs, 6, "the jobs of {name}");
    }
    assert_eq!(done, 18);
    let log = main.log(&LogOptions::default())?;
    let wrote = |who: &str| log.iter().filter(|c| c.info().author.author == who).count();
    assert!(WORKERS.iter().all(|name| wrote(name) >= 12), "each job is two commits of its worker");
    println!("{done} jobs in {} branches, and none was lost", repo.branches()?.len());
    Ok(())
}
