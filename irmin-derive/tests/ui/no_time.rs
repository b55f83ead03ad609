use irmin_core::Contents;

#[derive(Contents, Clone, PartialEq, Debug)]
struct Price {
    #[irmin(merge = lww(changed))]
    price: u64,
    changed: f64,
}

#[derive(Contents, Clone, PartialEq, Debug)]
#[irmin(merge = lww(1))]
struct Name(String, f32);

fn main() {}
