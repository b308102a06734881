//! Which compressed sibling of a file a client takes (RFC 9110, 12.5.3).

use crate::http::Headers;

/// A coding that files are compressed with before they are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Brotli,
    Zstd,
    Gzip,
}

impl Coding {
    /// The denser one first.
    const ALL: [Coding; 3] = [Coding::Brotli, Coding::Zstd, Coding::Gzip];

    /// Its name in `content-encoding`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
            Coding::Gzip => "gzip",
        }
    }

    /// What the name of the sibling ends in.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Coding::Brotli => ".br",
            Coding::Zstd => ".zst",
            Coding::Gzip => ".gz",
        }
    }
}

/// The codings that a client takes, the ones it likes best first, and of
/// those the denser ones. Whoever likes the file as it is better than a
/// coding does not get the coding.
pub(super) fn accepted(fields: &Headers) -> Vec<Coding> {
    let plain = weight(fields, "identity").unwrap_or(1);
    let mut found: Vec<(u16, Coding)> = Coding::ALL
        .into_iter()
        .filter_map(|coding| {
            let weight = weight(fields, coding.name());
            let weight = weight.or_else(|| self::weight(fields, "*")).unwrap_or(0);
            (weight >= plain.max(1)).then_some((weight, coding))
        })
        .collect();
    // Stable, so that the denser one stays in front.
    found.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    found.into_iter().map(|(_, coding)| coding).collect()
}

/// What `accept-encoding` says of a coding, in thousandths. One that is
/// malformed is not wanted.
fn weight(fields: &Headers, name: &str) -> Option<u16> {
    for value in fields.get_all("accept-encoding") {
        for item in value.split(|byte| *byte == b',') {
            let item = str::from_utf8(item).unwrap_or("");
            let (coding, rest) = item.split_once(';').unwrap_or((item, "q=1"));
            let coding = coding.trim();
            let is_meant = coding.eq_ignore_ascii_case(name)
                || name == "gzip" && coding.eq_ignore_ascii_case("x-gzip");
            if is_meant {
                return Some(thousandths(rest.trim()).unwrap_or(0));
            }
        }
    }
    None
}

/// `q=0.5`, with at most three digits (12.4.2).
fn thousandths(text: &str) -> Option<u16> {
    let number = text
        .strip_prefix(['q', 'Q'])?
        .trim()
        .strip_prefix('=')?
        .trim();
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part: u16 = format!("{part:0<3}").parse().ok()?;
    match (whole, part) {
        ("0", part) => Some(part),
        ("1", 0) => Some(1000),
        _ => None,
    }
}
