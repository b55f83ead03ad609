use irmin_core::Contents;

#[derive(Clone, PartialEq, Debug)]
struct Colour(u8, u8, u8);

#[derive(Contents, Clone, PartialEq, Debug)]
struct Shirt {
    size: u8,
    #[irmin(merge = idempotent)]
    colour: Colour,
}

#[derive(Contents, Clone, PartialEq, Debug)]
enum Paint {
    Plain(#[irmin(merge = idempotent)] Colour),
    Mixed(u8, #[irmin(merge = idempotent)] Vec<Colour>),
}

#[derive(serde::Serialize, serde::Deserialize, Clone, PartialEq, Debug)]
struct Level(u8);

#[derive(Contents, Clone, PartialEq, Debug)]
struct Glass {
    #[irmin(default, merge = idempotent)]
    level: Level,
}

fn main() {}
