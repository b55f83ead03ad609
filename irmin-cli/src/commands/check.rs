//! `irmin check`: is everything there, and is it what it should be?

use clap::Args;
use irmin_core::{Contents, Damage, Problem, Referrer, Repo};
use serde_json::{Value, json};

use crate::commands::{Session, Work};
use crate::exit::{Exit, Outcome};
use crate::output::count;
use crate::progress::Progress;

/// Check that all of the store is there and undamaged.
///
/// Every object that a branch or a tag leads to is read and hashed again. Each problem is a line;
/// if there are any the code is 7.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin check --root notes.git
  irmin check --root notes.git --json")]
pub(crate) struct CheckArgs {}

impl Work for CheckArgs {
    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let mut bar = Progress::new(&session.out, "checking", "objects");
        let report = repo.check(&mut |progress| bar.reach(progress.objects))?;
        bar.finish();
        let listed = u64::try_from(report.problems.len()).unwrap_or(u64::MAX);
        let (objects, found) = (report.objects(), listed.saturating_add(report.more_problems));
        if session.out.json {
            let rows: Vec<Value> = report.problems.iter().map(problem_json).collect();
            let more = report.more_problems;
            let row = json!({"objects": objects, "problems": rows, "more_problems": more});
            session.out.json(&row)?;
        } else {
            for problem in &report.problems {
                session.out.line(problem.to_string())?;
            }
            if report.more_problems > 0 {
                session.out.line(format!("and {} more", report.more_problems))?;
            }
            session.out.note(&format!(
                "checked {}: {}",
                count(objects, "object"),
                if found == 0 { "no problems".into() } else { count(found, "problem") }
            ));
        }
        Ok(if report.is_sound() { Exit::Ok } else { Exit::Corrupt })
    }
}

fn problem_json(problem: &Problem) -> Value {
    let (parent, name) = match &problem.from {
        Referrer::Object(hash) => (Some(hash.to_string()), None),
        Referrer::Ref(name) => (None, Some(name.to_string())),
    };
    let why = match &problem.damage {
        Damage::Missing => None,
        Damage::Corrupt(why) => Some(why),
    };
    json!({
        "problem": problem.damage.to_string(),
        "object": problem.hash.map(|hash| hash.to_string()),
        "kind": problem.expected.map(|kind| kind.to_string()),
        "parent": parent,
        "ref": name,
        "why": why,
    })
}
