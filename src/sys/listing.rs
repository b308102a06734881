//! What lies in an open directory.
//!
//! std lists a path, and by the time it does the path may be another directory's.

use std::ffi::{CStr, OsStr, OsString};
use std::io;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use super::signal::errno_location;

/// What a name in a directory stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File { size: u64 },
    Directory,
    Link,
    Other,
}

/// A name in a directory.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: OsString,
    pub(crate) kind: Kind,
}

/// Closes a stream of entries, and its descriptor.
struct Stream(*mut libc::DIR);

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: the stream is open, and nobody uses it after this.
        unsafe { libc::closedir(self.0) };
    }
}

/// Lists a directory that is open for reading, without `.` and `..` and those that `skips` says, in
/// no order, and says whether these are all: no more than `max`. An error in between is returned,
/// since what was listed so far would look like all of it.
pub(crate) fn list(
    directory: OwnedFd,
    max: usize,
    skips: impl Fn(&OsStr) -> bool,
) -> io::Result<(Vec<Entry>, bool)> {
    let fd = directory.into_raw_fd();
    // SAFETY: the descriptor is open and ours to give away.
    let stream = unsafe { libc::fdopendir(fd) };
    if stream.is_null() {
        let error = io::Error::last_os_error();
        // SAFETY: it was not taken over, and so still is ours to close.
        unsafe { libc::close(fd) };
        return Err(error);
    }
    let stream = Stream(stream);
    let mut entries = Vec::new();
    loop {
        // SAFETY: the location of errno is valid for the calling thread.
        unsafe { *errno_location() = 0 };
        // SAFETY: the stream is open, and this thread alone has it.
        let entry = unsafe { libc::readdir(stream.0) };
        if entry.is_null() {
            // Its end and an error look the same, but for errno.
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                Some(0) | None => Ok((entries, true)),
                Some(_) => Err(error),
            };
        }
        // SAFETY: the entry is valid up to the next call, and its name ends in a zero.
        let name = unsafe { CStr::from_ptr((*entry).d_name.as_ptr()) };
        let shown = OsStr::from_bytes(name.to_bytes());
        if shown == "." || shown == ".." || skips(shown) {
            continue;
        }
        if entries.len() == max {
            return Ok((entries, false));
        }
        if let Some(kind) = look(fd, name) {
            let name = shown.to_owned();
            entries.push(Entry { name, kind });
        }
    }
}

/// `None` if it is gone by now.
fn look(directory: libc::c_int, name: &CStr) -> Option<Kind> {
    // SAFETY: all zeroes is a valid value of these numbers.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    let flags = libc::AT_SYMLINK_NOFOLLOW;
    // SAFETY: the directory is open, and the call reads a string and writes one structure, both of
    // which live for it.
    let answer = unsafe { libc::fstatat(directory, name.as_ptr(), &raw mut stat, flags) };
    let kind = match stat.st_mode & libc::S_IFMT {
        libc::S_IFREG => Kind::File {
            size: u64::try_from(stat.st_size).unwrap_or(0),
        },
        libc::S_IFDIR => Kind::Directory,
        libc::S_IFLNK => Kind::Link,
        _ => Kind::Other,
    };
    (answer == 0).then_some(kind)
}
