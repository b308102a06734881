//! What lies in a directory, and what if it cannot be told.

use std::fs::{self, File};
use std::os::fd::{AsRawFd, OwnedFd};

use super::super::{list, raw_os_error};
use super::folder;

#[test]
fn an_error_between_two_entries_is_not_the_end() {
    let folder = folder("sys-listing");
    for name in ["a", "b", "c"] {
        fs::write(folder.join(name), "").unwrap();
    }
    let open = || OwnedFd::from(File::open(&folder).unwrap());
    let (entries, are_all) = list(open(), 3, |_| false).unwrap();
    assert_eq!((entries.len(), are_all), (3, true));
    let (entries, are_all) = list(open(), 2, |_| false).unwrap();
    assert_eq!((entries.len(), are_all), (2, false));

    // What was a directory is none when the kernel is asked for more.
    let (directory, other) = (open(), File::open("/dev/null").unwrap());
    let fd = directory.as_raw_fd();
    let listed = list(directory, 3, |_| {
        // SAFETY: both are open, and the number is the list's own, which closes it.
        assert_eq!(unsafe { libc::dup2(other.as_raw_fd(), fd) }, fd);
        true
    });
    assert_eq!(raw_os_error(&listed.unwrap_err()), Some(libc::ENOTDIR));
    fs::remove_dir_all(&folder).unwrap();
}
