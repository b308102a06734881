//! One text to one value.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::{IntErrorKind, ParseIntError};
use std::str::FromStr;

use crate::web::fault::Fault;

/// A type that one text, such as the value of a field, can be read as.
///
/// # Examples
///
/// ```
/// use tourbillon::web::Fault;
/// use tourbillon::web::extract::FromText;
///
/// enum Order { Rising, Falling }
///
/// impl FromText for Order {
///     fn from_text(text: &str) -> Result<Self, Fault> {
///         match text {
///             "rising" => Ok(Order::Rising),
///             "falling" => Ok(Order::Falling),
///             _ => Err(Fault::new("enum", "must be rising or falling")
///                 .context("expected", "'rising' or 'falling'")),
///         }
///     }
/// }
///
/// let seven: Result<u8, Fault> = FromText::from_text("7");
/// assert_eq!(seven, Ok(7));
/// assert_eq!(bool::from_text("on"), Ok(true));
/// assert_eq!(u8::from_text("seven").unwrap_err().kind(), "int_parsing");
/// ```
pub trait FromText: Sized {
    /// Reads the text.
    ///
    /// # Errors
    ///
    /// A fault of a kind and with a sentence; whoever asks adds the place
    /// and the text.
    fn from_text(text: &str) -> Result<Self, Fault>;
}

/// Reads an integer, with a sign and space around it if it must be.
fn integer<T: FromStr<Err = ParseIntError>>(
    text: &str,
    least: impl ToString,
    most: impl ToString,
) -> Result<T, Fault> {
    let text = text.trim();
    let is_negative = |text: &str| {
        let digits = text.strip_prefix('-');
        digits.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    text.parse::<T>().map_err(|error| match error.kind() {
        IntErrorKind::PosOverflow => {
            let message = format!("must be {} or less", most.to_string());
            Fault::new("less_than_equal", message).context("le", most)
        }
        IntErrorKind::NegOverflow => too_small(least),
        IntErrorKind::InvalidDigit if is_negative(text) => too_small(least),
        _ => Fault::new("int_parsing", "is no integer"),
    })
}

fn too_small(least: impl ToString) -> Fault {
    let message = format!("must be {} or more", least.to_string());
    Fault::new("greater_than_equal", message).context("ge", least)
}

impl FromText for u8 {
    fn from_text(text: &str) -> Result<Self, Fault> {
        integer(text, u8::MIN, u8::MAX)
    }
}

impl FromText for u16 {
    fn from_text(text: &str) -> Result<Self, Fault> {
        integer(text, u16::MIN, u16::MAX)
    }
}

impl FromText for u32 {
    fn from_text(text: &str) -> Result<Self, Fault> {
        integer(text, u32::MIN, u32::MAX)
    }
}

impl FromText for u64 {
    fn from_text(text: &str) -> Result<Self, Fault> {
        integer(text, u64::MIN, u64::MAX)
    }
}

impl FromText for u128 {
    fn from_text(text: &str) -> Result<Self, Fault> {
        integer(text, u128::MIN, u128::MAX)
    }
}

impl FromText for usize {
    fn from_text(text: &str) -> Result<Self, Fault> {
        integer(text, usize::MIN, usize::MAX)
    }
}

impl FromText for i8 {
    fn from_text(text: &str) -> Result<Self, Fault> {
        integer(text, i8::MIN, i8::MAX)
    }
}

impl FromText for i16 {
    fn from_text(text: &str) -> Result<Self, Fault> {
        integer(text, i16::MIN, i16::MAX)
    }
}

impl FromText for i32 {
    fn from_text(text: &str) -> Result<Self, Fault> {
        integer(text, i32::MIN, i32::MAX)
    }
}

impl FromText for i64 {
    fn from_text(text: &str) -> Result<Self, Fault> {
        integer(text, i64::MIN, i64::MAX)
    }
}

impl FromText for i128 {
    fn from_text(text: &str) -> Result<Self, Fault> {
        integer(text, i128::MIN, i128::MAX)
    }
}

impl FromText for isize {
    fn from_text(text: &str) -> Result<Self, Fault> {
        integer(text, isize::MIN, isize::MAX)
    }
}

/// Reads a number. Infinities and what is no number are refused: nobody can
/// compute with them who did not mean to.
fn float(text: &str) -> Result<f64, Fault> {
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) => Err(Fault::new("finite_number", "must be a finite number")),
        Err(_) => Err(Fault::new("float_parsing", "is no number")),
    }
}

impl FromText for f64 {
    fn from_text(text: &str) -> Result<Self, Fault> {
        float(text)
    }
}

impl FromText for f32 {
    fn from_text(text: &str) -> Result<Self, Fault> {
        let narrow = float(text)? as f32;
        if narrow.is_infinite() {
            return Err(Fault::new("finite_number", "must be a finite number"));
        }
        Ok(narrow)
    }
}

/// The words of forms and of people, in any case.
impl FromText for bool {
    fn from_text(text: &str) -> Result<Self, Fault> {
        let is_any = |words: [&str; 6]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
        match text {
            _ if is_any(["1", "true", "t", "on", "yes", "y"]) => Ok(true),
            _ if is_any(["0", "false", "f", "off", "no", "n"]) => Ok(false),
            _ => Err(Fault::new("bool_parsing", "is neither true nor false")),
        }
    }
}

impl FromText for String {
    fn from_text(text: &str) -> Result<Self, Fault> {
        Ok(text.to_owned())
    }
}

impl FromText for Box<str> {
    fn from_text(text: &str) -> Result<Self, Fault> {
        Ok(text.into())
    }
}

impl FromText for char {
    fn from_text(text: &str) -> Result<Self, Fault> {
        let mut all = text.chars();
        let message = "must be one character";
        match (all.next(), all.next()) {
            (Some(character), None) => Ok(character),
            (None, _) => Err(Fault::new("string_too_short", message).context("min_length", 1)),
            _ => Err(Fault::new("string_too_long", message).context("max_length", 1)),
        }
    }
}

fn address<T: FromStr<Err: Error>>(text: &str, kind: &'static str) -> Result<T, Fault> {
    let read = text.trim().parse();
    read.map_err(|_| Fault::new(kind, "is no network address"))
}

impl FromText for IpAddr {
    fn from_text(text: &str) -> Result<Self, Fault> {
        address(text, "ip_any_address")
    }
}

impl FromText for Ipv4Addr {
    fn from_text(text: &str) -> Result<Self, Fault> {
        address(text, "ip_v4_address")
    }
}

impl FromText for Ipv6Addr {
    fn from_text(text: &str) -> Result<Self, Fault> {
        address(text, "ip_v6_address")
    }
}

impl FromText for SocketAddr {
    fn from_text(text: &str) -> Result<Self, Fault> {
        address(text, "value_error")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind<T: FromText>(text: &str) -> String {
        match T::from_text(text) {
            Ok(_) => "ok".to_owned(),
            Err(fault) => fault.kind().to_owned(),
        }
    }

    #[test]
    fn integers_say_what_is_wrong() {
        for (text, found) in [
            ("0", "ok"),
            ("255", "ok"),
            (" 7 ", "ok"),
            ("+7", "ok"),
            ("007", "ok"),
            ("256", "less_than_equal"),
            ("99999999999999999999", "less_than_equal"),
            ("-1", "greater_than_equal"),
            ("", "int_parsing"),
            ("-", "int_parsing"),
            ("1.0", "int_parsing"),
            ("0x10", "int_parsing"),
            ("1_000", "int_parsing"),
            ("٣", "int_parsing"),
        ] {
            assert_eq!(kind::<u8>(text), found, "{text:?}");
        }
        assert_eq!(i8::from_text("-128"), Ok(-128));
        assert_eq!(kind::<i8>("-129"), "greater_than_equal");
        assert_eq!(kind::<u64>(&"9".repeat(100_000)), "less_than_equal");
        assert_eq!(u128::from_text(&u128::MAX.to_string()), Ok(u128::MAX));
    }

    #[test]
    fn other_texts_say_what_is_wrong() {
        assert_eq!(f64::from_text("1e3"), Ok(1000.0));
        for text in ["inf", "-inf", "nan", "1e999"] {
            assert_eq!(kind::<f64>(text), "finite_number", "{text}");
        }
        assert_eq!(kind::<f32>("1e39"), "finite_number");
        assert_eq!(kind::<f64>("1,5"), "float_parsing");
        for word in ["1", "true", "T", "on", "YES", "y"] {
            assert_eq!(bool::from_text(word), Ok(true), "{word}");
        }
        for word in ["0", "False", "f", "off", "NO", "n"] {
            assert_eq!(bool::from_text(word), Ok(false), "{word}");
        }
        assert_eq!(kind::<bool>(""), "bool_parsing");
        assert_eq!(kind::<bool>("2"), "bool_parsing");
        assert_eq!(char::from_text("é"), Ok('é'));
        assert_eq!(kind::<char>(""), "string_too_short");
        assert_eq!(kind::<char>("ab"), "string_too_long");
        assert_eq!(kind::<IpAddr>("::1"), "ok");
        assert_eq!(kind::<IpAddr>("256.0.0.1"), "ip_any_address");
    }
}
