//! What is printed: data on standard output, talk on standard error.

use std::fmt::Write as _;
use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write};

use anstyle::{AnsiColor, Style};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use irmin_core::Metadata;
use serde_json::{Map, Value};

use crate::exit::Failure;
use crate::pager::Pager;
use crate::settings::{Env, Settings};

/// The colours that mean something.
pub(crate) mod style {
    use super::{AnsiColor, Style};

    pub(crate) const ADDED: Style = AnsiColor::Green.on_default();
    pub(crate) const REMOVED: Style = AnsiColor::Red.on_default();
    pub(crate) const HUNK: Style = AnsiColor::Cyan.on_default();
    pub(crate) const HASH: Style = AnsiColor::Yellow.on_default();
    pub(crate) const STRONG: Style = Style::new().bold();
    pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();

    /// The colours of the lanes of a graph, one after another.
    const LANES: [AnsiColor; 6] = [
        AnsiColor::Red,
        AnsiColor::Green,
        AnsiColor::Yellow,
        AnsiColor::Blue,
        AnsiColor::Magenta,
        AnsiColor::Cyan,
    ];

    /// The colour of a lane by its number.
    pub(crate) fn lane(number: usize) -> Style {
        let color = LANES.iter().cycle().nth(number % LANES.len()).copied();
        color.unwrap_or(AnsiColor::Red).on_default()
    }
}

enum Sink {
    Stdout(BufWriter<Stdout>),
    Pager(Pager),
}

/// Standard output and standard error of one command.
pub(crate) struct Output {
    sink: Sink,
    /// Whether people read it, so that control characters must not reach their terminal.
    pub(crate) terminal: bool,
    /// Whether to print JSON.
    pub(crate) json: bool,
    /// Whether to print colours.
    color: bool,
    color_errors: bool,
    quiet: bool,
    verbose: u8,
}

impl Output {
    /// The output that the settings ask for.
    pub(crate) fn new(settings: &Settings, env: Env<'_>) -> Self {
        let terminal = io::stdout().is_terminal();
        Output {
            sink: Sink::Stdout(BufWriter::new(io::stdout())),
            terminal,
            json: settings.json,
            color: settings.color.enabled(terminal, env),
            color_errors: settings.color.enabled(io::stderr().is_terminal(), env),
            quiet: settings.quiet,
            verbose: settings.verbose,
        }
    }

    /// Sends what follows through a pager, if people read it.
    pub(crate) fn page(&mut self, program: Option<&str>, env: Env<'_>) {
        if self.terminal
            && !self.json
            && let Some(pager) = Pager::start(program, env)
        {
            self.sink = Sink::Pager(pager);
        }
    }

    /// Prints bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.sink {
            Sink::Stdout(stdout) => stdout.write_all(bytes),
            Sink::Pager(pager) => pager.write_all(bytes),
        }
    }

    /// Prints a line.
    pub(crate) fn line(&mut self, text: impl AsRef<[u8]>) -> io::Result<()> {
        self.bytes(text.as_ref())?;
        self.bytes(b"\n")
    }

    /// Prints a line in a style, where colours are on.
    pub(crate) fn styled(&mut self, style: Style, text: impl AsRef<[u8]>) -> io::Result<()> {
        let line = self.paint(style, text.as_ref());
        self.line(line)
    }

    /// The text in a style, where colours are on.
    pub(crate) fn paint(&self, style: Style, text: &[u8]) -> Vec<u8> {
        if !self.color {
            return text.to_vec();
        }
        [style.render().to_string().as_bytes(), text, style.render_reset().to_string().as_bytes()]
            .concat()
    }

    /// Text that others wrote: as it is for programs, without control characters for people.
    pub(crate) fn foreign(&self, text: &[u8]) -> Vec<u8> {
        if self.terminal { escape(text).into_bytes() } else { text.to_vec() }
    }

    /// Prints a JSON value on a line.
    pub(crate) fn json(&mut self, value: &Value) -> io::Result<()> {
        self.line(value.to_string())
    }

    /// Hands over everything that was printed, and waits for the pager to be closed.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Stdout(stdout) => stdout.flush(),
            Sink::Pager(pager) => pager.finish(),
        }
    }

    /// Hands over what was printed so far.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Stdout(stdout) => stdout.flush(),
            Sink::Pager(_) => Ok(()),
        }
    }

    /// Whether progress may be shown.
    pub(crate) fn shows_progress(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Tells people something, unless they asked for quiet or a program reads the output.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet && !self.json {
            self.tell(&escape(text.as_bytes()));
        }
    }

    /// Tells people at a terminal what was done; programs hear of it with `-v` alone.
    pub(crate) fn done(&self, text: &str) {
        let people = !self.quiet && io::stderr().is_terminal();
        if !self.json && (people || self.verbose > 0) {
            self.tell(&escape(text.as_bytes()));
        }
    }

    /// Tells people something that they asked for with `-v`.
    pub(crate) fn detail(&self, text: &str) {
        if self.verbose > 0 {
            self.tell(&escape(text.as_bytes()));
        }
    }

    /// Tells people something that they must know.
    pub(crate) fn warn(&self, text: &str) {
        self.tell(&escape(text.as_bytes()));
    }

    /// Tells why the command failed.
    pub(crate) fn failure(&self, failure: &Failure) {
        if self.json {
            self.tell(&failure_json(failure).to_string());
        } else {
            self.tell(&failure_text(failure, self.color_errors));
        }
    }

    /// Writes to standard error; nothing can be done if that fails too.
    fn tell(&self, text: &str) {
        let _ = writeln!(io::stderr(), "{text}");
    }
}

/// A failure as people read it.
fn failure_text(failure: &Failure, color: bool) -> String {
    let (on, off) = if color {
        (style::ERROR.render().to_string(), style::ERROR.render_reset().to_string())
    } else {
        (String::new(), String::new())
    };
    let mut text = format!("{on}irmin:{off} {}", escape(failure.message.as_bytes()));
    for cause in &failure.causes {
        let _ = write!(text, "\n  because: {}", escape(cause.as_bytes()));
    }
    if let Some(hint) = &failure.hint {
        let _ = write!(text, "\n  hint: {}", escape(hint.as_bytes()));
    }
    text
}

/// A failure as programs read it.
pub(crate) fn failure_json(failure: &Failure) -> Value {
    serde_json::json!({"error": {
        "code": failure.code,
        "message": failure.message,
        "causes": failure.causes,
        "hint": failure.hint,
        "exit": failure.exit.code(),
    }})
}

/// Text that is safe to print on a terminal: control characters, characters that reorder the
/// line, and bytes that are not UTF-8 are written as escapes; line feeds and tabs stay.
pub(crate) fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let reorders = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if (c.is_control() && c != '\n' && c != '\t') || reorders {
                let _ = match u32::from(c) {
                    n if n < 0x80 => write!(text, "\\x{n:02x}"),
                    n => write!(text, "\\u{{{n:x}}}"),
                };
            } else {
                text.push(c);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// A number of things, as people say it.
pub(crate) fn count(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// Whether a value is text that fits on a line.
pub(crate) fn is_one_line(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| !text.chars().any(char::is_control))
}

/// Adds a value to a JSON object: `value` if it is text, otherwise `base64`.
pub(crate) fn put_value(object: &mut Map<String, Value>, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => object.insert("value".into(), text.into()),
        Err(_) => object.insert("base64".into(), BASE64.encode(bytes).into()),
    };
}

/// Bytes as JSON: a string if they are text, otherwise `{"base64":…}`.
pub(crate) fn bytes_json(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => serde_json::json!({"base64": BASE64.encode(bytes)}),
    }
}

/// A value as a JSON object of its own.
pub(crate) fn value_json(bytes: &[u8], metadata: Metadata) -> Value {
    let mut object = Map::new();
    put_value(&mut object, bytes);
    object.insert("mode".into(), mode_name(metadata).into());
    Value::Object(object)
}

/// The name of a mode: what `apply` reads.
pub(crate) fn mode_name(metadata: Metadata) -> String {
    match metadata {
        Metadata::Normal => "normal".into(),
        Metadata::Exec => "exec".into(),
        Metadata::Link => "link".into(),
        Metadata::Other(mode) => format!("{mode:06o}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_terminals() {
        assert_eq!(escape(b"a\x1b[31m\r\x07b\n\tc"), "a\\x1b[31m\\x0d\\x07b\n\tc");
        assert_eq!(escape("\u{9b}31m\u{202e}é".as_bytes()), "\\u{9b}31m\\u{202e}é");
        assert_eq!(escape(b"caf\xe9"), "caf\\xe9");
    }

    #[test]
    fn failures() {
        let failure =
            Failure { causes: vec!["disk\x1b[0m".into()], ..Failure::usage("no").hint("try yes") };
        assert_eq!(
            failure_text(&failure, false),
            "irmin: no\n  because: disk\\x1b[0m\n  hint: try yes"
        );
        assert!(failure_text(&failure, true).starts_with("\u{1b}["));
        assert_eq!(
            failure_json(&failure).to_string(),
            r#"{"error":{"code":"invalid_argument","message":"no","causes":["disk\u001b[0m"],"hint":"try yes","exit":2}}"#
        );
    }

    #[test]
    fn values_in_json() {
        let show = |bytes: &[u8]| value_json(bytes, Metadata::Exec).to_string();
        assert_eq!(show(b"a\"b"), r#"{"value":"a\"b","mode":"exec"}"#);
        assert_eq!(show(b"\xff"), r#"{"base64":"/w==","mode":"exec"}"#);
        assert_eq!(mode_name(Metadata::Other(0o100_664)), "100664");
    }

    #[test]
    fn one_line() {
        assert!(is_one_line("hello é".as_bytes()));
        assert!(!is_one_line(b"a\n") && !is_one_line(b"\xff") && !is_one_line(b"\x1b"));
    }
}
