use irmin_core::Contents;
use std::collections::BTreeMap;

#[derive(Contents, Clone, PartialEq, Debug)]
struct Item {
    #[irmin(merge = counter)]
    name: String,
    #[irmin(merge = set)]
    tags: Vec<String>,
    #[irmin(merge = map(text))]
    notes: BTreeMap<String, u8>,
}

fn main() {}
