//! From a request's path to names of files, or to a refusal.
//!
//! Pure. What could mean one thing here and another to the file system is
//! not repaired but refused; see [`clean`].

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use crate::web::percent;

/// A path below a directory, in names that mean what they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clean {
    /// Relative; empty is the directory itself.
    pub(super) path: PathBuf,
    /// It ended in a slash, or is empty.
    pub(super) is_directory: bool,
}

/// Reads what is below the mount point, percent-encoded as it came and
/// without its first slash.
///
/// `None` for every path that could lead elsewhere: a segment `.` or `..`,
/// an empty one, one that holds a slash, a backslash or a control character
/// once it is decoded, one that begins like a drive (`c:`), a broken escape;
/// and for hidden names, which begin with a dot, unless they are `shown`.
pub(super) fn clean(raw: &str, shown: bool) -> Option<Clean> {
    let mut path = PathBuf::new();
    let (segments, is_directory) = match raw.strip_suffix('/') {
        Some(segments) => (segments, true),
        None => (raw, raw.is_empty()),
    };
    if raw.is_empty() {
        return Some(Clean { path, is_directory });
    }
    for segment in segments.split('/') {
        let name = percent::decode_exactly(segment.as_bytes())?;
        let is_drive = matches!(name[..], [letter, b':', ..] if letter.is_ascii_alphabetic());
        let is_hidden = name.starts_with(b".") && !shown;
        let leads_away = |byte: &u8| matches!(byte, b'/' | b'\\' | 0..=0x1f | 0x7f);
        if matches!(&name[..], b"" | b"." | b"..") || is_drive || is_hidden {
            return None;
        }
        if name.iter().any(leads_away) {
            return None;
        }
        path.push(OsString::from_vec(name));
    }
    Some(Clean { path, is_directory })
}

/// The end of `path` that was `decoded` by the router, as it stands in the
/// path: decoding hides whether a slash was one.
///
/// From the right, segment by segment, so that each is decoded once.
pub(super) fn raw_tail<'p>(path: &'p str, decoded: &str) -> Option<&'p str> {
    let mut left = decoded;
    for (slash, _) in path.rmatch_indices('/') {
        let segment = path[slash + 1..].split('/').next().unwrap_or_default();
        let segment = percent::decode(segment);
        left = left.strip_suffix(&*segment)?;
        if left.is_empty() {
            return Some(&path[slash + 1..]);
        }
        left = left.strip_suffix('/')?;
    }
    None
}

/// Where a directory is that was asked for without its slash. Never another
/// host: a location that begins with two slashes would name one.
pub(super) fn with_slash(path: &str, query: Option<&str>) -> String {
    let path = path.trim_start_matches(['/', '\\']);
    match query {
        Some(query) => format!("/{path}/?{query}"),
        None => format!("/{path}/"),
    }
}

/// A path for people to read.
pub(super) fn shown(path: &str) -> String {
    let decoded = percent::decode_exactly(path.as_bytes()).unwrap_or_default();
    String::from_utf8_lossy(&decoded).into_owned()
}
