//! The command line: the list of commands.

use clap::{Parser, Subcommand};

use crate::args::Global;
use crate::commands;

/// What `irmin` does, in the words of its help.
const ABOUT: &str = "\
Irmin, the database that never forgets: a key-value store with branches, merges and history, \
kept in a git repository that any git program can read.";

const AFTER: &str = "\
Examples:
  irmin init --root notes.git
  irmin set --root notes.git greetings/en hello -m 'first words'
  irmin log --root notes.git --oneline

Use `irmin COMMAND --help` for one command, `irmin help topics` for everything there is to read.";

/// The command line of `irmin`.
#[derive(Parser, Debug)]
#[command(
    name = "irmin",
    version,
    about = "Irmin, the database that never forgets",
    long_about = ABOUT,
    after_long_help = AFTER,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    Help(commands::help::HelpArgs),
    Init(commands::store::InitArgs),
    Get(commands::get::GetArgs),
    Set(commands::set::SetArgs),
    Remove(commands::set::RemoveArgs),
    List(commands::list::ListArgs),
    Tree(commands::list::TreeArgs),
    Merge(commands::merge::MergeArgs),
    Snapshot(commands::head::SnapshotArgs),
    Revert(commands::head::RevertArgs),
    Watch(commands::watch::WatchArgs),
    Dot(commands::dot::DotArgs),
    Options(commands::store::OptionsArgs),
    Branches(commands::branch::BranchesArgs),
    Branch(commands::branch::BranchArgs),
    Tag(commands::tag::TagArgs),
    Op(commands::op::OpArgs),
    Undo(commands::op::UndoArgs),
    Checkout(commands::checkout::CheckoutArgs),
    Log(commands::log::LogArgs),
    Blame(commands::blame::BlameArgs),
    LastModified(commands::last_modified::LastModifiedArgs),
    Diff(commands::diff::DiffArgs),
    Show(commands::diff::ShowArgs),
    Apply(commands::apply::ApplyArgs),
    Import(commands::import::ImportArgs),
    Export(commands::export::ExportArgs),
    Check(commands::check::CheckArgs),
    Stats(commands::stats::StatsArgs),
    Completions(commands::completions::CompletionsArgs),
    Man(commands::man::ManArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_declaration_is_consistent() {
        Cli::command().debug_assert();
    }

    /// An argument of a command that has the id of a common option would set both.
    #[test]
    fn the_names_of_common_options_are_theirs_alone() {
        let common: Vec<_> =
            Cli::command().get_arguments().map(|arg| arg.get_id().clone()).collect();
        assert!(common.len() > 10);
        let mut todo: Vec<_> = Cli::command().get_subcommands().cloned().collect();
        while let Some(command) = todo.pop() {
            for arg in command.get_arguments() {
                let id = arg.get_id();
                assert!(!common.contains(id), "{}: {id}", command.get_name());
            }
            todo.extend(command.get_subcommands().cloned());
        }
    }

    #[test]
    fn every_command_shows_an_example() {
        for command in Cli::command().get_subcommands_mut() {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Examples:\n"), "{}", command.get_name());
        }
    }
}
