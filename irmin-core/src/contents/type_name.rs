//! Names of types with parameters, put together while the program is compiled.

/// The longest name, in bytes.
const MAX: usize = 512;

/// A parameter of a type.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// The name of a type.
    Type(&'static str),
    /// What is a number, or is cast to one.
    Number(i128),
}

/// A type whose name is put together from those of its parameters.
pub trait Parametric {
    /// The name.
    const NAME: &'static TypeName;
}

/// A name that was put together: `list<u8>`.
#[derive(Debug)]
pub struct TypeName {
    bytes: [u8; MAX],
    len: usize,
}

impl TypeName {
    /// The name of a type with these parameters; one without any has its own name alone.
    ///
    /// # Panics
    /// If it is longer than 512 bytes, which the compiler says.
    #[must_use]
    pub const fn new(name: &str, mut parts: &[Part]) -> Self {
        let mut joined = TypeName { bytes: [0; MAX], len: 0 };
        joined.put(name.as_bytes());
        let mut before: &[u8] = b"<";
        while let [part, rest @ ..] = parts {
            joined.put(before);
            match part {
                Part::Type(name) => joined.put(name.as_bytes()),
                Part::Number(number) => joined.put_number(*number),
            }
            (before, parts) = (b",", rest);
            if parts.is_empty() {
                joined.put(b">");
            }
        }
        joined
    }

    const fn put(&mut self, text: &[u8]) {
        assert!(text.len() <= MAX - self.len, "the name of a type is longer than 512 bytes");
        let (_, room) = self.bytes.split_at_mut(self.len);
        let (room, _) = room.split_at_mut(text.len());
        room.copy_from_slice(text);
        self.len += text.len();
    }

    const fn put_number(&mut self, number: i128) {
        if number < 0 {
            self.put(b"-");
        }
        let number = number.unsigned_abs();
        let mut size = 1;
        while number / size >= 10 {
            size *= 10;
        }
        while size > 0 {
            #[allow(clippy::cast_possible_truncation)] // one digit
            self.put(&[b'0' + (number / size % 10) as u8]);
            size /= 10;
        }
    }

    /// The name.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        match core::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(name) => name,
            Err(_) => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_put_together() {
        let name = |parts: &[Part]| alloc::string::String::from(TypeName::new("a", parts).as_str());
        assert_eq!(name(&[]), "a");
        assert_eq!(name(&[Part::Type("b<c>"), Part::Number(0)]), "a<b<c>,0>");
        for number in [-1, 10, 99, i128::MIN, i128::MAX] {
            assert_eq!(name(&[Part::Number(number)]), alloc::format!("a<{number}>"));
        }
    }
}
