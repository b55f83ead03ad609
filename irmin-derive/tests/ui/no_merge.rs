use irmin_core::Contents;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
struct Colour(u8, u8, u8);

#[derive(Contents, Clone, PartialEq, Debug)]
struct Shirt {
    size: u8,
    colour: Colour,
    tags: HashSet<String>,
    spots: BTreeMap<u8, Colour>,
}

fn main() {}
