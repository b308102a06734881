//! `content-disposition`: under which name a browser stores a response
//! (RFC 6266).

use std::fmt::Write;

/// The field that has a browser store the response under this name.
///
/// A name in ASCII is quoted. Any other goes as `filename*` in UTF-8
/// (RFC 8187), behind a `filename` in ASCII for those who do not know it. Of
/// a path only the last part is taken, and control characters become `_`: a
/// name must lead nowhere.
pub(super) fn attachment(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let name: String = name
        .chars()
        .map(|c| if c.is_control() { '_' } else { c })
        .collect();
    if name.is_empty() {
        return "attachment".to_owned();
    }
    let mut field = "attachment; filename=\"".to_owned();
    for c in name.chars() {
        match c {
            '"' => field.push_str("\\\""),
            c if c.is_ascii() => field.push(c),
            _ => field.push('_'),
        }
    }
    field.push('"');
    // A percent sign is decoded by some who see it in the quoted form.
    if !name.is_ascii() || name.contains(['%', '"']) {
        field.push_str("; filename*=UTF-8''");
        for byte in name.bytes() {
            let is_plain = byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte);
            if is_plain {
                field.push(char::from(byte));
            } else {
                let _ = write!(field, "%{byte:02X}");
            }
        }
    }
    field
}
