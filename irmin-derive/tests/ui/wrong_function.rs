use irmin_core::{Contents, Reason};

fn longest(_: Option<&u8>, ours: &u8, _: &u8) -> Result<u8, Reason> {
    Ok(*ours)
}

#[derive(Contents, Clone, PartialEq, Debug)]
struct Item {
    #[irmin(merge_with = longest)]
    name: String,
}

fn main() {}
