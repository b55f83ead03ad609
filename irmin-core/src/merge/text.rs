//! Text, line by line.
//!
//! The three-way merge of `diff3`: both sides are compared with the base, what differs is a list
//! of *hunks*, and hunks of both sides that overlap or touch are one place that both changed. The
//! comparison finds a shortest list of inserted and removed lines: E. Myers, "An O(ND) difference
//! algorithm and its variations", 1986. Where two versions have too little in common for that to
//! be quick, the lines between those that both begin and both end with are one hunk.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use super::{Merge, Reason, take_changed};

/// The most lines that a text may have to be compared: each takes some dozens of bytes.
const MAX_LINES: usize = 1 << 20;
/// The most lines that a comparison may find inserted and removed, all in all: it remembers half
/// the square of them, in words.
const MAX_EDITS: usize = 1024;
/// The most lines that a comparison looks at, each as often as it does.
const MAX_STEPS: usize = 1 << 26;

impl Merge<String> {
    /// Merges text line by line: changes of different lines are both taken.
    ///
    /// Changes of the same line, or of neighbouring ones, conflict unless they are equal, as they
    /// do in git; so do two texts without a common ancestor. The reason names the first line. Where
    /// many lines are equal, which of them changed is a matter of choice, and git may choose another
    /// one: then one of the two may conflict where the other does not. See
    /// [`text`](self::merge) for the function.
    ///
    /// ```
    /// use irmin_core::Merge;
    /// let text = |s: &str| s.to_string();
    /// let base = text("milk\neggs\nbread\n");
    /// let ours = text("oat milk\neggs\nbread\n");
    /// let theirs = text("milk\neggs\nbread\nsalt\n");
    /// let merged = Merge::text().apply(Some(&base), &ours, &theirs);
    /// assert_eq!(merged.unwrap(), "oat milk\neggs\nbread\nsalt\n");
    ///
    /// let theirs = text("soy milk\neggs\nbread\n");
    /// let refused = Merge::text().apply(Some(&base), &ours, &theirs).unwrap_err();
    /// assert_eq!(refused.as_str(), "text: both sides changed line 1");
    /// ```
    #[must_use]
    pub fn text() -> Self {
        let lines = |base: Option<&String>, ours: &String, theirs: &String| {
            take_changed(base, ours, theirs).or_else(|reason| match base {
                Some(base) => merge(base, ours, theirs),
                None => Err(reason),
            })
        };
        Merge::new("text", lines).declared_idempotent()
    }
}

/// Merges two texts that come from `base`, line by line.
///
/// A line ends with its newline, so that the last line may differ by it. Time and memory are
/// bounded, whatever is in the texts: those of more than 2^20 lines are not merged.
///
/// # Errors
/// A reason that names the first line of the base that both sides changed.
pub fn merge(base: &str, ours: &str, theirs: &str) -> Result<String, Reason> {
    if [base, ours, theirs].iter().any(|text| text.matches('\n').count() > MAX_LINES) {
        return Err(Reason::new(format!("text: more than {MAX_LINES} lines")));
    }
    let [base, ours, theirs] = [base, ours, theirs].map(lines);
    let mut numbers = BTreeMap::new();
    let [b, o, t] = [&base, &ours, &theirs].map(|lines| {
        let mut number = |line| {
            let next = numbers.len();
            *numbers.entry(line).or_insert(next)
        };
        lines.iter().map(|line| number(*line)).collect::<Vec<_>>()
    });
    let sides = [(hunks(&b, &o), ours.as_slice()), (hunks(&b, &t), theirs.as_slice())];

    let mut merged = String::new();
    let mut push = |lines: &[&str]| lines.iter().for_each(|line| merged.push_str(line));
    let (mut copied, mut next) = (0, [0, 0]);
    while let Some(place) = place(&sides, &mut next) {
        push(slice(&base, copied..place.base.start));
        copied = place.base.end;
        match place.sides {
            [Some(ours), None] => push(slice(sides[0].1, ours)),
            [None, Some(theirs)] => push(slice(sides[1].1, theirs)),
            [Some(ours), Some(theirs)] => {
                let [ours, theirs] = [slice(sides[0].1, ours), slice(sides[1].1, theirs)];
                if ours != theirs {
                    return Err(conflict(&place.base));
                }
                push(ours);
            }
            [None, None] => {}
        }
    }
    push(slice(&base, copied..base.len()));
    Ok(merged)
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn slice<T>(lines: &[T], range: Range<usize>) -> &[T] {
    lines.get(range).unwrap_or_default()
}

fn conflict(base: &Range<usize>) -> Reason {
    let (first, last) = (base.start + 1, base.end);
    Reason::new(match last.checked_sub(base.start) {
        None | Some(0) => format!("text: both sides inserted before line {first}"),
        Some(1) => format!("text: both sides changed line {first}"),
        Some(_) => format!("text: both sides changed lines {first} to {last}"),
    })
}

/// Lines of the base, and what stands for them on one side.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hunk {
    pub(crate) base: Range<usize>,
    pub(crate) side: Range<usize>,
}

/// Lines of the base that at least one side changed, and what stands for them on those sides.
struct Place {
    base: Range<usize>,
    sides: [Option<Range<usize>>; 2],
}

/// The next place: the first hunk that is left, and all that overlap or touch it, or one another.
fn place(sides: &[(Vec<Hunk>, &[&str]); 2], next: &mut [usize; 2]) -> Option<Place> {
    let peek = |side: usize, at: usize| sides.get(side).and_then(|s| s.0.get(at));
    let first = [peek(0, next[0]), peek(1, next[1])];
    let mut base = first.into_iter().flatten().map(|h| h.base.clone()).min_by_key(|b| b.start)?;
    let from = *next;
    let mut grown = true;
    while grown {
        grown = false;
        for (side, at) in next.iter_mut().enumerate() {
            while let Some(hunk) = peek(side, *at).filter(|hunk| hunk.base.start <= base.end) {
                base.end = base.end.max(hunk.base.end);
                *at += 1;
                grown = true;
            }
        }
    }
    let range = |side: usize, from: usize, to: usize| {
        let (first, last) = (peek(side, from)?, peek(side, to.checked_sub(1)?)?);
        // What is between the hunks, and between them and the borders, is as it is in the base.
        let before = first.base.start - base.start;
        (from < to).then(|| first.side.start - before..last.side.end + base.end - last.base.end)
    };
    let sides = [range(0, from[0], next[0]), range(1, from[1], next[1])];
    Some(Place { base, sides })
}

/// What differs between two lists of lines, in ascending order, with common lines between.
pub(crate) fn hunks(a: &[usize], b: &[usize]) -> Vec<Hunk> {
    let prefix = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (slice(a, prefix..a.len()), slice(b, prefix..b.len()));
    let suffix = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (slice(a, 0..a.len() - suffix), slice(b, 0..b.len() - suffix));
    let mut common = shortest(a, b).unwrap_or_default();
    common.push(Common { a: a.len(), b: b.len(), len: 0 });
    let (mut x, mut y) = (0, 0);
    let mut hunks = Vec::new();
    for run in common {
        if x < run.a || y < run.b {
            let range = |from: usize, to: usize| prefix + from..prefix + to;
            hunks.push(Hunk { base: range(x, run.a), side: range(y, run.b) });
        }
        (x, y) = (run.a + run.len, run.b + run.len);
    }
    hunks
}

/// Lines that both lists have.
struct Common {
    a: usize,
    b: usize,
    len: usize,
}

/// The common lines of a shortest list of insertions and removals; nothing if that takes too long.
fn shortest(a: &[usize], b: &[usize]) -> Option<Vec<Common>> {
    // `reached[d][i]` is how far in `a` one can get with `d` edits, of which `i` remove a line;
    // the others insert one, so the place in `b` follows. With `d` edits, `i` and `i + 1` removals
    // are two diagonals apart.
    let mut reached: Vec<Vec<usize>> = Vec::new();
    let mut steps = 0_usize;
    for d in 0..=MAX_EDITS {
        let mut now = Vec::with_capacity(d + 1);
        for i in 0..=d {
            let x = reached.last().map_or(0, |before| start(before, i).0);
            let y = (x + d).saturating_sub(2 * i);
            let rest = slice(a, x..a.len()).iter().zip(slice(b, y..b.len()));
            let same = rest.take_while(|(a, b)| a == b).count();
            steps = steps.saturating_add(same + 1);
            now.push(x + same);
            if x + same >= a.len() && y + same >= b.len() {
                return Some(trace(&reached, d, i, a.len()));
            }
        }
        if steps > MAX_STEPS {
            return None;
        }
        reached.push(now);
    }
    None
}

/// Where the run of common lines begins after one edit more, and whether it removes a line.
fn start(before: &[usize], i: usize) -> (usize, bool) {
    let removed = i.checked_sub(1).and_then(|i| before.get(i)).map(|x| x + 1);
    let inserted = before.get(i).copied();
    (removed.max(inserted).unwrap_or_default(), removed >= inserted)
}

/// Walks back from the ends to the beginnings.
fn trace(reached: &[Vec<usize>], d: usize, mut i: usize, end: usize) -> Vec<Common> {
    let mut common = Vec::new();
    let mut x = end;
    for d in (0..=d).rev() {
        let before = d.checked_sub(1).and_then(|d| reached.get(d));
        let (from, removed) = before.map_or((0, false), |before| start(before, i));
        if from < x {
            common.push(Common { a: from, b: (from + d).saturating_sub(2 * i), len: x - from });
        }
        (x, i) = if removed { (from - 1, i - 1) } else { (from, i) };
    }
    common.reverse();
    common
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    fn hunk(base: Range<usize>, side: Range<usize>) -> Hunk {
        Hunk { base, side }
    }

    #[test]
    fn differences_are_shortest() {
        let bytes = |text: &str| text.bytes().map(usize::from).collect::<Vec<_>>();
        let diff = |a: &str, b: &str| hunks(&bytes(a), &bytes(b));
        assert_eq!(diff("abc", "abc"), []);
        assert_eq!(diff("", "ab"), [hunk(0..0, 0..2)]);
        assert_eq!(diff("ab", ""), [hunk(0..2, 0..0)]);
        assert_eq!(diff("abcd", "axcd"), [hunk(1..2, 1..2)]);
        assert_eq!(diff("abcde", "bcxe"), [hunk(0..1, 0..0), hunk(3..4, 2..3)]);
        // The example of the article: five edits.
        let edits = diff("abcabba", "cbabac");
        let size = |h: &Hunk| h.base.len() + h.side.len();
        assert_eq!(edits.iter().map(size).sum::<usize>(), 5);
    }

    #[test]
    fn places_that_both_changed() {
        let base = "1\n2\n3\n4\n5\n6\n";
        let edit = |from: &str, to: &str| base.replace(from, to);
        let apply = |a: &str, b: &str| merge(base, a, b).map_err(|reason| reason.to_string());
        let (first, last) = (edit("1\n", "a\nb\n"), edit("6\n", ""));
        assert_eq!(apply(&first, &last), Ok("a\nb\n2\n3\n4\n5\n".into()));
        assert_eq!(apply(&first, &first), Ok(first.clone()));
        let refused = |why: &str| Err(alloc::format!("text: both sides {why}"));
        assert_eq!(apply(&edit("2", "x"), &edit("2", "y")), refused("changed line 2"));
        assert_eq!(apply(&edit("2", "x"), &edit("3", "y")), refused("changed lines 2 to 3"));
        assert_eq!(
            apply(&edit("3", "3\nx"), &edit("3", "3\ny")),
            refused("inserted before line 4")
        );
        assert!(apply(&edit("2", "x"), &edit("4", "y")).is_ok());
        assert_eq!(merge("a", "a\n", "b"), Err(Reason::from("text: both sides changed line 1")));
    }

    #[test]
    fn texts_with_little_in_common_are_one_hunk() {
        let many = |name: &str| -> String { (0..3000).map(|i| format!("{name}{i}\n")).collect() };
        let base = format!("first\n{}last\n", many("a"));
        let ours = format!("first\n{}last\n", many("b"));
        let theirs = format!("{base}more\n");
        assert_eq!(merge(&base, &ours, &theirs), Ok(format!("{ours}more\n")));
        assert!(merge(&base, &ours, &base.replace("a17\n", "x\n")).is_err());
    }

    #[test]
    fn texts_of_very_many_lines_are_not_compared() {
        let text = |n: usize| "\n".repeat(n);
        let more = |n: usize| (text(n) + "a", "b".to_string() + &text(n));
        let ((ours, theirs), most) = (more(MAX_LINES), text(MAX_LINES));
        assert!(merge(&most, &ours, &theirs).is_ok());
        let ((ours, theirs), many) = (more(MAX_LINES + 1), text(MAX_LINES + 1));
        let refused = merge(&many, &ours, &theirs).unwrap_err();
        assert_eq!(refused.as_str(), "text: more than 1048576 lines");
    }

    #[test]
    fn periodic_texts_do_not_take_for_ever() {
        let a: Vec<usize> = (0..200_000).map(|i| i % 2).collect();
        let mut b = vec![7];
        b.extend((0..200_000).map(|i| (i / 3) % 2));
        b.push(8);
        // It may find a shortest difference or give up; what it says has to be true.
        let mut at = (0, 0);
        for hunk in hunks(&a, &b) {
            assert_eq!(a[at.0..hunk.base.start], b[at.1..hunk.side.start]);
            at = (hunk.base.end, hunk.side.end);
        }
        assert_eq!(a[at.0..], b[at.1..]);
    }
}
