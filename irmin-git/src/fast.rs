//! The streams of `git fast-export`, and of everything that writes for `git fast-import`.
//!
//! [`Reader`] takes a stream apart, command by command, and holds no more than one of them. It
//! knows the language as `git fast-export --all` writes it (blob, commit, tag, reset, the changes
//! of files, `feature done`, `progress`), and refuses other commands by their name.
//!
//! Source: git's documentation of fast-import.

use std::io::{BufRead, Read as _};

use irmin_core::{Bytes, Code, Error, Path, Result, Signature, Zone};

/// The longest line: a path with every byte escaped, and its command.
const LINE: usize = 512 << 10;

/// The longest value that is told as a whole.
const WHOLE: u64 = 1 << 20;

/// What a command names: a mark of the stream, an object by its hash, or a branch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Name {
    /// `:5`.
    Mark(u64),
    /// A whole hash, or a ref; `^0` behind it is left out.
    Other(String),
}

/// The bytes of a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Data {
    /// All of them.
    Whole(Vec<u8>),
    /// So many, more than a mebibyte: to be read from the [`Reader`] before its next command.
    Large(u64),
}

/// What a file becomes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    /// An object.
    Object(Name),
    /// The bytes that follow.
    Inline(Data),
}

/// One change of the files of a commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// `M`: a file, a link, a directory or a submodule, by its mode.
    Modify {
        /// The mode, such as 0o100644.
        mode: u32,
        /// What it becomes.
        content: Content,
        /// Where.
        path: Path,
    },
    /// `D`.
    Delete(Path),
    /// `C`: from a path to another one.
    Copy(Path, Path),
    /// `R`: from a path to another one.
    Rename(Path, Path),
    /// `deleteall`.
    DeleteAll,
}

/// What begins a commit; its changes follow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// The ref that it is put on.
    pub branch: String,
    /// Its mark.
    pub mark: Option<u64>,
    /// Its hash where the stream was made, if that was asked for.
    pub original: Option<String>,
    /// Who wrote it; the committer if absent.
    pub author: Option<Signature>,
    /// Who committed it.
    pub committer: Signature,
    /// The encoding of the message, if it is not UTF-8.
    pub encoding: Option<Bytes>,
    /// The message.
    pub message: Bytes,
    /// The first parent; the ref's last commit in the stream if absent.
    pub from: Option<Name>,
    /// The other parents.
    pub merges: Vec<Name>,
}

/// An annotated tag.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tag {
    /// Its name, without `refs/tags/`.
    pub name: String,
    /// Its mark.
    pub mark: Option<u64>,
    /// What is tagged.
    pub from: Name,
    /// Its hash where the stream was made.
    pub original: Option<String>,
    /// Who and when.
    pub tagger: Option<Signature>,
    /// Why.
    pub message: Bytes,
}

/// A command of a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// A value.
    Blob {
        /// Its mark.
        mark: Option<u64>,
        /// Its bytes.
        data: Data,
    },
    /// A commit begins.
    Commit(Box<Header>),
    /// A change of the commit that began last.
    Change(Change),
    /// An annotated tag.
    Tag(Tag),
    /// A ref is put elsewhere, or begins anew.
    Reset {
        /// The ref.
        name: String,
        /// Where; nowhere if absent.
        from: Option<Name>,
    },
}

/// Reads a stream.
///
/// The bytes of a value that is [large](Data::Large) are read through [`irmin_core::io::Read`]; what
/// is not read is passed over.
///
/// ```
/// use irmin_git::fast::{Command, Data, Reader};
/// let stream = b"blob\nmark :1\ndata 5\nhello\n";
/// let mut reader = Reader::new(&stream[..], 1 << 20);
/// let blob = Command::Blob { mark: Some(1), data: Data::Whole(b"hello".to_vec()) };
/// assert_eq!(reader.next()?, Some(blob));
/// assert_eq!(reader.next()?, None);
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    /// The largest message, and value that is told as a whole.
    limit: usize,
    number: u64,
    /// Where the last command began.
    began: u64,
    /// How many bytes of a large value are still to come.
    left: u64,
    /// Whether the line end that may follow data is still to be looked for.
    after_data: bool,
    /// A line that was read and not used.
    pending: Option<Vec<u8>>,
    /// Whether changes may come.
    in_commit: bool,
    /// Whether the stream has to end with `done`.
    wants_done: bool,
    ended: bool,
}

impl<R: BufRead> Reader<R> {
    /// A reader whose messages, and values that are told as a whole, have at most `limit` bytes.
    pub fn new(input: R, limit: usize) -> Self {
        Reader {
            input,
            limit,
            number: 0,
            began: 0,
            left: 0,
            after_data: false,
            pending: None,
            in_commit: false,
            wants_done: false,
            ended: false,
        }
    }

    /// The line on which the last command began, from 1.
    pub fn line_number(&self) -> u64 {
        self.began
    }

    /// The next command; nothing at the end.
    ///
    /// # Errors
    /// `invalid_value` for what is not of the language, naming the line, `unsupported` for a
    /// command that is not known, `payload_too_large` for a value over the limit, and `io`.
    #[allow(clippy::should_implement_trait)] // An iterator would go on after an error.
    pub fn next(&mut self) -> Result<Option<Command>> {
        self.pass_over()?;
        while !self.ended {
            let Some(line) = self.line()? else {
                if self.wants_done {
                    return Err(self.wrong("the stream ends without `done`: it was cut"));
                }
                self.ended = true;
                break;
            };
            self.began = self.number;
            if let Some(command) = self.command(&line)? {
                return Ok(Some(command));
            }
        }
        Ok(None)
    }

    fn command(&mut self, line: &[u8]) -> Result<Option<Command>> {
        let (word, rest) = split(line);
        if self.in_commit
            && let Some(change) = self.change(word, rest)?
        {
            return Ok(Some(Command::Change(change)));
        }
        // Blank lines may stand after data; the changes of a commit end with one.
        if line.is_empty() || word == b"progress" || line == b"checkpoint" {
            return Ok(None);
        }
        self.in_commit = false;
        match word {
            b"blob" if rest.is_empty() => {
                let mark = self.mark()?;
                self.original()?;
                Ok(Some(Command::Blob { mark, data: self.value()? }))
            }
            b"commit" => self.commit(rest).map(Some),
            b"tag" => self.tag(rest).map(Some),
            b"reset" => {
                let name = self.text(rest)?;
                let from = self.word(b"from")?.map(|from| self.name(&from)).transpose()?;
                Ok(Some(Command::Reset { name, from }))
            }
            b"done" if rest.is_empty() => {
                self.ended = true;
                Ok(None)
            }
            b"feature" if rest == b"done" => {
                self.wants_done = true;
                Ok(None)
            }
            // Zones are read as they are in any case.
            b"feature" if matches!(rest, b"date-format=raw" | b"date-format=raw-permissive") => {
                Ok(None)
            }
            // Options are for programs that know them; those of git change nothing of the result.
            b"option" => Ok(None),
            _ => {
                let shown = line.get(..40).unwrap_or(line).escape_ascii();
                let what = format!("line {}: `{shown}` is not supported here", self.number);
                Err(Error::new(Code::Unsupported, what))
            }
        }
    }

    fn commit(&mut self, branch: &[u8]) -> Result<Command> {
        let branch = self.text(branch)?;
        let mark = self.mark()?;
        let original = self.original()?;
        let author = self.word(b"author")?.map(|who| self.signature(&who)).transpose()?;
        let Some(committer) = self.word(b"committer")? else {
            return Err(self.wrong("a commit needs a committer"));
        };
        let committer = self.signature(&committer)?;
        let encoding = self.word(b"encoding")?.map(Bytes::from);
        let message = Bytes::from(self.data()?);
        let from = self.word(b"from")?.map(|from| self.name(&from)).transpose()?;
        let mut merges = Vec::new();
        while let Some(merge) = self.word(b"merge")? {
            merges.push(self.name(&merge)?);
            if merges.len() > 1 << 16 {
                return Err(self.wrong("the parents of a commit do not end"));
            }
        }
        self.in_commit = true;
        Ok(Command::Commit(Box::new(Header {
            branch,
            mark,
            original,
            author,
            committer,
            encoding,
            message,
            from,
            merges,
        })))
    }

    fn tag(&mut self, name: &[u8]) -> Result<Command> {
        let name = self.text(name)?;
        let mark = self.mark()?;
        let Some(from) = self.word(b"from")? else {
            return Err(self.wrong("a tag needs a `from`"));
        };
        let from = self.name(&from)?;
        let original = self.original()?;
        let tagger = self.word(b"tagger")?.map(|who| self.signature(&who)).transpose()?;
        let message = Bytes::from(self.data()?);
        Ok(Command::Tag(Tag { name, mark, from, original, tagger, message }))
    }

    fn change(&mut self, word: &[u8], rest: &[u8]) -> Result<Option<Change>> {
        Ok(Some(match word {
            b"M" => {
                let (mode, rest) = split(rest);
                let (content, path) = split(rest);
                let mode = self.mode(mode)?;
                let path = self.path(path)?;
                let content = match content {
                    b"inline" => Content::Inline(self.value()?),
                    name => Content::Object(self.name(name)?),
                };
                Change::Modify { mode, content, path }
            }
            b"D" => Change::Delete(self.path(rest)?),
            b"C" | b"R" => {
                let (from, to) = self.two_paths(rest)?;
                if word == b"C" { Change::Copy(from, to) } else { Change::Rename(from, to) }
            }
            b"deleteall" if rest.is_empty() => Change::DeleteAll,
            _ => return Ok(None),
        }))
    }

    fn mode(&self, text: &[u8]) -> Result<u32> {
        match text {
            b"644" | b"100644" => Ok(0o100_644),
            b"755" | b"100755" => Ok(0o100_755),
            b"120000" => Ok(0o120_000),
            b"160000" => Ok(0o160_000),
            b"040000" => Ok(0o040_000),
            _ => Err(self.wrong(&format!("`{}` is no mode", text.escape_ascii()))),
        }
    }

    /// A path that ends the line.
    fn path(&self, text: &[u8]) -> Result<Path> {
        if text.first() != Some(&b'"') {
            return self.checked(text);
        }
        let quoted = std::str::from_utf8(text).map_err(|_| self.wrong("a path is not UTF-8"))?;
        Path::parse_quoted(quoted).map_err(|e| self.wrong(&e.to_string()))
    }

    fn checked(&self, text: &[u8]) -> Result<Path> {
        if text.is_empty() {
            return Ok(Path::root().clone());
        }
        Path::foreign(text.split(|b| *b == b'/')).map_err(|e| self.wrong(&e.to_string()))
    }

    /// Two paths: a blank ends the first one, unless it is quoted.
    fn two_paths(&self, text: &[u8]) -> Result<(Path, Path)> {
        let end = match text.strip_prefix(b"\"") {
            None => text.iter().position(|b| *b == b' '),
            Some(inside) => {
                let mut escaped = false;
                let closing = inside.iter().position(|b| {
                    let closes = *b == b'"' && !escaped;
                    escaped = *b == b'\\' && !escaped;
                    closes
                });
                closing.map(|at| at + 2)
            }
        };
        let parts = end.and_then(|end| text.split_at_checked(end));
        let parts = parts.and_then(|(from, to)| Some((from, to.strip_prefix(b" ")?)));
        let Some((from, to)) = parts else {
            return Err(self.wrong("two paths are needed"));
        };
        Ok((self.path(from)?, self.path(to)?))
    }

    fn mark(&mut self) -> Result<Option<u64>> {
        let Some(text) = self.word(b"mark")? else { return Ok(None) };
        match self.name(&text)? {
            Name::Mark(mark) => Ok(Some(mark)),
            Name::Other(_) => Err(self.wrong("a mark is a colon and a number")),
        }
    }

    fn original(&mut self) -> Result<Option<String>> {
        self.word(b"original-oid")?.map(|text| self.text(&text)).transpose()
    }

    fn name(&self, text: &[u8]) -> Result<Name> {
        match text.strip_prefix(b":") {
            Some(digits) => {
                let number = std::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'));
                let number = number.and_then(|text| text.parse().ok()).filter(|mark| *mark > 0);
                number.map(Name::Mark).ok_or_else(|| self.wrong("a mark is a colon and a number"))
            }
            None => {
                let text = self.text(text)?;
                Ok(Name::Other(text.strip_suffix("^0").unwrap_or(&text).to_owned()))
            }
        }
    }

    fn text(&self, text: &[u8]) -> Result<String> {
        match std::str::from_utf8(text) {
            Ok(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(self.wrong("a name is needed here, in UTF-8")),
        }
    }

    /// `name <e-mail> seconds zone`.
    fn signature(&self, text: &[u8]) -> Result<Signature> {
        let wrong = || self.wrong("a person is `name <e-mail> seconds +zone`");
        let last = |text: &[u8]| text.iter().rposition(|b| *b == b' ');
        let zone_at = last(text).ok_or_else(wrong)?;
        let (rest, zone) = text.split_at_checked(zone_at).ok_or_else(wrong)?;
        let date_at = last(rest).ok_or_else(wrong)?;
        let (who, date) = rest.split_at_checked(date_at).ok_or_else(wrong)?;
        let digits = date.get(1..).unwrap_or_default();
        let number = std::str::from_utf8(digits).map_err(|_| wrong())?;
        let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        let date: i64 = number.parse().ok().filter(|_| plain).ok_or_else(wrong)?;
        let zone = zone.get(1..).unwrap_or_default();
        let zone = Zone::stored(Bytes::copy_from_slice(zone)).map_err(|_| wrong())?;
        // Without a name git keeps the blank that would part it from the address.
        let blank: &[u8] = if who.starts_with(b"<") { b" " } else { b"" };
        Ok(Signature::of_git(Bytes::from([blank, who].concat()), date, zone))
    }

    /// What follows a word, if the next line begins with it.
    fn word(&mut self, word: &[u8]) -> Result<Option<Vec<u8>>> {
        let Some(line) = self.line()? else { return Ok(None) };
        if let Some(rest) = line.strip_prefix(word).and_then(|rest| rest.strip_prefix(b" ")) {
            return Ok(Some(rest.to_vec()));
        }
        self.pending = Some(line);
        Ok(None)
    }

    /// A message: the bytes behind `data`, and the line end that may follow them.
    fn data(&mut self) -> Result<Vec<u8>> {
        let what = self.announced()?;
        let data = match what.strip_prefix(b"<<") {
            Some(end) => self.delimited(end)?,
            None => {
                let len = self.len(&what)?;
                self.counted(len)?
            }
        };
        self.pending = self.line()?.filter(|line| !line.is_empty());
        Ok(data)
    }

    /// A value; one that is large is left for the caller.
    fn value(&mut self) -> Result<Data> {
        let what = self.announced()?;
        self.after_data = true;
        match what.strip_prefix(b"<<") {
            Some(end) => self.delimited(end).map(Data::Whole),
            None => match self.len(&what)? {
                len if len > WHOLE => {
                    self.left = len;
                    Ok(Data::Large(len))
                }
                len => self.counted(len).map(Data::Whole),
            },
        }
    }

    /// What stands behind `data`.
    fn announced(&mut self) -> Result<Vec<u8>> {
        self.word(b"data")?.ok_or_else(|| self.wrong("`data` is needed here"))
    }

    fn len(&self, digits: &[u8]) -> Result<u64> {
        let digits = std::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'));
        let len = digits.and_then(|text| text.parse().ok());
        len.ok_or_else(|| self.wrong("`data` needs a number of bytes"))
    }

    fn over(&self) -> Error {
        let why = format!("a value or a message has at most {} bytes here", self.limit);
        Error::new(Code::PayloadTooLarge, why)
    }

    /// The lines up to one of their own.
    fn delimited(&mut self, end: &[u8]) -> Result<Vec<u8>> {
        let mut data = Vec::new();
        loop {
            // What looks like a comment is data here.
            let line = self.raw_line(self.limit.saturating_add(2))?;
            let line = line.ok_or_else(|| self.wrong("`data <<` does not end"))?;
            if line == end {
                return Ok(data);
            }
            data.extend_from_slice(&line);
            data.push(b'\n');
            if data.len() > self.limit {
                return Err(self.over());
            }
        }
    }

    /// So many bytes.
    fn counted(&mut self, len: u64) -> Result<Vec<u8>> {
        if usize::try_from(len).map_or(true, |len| len > self.limit) {
            return Err(self.over());
        }
        let mut data = Vec::new();
        self.input.by_ref().take(len).read_to_end(&mut data).map_err(|e| io(&e))?;
        if (data.len() as u64) < len {
            return Err(self.cut());
        }
        self.count_lines(&data);
        Ok(data)
    }

    fn count_lines(&mut self, data: &[u8]) {
        let lines = data.iter().filter(|b| **b == b'\n').count();
        self.number = self.number.saturating_add(lines as u64);
    }

    fn cut(&self) -> Error {
        self.wrong("the stream ends within `data`")
    }

    /// Goes behind the value that was told last.
    fn pass_over(&mut self) -> Result<()> {
        let mut piece = [0; 8192];
        while irmin_core::io::Read::read(self, &mut piece)? > 0 {}
        if std::mem::take(&mut self.after_data) {
            self.pending = self.line()?.filter(|line| !line.is_empty());
        }
        Ok(())
    }

    /// The next line without its end; comments are passed over.
    fn line(&mut self) -> Result<Option<Vec<u8>>> {
        if let Some(line) = self.pending.take() {
            return Ok(Some(line));
        }
        loop {
            match self.raw_line(LINE)? {
                Some(line) if line.first() == Some(&b'#') => {}
                line => return Ok(line),
            }
        }
    }

    /// The next line without its end, whatever it begins with.
    fn raw_line(&mut self, most: usize) -> Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let bound = u64::try_from(most).unwrap_or(u64::MAX);
        self.input.by_ref().take(bound).read_until(b'\n', &mut line).map_err(|e| io(&e))?;
        self.number = self.number.saturating_add(1);
        if line.is_empty() {
            return Ok(None);
        }
        if line.pop_if(|last| *last == b'\n').is_none() && line.len() >= most {
            return Err(self.wrong("the line is too long"));
        }
        Ok(Some(line))
    }

    fn wrong(&self, why: &str) -> Error {
        Error::new(Code::InvalidValue, format!("line {} of the stream: {why}", self.number))
    }
}

/// The bytes of the large value that was told last.
impl<R: BufRead> irmin_core::io::Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..most).filter(|buffer| !buffer.is_empty()) else {
            return Ok(0);
        };
        let read = self.input.read(buffer).map_err(|e| io(&e))?;
        if read == 0 {
            return Err(self.cut());
        }
        self.left = self.left.saturating_sub(read as u64);
        self.count_lines(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

/// A word and what follows it.
fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let at = line.iter().position(|b| *b == b' ').unwrap_or(line.len());
    let (word, rest) = line.split_at(at);
    (word, rest.get(1..).unwrap_or_default())
}

fn io(error: &std::io::Error) -> Error {
    Error::new(Code::Io, format!("the stream cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(stream: &[u8]) -> Result<Vec<Command>> {
        let mut reader = Reader::new(stream, 1000);
        let mut found = Vec::new();
        while let Some(command) = reader.next()? {
            found.push(command);
        }
        Ok(found)
    }

    #[test]
    fn a_stream_of_every_command() {
        let stream = b"feature done\nfeature date-format=raw-permissive\n\
            # talk\nblob\nmark :1\noriginal-oid 12\ndata 2\na\n\n\
            reset refs/heads/x\ncommit refs/heads/x\nmark :2\n\
            author <a@b> 1 +0100\ncommitter C D <c@d> 2 -0000\nencoding latin1\ndata <<END\nhi\nEND\n\
            from :9\nmerge refs/heads/y^0\nM 100644 :1 a b\nM 644 inline \"q\\tq\"\ndata 0\n\n\
            D gone\nC a \"b c\"\nR \"x \\\"\" y z\ndeleteall\n\nprogress half\n\
            tag v1\nfrom :2\ndata 0\n\nreset refs/heads/y\nfrom :2\ndone\nrubbish";
        let found = all(stream).unwrap();
        assert_eq!(found.len(), 11, "{found:?}");
        let Command::Commit(header) = &found[2] else { panic!("{found:?}") };
        assert_eq!(header.author.as_ref().unwrap().author, " <a@b>");
        assert_eq!((&*header.message, header.committer.date), (&b"hi\n"[..], 2));
        assert_eq!(header.merges, [Name::Other("refs/heads/y".into())]);
        let path = |text: &str| Path::parse(text).unwrap();
        let content = Content::Object(Name::Mark(1));
        let change = Change::Modify { mode: 0o100_644, content, path: path("a b") };
        assert_eq!(found[3], Command::Change(change));
        assert_eq!(found[6], Command::Change(Change::Copy(path("a"), path("b c"))));
        assert_eq!(found[7], Command::Change(Change::Rename(path("x \""), path("y z"))));
    }

    #[test]
    fn large_values_are_read_in_pieces_or_passed_over() {
        let value = vec![b'\n'; (1 << 20) + 5];
        let begin = format!("blob\nmark :1\ndata {}\n", value.len());
        let stream = [begin.as_bytes(), &value, b"\nprogress x\nblob\ndata 1\nxrubbish\n"].concat();
        for taken in [0, 1000, value.len()] {
            let mut reader = Reader::new(&stream[..], 1000);
            let large = Data::Large(value.len() as u64);
            assert_eq!(reader.next().unwrap(), Some(Command::Blob { mark: Some(1), data: large }));
            let mut left = taken;
            let mut piece = [0; 700];
            while left > 0 {
                let most = left.min(700);
                left -= irmin_core::io::Read::read(&mut reader, &mut piece[..most]).unwrap();
            }
            let small = Data::Whole(b"x".to_vec());
            assert_eq!(reader.line_number(), 1);
            assert_eq!(reader.next().unwrap(), Some(Command::Blob { mark: None, data: small }));
            assert_eq!(reader.line_number(), 1_048_587);
            let error = reader.next().unwrap_err().to_string();
            assert!(error.contains("line 1048589: `rubbish`"), "{error}");
        }
        let mut reader = Reader::new(&stream[..1 << 20], 1000);
        reader.next().unwrap();
        assert!(reader.next().unwrap_err().to_string().contains("ends within"));
    }

    /// Comments stand between commands: in data a line that begins so is a line.
    #[test]
    fn comments_are_not_taken_out_of_data() {
        let found = all(b"# talk\nblob\n# more\nmark :1\ndata <<E\n# title\n#\ntext\nE\n# end\n");
        let data = b"# title\n#\ntext\n".to_vec();
        assert_eq!(found.unwrap(), [Command::Blob { mark: Some(1), data: Data::Whole(data) }]);
    }

    #[test]
    fn what_is_refused() {
        for (stream, why) in [
            (&b"cat-blob :1\n"[..], "`cat-blob :1` is not supported"),
            (b"gpgsig sha1 openpgp\n", "`gpgsig sha1 openpgp` is not supported"),
            (b"feature relative-marks\n", "not supported"),
            (b"M 100644 :1 a\n", "not supported"),
            (b"feature done\nblob\ndata 0\n", "without `done`"),
            (b"blob\ndata 5\nabc", "ends within `data`"),
            (b"blob\ndata 2000\n", "at most 1000 bytes"),
            (b"blob\ndata x\n", "number of bytes"),
            (b"blob\ndata <<E\nabc\n", "does not end"),
            (b"blob\ndata <<E\nabc", "does not end"),
            (b"blob\nmark 1\n", "a mark is"),
            (b"blob\nmark :0\n", "a mark is"),
            (b"commit refs/heads/x\ndata 0\n", "needs a committer"),
            (b"commit refs/heads/x\ncommitter a <b> now\n", "a person is"),
            (b"tag x\ndata 0\n", "needs a `from`"),
        ] {
            let error = all(stream).unwrap_err();
            assert!(error.to_string().contains(why), "{}: {error}", stream.escape_ascii());
        }
        let begin = b"commit refs/heads/x\ncommitter a <b> 1 +0000\ndata 0\n";
        for (change, why) in [
            ("M 100664 :1 a\n", "`100664` is no mode"),
            ("C \"a b\n", "two paths"),
            ("D \"a\n", "quoted path"),
            ("N :1 :2\n", "not supported"),
            ("D a//b\n", "line 4"),
        ] {
            let error = all(&[begin, change.as_bytes()].concat()).unwrap_err();
            assert!(error.to_string().contains(why), "{change}: {error}");
        }
    }
}
