//! Percent-encoding, both ways (RFC 3986, 2), and the pairs of forms and
//! queries, which add `+` for a space (WHATWG URL, 5).

use std::borrow::Cow;

const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// Decodes `%41` and its like. What is no valid escape stays as it is, and
/// what is no UTF-8 becomes replacement characters.
pub(super) fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(decode_bytes(text.as_bytes()))
}

/// Decodes one name or value of a query or a form.
pub(super) fn decode_form(text: &[u8]) -> Cow<'_, str> {
    let is_plain = |byte: &u8| !matches!(byte, b'%' | b'+');
    if text.iter().all(is_plain) {
        return String::from_utf8_lossy(text);
    }
    let spaced: Vec<u8> = text
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    Cow::Owned(decode_bytes(&spaced))
}

/// Decodes `%41` and its like; `None` if something follows a percent sign
/// that is no two digits.
pub(super) fn decode_exactly(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    decode_some(text, &mut decoded)
        .is_empty()
        .then_some(decoded)
}

fn decode_bytes(bytes: &[u8]) -> String {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = decode_some(bytes, &mut decoded);
    while let Some((&percent, after)) = rest.split_first() {
        decoded.push(percent);
        rest = decode_some(after, &mut decoded);
    }
    match String::from_utf8(decoded) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }
}

/// Decodes up to the first percent sign that begins no escape, and returns
/// what is left from there.
fn decode_some<'b>(bytes: &'b [u8], decoded: &mut Vec<u8>) -> &'b [u8] {
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                decoded.push(high << 4 | low);
                rest = &after[2..];
            }
            None if first == b'%' => break,
            None => {
                decoded.push(first);
                rest = after;
            }
        }
    }
    rest
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// Encodes one segment of a path: all but letters, digits and `-._~`.
pub(super) fn encode_segment(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

/// Encodes what may not stand in a URL, and leaves alone what has a meaning
/// there: a URL that is one already stays as it is.
pub(super) fn encode_url(text: &str) -> Cow<'_, str> {
    let may_stand = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    if text.bytes().all(may_stand) {
        return Cow::Borrowed(text);
    }
    let mut encoded = String::with_capacity(text.len() + 16);
    let mut buffer = [0; 4];
    for character in text.chars() {
        match u8::try_from(character) {
            Ok(byte) if may_stand(byte) => encoded.push(character),
            _ => encode_segment(character.encode_utf8(&mut buffer), &mut encoded),
        }
    }
    Cow::Owned(encoded)
}

/// The pairs of a query or of a form, decoded, in order. Empty pieces are
/// none, and a name without `=` has an empty value.
pub(super) fn pairs(text: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let pieces = text.split(|byte| *byte == b'&');
    pieces.filter(|piece| !piece.is_empty()).map(|piece| {
        let split = piece.iter().position(|byte| *byte == b'=');
        let (name, value) = match split {
            Some(at) => (&piece[..at], &piece[at + 1..]),
            None => (piece, &[][..]),
        };
        (decode_form(name), decode_form(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_what_is_none_stays() {
        for (text, decoded) in [
            ("plain", "plain"),
            ("", ""),
            ("%41%62", "Ab"),
            ("a%2Fb%2f", "a/b/"),
            ("%", "%"),
            ("%4", "%4"),
            ("%zz%41", "%zzA"),
            ("%+1", "%+1"),
            ("%%41", "%A"),
            ("caf%C3%A9", "café"),
            ("é%20", "é "),
            ("%FF%00", "\u{fffd}\0"),
            ("%C3", "\u{fffd}"),
            ("a+b", "a+b"),
        ] {
            assert_eq!(decode(text), decoded, "{text}");
        }
    }

    #[test]
    fn what_is_no_escape_is_refused_where_it_is_not_left() {
        for text in ["%", "%4", "a%", "%zz%41", "%4z", "%+1", "%%41", "%41%"] {
            assert_eq!(decode_exactly(text.as_bytes()), None, "{text}");
        }
        for (text, bytes) in [
            ("", &b""[..]),
            ("a+b", b"a+b"),
            ("%41%62%2f", b"Ab/"),
            ("%2541", b"%41"),
            ("%FF%00", b"\xff\0"),
        ] {
            assert_eq!(decode_exactly(text.as_bytes()).as_deref(), Some(bytes));
        }
    }

    #[test]
    fn pairs_are_those_of_a_form() {
        let all = |text: &str| -> Vec<(String, String)> {
            let owned = |(name, value): (Cow<'_, str>, Cow<'_, str>)| (name.into(), value.into());
            pairs(text.as_bytes()).map(owned).collect()
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(all(""), []);
        assert_eq!(all("&&"), []);
        assert_eq!(all("a"), [pair("a", "")]);
        assert_eq!(all("="), [pair("", "")]);
        assert_eq!(all("a=b=c"), [pair("a", "b=c")]);
        assert_eq!(
            all("a+b=%2B+%26&a+b="),
            [pair("a b", "+ &"), pair("a b", "")]
        );
        assert_eq!(all("a=%FF"), [pair("a", "\u{fffd}")]);
        assert_eq!(all(&"x&".repeat(10_000)).len(), 10_000);
    }

    #[test]
    fn what_was_encoded_is_decoded_to_itself() {
        let all: String = (0..0x3000).filter_map(char::from_u32).collect();
        let mut encoded = String::new();
        encode_segment(&all, &mut encoded);
        assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(!encoded.contains(['/', '?', '#', '&']));
        assert_eq!(decode(&encoded), all);
    }

    #[test]
    fn a_url_keeps_its_signs_and_loses_what_is_none() {
        for (url, encoded) in [
            ("https://a.example/b?c=d&e#f", "https://a.example/b?c=d&e#f"),
            ("/a%20b", "/a%20b"),
            ("/a b", "/a%20b"),
            ("/é", "/%C3%A9"),
            ("/a\r\nset-cookie: b", "/a%0D%0Aset-cookie:%20b"),
            ("/\\evil.example", "/%5Cevil.example"),
        ] {
            assert_eq!(encode_url(url), encoded);
        }
    }
}
