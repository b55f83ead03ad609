//! Places of lines: between any two there is room for another.

use alloc::string::String;
use alloc::vec::Vec;

use super::super::Mark;
use super::super::element::{Element, not};
use crate::contents::binary::{Reader, put_length};
use crate::contents::json::JsonValue;
use crate::error::Result;

/// Where a line is among the others, for ever: places are compared, not counted.
///
/// A place is a path of numbered steps, each with the mark of who made it, so that two edits that
/// make room at one point make different places; it is compared step by step, and comes before
/// what it is a prefix of. The last number of a place is not zero, so that there is always room
/// before it. (The scheme is that of Logoot, by Weiss, Urso and Molli.)
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Place(Vec<Step>);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Step {
    number: u32,
    mark: Mark,
}

/// The number of the first line of a text.
const MIDDLE: u32 = 1 << 31;
/// The distance to the next line, where there is room.
const STRIDE: u32 = 1 << 16;

impl Place {
    /// A new place after `low` and before `high`, which are in this order.
    pub(super) fn between(low: Option<&Place>, high: Option<&Place>, mark: Mark) -> Place {
        let mut steps = Vec::new();
        // What still bounds the steps to come; a side that bounds nothing is empty.
        let mut low = low.map_or(&[][..], |place| &place.0);
        let mut high = high.map_or(&[][..], |place| &place.0);
        loop {
            let from = low.first().map_or(0, |step| step.number);
            let to = high.first().map(|step| step.number);
            if let Some(number) = number_between(from, low.is_empty(), to) {
                steps.push(Step { number, mark });
                return Place(steps);
            }
            match (low.split_first(), high.split_first()) {
                // Below the place of `low`; `high` bounds it only where they are one.
                (Some((step, rest)), next) => {
                    steps.push(*step);
                    low = rest;
                    high = match next {
                        Some((bound, rest)) if bound == step => rest,
                        _ => &[],
                    };
                }
                // Before `high`, whose number leaves no room for a last one: below zero.
                (None, Some((bound, rest))) if bound.number == 0 => {
                    steps.push(*bound);
                    high = rest;
                }
                (None, _) => {
                    steps.push(Step { number: 0, mark });
                    high = &[];
                }
            }
        }
    }

    /// The places of more lines of a block that begins at this place.
    ///
    /// They are below the first one, so that nothing comes between them that others put there.
    pub(super) fn following(&self, lines: usize, mark: Mark) -> impl Iterator<Item = Place> {
        let stride = (u32::MAX / u32::try_from(lines).unwrap_or(u32::MAX).max(1)).min(STRIDE);
        (1..=u32::MAX / stride).map(move |n| {
            let mut steps = self.0.clone();
            steps.push(Step { number: n * stride, mark });
            Place(steps)
        })
    }

    fn of(steps: Vec<Step>) -> Option<Self> {
        steps.last().is_some_and(|last| last.number > 0).then_some(Place(steps))
    }
}

/// A last number after `low`, or from one on where there is none, and before `high`.
fn number_between(low: u32, open: bool, high: Option<u32>) -> Option<u32> {
    match high {
        None if open => Some(MIDDLE),
        None => low.checked_add(STRIDE).or_else(|| low.checked_add(1)),
        Some(high) => {
            let room = high.checked_sub(low)?;
            // Texts grow at their ends, and from where someone types.
            match room {
                0 | 1 => None,
                _ if room <= 2 * STRIDE => Some(low + room / 2),
                _ if open => Some(high - STRIDE),
                _ => Some(low + STRIDE),
            }
        }
    }
}

/// The number of steps, and each; in JSON, the hexadecimal digits of the steps.
impl Element for Place {
    const NAME: &'static str = "place";

    fn to_binary(&self, out: &mut Vec<u8>) {
        put_length(out, self.0.len());
        for step in &self.0 {
            out.extend(step.number.to_be_bytes());
            step.mark.to_binary(out);
        }
    }

    fn from_binary(from: &mut Reader<'_>) -> Result<Self> {
        let mut steps = Vec::new();
        for _ in 0..from.count()? {
            steps.push(Step {
                number: u32::from_be_bytes(from.array()?),
                mark: Mark::from_binary(from)?,
            });
        }
        Place::of(steps).ok_or_else(|| from.bad("a place that is none ends"))
    }

    fn to_json(&self) -> JsonValue {
        let digits = |step: &Step| alloc::format!("{:08x}{}", step.number, step.mark);
        let steps: Vec<String> = self.0.iter().map(digits).collect();
        JsonValue::String(steps.join("-"))
    }

    fn from_json(json: JsonValue) -> Result<Self> {
        let read = |text: &str| {
            let step = |digits: &str| {
                let (number, mark) = digits.split_at_checked(8)?;
                let number = u32::from_str_radix(number, 16).ok()?;
                Some(Step { number, mark: Mark::parse(mark)? })
            };
            text.split('-').map(step).collect::<Option<_>>().and_then(Place::of)
        };
        let place = match &json {
            JsonValue::String(text) => read(text).filter(|place| place.to_json() == json),
            _ => None,
        };
        place.ok_or_else(|| not("the place of a line", &json))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Event;
    use super::*;

    /// Lines put in at random points stay in order. The worst is always the same gap, which has
    /// room for sixteen lines, each between the last two, before places are one step longer.
    #[test]
    fn there_is_always_room() {
        let mut event = Event::new("places", 0);
        let mut places: Vec<Place> = Vec::new();
        let mut state = 7_u64;
        for i in 0..4_000_u64 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(i | 1);
            let at = match i % 4 {
                0 => 0,
                1 => places.len(),
                2 => places.len() / 2,
                _ => usize::try_from(state >> 33).unwrap() % (places.len() + 1),
            };
            let low = at.checked_sub(1).map(|i| &places[i]);
            let place = Place::between(low, places.get(at), event.mark());
            assert!(low.is_none_or(|low| *low < place));
            assert!(places.get(at).is_none_or(|high| place < *high));
            assert!(Place::of(place.0.clone()).is_some());
            places.insert(at, place);
        }
        let longest = places.iter().map(|place| place.0.len()).max().unwrap();
        assert!(longest <= 1_000 / 16, "{longest}");
    }

    #[test]
    fn places_at_one_point_differ_and_have_room_between() {
        let mut event = Event::new("places", 0);
        let mut at = |number| Place(Vec::from([Step { number, mark: event.mark() }]));
        let (low, high) = (at(MIDDLE), at(MIDDLE + 1));
        let mut room: Vec<Place> =
            (0..3).map(|_| Place::between(Some(&low), Some(&high), event.mark())).collect();
        room.sort();
        for pair in [low, room[0].clone(), room[1].clone(), room[2].clone(), high].windows(2) {
            let between = Place::between(Some(&pair[0]), Some(&pair[1]), event.mark());
            assert!(pair[0] < between && between < pair[1], "{pair:?} {between:?}");
        }
    }
}
