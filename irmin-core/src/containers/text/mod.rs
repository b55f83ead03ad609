//! Text that merges line by line.

mod place;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use self::place::Place;
use super::{At, Container, Element, Event, Holds, at_places_of_their_own, not};
use crate::contents::binary::Reader;
use crate::contents::json::JsonValue;
use crate::error::Result;
use crate::merge::text::{Hunk, hunks};
use crate::merge::{Merge, Reason};
use crate::repo::{Commit, CommitOptions};

/// Text of lines that any two branches can merge.
///
/// **Promise**: it has every line that was put in by an edit of the history and that no edit of
/// the history took out. Lines keep their order: two lines that some edit left in one order are
/// in that order everywhere. Lines that one edit put in next to each other stay next to each
/// other, except for what is put in between them later.
///
/// An edit is given the new text, and takes as kept what is equal in old and new. A line that is
/// changed is taken out, and another one is put in; if two sides change the same line, both
/// versions are there afterwards, one after the other. So it never conflicts, and people may have
/// to choose later: where they should choose before anything is written, keep text as a `String`
/// under a merge that says so.
///
/// A line ends with a newline; a text that does not is given one. Each line carries its place
/// among the others, twenty bytes or a few times that, and a git store shows both, as JSON.
///
/// ```
/// use irmin_core::containers::{Container, Event, Text};
/// let mut base = Text::default();
/// base.write("one\ntwo\nthree\n", &mut Event::new("first", 1));
/// let (mut ours, mut theirs) = (base.clone(), base.clone());
/// ours.write("one\n2\nthree\n", &mut Event::new("ours", 2));
/// theirs.write("zero\none\ntwo\n", &mut Event::new("theirs", 3));
/// let merged = Text::join(Some(&base), &ours, &theirs).unwrap();
/// assert_eq!(merged.read(), "zero\none\n2\n");
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Text {
    lines: BTreeSet<(Place, String)>,
}

impl Text {
    /// The lines, without their ends.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|(_, line)| line.as_str())
    }

    /// The text: each line with a newline.
    #[must_use]
    pub fn read(&self) -> String {
        let mut text = String::new();
        for line in self.lines() {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// Makes the text another one, keeping the lines that are in both.
    pub fn write(&mut self, text: &str, event: &mut Event) {
        let new: Vec<&str> = text.split_terminator('\n').collect();
        let old = self.list();
        let mut numbers = BTreeMap::new();
        let mut number = |line| {
            let next = numbers.len();
            *numbers.entry(line).or_insert(next)
        };
        let a: Vec<usize> = old.iter().map(|(_, line)| number(line.as_str())).collect();
        let b: Vec<usize> = new.iter().map(|line| number(line)).collect();
        for Hunk { base, side } in hunks(&a, &b) {
            for line in old.get(base.clone()).unwrap_or_default() {
                self.lines.remove(line);
            }
            let place = |i: usize| old.get(i).map(|(place, _)| place);
            let low = base.start.checked_sub(1).and_then(place);
            self.put_between(low, place(base.end), new.get(side).unwrap_or_default(), event);
        }
    }

    /// Puts a block of new lines between two places.
    fn put_between(
        &mut self,
        low: Option<&Place>,
        high: Option<&Place>,
        block: &[&str],
        event: &mut Event,
    ) {
        let Some((first, rest)) = block.split_first() else { return };
        let mark = event.mark();
        let place = Place::between(low, high, mark);
        let following = place.following(rest.len(), mark).zip(rest);
        self.lines.extend(following.map(|(place, line)| (place, String::from(*line))));
        self.lines.insert((place, String::from(*first)));
    }

    fn list(&self) -> Vec<(Place, String)> {
        self.lines.iter().cloned().collect()
    }

    /// The text of these lines, which must be in the order of their places.
    fn of(list: Vec<(Place, String)>) -> Option<Self> {
        let fine = list.is_sorted_by(|a, b| a.0 < b.0) && !list.iter().any(|l| l.1.contains('\n'));
        fine.then(|| Text { lines: list.into_iter().collect() })
    }
}

/// A list of places and lines, in ascending order of places.
impl Element for Text {
    const NAME: &'static str = "text";

    fn to_binary(&self, out: &mut Vec<u8>) {
        self.list().to_binary(out);
    }

    fn from_binary(from: &mut Reader<'_>) -> Result<Self> {
        let list = Vec::from_binary(from)?;
        Self::of(list).ok_or_else(|| from.bad("lines out of order end"))
    }

    fn to_json(&self) -> JsonValue {
        self.list().to_json()
    }

    fn from_json(json: JsonValue) -> Result<Self> {
        let list = Vec::from_json(json.clone())?;
        Self::of(list).ok_or_else(|| not("a list of lines in order", &json))
    }
}

impl Container for Text {
    fn join(base: Option<&Self>, ours: &Self, theirs: &Self) -> core::result::Result<Self, Reason> {
        let base = base.map(|base| &base.lines);
        let lines = Merge::<BTreeSet<_>>::set().apply(base, &ours.lines, &theirs.lines)?;
        at_places_of_their_own(lines.iter().map(|(place, _)| place))?;
        Ok(Text { lines })
    }
}

impl<C: Holds<Text>> At<Text, C> {
    /// Makes the text another one, keeping the lines that are in both.
    ///
    /// # Errors
    /// As [`At::edit`].
    pub fn write(
        &self,
        text: &str,
        options: impl Into<CommitOptions>,
    ) -> Result<Option<Commit<C>>> {
        self.edit(options, text, |old, event| {
            let mut new = old.clone().unwrap_or_default();
            new.write(text, event);
            Ok((old.unwrap_or_default() != new).then_some(new))
        })
    }

    /// The text; empty if it was never written.
    ///
    /// # Errors
    /// As [`At::get`].
    pub fn read(&self) -> Result<String> {
        Ok(self.get()?.unwrap_or_default().read())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    /// All texts of at most three lines out of three, and what each pair of edits comes to.
    #[test]
    fn what_is_written_is_read() {
        let mut texts = Vec::from([String::new()]);
        for n in 0..3 {
            let longest: Vec<String> = texts.iter().filter(|t| t.len() == 2 * n).cloned().collect();
            texts.extend(longest.iter().flat_map(|t| ["a", "b", ""].map(|l| format!("{l}\n{t}"))));
        }
        for (i, (before, after)) in
            texts.iter().flat_map(|a| texts.iter().map(move |b| (a, b))).enumerate()
        {
            let mut text = Text::default();
            text.write(before, &mut Event::new(format!("before {i}"), 0));
            assert_eq!(text.read(), **before);
            text.write(after, &mut Event::new(format!("after {i}"), 0));
            assert_eq!(text.read(), **after);
        }
    }

    /// A person who edits the JSON changes a line in its place; two of them may do that.
    #[test]
    fn two_lines_at_one_place_conflict() {
        let mut base = Text::default();
        base.write("one\ntwo", &mut Event::new("base", 0));
        let edit = |line: &str| {
            let json = base.to_json().to_string().replace("two", line);
            Text::from_json(json.parse().unwrap()).unwrap()
        };
        let (ours, theirs) = (edit("2"), edit("zwei"));
        let refused = Text::join(Some(&base), &ours, &theirs).unwrap_err();
        assert_eq!(refused.as_str(), "two values at one place");
        assert_eq!(Text::join(Some(&base), &ours, &ours).unwrap(), ours);
        assert_eq!(Text::join(Some(&base), &ours, &base).unwrap(), ours);
    }

    #[test]
    fn long_blocks_have_a_place_for_each_line() {
        let long: String = (0..70_000).map(|n| format!("{n}\n")).collect();
        let mut text = Text::default();
        text.write(&long, &mut Event::new("long", 0));
        assert_eq!(text.read(), long);
    }

    #[test]
    fn blocks_do_not_mix() {
        let mut base = Text::default();
        base.write("top\nend", &mut Event::new("base", 0));
        let (mut ours, mut theirs) = (base.clone(), base.clone());
        ours.write("top\n1\n2\n3\nend\n", &mut Event::new("ours", 0));
        theirs.write("top\nx\ny\nz\nend\n", &mut Event::new("theirs", 0));
        let merged = Text::join(Some(&base), &ours, &theirs).unwrap();
        let lines: String = merged.lines().collect();
        assert!(["top123xyzend", "topxyz123end"].contains(&lines.as_str()), "{lines}");
        assert_eq!(Text::join(Some(&base), &theirs, &ours).unwrap(), merged);
    }
}
