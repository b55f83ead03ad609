//! What must hold for the JSON lines that the command reads.

use std::collections::HashSet;

use irmin_cli::readers;
use irmin_git::fast::{Change, Command, Content, Data, Name};

/// The largest value that is read.
const LIMIT: usize = 1 << 12;

/// One tree as JSON lines.
#[must_use]
pub fn jsonl(data: &[u8]) -> bool {
    let mut keys = Vec::new();
    let ended = readers::keys(&mut &data[..], LIMIT, &mut |path, value, mode| {
        keys.push((path, value, mode));
        Ok(())
    });
    // Each key takes a line, and a value has no more bytes than there are.
    let lines = data.split(|b| *b == b'\n').count();
    let bytes: usize = keys.iter().map(|(_, value, _)| value.len()).sum();
    assert!(keys.len() <= lines && bytes <= data.len());
    if ended.is_err() {
        return false;
    }
    let text: String =
        keys.iter().map(|(path, value, mode)| readers::key_line(path, value, *mode)).collect();
    let mut again = Vec::new();
    let ended = readers::keys(&mut text.as_bytes(), usize::MAX, &mut |path, value, mode| {
        again.push((path, value, mode));
        Ok(())
    });
    ended.unwrap_or_else(|e| panic!("what was read is refused: {e}"));
    assert_eq!(again, keys);
    true
}

/// A whole history as JSON lines.
#[must_use]
pub fn jsonl_history(data: &[u8]) -> bool {
    let mut marks = HashSet::new();
    let (mut commands, mut bytes) = (0_usize, 0_usize);
    let mut in_commit = false;
    let ended = readers::history(&mut &data[..], LIMIT, &mut |command| {
        commands += 1;
        let mut named = Vec::new();
        match command {
            Command::Commit(header) => {
                bytes += header.message.len();
                named.extend(header.from);
                named.extend(header.merges);
                assert!(header.mark.is_some_and(|mark| marks.insert(mark)), "a mark is told twice");
                in_commit = true;
            }
            Command::Tag(tag) => {
                bytes += tag.message.len();
                named.push(tag.from);
                assert!(tag.mark.is_some_and(|mark| marks.insert(mark)), "a mark is told twice");
                in_commit = false;
            }
            Command::Reset { from, .. } => named.extend(from),
            Command::Change(change) => {
                assert!(in_commit, "a change is in no commit");
                if let Change::Modify { content: Content::Inline(Data::Whole(value)), .. } = change
                {
                    bytes += value.len();
                }
            }
            Command::Blob { .. } => panic!("no line stands for a value alone"),
        }
        for name in named {
            assert!(matches!(name, Name::Mark(mark) if marks.contains(&mark)), "{name:?}");
        }
        Ok(())
    });
    assert!(bytes <= data.len(), "there are more bytes than were given");
    // A line is a command or two, and the last one puts each ref that the first one names.
    assert!(commands <= data.len(), "there are more commands than bytes");
    ended.is_ok()
}
