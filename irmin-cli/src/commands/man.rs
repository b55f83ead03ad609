//! `irmin man`: the manual pages, made from the same texts as the help.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::{Args, Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::cli::Cli;
use crate::commands::Session;
use crate::exit::{Exit, Failure, Outcome};

/// Print the manual page of the program, or write those of all commands.
///
/// With DIR the pages irmin.1 and irmin-COMMAND.1 are written there, for example into
/// ~/.local/share/man/man1; files of these names are replaced.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin man > irmin.1
  irmin man man1")]
pub(crate) struct ManArgs {
    /// The directory to write all pages to; it is made if it does not exist
    dir: Option<PathBuf>,
}

impl ManArgs {
    /// Prints the page, or writes the pages.
    pub(crate) fn run(&self, session: &mut Session<'_>) -> Outcome {
        let mut command = Cli::command();
        // Building gives the commands the names of their pages.
        command.build();
        let Some(dir) = &self.dir else {
            session.out.bytes(&page(&command, None)?)?;
            return Ok(Exit::Ok);
        };
        fs::create_dir_all(dir).map_err(|e| Failure::file(dir, &e))?;
        let mut todo = vec![(command, None)];
        let mut count = 0;
        while let Some((command, family)) = todo.pop() {
            let path = dir.join(format!("{}.1", name(&command)));
            fs::write(&path, page(&command, family.as_deref())?)
                .map_err(|e| Failure::file(&path, &e))?;
            count += 1;
            // What clap adds to families of commands is told by `irmin help` already.
            let own = command.get_subcommands().filter(|sub| {
                sub.get_name() != "help" || command.get_name() == "irmin" && !sub.is_hide_set()
            });
            todo.extend(own.map(|sub| (sub.clone(), Some(name(&command)))));
        }
        session.out.done(&format!("{count} pages in {}", dir.display()));
        if session.out.json {
            let dir = dir.display().to_string();
            session.out.json(&serde_json::json!({"dir": dir, "pages": count}))?;
        }
        Ok(Exit::Ok)
    }
}

/// The name of a command with those that it belongs to: `irmin-branch-create`.
fn name(command: &Command) -> String {
    command.get_display_name().unwrap_or(command.get_name()).to_owned()
}

/// The page of a command, which may belong to another one.
fn page(command: &Command, family: Option<&str>) -> io::Result<Vec<u8>> {
    let name = name(command);
    // No date: the same program makes the same pages.
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .date("")
        .source(format!("irmin {}", env!("CARGO_PKG_VERSION")))
        .manual("Irmin");
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    if command.get_arguments().any(|arg| !arg.is_hide_set()) {
        man.render_options_section(&mut out)?;
    }
    if command.has_subcommands() {
        man.render_subcommands_section(&mut out)?;
    }
    examples(command).to_writer(&mut out)?;
    see_also(family).to_writer(&mut out)?;
    Ok(out)
}

/// The examples of a command, line by line as they are.
fn examples(command: &Command) -> Roff {
    let mut roff = Roff::new();
    let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let Some((_, rest)) = help.split_once("Examples:\n") else { return roff };
    let lines: Vec<&str> = rest.lines().map_while(|line| line.strip_prefix("  ")).collect();
    roff.control("SH", ["EXAMPLES"]);
    roff.control("nf", []);
    for line in lines {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff
}

/// Where there is more to read.
fn see_also(family: Option<&str>) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    let family = family.map(|name| format!("{name}(1), "));
    let more = "`irmin help topics`, `irmin help exit-codes`, `irmin help irmin.yml`, git(1)";
    roff.text([roman(format!("{}{more}", family.unwrap_or_default()))]);
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_all_sections() {
        let mut command = Cli::command();
        command.build();
        let text = |command: &Command| String::from_utf8(page(command, None).unwrap()).unwrap();
        let set = text(command.find_subcommand("set").unwrap());
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES"] {
            assert!(set.contains(&format!(".SH {section}\n")), "{section}: {set}");
        }
        assert!(set.contains("irmin set \\-\\-root notes.git greetings/en hello"), "{set}");
    }
}
