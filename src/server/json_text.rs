//! Text as a JSON string (RFC 8259, 7), for lines and answers that are made
//! without a JSON crate.

use std::fmt::{self, Write};

/// The text in quotes, with what JSON wants escaped.
pub(crate) fn json_string(text: &str) -> impl fmt::Display {
    struct JsonString<'t>(&'t str);
    impl fmt::Display for JsonString<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_char('"')?;
            for c in self.0.chars() {
                match c {
                    '"' | '\\' => write!(f, "\\{c}")?,
                    '\n' => f.write_str("\\n")?,
                    c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                    c => f.write_char(c)?,
                }
            }
            f.write_char('"')
        }
    }
    JsonString(text)
}

#[cfg(test)]
mod tests {
    use super::json_string;

    #[test]
    fn what_json_wants_escaped_is() {
        let text = json_string("a\"b\\c\nd\r\t\0\u{7f}\u{85}é🕰").to_string();
        assert_eq!(text, r#""a\"b\\c\nd\u000d\u0009\u0000\u007f\u0085é🕰""#);
    }
}
