//! Opening what a stranger names, without leaving a directory.
//!
//! A path that was looked at is another one by the time it is opened: links are swapped in between.
//! So nothing here looks first. Linux walks the path below an open directory in one call
//! (openat2(2)); elsewhere each component is opened from the one before, and no link is followed
//! that was not read and judged.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path};

use libc::c_int;

/// What becomes of symbolic links on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    Refuse,
    /// Followed as long as they stay below the directory.
    Inside,
    /// Followed wherever they lead.
    Follow,
}

/// Links followed for one path, at most: as many as Linux.
const LINKS_MAX: u32 = 40;

/// How files are opened: for reading, without waiting for the writer of a pipe, and without making
/// a terminal ours.
const READ: c_int = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY | LARGE;

/// Files of more than 2 GiB, on systems of 32 bits.
#[cfg(any(target_os = "linux", target_os = "android"))]
const LARGE: c_int = libc::O_LARGEFILE;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const LARGE: c_int = 0;

/// How directories are opened that are only gone through.
#[cfg(any(target_os = "linux", target_os = "android"))]
const PASS: c_int = libc::O_PATH | libc::O_CLOEXEC | libc::O_DIRECTORY;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const PASS: c_int = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_DIRECTORY | libc::O_NONBLOCK;

/// Whether an error says that there is no such file, or none that may be read, or none that is a
/// file: rather than that something broke.
pub(crate) fn is_no_such_file(error: &io::Error) -> bool {
    const ERRORS: [c_int; 10] = [
        libc::ENOENT,
        libc::ENOTDIR,
        libc::EISDIR,
        libc::EACCES,
        libc::EPERM,
        libc::ELOOP,
        libc::EMLINK,
        libc::EXDEV,
        libc::ENAMETOOLONG,
        // A socket, or a device without a driver.
        libc::ENXIO,
    ];
    match error.raw_os_error() {
        Some(number) => ERRORS.contains(&number),
        None => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Opens a file for reading, or a directory. Does not wait for the other end of a pipe.
pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
    open_at(None, path.as_os_str(), READ).map(File::from)
}

/// Opens a directory, to open files below it.
pub(crate) fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    open_at(None, path.as_os_str(), PASS)
}

/// Opens for reading what `path` names below `directory`: a file, a directory, or something that
/// the caller must look at before it reads. An empty path is the directory itself.
///
/// # Errors
///
/// What open(2) says. `ELOOP` or `EXDEV` for a link that is not to be followed, `EXDEV` for a path
/// that leads out.
pub(crate) fn open_beneath(
    directory: BorrowedFd<'_>,
    path: &Path,
    links: Links,
) -> io::Result<File> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    if links == Links::Follow {
        return open_at(Some(directory), path.as_os_str(), READ).map(File::from);
    }
    #[cfg(target_os = "linux")]
    match open_in_one_call(directory, path, links) {
        Err(error) => match error.raw_os_error() {
            // An old kernel, a sandbox that does not know the call, or one rename after the other.
            Some(libc::ENOSYS | libc::EPERM | libc::EAGAIN) => {}
            _ => return Err(error),
        },
        Ok(file) => return Ok(file),
    }
    open_step_by_step(directory, path, links)
}

#[cfg(target_os = "linux")]
fn open_in_one_call(directory: BorrowedFd<'_>, path: &Path, links: Links) -> io::Result<File> {
    /// The kernel gives up if something is renamed while it goes up again, and asks to be asked
    /// again.
    const ATTEMPTS: u32 = 16;

    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: three numbers, for which all zeroes is a valid value and the default one.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = READ as u64;
    how.resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_MAGICLINKS;
    if links == Links::Refuse {
        how.resolve |= libc::RESOLVE_NO_SYMLINKS;
    }
    let mut attempts = 0;
    loop {
        // SAFETY: the directory is open for the call, which reads a string and a structure of the
        // size that is given, both of which live here.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_openat2,
                directory.as_raw_fd(),
                path.as_ptr(),
                &raw const how,
                size_of::<libc::open_how>(),
            )
        };
        if let Some(file) = owned(fd as c_int) {
            return Ok(file.into());
        }
        let error = io::Error::last_os_error();
        attempts += 1;
        match error.raw_os_error() {
            Some(libc::EAGAIN | libc::EINTR) if attempts < ATTEMPTS => {}
            _ => return Err(error),
        }
    }
}

/// The way without openat2. The directories that were gone through stay open, so that `..` in a
/// link is the one before and not what the kernel takes for the parent by then.
pub(super) fn open_step_by_step(
    directory: BorrowedFd<'_>,
    path: &Path,
    links: Links,
) -> io::Result<File> {
    let mut left = components(path)?;
    let mut passed: Vec<OwnedFd> = Vec::new();
    let mut followed = 0;
    while let Some(name) = left.pop() {
        let here = passed.last().map_or(directory, AsFd::as_fd);
        if name == ".." {
            if passed.pop().is_none() {
                return Err(io::Error::from_raw_os_error(libc::EXDEV));
            }
            continue;
        }
        let is_last = left.is_empty();
        let flags = if is_last { READ } else { PASS };
        let error = match open_at(Some(here), &name, flags | libc::O_NOFOLLOW) {
            Ok(file) if is_last => return Ok(file.into()),
            Ok(file) => {
                passed.push(file);
                continue;
            }
            Err(error) => error,
        };
        // A link is ELOOP, ENOTDIR or EMLINK, by the system and the flags.
        let Ok(target) = read_link(here, &name) else {
            return Err(error);
        };
        followed += 1;
        if links != Links::Inside || followed > LINKS_MAX {
            return Err(io::Error::from_raw_os_error(libc::ELOOP));
        }
        left.extend(components(Path::new(&target))?);
    }
    // The path ended in `..`, or is empty: a directory that was only gone through.
    let here = passed.last().map_or(directory, AsFd::as_fd);
    open_at(Some(here), OsStr::new("."), READ).map(File::from)
}

/// The names on the way, the first one last.
fn components(path: &Path) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for component in path.components().rev() {
        match component {
            Component::Normal(name) => names.push(name.to_owned()),
            Component::ParentDir => names.push("..".into()),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => {
                return Err(io::Error::from_raw_os_error(libc::EXDEV));
            }
        }
    }
    Ok(names)
}

fn open_at(directory: Option<BorrowedFd<'_>>, path: &OsStr, flags: c_int) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_bytes())?;
    let directory = directory.map_or(libc::AT_FDCWD, |fd| fd.as_raw_fd());
    loop {
        // SAFETY: the directory is open for the call or none, and the call reads a string that
        // lives here. Nothing is created, so no mode is read.
        let fd = unsafe { libc::openat(directory, path.as_ptr(), flags) };
        if let Some(file) = owned(fd) {
            return Ok(file);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn owned(fd: c_int) -> Option<OwnedFd> {
    // SAFETY: a descriptor that the kernel just made is nobody else's.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}

fn read_link(directory: BorrowedFd<'_>, name: &OsStr) -> io::Result<OsString> {
    let name = CString::new(name.as_bytes())?;
    let mut target = vec![0_u8; libc::PATH_MAX as usize];
    // SAFETY: the directory is open for the call, which reads a string that lives here and writes
    // to as many bytes as there are.
    let count = unsafe {
        libc::readlinkat(
            directory.as_raw_fd(),
            name.as_ptr(),
            target.as_mut_ptr().cast(),
            target.len(),
        )
    };
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    target.truncate(count);
    Ok(OsString::from_vec(target))
}
