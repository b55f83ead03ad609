//! Small bodies that do not compress: a zlib stream that only wraps them.
//!
//! Preparing zlib for a stream clears tables of some 200 KiB, whatever its length. For a short
//! value of random bytes, or a directory of a few names and hashes, that is most of the cost of
//! writing it, and the stream comes out no smaller.

/// The bodies that are looked at, by length: the bytes of any shorter text differ too, and in a
/// longer body repeats pay that a count of bytes misses.
const SHORT: core::ops::RangeInclusive<usize> = 64..=256;
/// The modulus of Adler-32 (RFC 1950, section 9).
const ADLER: u32 = 65_521;

/// Whether a body is short and more than half of its bytes are the only ones of their value, or
/// the first: text and names use far fewer.
pub(crate) fn is_noise(body: &[u8]) -> bool {
    let mut seen = [false; 256];
    let new = |byte: &&u8| {
        let slot = seen.get_mut(usize::from(**byte));
        slot.is_some_and(|seen| !core::mem::replace(seen, true))
    };
    SHORT.contains(&body.len()) && body.iter().filter(new).count() * 2 > body.len()
}

/// Appends a zlib stream (RFC 1950) of one stored block (RFC 1951, section 3.2.4) with a body.
pub(crate) fn wrap(body: &[u8], out: &mut Vec<u8>) {
    debug_assert!(body.len() <= *SHORT.end(), "the length fits in 16 bits");
    let len = u16::try_from(body.len()).unwrap_or(u16::MAX);
    // 32 KiB window, fastest: the pair is a multiple of 31. Then: last block, not compressed.
    out.extend_from_slice(&[0x78, 0x01, 0x01]);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&(!len).to_le_bytes());
    out.extend_from_slice(body);
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in body {
        a = (a + u32::from(*byte)) % ADLER;
        b = (b + a) % ADLER;
    }
    out.extend_from_slice(&((b << 16) | a).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Decompress, FlushDecompress, Status};

    #[test]
    fn a_wrapped_body_inflates_to_itself() {
        for len in [0, 1, 2, 100, 255, 256] {
            let body: Vec<u8> = (0..len).map(|n: u32| (n * 167 % 251) as u8).collect();
            let mut stream = Vec::new();
            wrap(&body, &mut stream);
            assert_eq!(stream.len(), body.len() + 11);
            let mut out = Vec::with_capacity(300);
            // The flag checks the header and the sum at the end.
            let mut zlib = Decompress::new(true);
            let status = zlib.decompress_vec(&stream, &mut out, FlushDecompress::Finish).unwrap();
            assert_eq!((status, out), (Status::StreamEnd, body));
        }
    }

    #[test]
    fn text_is_no_noise() {
        let noise: Vec<u8> = (0..5_u8).flat_map(|n| crate::oid::digest(&[n])).collect();
        assert!(is_noise(&noise));
        for text in [
            &b""[..],
            b"hello\n",
            b"The quick brown fox jumps over the lazy dog, and the dog does not mind at all.",
            b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor Ann <ann@example.com> 0 +0000\n",
            &[0; 200],
        ] {
            assert!(!is_noise(text), "{}", text.escape_ascii());
        }
        let long: Vec<u8> = (0..30_u8).flat_map(|n| crate::oid::digest(&[n])).collect();
        assert!(!is_noise(&long));
    }
}
