//! `irmin help`, and what `irmin` alone prints.

use clap::{Args, Command, CommandFactory as _};

use crate::cli::Cli;
use crate::commands::Session;
use crate::exit::{Exit, Failure, Outcome};

/// Display help about Irmin and Irmin commands.
///
/// Without a topic it is the help of the program; a topic is a command, such as `set` or
/// `branch create`, or one of `irmin.yml`, `exit-codes`, `json`, and `topics` for the list of all.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin help topics
  irmin help set
  irmin help irmin.yml")]
pub(crate) struct HelpArgs {
    /// The topic to get help on
    topic: Vec<String>,
}

const IRMIN_YML: &str = "\
irmin.yml: settings, to cut down on mistakes and save on typing

An irmin.yml file holds options of the command line as YAML. It is read from the current directory,
or from the file that --config (or IRMIN_CONFIG) names. What it does not say is looked up in
$XDG_CONFIG_HOME/irmin/config.yml, by default ~/.config/irmin/config.yml.

  root      the directory of the store, relative to the current directory
  store     git, fs (plain files, as OCaml's irmin-fs keeps them), git-mem or mem
  contents  string, json, json-value or bytes
  hash      the hash function, for fs and mem stores
  branch    the branch to work on
  commit    a commit to work on instead
  author    the author of commits

and the options of the kind of store, which `irmin options` lists. Flags win over variables
(IRMIN_ROOT, IRMIN_STORE, IRMIN_CONTENTS, IRMIN_HASH, IRMIN_BRANCH, IRMIN_COMMIT, IRMIN_AUTHOR,
IRMIN_DATE), variables over files. A key that is not known is an error.

A store says itself which hash function and type of values it has. One that OCaml's irmin-fs made
does not: it is taken for strings under blake2b unless `hash` and `contents` say otherwise.

Example:

  $ cat irmin.yml
  root: notes.git
  author: Ann <ann@example.org>
";

/// A document that the tests run.
const JSON: &str = include_str!("../../JSON.md");

const EXIT_CODES: &str = "\
Exit codes

  0  done
  1  what was asked for is absent, or another failure
  2  the command line, a name, a value or a settings file is wrong
  3  a merge has conflicts; nothing was written
  4  an expectation does not hold (--if-..., the op `test`, an undo, what a slice is based
     on), or others won the race
  5  not allowed
  7  the store is damaged; `irmin check` says what

A reader that closes the output early is no failure.
";

impl HelpArgs {
    /// Prints the topic.
    pub(crate) fn run(&self, session: &mut Session<'_>) -> Outcome {
        let mut command = Cli::command();
        // Building fills in the usage lines and the global options of the commands.
        command.build();
        let topic = self.topic.join(" ");
        let text = match topic.as_str() {
            "" => command.render_long_help().to_string(),
            "topics" => {
                let mut topics: Vec<_> =
                    command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
                topics.extend(["irmin.yml".into(), "exit-codes".into(), "json".into()]);
                topics.join("\n") + "\n"
            }
            "irmin.yml" => IRMIN_YML.into(),
            "exit-codes" => EXIT_CODES.into(),
            "json" => JSON.into(),
            _ => match named(&mut command, &topic) {
                Some(command) => command.render_long_help().to_string(),
                None => {
                    return Err(Failure::usage(format!("there is no help on `{topic}`"))
                        .hint("`irmin help topics` lists what there is")
                        .into());
                }
            },
        };
        session.out.bytes(text.as_bytes())?;
        Ok(Exit::Ok)
    }
}

/// The command that words name.
fn named<'a>(command: &'a mut Command, words: &str) -> Option<&'a mut Command> {
    words.split(' ').try_fold(command, |command, word| command.find_subcommand_mut(word))
}

/// Prints what there is to do.
pub(crate) fn usage(session: &mut Session<'_>) -> Outcome {
    let out = &mut session.out;
    out.line("usage: irmin [--version]")?;
    out.line("             [--help]")?;
    out.line("             <command> [<args>]")?;
    out.line("")?;
    out.line("The most commonly used subcommands are:")?;
    for command in Cli::command().get_subcommands() {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        out.line(format!("    {:<11} {about}", command.get_name()))?;
    }
    out.line("")?;
    out.line("See `irmin help <command>` for more information on a specific command.")?;
    Ok(Exit::Ok)
}
