//! The pager: a program that shows long output page by page.

use std::io::{self, BufWriter, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::settings::Env;

/// What is used when nothing else is asked for: quits if all fits on a screen, passes colours.
const DEFAULT: &str = "less -FRX";

/// A running pager.
pub(crate) struct Pager {
    child: Child,
    stdin: Option<BufWriter<ChildStdin>>,
}

impl Pager {
    /// Starts the pager that the flag, `IRMIN_PAGER` or `PAGER` names; none if it cannot be
    /// started or is `cat`.
    pub(crate) fn start(flag: Option<&str>, env: Env<'_>) -> Option<Self> {
        let words = choose(flag, env)?;
        let (program, arguments) = words.split_first()?;
        let mut child = Command::new(program).args(arguments).stdin(Stdio::piped()).spawn().ok()?;
        let stdin = child.stdin.take().map(BufWriter::new);
        Some(Pager { child, stdin })
    }

    /// Closes its input and waits until it is left.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        let flushed = match self.stdin.take() {
            Some(mut stdin) => stdin.flush(),
            None => Ok(()),
        };
        self.child.wait()?;
        flushed
    }
}

impl Write for Pager {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.stdin {
            Some(stdin) => stdin.write(bytes),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stdin.as_mut().map_or(Ok(()), Write::flush)
    }
}

/// The program and its arguments.
fn choose(flag: Option<&str>, env: Env<'_>) -> Option<Vec<String>> {
    let variable = |name: &str| env(name).and_then(|value| value.into_string().ok());
    let line = flag
        .map(str::to_owned)
        .or_else(|| variable("IRMIN_PAGER"))
        .or_else(|| variable("PAGER"))
        .unwrap_or_else(|| DEFAULT.to_owned());
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let pages = words.first().is_some_and(|program| program != "cat");
    pages.then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn chosen(flag: Option<&str>, env: &[(&str, &str)]) -> Option<String> {
        let lookup = |name: &str| {
            let found = env.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        choose(flag, &lookup).map(|words| words.join("|"))
    }

    #[test]
    fn which_pager() {
        let env = [("IRMIN_PAGER", "most -s"), ("PAGER", "more")];
        assert_eq!(chosen(Some("bat -p"), &env).unwrap(), "bat|-p");
        assert_eq!(chosen(None, &env).unwrap(), "most|-s");
        assert_eq!(chosen(None, &env[1..]).unwrap(), "more");
        assert_eq!(chosen(None, &[]).unwrap(), "less|-FRX");
        assert_eq!(chosen(Some("cat"), &env), None);
        assert_eq!(chosen(None, &[("IRMIN_PAGER", "")]), None);
    }

    #[test]
    fn a_pager_that_does_not_exist_is_none() {
        assert!(Pager::start(Some("no-such-pager-program"), &|_| None).is_none());
    }
}
