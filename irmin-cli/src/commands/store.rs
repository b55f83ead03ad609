//! `irmin init` and `irmin options`: the store itself.

use clap::Args;
use irmin_core::{Contents, Repo};
use serde_json::json;

use crate::commands::{Session, Work};
use crate::exit::{Exit, Outcome};
use crate::store::Access;

/// Initialize a store.
///
/// A new git store is a bare repository at the root directory. A new fs store is plain files, which
/// OCaml's irmin-fs reads and writes too. If there is a store already it is left as it is.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin init --root notes.git
  irmin init --root notes.git --opt head=trunk
  irmin init --root notes --store fs --contents json")]
pub(crate) struct InitArgs {}

impl Work for InitArgs {
    const ACCESS: Access = Access::Create;

    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let branch = repo.main()?.name().map(|name| name.to_string());
        let store = session.settings.store.to_string();
        let root = session.settings.root.as_ref().map(|root| root.display().to_string());
        if session.out.json {
            session.out.json(&json!({"store": store, "root": root, "branch": branch}))?;
        } else if let (Some(root), Some(branch)) = (root, branch) {
            session.out.detail(&format!("{store} store at {root}, on branch {branch}"));
        }
        Ok(Exit::Ok)
    }
}

/// Get information about backend specific configuration options.
///
/// They are set with --opt or in irmin.yml.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin options
  irmin options -s mem")]
pub(crate) struct OptionsArgs {}

impl OptionsArgs {
    /// Prints the options of the kind of store.
    pub(crate) fn run(&self, session: &mut Session<'_>) -> Outcome {
        let options = session.settings.store.options();
        if session.out.json {
            let options: Vec<_> = options
                .iter()
                .map(|o| json!({"name": o.name, "type": o.kind, "doc": o.doc}))
                .collect();
            session.out.json(&options.into())?;
            return Ok(Exit::Ok);
        }
        for option in options {
            session.out.line(format!("{}: {}\n\t{}", option.name, option.kind, option.doc))?;
        }
        Ok(Exit::Ok)
    }
}
