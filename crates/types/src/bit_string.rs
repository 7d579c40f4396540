//! Bit strings: the values of `bit(n)` and `bit varying(n)`.

use std::cmp::Ordering;

use crate::{Error, Result, SqlState};

/// A string of bits, the first in the high bit of the first byte. Unused bits of the last byte are zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct BitString {
    length: u32,
    bytes: Box<[u8]>,
}

/// The most bits that a string holds.
const MAX_LENGTH: usize = i32::MAX as usize - 7;

impl BitString {
    /// The first `length` bits of `bytes`; missing ones are zero.
    pub fn new(length: u32, bytes: &[u8]) -> BitString {
        let mut bytes = bytes.to_vec();
        bytes.resize((length as usize).div_ceil(8), 0);
        if let (Some(last), 1..) = (bytes.last_mut(), length % 8) {
            *last &= 0xFFu8 << (8 - length % 8);
        }
        BitString { length, bytes: bytes.into() }
    }

    /// A string of the bits that `bits` yields.
    pub fn from_bits(bits: impl Iterator<Item = bool>) -> BitString {
        let (mut length, mut bytes) = (0u32, Vec::new());
        for bit in bits {
            if length.is_multiple_of(8) {
                bytes.push(0u8);
            }
            if let (true, Some(last)) = (bit, bytes.last_mut()) {
                *last |= 0x80 >> (length % 8);
            }
            length += 1;
        }
        BitString { length, bytes: bytes.into() }
    }

    /// Reads binary digits, or after `b` or `x`, binary or hexadecimal ones.
    pub fn parse(text: &str) -> Result<BitString> {
        let (digits, hexadecimal) = match text.as_bytes().first() {
            Some(b'b' | b'B') => (&text[1..], false),
            Some(b'x' | b'X') => (&text[1..], true),
            _ => (text, false),
        };
        if digits.len() > MAX_LENGTH / if hexadecimal { 4 } else { 1 } {
            let message = format!("bit string length exceeds the maximum allowed ({MAX_LENGTH})");
            return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        let invalid = |digit: char| {
            let kind = if hexadecimal { "hexadecimal" } else { "binary" };
            Error::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("\"{digit}\" is not a valid {kind} digit"))
        };
        let width = if hexadecimal { 4 } else { 1 };
        let mut bytes = vec![0u8; (digits.len() * width).div_ceil(8)];
        for (at, character) in digits.chars().enumerate() {
            let digit = character.to_digit(1 << width).ok_or_else(|| invalid(character))? as u8;
            let bit = at * width;
            bytes[bit / 8] |= digit << (8 - width - bit % 8);
        }
        Ok(BitString { length: (digits.len() * width) as u32, bytes: bytes.into() })
    }

    /// Appends the bits as binary digits.
    pub fn print(&self, out: &mut String) {
        out.extend(self.bits().map(|bit| if bit { '1' } else { '0' }));
    }

    /// Number of bits.
    pub fn len(&self) -> usize {
        self.length as usize
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bit at `index` from the left.
    pub fn bit(&self, index: usize) -> Option<bool> {
        if index >= self.len() {
            return None;
        }
        self.bytes.get(index / 8).map(|byte| byte & (0x80 >> (index % 8)) != 0)
    }

    pub fn bits(&self) -> impl DoubleEndedIterator<Item = bool> + '_ {
        (0..self.len()).map(|index| self.bytes[index / 8] & (0x80 >> (index % 8)) != 0)
    }
}

impl Ord for BitString {
    fn cmp(&self, other: &BitString) -> Ordering {
        self.bytes.cmp(&other.bytes).then(self.length.cmp(&other.length))
    }
}

impl PartialOrd for BitString {
    fn partial_cmp(&self, other: &BitString) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
