//! `irmin completions`: what shells need to complete our command lines.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::commands::Session;
use crate::exit::{Exit, Outcome};

/// Print a script that completes commands and options in a shell.
///
/// Put it where the shell looks for it, for example
/// ~/.local/share/bash-completion/completions/irmin, a directory of zsh's $fpath under the name
/// _irmin, or ~/.config/fish/completions/irmin.fish.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin completions bash > irmin.bash
  irmin completions zsh > _irmin
  irmin completions fish > irmin.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

impl CompletionsArgs {
    /// Prints the script.
    pub(crate) fn run(&self, session: &mut Session<'_>) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "irmin", &mut script);
        session.out.bytes(&script)?;
        Ok(Exit::Ok)
    }
}
