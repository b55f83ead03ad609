//! The primitives of the original's binary format: numbers in groups of seven bits, low first,
//! and strings with their length.

use alloc::vec::Vec;

use crate::hash::Hash;

/// Why bytes are not what they should be.
pub(in crate::object) type Why = &'static str;

pub(in crate::object) fn put(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = (number & 0x7F).to_le_bytes();
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

pub(in crate::object) fn put_boxed(out: &mut Vec<u8>, text: &[u8]) {
    put(out, text.len() as u64);
    out.extend_from_slice(text);
}

/// How many bytes [`put`] writes for a number.
pub(in crate::object) fn number_len(number: u64) -> usize {
    let bits = u64::BITS - (number | 1).leading_zeros();
    usize::try_from(bits.div_ceil(7)).unwrap_or(usize::MAX)
}

/// Reads bytes from the front; every read is checked.
#[derive(Clone, Copy)]
pub(in crate::object) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(in crate::object) fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, at: 0 }
    }

    /// How far it has read.
    pub(in crate::object) fn at(&self) -> usize {
        self.at
    }

    pub(in crate::object) fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    pub(in crate::object) fn take(&mut self, len: usize) -> Result<&'a [u8], Why> {
        let end = self.at.checked_add(len).ok_or("a length is too large")?;
        let taken = self.bytes.get(self.at..end).ok_or("it ends too early")?;
        self.at = end;
        Ok(taken)
    }

    pub(in crate::object) fn byte(&mut self) -> Result<u8, Why> {
        self.take(1)?.first().copied().ok_or("it ends too early")
    }

    /// A number in its shortest form; OCaml's integers have 63 bits, one of them the sign.
    pub(in crate::object) fn number(&mut self) -> Result<u64, Why> {
        let mut number = 0_u64;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err("a number is longer than it needs to be");
                }
                return if number >> 62 == 0 { Ok(number) } else { Err("a number is too large") };
            }
        }
        Err("a number is too large")
    }

    pub(in crate::object) fn boxed(&mut self) -> Result<&'a [u8], Why> {
        let len = usize::try_from(self.number()?).map_err(|_| "a length is too large")?;
        self.take(len)
    }

    pub(in crate::object) fn hash(&mut self, len: usize) -> Result<Hash, Why> {
        Hash::new(self.take(len)?).map_err(|_| "a hash has no bytes")
    }

    pub(in crate::object) fn end(&self) -> Result<(), Why> {
        if self.left() == 0 { Ok(()) } else { Err("it has bytes after its end") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip_in_one_form() {
        for number in [0, 1, 127, 128, 300, 16_383, 16_384, u64::from(u32::MAX), (1 << 62) - 1] {
            let mut out = Vec::new();
            put(&mut out, number);
            let mut reader = Reader::new(&out);
            assert_eq!(reader.number(), Ok(number));
            assert_eq!(reader.end(), Ok(()));
        }
        for bad in [&[0x80, 0][..], &[0x80], &[], &[0xFF; 12], &[0xFF; 9]] {
            assert!(Reader::new(bad).number().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn strings_end_within_the_bytes() {
        assert_eq!(Reader::new(b"\x02ab").boxed(), Ok(&b"ab"[..]));
        assert!(Reader::new(b"\x03ab").boxed().is_err());
        assert!(Reader::new(&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]).boxed().is_err());
    }
}
