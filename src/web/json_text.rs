//! JSON as text, written by hand: answers to errors need no more of it.

/// Writes a string with its quotes (RFC 8259, 7).
pub(super) fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\x1f' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => out.push(character),
        }
    }
    out.push('"');
}

/// Writes a list.
pub(super) fn write_list<T>(
    items: impl IntoIterator<Item = T>,
    out: &mut String,
    mut write: impl FnMut(T, &mut String),
) {
    out.push('[');
    for (at, item) in items.into_iter().enumerate() {
        out.push_str(if at > 0 { "," } else { "" });
        write(item, out);
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_they_must_be() {
        for (text, json) in [
            ("", r#""""#),
            ("plain é 🦀", "\"plain é 🦀\""),
            ("\"\\/", r#""\"\\/""#),
            ("a\r\n\tb", r#""a\r\n\tb""#),
            ("\0\u{1f}\u{7f}", "\"\\u0000\\u001f\u{7f}\""),
        ] {
            let mut out = String::new();
            write_string(text, &mut out);
            assert_eq!(out, json);
        }
    }

    #[test]
    fn lists_have_commas_between() {
        for (items, json) in [(&[][..], "[]"), (&[1], "[1]"), (&[1, 2, 3], "[1,2,3]")] {
            let mut out = String::new();
            write_list(items, &mut out, |item, out| out.push_str(&item.to_string()));
            assert_eq!(out, json);
        }
    }
}
