//! Files without a name.
//!
//! Nothing is left of one when nobody has it open any more, whether its process ended well or was
//! killed: there is no name that somebody would have to remove.

#[cfg(any(target_os = "linux", target_os = "android"))]
use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::fd::AsRawFd;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Makes a file, to read and to write, on the file system that `directory` is on. Where there is
/// no other way, it has a name there for a moment.
pub(crate) fn open_unnamed(directory: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    match options
        .clone()
        .custom_flags(libc::O_TMPFILE)
        .open(directory)
    {
        // Not every file system has it (open(2)).
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR)) => {}
        opened => return opened,
    }
    let number = RandomState::new().hash_one(std::process::id());
    let path = directory.join(format!("tourbillon-{number:016x}"));
    let file = options.create_new(true).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

/// Gives such a file a name, which nothing may have yet, on the same file system.
///
/// # Errors
///
/// What linkat(2) says: `ENOENT` also for a file that had a name for a moment, and where there is
/// no `/proc`.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn link_unnamed(file: &File, path: &Path) -> io::Result<()> {
    let known = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let path = CString::new(path.as_os_str().as_bytes())?;
    let (here, follow) = (libc::AT_FDCWD, libc::AT_SYMLINK_FOLLOW);
    // SAFETY: both strings end in NUL, and live until the call has returned.
    let linked = unsafe { libc::linkat(here, known.as_ptr(), here, path.as_ptr(), follow) };
    match linked {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn link_unnamed(_: &File, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
