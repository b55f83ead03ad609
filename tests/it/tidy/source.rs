//! Rust source as the tidy test sees it: a scanner that knows strings and comments, and no more.

/// One source file, with its comments and literals set apart from its code.
pub(super) struct Source {
    /// The text with comments and the insides of literals blanked: as long as the original, so
    /// that offsets and lines are the same in both.
    pub(super) code: String,
    /// The comments, each with the line it begins on, markers included.
    pub(super) comments: Vec<(usize, String)>,
    raw: String,
    /// The bodies of the modules that are compiled for tests only.
    tests: Vec<(usize, usize)>,
}

/// A path such as `crate::object::Dir`, and where it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PathAt {
    pub(super) offset: usize,
    pub(super) steps: Vec<String>,
}

/// A function: its name and the offsets of its `fn` and of its closing brace.
pub(super) struct Function {
    pub(super) name: String,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A module: its name, where it is declared, and the offsets of its body if it is inline.
pub(super) struct Module {
    pub(super) name: String,
    pub(super) offset: usize,
    pub(super) body: Option<(usize, usize)>,
}

impl Source {
    pub(super) fn new(raw: &str) -> Self {
        let (code, comments) = Scanner::new(raw).run();
        let code = String::from_utf8(code).expect("the scanner keeps ASCII only");
        let mut source = Source { code, comments, raw: raw.to_owned(), tests: Vec::new() };
        let for_tests = |m: &Module| source.attributes(m.offset).contains("#[cfg(test)]");
        source.tests =
            source.modules().iter().filter(|m| for_tests(m)).filter_map(|m| m.body).collect();
        source
    }

    /// The number of the line that an offset is on.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.code.as_bytes()[..offset].iter().filter(|b| **b == b'\n').count() + 1
    }

    /// The original text of a range of offsets.
    pub(super) fn raw(&self, start: usize, end: usize) -> &str {
        self.raw.get(start..end).unwrap_or_default()
    }

    /// Every path of two steps or more; the groups of a `use` are spelled out.
    pub(super) fn paths(&self) -> Vec<PathAt> {
        let tokens = self.tokens();
        let mut found = Vec::new();
        let mut i = 0;
        while i < tokens.len() {
            if tokens[i].text == "use" {
                i = use_tree(&tokens, i + 1, &[], &mut found);
            } else if tokens[i].is_word() {
                let offset = tokens[i].offset;
                let mut steps = vec![tokens[i].text.to_owned()];
                while i + 2 < tokens.len() && tokens[i + 1].text == "::" && tokens[i + 2].is_word()
                {
                    i += 2;
                    steps.push(tokens[i].text.to_owned());
                }
                if steps.len() > 1 {
                    found.push(PathAt { offset, steps });
                }
                i += 1;
            } else {
                i += 1;
            }
        }
        found
    }

    /// Every function with a body, nested ones included.
    pub(super) fn functions(&self) -> Vec<Function> {
        let tokens = self.tokens();
        let mut found = Vec::new();
        for (i, token) in tokens.iter().enumerate() {
            // `fn(u8)` is a type; `fn $name` is a function that a macro makes.
            let name = match (tokens.get(i + 1), tokens.get(i + 2)) {
                (Some(name), _) if token.text == "fn" && name.is_word() => name.text,
                (Some(dollar), Some(name)) if token.text == "fn" && dollar.text == "$" => name.text,
                _ => continue,
            };
            let mut depth = 0_i32;
            let open = tokens[i..].iter().position(|t| {
                depth += match t.text {
                    "(" | "[" => 1,
                    ")" | "]" => -1,
                    _ => 0,
                };
                depth == 0 && matches!(t.text, "{" | ";")
            });
            if let Some(open) = open.map(|n| i + n)
                && tokens[open].text == "{"
            {
                let end = closing(&tokens, open).map_or(self.code.len(), |t| t.offset);
                found.push(Function { name: name.to_owned(), start: token.offset, end });
            }
        }
        found
    }

    /// Every `mod`, inline or not.
    pub(super) fn modules(&self) -> Vec<Module> {
        let tokens = self.tokens();
        let mut found = Vec::new();
        for (i, window) in tokens.windows(3).enumerate() {
            let [word, name, after] = window else { continue };
            if word.text != "mod" || !name.is_word() || !matches!(after.text, ";" | "{") {
                continue;
            }
            let body = (after.text == "{").then(|| {
                let end = closing(&tokens, i + 2).map_or(self.code.len(), |t| t.offset);
                (after.offset, end)
            });
            found.push(Module { name: name.text.to_owned(), offset: word.offset, body });
        }
        found
    }

    /// Whether an offset is in a module that is compiled for tests only.
    pub(super) fn in_tests(&self, offset: usize) -> bool {
        self.tests.iter().any(|(start, end)| (*start..*end).contains(&offset))
    }

    /// The code right before an item, back to the end of the item before it.
    pub(super) fn attributes(&self, offset: usize) -> &str {
        let before = &self.code[..offset];
        let start = before.rfind([';', '}', '{']).map_or(0, |at| at + 1);
        &before[start..]
    }

    fn tokens(&self) -> Vec<Token<'_>> {
        let bytes = self.code.as_bytes();
        let mut tokens = Vec::new();
        let mut i = 0;
        while i < bytes.len() {
            let start = i;
            if is_word(bytes[i]) {
                while i < bytes.len() && is_word(bytes[i]) {
                    i += 1;
                }
            } else if bytes[i..].starts_with(b"::") {
                i += 2;
            } else {
                i += 1;
                if bytes[start].is_ascii_whitespace() {
                    continue;
                }
            }
            tokens.push(Token { offset: start, text: &self.code[start..i] });
        }
        tokens
    }
}

struct Token<'a> {
    offset: usize,
    text: &'a str,
}

impl Token<'_> {
    fn is_word(&self) -> bool {
        self.text.bytes().next().is_some_and(|b| is_word(b) && !b.is_ascii_digit())
    }
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

/// The brace that closes the one at `open`.
fn closing<'a, 'b>(tokens: &'a [Token<'b>], open: usize) -> Option<&'a Token<'b>> {
    let mut depth = 0_i32;
    tokens[open..].iter().find(|t| {
        depth += match t.text {
            "{" => 1,
            "}" => -1,
            _ => 0,
        };
        depth == 0
    })
}

/// Spells out the tree of a `use` from token `i` on, and returns the token after it.
fn use_tree(tokens: &[Token<'_>], mut i: usize, prefix: &[String], out: &mut Vec<PathAt>) -> usize {
    let mut steps = prefix.to_vec();
    let offset = tokens.get(i).map_or(0, |t| t.offset);
    while let Some(token) = tokens.get(i) {
        match token.text {
            "{" => {
                i += 1;
                while tokens.get(i).is_some_and(|t| t.text != "}") {
                    let before = i;
                    i = use_tree(tokens, i, &steps, out);
                    if tokens.get(i).is_some_and(|t| t.text == ",") || i == before {
                        i += 1;
                    }
                }
                return i + 1;
            }
            "::" => i += 1,
            "as" => i += 2,
            text if token.is_word() || text == "*" => {
                steps.push(text.to_owned());
                i += 1;
            }
            _ => break,
        }
    }
    if !steps.is_empty() {
        out.push(PathAt { offset, steps });
    }
    i
}

/// Splits a text into code and comments.
struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    code: Vec<u8>,
    comments: Vec<(usize, String)>,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        let capacity = text.len();
        Scanner {
            text: text.as_bytes(),
            at: 0,
            code: Vec::with_capacity(capacity),
            comments: vec![],
        }
    }

    fn run(mut self) -> (Vec<u8>, Vec<(usize, String)>) {
        while let Some(b) = self.peek(0) {
            match b {
                b'/' if self.peek(1) == Some(b'/') => self.line_comment(),
                b'/' if self.peek(1) == Some(b'*') => self.block_comment(),
                b'"' => self.string(),
                b'r' if self.raw_hashes().is_some() => self.raw_string(),
                b'\'' if self.is_char() => self.character(),
                _ => self.keep(),
            }
        }
        (self.code, self.comments)
    }

    fn peek(&self, n: usize) -> Option<u8> {
        self.text.get(self.at + n).copied()
    }

    fn keep(&mut self) {
        let b = self.text[self.at];
        self.code.push(if b.is_ascii() { b } else { b' ' });
        self.at += 1;
    }

    fn blank(&mut self, n: usize) {
        let end = (self.at + n).min(self.text.len());
        let blanked =
            self.text[self.at..end].iter().map(|b| if *b == b'\n' { b'\n' } else { b' ' });
        self.code.extend(blanked);
        self.at = end;
    }

    fn comment(&mut self, len: usize) {
        let end = (self.at + len).min(self.text.len());
        let line = self.code.iter().filter(|b| **b == b'\n').count() + 1;
        let text = String::from_utf8_lossy(&self.text[self.at..end]).into_owned();
        self.comments.push((line, text));
        self.blank(len);
    }

    fn line_comment(&mut self) {
        let rest = &self.text[self.at..];
        self.comment(rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()));
    }

    fn block_comment(&mut self) {
        let rest = &self.text[self.at..];
        let (mut depth, mut i) = (0, 0);
        while i < rest.len() {
            match rest.get(i..i + 2) {
                Some(b"/*") => (depth, i) = (depth + 1, i + 2),
                Some(b"*/") => (depth, i) = (depth - 1, i + 2),
                _ => i += 1,
            }
            if depth == 0 {
                break;
            }
        }
        self.comment(i);
    }

    fn string(&mut self) {
        self.keep();
        while let Some(b) = self.peek(0) {
            match b {
                b'\\' => self.blank(2),
                b'"' => return self.keep(),
                _ => self.blank(1),
            }
        }
    }

    /// The number of `#` of the raw string that begins here, if one does.
    fn raw_hashes(&self) -> Option<usize> {
        // The `r` may stand alone or after the `b` or `c` of a byte or C string.
        let before = |n: usize| self.at.checked_sub(n).map_or(b' ', |i| self.text[i]);
        let alone =
            !is_word(before(1)) || (matches!(before(1), b'b' | b'c') && !is_word(before(2)));
        let hashes = self.text[self.at + 1..].iter().take_while(|b| **b == b'#').count();
        (alone && self.peek(1 + hashes) == Some(b'"')).then_some(hashes)
    }

    fn raw_string(&mut self) {
        let hashes = self.raw_hashes().unwrap_or(0);
        self.blank(1 + hashes);
        self.keep();
        let end: Vec<u8> = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
        let rest = &self.text[self.at..];
        let inside = rest.windows(end.len()).position(|w| w == end).unwrap_or(rest.len());
        self.blank(inside);
        if self.at < self.text.len() {
            self.keep();
        }
        self.blank(hashes);
    }

    /// Whether the quote here begins a character, and not a lifetime or a label.
    fn is_char(&self) -> bool {
        let width = match self.peek(1) {
            Some(b'\\') => return true,
            Some(0..=0x7f) => 1,
            Some(0x80..=0xdf) => 2,
            Some(0xe0..=0xef) => 3,
            _ => 4,
        };
        self.peek(1 + width) == Some(b'\'')
    }

    fn character(&mut self) {
        self.blank(1);
        while let Some(b) = self.peek(0) {
            match b {
                b'\\' => self.blank(2),
                b'\'' => return self.blank(1),
                _ => self.blank(1),
            }
        }
    }
}
