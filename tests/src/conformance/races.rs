//! Threads: one winner a round, and no increment lost.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::thread;

use irmin_core::backend::{Expected, Published, RefChange, Target, View};
use irmin_core::{Error, Key, Result};

use super::Case;
use super::make::{Store, edit, name};

pub(super) const CASES: &[(&str, Case)] = &[
    ("races: exactly one winner", one_winner),
    ("races: no increment is lost", increments),
    ("races: readers see whole commits", readers),
];

const MAIN: &str = "refs/heads/main";
const THREADS: usize = 8;

/// Runs something on all threads at once, and collects what they say in their order.
fn together<T: Send>(run: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let run = &run;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|n| scope.spawn(move || run(n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn one_winner(store: &Store) {
    let mut head: Option<Key> = None;
    for round in 0..10 {
        let expected = head.map_or(Expected::Absent, |key| Expected::Is(Target::Object(key)));
        let parents: Vec<Key> = head.into_iter().collect();
        let ends = together(|n| {
            let history = store.commit(&format!("round {round} by {n}"), &parents);
            let edits = vec![edit(MAIN, expected.clone(), Some(history.commit))];
            (history.commit, store.publish(history.objects, edits).unwrap())
        });
        let winners: Vec<Key> = ends
            .iter()
            .filter(|(_, published)| matches!(published, Published::Done { .. }))
            .map(|(commit, _)| *commit)
            .collect();
        assert_eq!(winners.len(), 1, "round {round}");
        for (_, published) in &ends {
            if let Published::Lost { actual, .. } = published {
                assert_eq!(*actual, Some(Target::Object(winners[0])));
            }
        }
        assert_eq!(store.read(MAIN), Some(winners[0]));
        head = Some(winners[0]);
    }
}

/// The number that a commit of `increments` holds, in its message.
fn number(store: &Store, commit: Key) -> Result<u64> {
    let object = store.get(commit).ok_or_else(|| Error::missing_objects(vec![commit]))?;
    let message = store.format().layout().decode_commit(&object)?.info.message;
    Ok(String::from_utf8(message.to_vec()).unwrap().parse().unwrap())
}

fn increments(store: &Store) {
    const EACH: usize = 25;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let into = seen.clone();
    let guard = store.backend.watch(Arc::new(move |change: &RefChange| {
        into.lock().unwrap().push((change.old.clone(), change.new.clone()));
    }));
    together(|_| {
        for _ in 0..EACH {
            // Writers build on the tip, whether or not it is durable.
            loop {
                let _pin = store.backend.pin().unwrap();
                let tip = store.backend.read_ref(&name(MAIN), View::Tip).unwrap();
                let parents: Vec<Key> = match &tip {
                    Some(Target::Object(key)) => vec![*key],
                    _ => Vec::new(),
                };
                let n = parents.first().map_or(0, |key| number(store, *key).unwrap());
                let history = store.commit(&format!("{}", n + 1), &parents);
                let expected = tip.map_or(Expected::Absent, Expected::Is);
                let edits = vec![edit(MAIN, expected, Some(history.commit))];
                if let Published::Done { .. } = store.publish(history.objects, edits).unwrap() {
                    break;
                }
            }
        }
    });
    store.backend.refresh().unwrap();
    let head = store.read(MAIN).unwrap();
    assert_eq!(number(store, head).unwrap(), (THREADS * EACH) as u64);
    drop(guard);
    // The watch saw a chain without gaps; changes of one sync may be told as one.
    let seen = seen.lock().unwrap();
    assert_eq!(seen.first().unwrap().0, None);
    assert!(seen.windows(2).all(|pair| pair[0].1 == pair[1].0));
    assert_eq!(seen.last().unwrap().1, Some(Target::Object(head)));
}

fn readers(store: &Store) {
    let whole = |commit: Key| {
        let layout = store.format().layout();
        let mut todo = vec![commit];
        let mut done = BTreeSet::new();
        while let Some(key) = todo.pop().filter(|_| done.len() < 40) {
            let object = store.get(key).expect("what a ref reaches is there");
            if done.insert(key) {
                todo.extend(layout.children(&object).unwrap().into_iter().map(|(_, c)| c.key));
            }
        }
    };
    together(|n| {
        let at = format!("refs/heads/b{}", n / 2);
        for round in 0..20 {
            if n % 2 == 0 {
                store.set(&at, &format!("{n} in {round}"));
            } else {
                let _pin = store.backend.pin().unwrap();
                if let Some(commit) = store.read(&at) {
                    whole(commit);
                }
                store.names("refs/");
            }
        }
    });
}
