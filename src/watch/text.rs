//! Texts that come from strangers, on their way to people and machines.
//!
//! A label may be the path of a request: it must neither command a terminal nor end a script.

use std::fmt::{self, Write};

/// The text without control characters: a terminal prints it, and obeys none of it.
pub(crate) fn escaped(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter.is_control() {
            true => clean.extend(letter.escape_default()),
            false => clean.push(letter),
        }
    }
    clean
}

/// The text as JSON has it (RFC 8259), on one line, in quotes. It may also stand in the middle of
/// a page: no tag, no end of a script.
pub(crate) fn quoted(text: &str) -> impl fmt::Display + '_ {
    Quoted {
        text,
        for_pages: true,
    }
}

/// The same where it will not: `&` and the like stay as they are.
pub(crate) fn json_string(text: &str) -> impl fmt::Display + '_ {
    Quoted {
        text,
        for_pages: false,
    }
}

struct Quoted<'t> {
    text: &'t str,
    for_pages: bool,
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.text.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\n' => f.write_str("\\n")?,
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' if self.for_pages => unit(f, c)?,
                c if c.is_control() => unit(f, c)?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

fn unit(f: &mut fmt::Formatter<'_>, c: char) -> fmt::Result {
    write!(f, "\\u{:04x}", u32::from(c))
}

#[cfg(test)]
mod tests {
    use super::{escaped, json_string, quoted};

    #[test]
    fn no_text_of_a_stranger_does_anything() {
        assert_eq!(escaped("GET /\u{1b}[2J\n한"), "GET /\\u{1b}[2J\\n한");
        let text = "a\"b\\c\nd\u{7}</script>&\u{2028}한";
        let json = r#""a\"b\\c\nd\u0007\u003c/script\u003e\u0026\u2028한""#;
        assert_eq!(quoted(text).to_string(), json);
    }

    #[test]
    fn what_json_wants_escaped_is_and_no_more() {
        let text = json_string("a\"b\\c\nd\r\t\0\u{7f}\u{85}é🕰<&>").to_string();
        assert_eq!(text, r#""a\"b\\c\nd\u000d\u0009\u0000\u007f\u0085é🕰<&>""#);
    }
}
