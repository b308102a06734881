//! The names of Unix sockets: files, and on Linux abstract ones.
//!
//! The hard fact: a socket's file outlives its socket. So one that is in the
//! way may belong to nobody, and one that is to be removed may belong to
//! somebody else by now.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::SocketAddr;
use std::path::{self, Path, PathBuf};

use crate::sys::{NamedError, UNIX_PATH_MAX};

/// The address that `path` names: a file, or if it begins with a zero byte,
/// an abstract name.
///
/// Only a zero byte: `@` begins a file name like any other, as it does for
/// the shell. That it means the same in the output of ss(8) is how they
/// print a zero byte.
pub(super) fn address(path: &Path) -> io::Result<SocketAddr> {
    let refuse = |why: String| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    match path.as_os_str().as_bytes() {
        [] => refuse("a Unix socket cannot have an empty path".to_owned()),
        [0, name @ ..] => abstract_address(name),
        bytes if bytes.len() > UNIX_PATH_MAX => refuse(format!(
            "the path of a Unix socket has at most {UNIX_PATH_MAX} bytes, and this one {}; use a \
             shorter one, or one relative to the working directory",
            bytes.len()
        )),
        _ => SocketAddr::from_pathname(path),
    }
}

#[cfg(target_os = "linux")]
fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_address(_: &[u8]) -> io::Result<SocketAddr> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "only Linux has abstract Unix sockets, whose names begin with a zero byte",
    ))
}

/// Says what was tried at `path`, and what can be done about it.
pub(super) fn named(attempt: &str, path: &Path, error: io::Error) -> io::Error {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => Some(
            "the path is taken, by a socket in use or a file that is no socket: choose another, \
             or remove it",
        ),
        io::ErrorKind::NotFound => Some("its directory must exist"),
        io::ErrorKind::PermissionDenied => Some("the directory or the file does not permit it"),
        _ => None,
    };
    let name = path.as_os_str().to_string_lossy().replace('\0', "\\0");
    NamedError::wrap(error, format!("{attempt} {name}"), remedy)
}

/// The file of a socket of ours. It is removed when this is dropped, unless
/// it is another one by then; so this must go before the socket, which keeps
/// the number of its inode from being given to another.
#[derive(Debug)]
pub(super) struct SocketFile {
    /// In full: the working directory may change.
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    /// The file that was just made at `path`.
    pub(super) fn made(path: &Path) -> io::Result<Self> {
        let path = path::absolute(path)?;
        let (identity, _) = look(&path)?;
        Ok(SocketFile { path, identity })
    }

    /// Sets who may connect. The file is ours, and no link.
    pub(super) fn set_mode(&self, mode: u32) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&self.path, fs::Permissions::from_mode(mode & 0o7777))
    }

    /// Leaves the file where it is.
    pub(super) fn keep(mut self) {
        // No file has this path.
        self.path = PathBuf::new();
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if look(&self.path).is_ok_and(|(identity, _)| identity == self.identity)
            && let Err(error) = fs::remove_file(&self.path)
        {
            let path = self.path.display();
            log::debug!("the socket file {path} could not be removed: {error}");
        }
    }
}

/// Removes the file at `path` if it is a socket on which nobody listens.
/// Says whether it did.
///
/// Two programs that do this at the same moment may both find it so, and the
/// slower one remove the other's new file: between the last look and the
/// removal there is no way to hold it.
pub(super) fn remove_stale(path: &Path, address: &SocketAddr) -> io::Result<bool> {
    let (identity, is_socket) = look(path)?;
    // Not std's: connecting would wait if the listener's backlog is full.
    let connected = mio::net::UnixStream::connect_addr(address);
    let refused = io::ErrorKind::ConnectionRefused;
    let nobody_listens = connected.is_err_and(|error| error.kind() == refused);
    if !is_socket || !nobody_listens || look(path)?.0 != identity {
        return Ok(false);
    }
    fs::remove_file(path)?;
    log::debug!("removed the socket file {}, left behind", path.display());
    Ok(true)
}

/// Which file is at `path` (device and inode), and whether it is a socket.
fn look(path: &Path) -> io::Result<((u64, u64), bool)> {
    let file = fs::symlink_metadata(path)?;
    Ok(((file.dev(), file.ino()), file.file_type().is_socket()))
}
