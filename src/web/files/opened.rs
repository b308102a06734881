//! A file that was opened and looked at, on a thread of the pool.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

/// A file up to this is read where it is opened, and closed there, too: the
/// loop then has nothing but one write to do. What fits behind a head in that
/// write.
const WHOLE_MAX: u64 = 16 * 1024;

/// What of a file has to do with its response.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) content: Content,
    pub(super) len: u64,
    /// When it was changed last, in nanoseconds since 1970.
    pub(super) modified: Option<u128>,
}

/// Its bytes, or where they are.
#[derive(Debug)]
pub(super) enum Content {
    Bytes(Vec<u8>),
    File(File),
}

impl Opened {
    /// Looks at an open file.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is a directory, a pipe, a device: such have no
    /// length, or no end.
    pub(super) fn look(file: File) -> io::Result<Self> {
        let facts = file.metadata()?;
        if !facts.is_file() {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file");
            return Err(error);
        }
        let len = facts.len();
        let modified = u128::try_from(facts.mtime()).ok();
        let nanos = u128::try_from(facts.mtime_nsec()).unwrap_or(0);
        let modified = modified.map(|seconds| seconds * 1_000_000_000 + nanos);
        let content = match read_whole(&file, len) {
            Some(bytes) => Content::Bytes(bytes),
            None => Content::File(file),
        };
        Ok(Opened {
            content,
            len,
            modified,
        })
    }
}

/// `None` if it is too large, or is being changed: then it is sent as any
/// other, and cut off if it ends too soon.
fn read_whole(file: &File, len: u64) -> Option<Vec<u8>> {
    if len > WHOLE_MAX {
        return None;
    }
    let mut bytes = vec![0; len as usize];
    file.read_exact_at(&mut bytes, 0).ok()?;
    Some(bytes)
}
