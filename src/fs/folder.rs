//! Names: what they are, and making, moving and removing them.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix;
use std::path::{Path, PathBuf};

use super::job::{on_both, on_path};

/// Says what a name stands for: size, kind, times. Symbolic links are
/// followed.
///
/// # Errors
///
/// See [the room](super).
///
/// # Cancellation
///
/// Dropping the future changes nothing.
pub async fn metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    on_path("looking at", path, |path| fs::metadata(path)).await
}

/// The same, of a symbolic link itself.
///
/// # Errors
///
/// See [the room](super).
///
/// # Cancellation
///
/// Dropping the future changes nothing.
pub async fn symlink_metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    on_path("looking at", path, |path| fs::symlink_metadata(path)).await
}

/// Whether a name stands for something. It may not a moment later; a link
/// that leads nowhere does not.
///
/// # Errors
///
/// When that cannot be known, as for want of permission; see [the room](super).
///
/// # Cancellation
///
/// Dropping the future changes nothing.
pub async fn exists(path: impl AsRef<Path>) -> io::Result<bool> {
    on_path("looking for", path, |path| fs::exists(path)).await
}

/// The absolute path without links in it.
///
/// # Errors
///
/// See [the room](super).
///
/// # Cancellation
///
/// Dropping the future changes nothing.
pub async fn canonicalize(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    on_path("resolving", path, |path| fs::canonicalize(path)).await
}

/// Where a symbolic link leads.
///
/// # Errors
///
/// `InvalidInput` if it is none; see [the room](super).
///
/// # Cancellation
///
/// Dropping the future changes nothing.
pub async fn read_link(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    on_path("reading the link", path, |path| fs::read_link(path)).await
}

/// Removes a file's name, or a link.
///
/// # Errors
///
/// See [the room](super).
///
/// # Cancellation
///
/// A job that has begun runs to its end: it may be done.
pub async fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    on_path("removing", path, |path| fs::remove_file(path)).await
}

/// Removes an empty folder.
///
/// # Errors
///
/// `DirectoryNotEmpty` if it is not; see [the room](super).
///
/// # Cancellation
///
/// A job that has begun runs to its end: it may be done.
pub async fn remove_dir(path: impl AsRef<Path>) -> io::Result<()> {
    on_path("removing", path, |path| fs::remove_dir(path)).await
}

/// Removes a folder and all that is in it; links are not followed.
///
/// # Errors
///
/// See [the room](super); some of it may be gone then.
///
/// # Cancellation
///
/// A job that has begun runs to its end: all of it may be gone.
pub async fn remove_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    on_path("removing all of", path, |path| fs::remove_dir_all(path)).await
}

/// Makes a folder.
///
/// # Errors
///
/// `AlreadyExists` if there is something of that name; see [the room](super).
///
/// # Cancellation
///
/// A job that has begun runs to its end: it may be done.
pub async fn create_dir(path: impl AsRef<Path>) -> io::Result<()> {
    on_path("making the folder", path, |path| fs::create_dir(path)).await
}

/// Makes a folder and those above it, as far as they are missing.
///
/// # Errors
///
/// See [the room](super); some may have been made then.
///
/// # Cancellation
///
/// A job that has begun runs to its end: it may be done.
pub async fn create_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    on_path("making the folder", path, |path| fs::create_dir_all(path)).await
}

/// Sets who may do what with a file.
///
/// # Errors
///
/// See [the room](super).
///
/// # Cancellation
///
/// A job that has begun runs to its end: it may be done.
pub async fn set_permissions(path: impl AsRef<Path>, permissions: Permissions) -> io::Result<()> {
    on_path("setting permissions of", path, move |path| {
        fs::set_permissions(path, permissions)
    })
    .await
}

/// Gives something another name, in the place of what had that name. On one
/// file system this is atomic.
///
/// # Errors
///
/// `CrossesDevices` between two; see [the room](super).
///
/// # Cancellation
///
/// A job that has begun runs to its end: it may be done.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::fs;
///
/// # let here = std::env::temp_dir().join(format!("tourbillon-names-{}", std::process::id()));
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     fs::create_dir_all(here.join("a/b")).await?;
///     fs::rename(here.join("a"), here.join("c")).await?;
///     assert!(fs::metadata(here.join("c/b")).await?.is_dir());
///     assert!(!fs::exists(here.join("a")).await?);
///     fs::remove_dir_all(&here).await
/// })
/// # }
/// ```
pub async fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    let paths = [from.as_ref(), to.as_ref()];
    on_both("renaming", paths, |from, to| fs::rename(from, to)).await
}

/// Copies a file's contents and permissions, in the place of what the other
/// held. Returns how many bytes.
///
/// # Errors
///
/// See [the room](super); the copy may be half written then.
///
/// # Cancellation
///
/// A job that has begun runs to its end: it may be done.
pub async fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<u64> {
    let paths = [from.as_ref(), to.as_ref()];
    on_both("copying", paths, |from, to| fs::copy(from, to)).await
}

/// Gives a file a second name.
///
/// # Errors
///
/// See [the room](super).
///
/// # Cancellation
///
/// A job that has begun runs to its end: it may be done.
pub async fn hard_link(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    let paths = [from.as_ref(), to.as_ref()];
    on_both("linking", paths, |from, to| fs::hard_link(from, to)).await
}

/// Makes `to` a symbolic link that leads to `from`, which need not exist.
///
/// # Errors
///
/// See [the room](super).
///
/// # Cancellation
///
/// A job that has begun runs to its end: it may be done.
pub async fn symlink(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    let paths = [from.as_ref(), to.as_ref()];
    on_both("linking", paths, |from, to| unix::fs::symlink(from, to)).await
}
