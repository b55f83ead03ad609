use irmin_core::Contents;

#[derive(Contents, Clone, PartialEq, Debug)]
struct Typo {
    #[irmin(merge = cuonter)]
    stock: i64,
    #[irmin(merge = lww)]
    price: f64,
    #[irmin(merge = counter, merge_with = largest)]
    sold: i64,
    #[irmin(skip)]
    cache: u8,
}

#[derive(Contents, Clone, PartialEq, Debug)]
struct NoTime {
    #[irmin(merge = lww(updated))]
    price: f64,
}

#[derive(Contents, Clone, PartialEq, Debug)]
struct SameName {
    #[irmin(rename = "b")]
    a: u8,
    b: u8,
}

#[derive(Contents, Clone, PartialEq, Debug)]
struct Positions(u8, #[irmin(rename = "b")] u8, #[irmin(default)] u8);

#[derive(Contents, Clone, PartialEq, Debug)]
#[irmin(type = "not a name")]
struct Named;

#[derive(Contents, Clone, PartialEq, Debug)]
#[irmin(merge = lww(at))]
enum Late {
    A { at: u8 },
}

#[derive(Contents, Clone, PartialEq, Debug)]
enum Never {}

#[derive(Contents, Clone, PartialEq, Debug)]
struct Borrowed<'a>(&'a str);

#[derive(Contents, Clone, PartialEq, Debug)]
struct Quoted {
    #[irmin(merge = "counter")]
    stock: i64,
    #[irmin(merge_with = "largest")]
    sold: i64,
}

#[derive(Contents, serde::Serialize, serde::Deserialize, Clone, PartialEq, Debug)]
#[irmin(serde)]
struct Grown {
    #[irmin(default)]
    new: u8,
}

#[derive(Contents, Clone, PartialEq, Debug)]
#[irmin(merge = lww(at))]
struct Whole {
    #[irmin(merge = counter)]
    count: u8,
    at: u64,
}

#[derive(Contents, Clone, Copy)]
union Either {
    a: u8,
    b: i8,
}

#[derive(Contents, Clone, PartialEq, Debug)]
struct Endless(Option<Box<Endless>>);

fn main() {}
