//! Text output of numerics.

use std::fmt;

use super::{Numeric, Repr};

impl Numeric {
    /// Appends the value as PostgreSQL prints it: every digit of its display scale, never an exponent.
    pub fn print(&self, out: &mut String) {
        match &self.0 {
            Repr::Small { scale, mantissa } => {
                if *mantissa < 0 {
                    out.push('-');
                }
                let mut buffer = itoa::Buffer::new();
                print_digits(buffer.format(mantissa.unsigned_abs()), usize::from(*scale), out);
            }
            Repr::Big(big) => {
                if big.mantissa.sign() == num_bigint::Sign::Minus {
                    out.push('-');
                }
                print_digits(&big.mantissa.magnitude().to_str_radix(10), big.scale as usize, out);
            }
            Repr::NaN => out.push_str("NaN"),
            Repr::PositiveInfinity => out.push_str("Infinity"),
            Repr::NegativeInfinity => out.push_str("-Infinity"),
        }
    }

    /// Hands sign, the absolute mantissa's decimal digits and the scale of a finite value to `read`; None of NaN and infinities.
    pub fn with_decimal_digits<R>(&self, read: impl FnOnce(bool, &[u8], u32) -> R) -> Option<R> {
        match &self.0 {
            Repr::Small { scale, mantissa } => {
                let mut buffer = itoa::Buffer::new();
                Some(read(*mantissa < 0, buffer.format(mantissa.unsigned_abs()).as_bytes(), u32::from(*scale)))
            }
            Repr::Big(big) => {
                let negative = big.mantissa.sign() == num_bigint::Sign::Minus;
                Some(read(negative, big.mantissa.magnitude().to_str_radix(10).as_bytes(), big.scale))
            }
            Repr::NaN | Repr::PositiveInfinity | Repr::NegativeInfinity => None,
        }
    }
}

fn print_digits(digits: &str, scale: usize, out: &mut String) {
    if scale == 0 {
        out.push_str(digits);
    } else if digits.len() > scale {
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        out.push_str(whole);
        out.push('.');
        out.push_str(fraction);
    } else {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', scale - digits.len()));
        out.push_str(digits);
    }
}

impl fmt::Display for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.print(&mut text);
        f.write_str(&text)
    }
}
