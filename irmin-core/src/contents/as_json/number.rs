//! Floats as text, the same for ever: what Rust prints for `{:?}` is no promise.

use alloc::format;
use alloc::string::String;
use core::fmt::{Display, LowerExp};

/// The shortest decimal that reads as the same float, with a fraction or an exponent, so that it
/// is told from an integer; nothing for what JSON has no text for.
pub(super) fn text<F: Copy + Into<f64> + Display + LowerExp>(value: F) -> Option<String> {
    let wide: f64 = value.into();
    if !wide.is_finite() {
        return None;
    }
    let size = wide.abs();
    if wide != 0.0 && !(1e-5..1e16).contains(&size) {
        return Some(format!("{value:e}"));
    }
    let text = format!("{value}");
    Some(if text.contains('.') { text } else { text + ".0" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_short_and_are_floats() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-12.75, "-12.75"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e16"),
            (1.5e300, "1.5e300"),
            (1e-5, "0.00001"),
            (9e-6, "9e-6"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e308"),
        ] {
            assert_eq!(text(value).as_deref(), Some(expected));
            assert_eq!(expected.parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
        assert_eq!(text(0.1_f32).as_deref(), Some("0.1"));
        assert_eq!(
            [text(f64::NAN), text(f64::INFINITY), text(f32::NEG_INFINITY)],
            [None, None, None]
        );
    }
}
