//! Lanes as characters, in the way of `git log --graph`.
//!
//! A lane is in every second column of the text; between them is room for what joins them. Below a
//! commit the lanes first part (`|\`), and then move, each to its place, one step to the left a
//! row (`|/`): over lanes that are in the way, and one of them at a time on a long line (`|_|/`).
//! The rows of a merge of more than two are shifted to the right before it, to make room for all
//! of its lines (`*-.`).

use alloc::vec;
use alloc::vec::Vec;
use core::hash::Hash;

use super::{Lanes, Placed};

/// One character of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cell {
    /// The character: one of `*|/\_-.` and a blank.
    pub glyph: char,
    /// The colour of the lane that it belongs to; none for blanks and for commits.
    pub color: Option<usize>,
}

const BLANK: Cell = Cell { glyph: ' ', color: None };

/// One line of text.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Row {
    /// Its characters, without blanks at the end.
    pub cells: Vec<Cell>,
}

impl Row {
    fn put(&mut self, glyph: char, color: usize) {
        self.cells.push(Cell { glyph, color: Some(color) });
    }

    fn blank(&mut self) {
        self.cells.push(BLANK);
    }

    fn trimmed(mut self) -> Self {
        while self.cells.last() == Some(&BLANK) {
            self.cells.pop();
        }
        self
    }
}

impl core::fmt::Display for Row {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.cells.iter().try_for_each(|cell| core::fmt::Write::write_char(f, cell.glyph))
    }
}

/// What is drawn of one commit.
#[derive(Clone, Debug)]
pub struct Block<K> {
    /// Its lane, and the lines that leave it.
    pub placed: Placed<K>,
    /// The rows, from above the commit to below it.
    pub rows: Vec<Row>,
    /// Which of the rows has the commit: text about it begins there.
    pub commit_row: usize,
    /// The row that is drawn beside text for which there are no rows left.
    pub rest: Row,
    /// How wide the rows are drawn, blanks at the end included, so that text beside them is in
    /// line.
    pub width: usize,
}

/// What the last row of the block before was, which the next commit is joined to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Last {
    /// Lanes that parted: those at the right of the commit moved to the right.
    Parted,
    /// Lanes on their way to the left.
    Moved,
    Straight,
}

/// From columns of text to the lanes that they are on the way to.
type Ways = Vec<Option<usize>>;

/// Draws commits, one after another.
///
/// ```
/// use irmin_core::graph::Drawing;
/// let mut drawing = Drawing::new();
/// let history = [(1, vec![2, 3]), (3, vec![4]), (2, vec![4]), (4, vec![])];
/// let mut text = Vec::new();
/// for (commit, parents) in history {
///     text.extend(drawing.commit(&commit, &parents).rows.iter().map(ToString::to_string));
/// }
/// assert_eq!(text, ["*", "|\\", "| *", "* |", "|/", "*"]);
/// ```
#[derive(Clone, Debug)]
pub struct Drawing<K> {
    lanes: Lanes<K>,
    last: Last,
    /// The lane of the commit before.
    last_lane: usize,
    /// How many lanes were added by the commit before: see [`Fan::added`].
    last_added: isize,
    /// Where the lines were in the row before, if it was of moving lanes.
    last_ways: Ways,
}

impl<K> Default for Drawing<K> {
    fn default() -> Self {
        Drawing {
            lanes: Lanes::default(),
            last: Last::Straight,
            last_lane: 0,
            last_added: 0,
            last_ways: Vec::new(),
        }
    }
}

/// How the lanes part below a commit.
struct Fan {
    /// Where the lines are in the row below the commit.
    ways: Ways,
    width: usize,
    parents: usize,
    /// Whether the first parent of a merge is in a lane at the left, so that the line to it leaves
    /// to the left, and the others are one column nearer.
    skewed: bool,
    /// How many columns the lanes at the right of the commit have to move; -1 if the last line
    /// joins the next lane at once.
    added: isize,
}

impl Fan {
    fn new<K>(placed: &Placed<K>) -> Self {
        let parents = placed.edges.iter().filter(|edge| edge.from == placed.lane).count();
        let mut fan = Fan { ways: Vec::new(), width: 0, parents, skewed: false, added: 0 };
        let mut first = true;
        let mut edges = placed.edges.iter().peekable();
        for lane in 0..placed.above.len() {
            if lane == placed.lane && parents == 0 {
                fan.width += 2;
            }
            while let Some(edge) = edges.next_if(|edge| edge.from == lane) {
                if lane == placed.lane && parents > 1 && first {
                    first = false;
                    fan.first_parent(lane, edge.to);
                } else {
                    fan.line(edge.to);
                }
            }
        }
        fan
    }

    fn first_parent(&mut self, lane: usize, to: usize) {
        let left = lane.saturating_sub(to);
        self.skewed = left > 0;
        let lines = isize::try_from(self.parents).unwrap_or(isize::MAX);
        self.added = if self.skewed { lines - 2 } else { lines - 1 };
        if self.skewed {
            let back = if left > 1 { 2 * left - 3 } else { 1 };
            self.set(self.width.saturating_sub(back), to);
        } else {
            self.set(self.width, to);
            self.width += 2;
        }
    }

    fn line(&mut self, to: usize) {
        let before = self.width.checked_sub(2);
        match before.filter(|at| self.added > 0 && self.ways.get(*at) == Some(&Some(to))) {
            // The line of the merge goes into the lane right beside it.
            Some(_) => self.added = -1,
            None => {
                self.set(self.width, to);
                self.width += 2;
            }
        }
    }

    fn set(&mut self, at: usize, to: usize) {
        if self.ways.len() <= at {
            self.ways.resize(at + 1, None);
        }
        if let Some(way) = self.ways.get_mut(at) {
            *way = Some(to);
        }
    }

    /// How many of the lines of a merge leave beside the two that always have room.
    fn beyond(&self) -> usize {
        (self.parents + usize::from(!self.skewed)).saturating_sub(3)
    }
}

impl<K: Clone + Eq + Hash> Drawing<K> {
    /// Nothing drawn yet.
    #[must_use]
    pub fn new() -> Self {
        Drawing::default()
    }

    /// Draws a commit, which comes before its parents.
    pub fn commit(&mut self, commit: &K, parents: &[K]) -> Block<K> {
        let placed = self.lanes.place(commit, parents);
        let fan = Fan::new(&placed);
        let mut rows = Vec::new();
        if fan.parents > 2 && placed.lane + 1 < placed.above.len() {
            for shift in 0..2 * fan.beyond() {
                rows.push(self.make_room(&placed, shift));
            }
            if !rows.is_empty() {
                self.last = Last::Straight;
            }
        }
        let commit_row = rows.len();
        rows.push(self.commit_line(&placed, &fan));
        self.last = Last::Straight;
        if fan.parents > 1 {
            rows.push(parted(&placed, &fan));
            self.last = Last::Parted;
        }
        let mut ways = fan.ways.clone();
        while !is_home(&ways) {
            let (row, next) = moved(&ways, &placed.below);
            rows.push(row);
            self.last_ways.clone_from(&next.drawn);
            ways = next.below;
            self.last = Last::Moved;
        }
        self.last_lane = placed.lane;
        self.last_added = fan.added;
        let mut rest = Row::default();
        for color in &placed.below {
            rest.put('|', *color);
            rest.blank();
        }
        let rows = rows.into_iter().map(Row::trimmed).collect();
        Block { placed, rows, commit_row, rest: rest.trimmed(), width: fan.width }
    }

    /// A row above a merge, whose lanes at the right are moved by that much.
    fn make_room(&self, placed: &Placed<K>, shift: usize) -> Row {
        let mut row = Row::default();
        for (lane, color) in placed.above.iter().enumerate() {
            let moves = shift > 0 || (self.last == Last::Parted && self.last_lane < lane);
            row.put(if lane > placed.lane && moves { '\\' } else { '|' }, *color);
            if lane == placed.lane {
                (0..shift).for_each(|_| row.blank());
            }
            row.blank();
        }
        row
    }

    fn commit_line(&self, placed: &Placed<K>, fan: &Fan) -> Row {
        let mut row = Row::default();
        for (lane, color) in placed.above.iter().enumerate() {
            if lane == placed.lane {
                row.cells.push(Cell { glyph: '*', color: None });
                let own = placed.edges.iter().filter(|edge| edge.from == lane);
                // Of the lines that begin here, the last ones leave to the right of the commit.
                let beyond = own.skip(fan.parents - fan.beyond().min(fan.parents));
                for (i, edge) in beyond.enumerate() {
                    row.put('-', edge.color);
                    row.put(if i + 1 == fan.beyond() { '.' } else { '-' }, edge.color);
                }
            } else {
                row.put(self.beside(placed, fan, lane), *color);
            }
            row.blank();
        }
        row
    }

    /// How a lane beside a commit is drawn: as a part of the line that it is of.
    fn beside(&self, placed: &Placed<K>, fan: &Fan, lane: usize) -> char {
        let right = lane > placed.lane;
        let came_right = self.last == Last::Parted && self.last_added > 0 && self.last_lane < lane;
        if right && fan.added > 1 || right && fan.added == 1 && came_right {
            return '\\';
        }
        let to = |ways: &Ways, at: usize| ways.get(at).copied().flatten();
        let came_left = self.last == Last::Moved && to(&self.last_ways, 2 * lane + 1) == Some(lane);
        let goes_left = to(&fan.ways, 2 * lane).is_none_or(|to| to < lane);
        if !(right && fan.added > 0) && came_left && goes_left { '/' } else { '|' }
    }
}

/// The row below a merge: lines to all of its parents.
fn parted<K>(placed: &Placed<K>, fan: &Fan) -> Row {
    let mut row = Row::default();
    let own = || placed.edges.iter().filter(|edge| edge.from == placed.lane);
    let first = own().next();
    let mut passed: Option<usize> = None;
    for (lane, color) in placed.above.iter().enumerate() {
        if lane == placed.lane {
            for (i, edge) in own().enumerate() {
                match i + usize::from(!fan.skewed) {
                    0 => row.put('/', edge.color),
                    1 => row.put('|', edge.color),
                    _ => {
                        row.put('\\', edge.color);
                        if fan.added > 0 || i + 1 < fan.parents {
                            row.blank();
                        }
                    }
                }
            }
            if fan.added == 0 {
                row.blank();
            }
        } else if lane > placed.lane {
            row.put(if fan.added > 0 { '\\' } else { '|' }, *color);
            row.blank();
        } else {
            row.put('|', *color);
            if !fan.skewed || lane + 1 != placed.lane {
                match passed {
                    Some(color) => row.put('_', color),
                    None => row.blank(),
                }
            }
        }
        let target = placed.edges.iter().find(|edge| edge.from == lane).map(|edge| &edge.to);
        if lane != placed.lane && target.is_some() && target == first.map(|edge| &edge.to) {
            passed = first.map(|edge| edge.color);
        }
    }
    row
}

/// Whether every line is in the column of its lane.
fn is_home(ways: &Ways) -> bool {
    ways.iter().enumerate().all(|(at, to)| to.is_none_or(|to| to == at / 2))
}

/// Where the lines are after they moved.
struct Moved {
    /// In the row that was drawn, horizontal lines included.
    drawn: Ways,
    /// Where they go on from.
    below: Ways,
}

/// The one line that goes more than a step at a time.
#[derive(Clone, Copy)]
struct Long {
    /// The column right of its first horizontal part.
    end: usize,
    /// The lane that it goes to.
    to: usize,
}

/// A row in which lines move to the left.
fn moved(ways: &Ways, colors: &[usize]) -> (Row, Moved) {
    let (drawn, long) = step(ways);
    let mut row = Row::default();
    let mut below = drawn.clone();
    let mut horizontal = false;
    for (i, to) in drawn.iter().enumerate() {
        let Some(to) = *to else {
            row.blank();
            continue;
        };
        let color = colors.get(to).copied().unwrap_or_default();
        let mut ends = false;
        if 2 * to == i {
            row.put('|', color);
        } else if long.is_some_and(|long| long.to == to && i + 1 != long.end) {
            ends = i != 2 * to + 3;
            horizontal = true;
            row.put('_', color);
        } else {
            // What is left of the long line's end was drawn as a part of it.
            ends = horizontal && long.is_some_and(|long| i < long.end);
            row.put('/', color);
        }
        if ends && let Some(way) = below.get_mut(i) {
            *way = None;
        }
    }
    (row, Moved { drawn, below })
}

/// Moves every line a step to the left, over a lane that is in its way, and one of them all the
/// way: its horizontal parts are among the answer.
fn step(ways: &Ways) -> (Ways, Option<Long>) {
    let mut next: Ways = vec![None; ways.len()];
    let mut long: Option<Long> = None;
    for (i, to) in ways.iter().enumerate() {
        let Some(to) = *to else { continue };
        let left = i.checked_sub(1).filter(|_| 2 * to != i);
        let end = match left.map(|left| next.get(left).copied().flatten()) {
            None => {
                put(&mut next, i, to);
                continue;
            }
            // It goes into the line beside it.
            Some(Some(beside)) if beside == to => continue,
            Some(None) => {
                put(&mut next, i - 1, to);
                i
            }
            Some(Some(_)) => {
                put(&mut next, i.saturating_sub(2), to);
                i - 1
            }
        };
        if long.is_none() {
            long = Some(Long { end, to });
            let mut column = 2 * to + 3;
            while column + 2 < i {
                put(&mut next, column, to);
                column += 2;
            }
        }
    }
    while next.len() > 1 && next.last() == Some(&None) {
        next.pop();
    }
    (next, long)
}

fn put(ways: &mut Ways, at: usize, to: usize) {
    if let Some(way) = ways.get_mut(at) {
        *way = Some(to);
    }
}
