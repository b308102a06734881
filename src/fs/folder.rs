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
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::fs;
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let manifest = fs::metadata("Cargo.toml").await?;
/// assert!(manifest.is_file() && manifest.len() > 0);
/// assert!(fs::metadata("src").await?.is_dir());
/// # Ok(())
/// # })
/// # }
/// ```
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
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::fs;
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// # let name = format!("tourbillon-symlink-metadata-{}", std::process::id());
/// # let here = std::env::temp_dir().join(name);
/// # std::fs::create_dir_all(&here)?;
/// let link = here.join("link");
/// fs::symlink("/nowhere/at/all", &link).await?;
/// assert!(fs::symlink_metadata(&link).await?.is_symlink());
/// assert!(fs::metadata(&link).await.is_err());
/// # std::fs::remove_dir_all(&here)?;
/// # Ok(())
/// # })
/// # }
/// ```
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
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::fs;
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// assert!(fs::exists("Cargo.toml").await?);
/// assert!(!fs::exists("Cargo.toml.orig.old").await?);
/// # Ok(())
/// # })
/// # }
/// ```
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
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::fs;
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let path = fs::canonicalize("src/../Cargo.toml").await?;
/// assert!(path.is_absolute());
/// assert_eq!(path, std::env::current_dir()?.canonicalize()?.join("Cargo.toml"));
/// # Ok(())
/// # })
/// # }
/// ```
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
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::fs;
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// # let here = std::env::temp_dir().join(format!("tourbillon-read-link-{}", std::process::id()));
/// # std::fs::create_dir_all(&here)?;
/// let current = here.join("current");
/// fs::symlink("release-7", &current).await?;
/// assert_eq!(fs::read_link(&current).await?.to_str(), Some("release-7"));
/// # std::fs::remove_dir_all(&here)?;
/// # Ok(())
/// # })
/// # }
/// ```
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
///
/// # Examples
///
/// It may be gone already:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::io::ErrorKind;
/// use tourbillon::fs;
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// # let path = std::env::temp_dir().join(format!("tourbillon-gone-{}", std::process::id()));
/// match fs::remove_file(&path).await {
///     Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
///     _ => assert!(!fs::exists(&path).await?),
/// }
/// # Ok(())
/// # })
/// # }
/// ```
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
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::io::ErrorKind;
/// use tourbillon::fs;
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// # let here = std::env::temp_dir().join(format!("tourbillon-remove-dir-{}", std::process::id()));
/// # std::fs::create_dir_all(&here)?;
/// fs::write(here.join("note"), "still here").await?;
/// let error = fs::remove_dir(&here).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::DirectoryNotEmpty);
/// fs::remove_file(here.join("note")).await?;
/// fs::remove_dir(&here).await?;
/// # Ok(())
/// # })
/// # }
/// ```
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
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::fs;
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// # let name = format!("tourbillon-remove-dir-all-{}", std::process::id());
/// # let here = std::env::temp_dir().join(name);
/// # std::fs::create_dir_all(&here)?;
/// fs::create_dir_all(here.join("build/cache")).await?;
/// fs::write(here.join("build/cache/1"), "one").await?;
/// fs::remove_dir_all(here.join("build")).await?;
/// assert!(!fs::exists(here.join("build")).await?);
/// # std::fs::remove_dir_all(&here)?;
/// # Ok(())
/// # })
/// # }
/// ```
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
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::io::ErrorKind;
/// use tourbillon::fs;
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// # let here = std::env::temp_dir().join(format!("tourbillon-create-dir-{}", std::process::id()));
/// # std::fs::create_dir_all(&here)?;
/// let spool = here.join("spool");
/// fs::create_dir(&spool).await?;
/// let error = fs::create_dir(&spool).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::AlreadyExists);
/// # std::fs::remove_dir_all(&here)?;
/// # Ok(())
/// # })
/// # }
/// ```
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
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::fs;
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// # let name = format!("tourbillon-create-dir-all-{}", std::process::id());
/// # let here = std::env::temp_dir().join(name);
/// # std::fs::create_dir_all(&here)?;
/// let folder = here.join("2026/11/22");
/// fs::create_dir_all(&folder).await?;
/// fs::create_dir_all(&folder).await?; // it is there, and that is all right
/// assert!(fs::metadata(&folder).await?.is_dir());
/// # std::fs::remove_dir_all(&here)?;
/// # Ok(())
/// # })
/// # }
/// ```
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
///
/// # Examples
///
/// A secret, for this user alone:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::os::unix::fs::PermissionsExt;
/// use tourbillon::fs::{self, Permissions};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// # let name = format!("tourbillon-set-permissions-{}", std::process::id());
/// # let here = std::env::temp_dir().join(name);
/// # std::fs::create_dir_all(&here)?;
/// let path = here.join("key");
/// fs::write(&path, "secret").await?;
/// fs::set_permissions(&path, Permissions::from_mode(0o600)).await?;
/// assert_eq!(fs::metadata(&path).await?.permissions().mode() & 0o777, 0o600);
/// # std::fs::remove_dir_all(&here)?;
/// # Ok(())
/// # })
/// # }
/// ```
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
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::fs;
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// # let here = std::env::temp_dir().join(format!("tourbillon-copy-{}", std::process::id()));
/// # std::fs::create_dir_all(&here)?;
/// fs::write(here.join("notes"), "tick").await?;
/// assert_eq!(fs::copy(here.join("notes"), here.join("notes.bak")).await?, 4);
/// assert_eq!(fs::read(here.join("notes.bak")).await?, b"tick");
/// # std::fs::remove_dir_all(&here)?;
/// # Ok(())
/// # })
/// # }
/// ```
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
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::fs;
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// # let here = std::env::temp_dir().join(format!("tourbillon-hard-link-{}", std::process::id()));
/// # std::fs::create_dir_all(&here)?;
/// fs::write(here.join("one"), "tick").await?;
/// fs::hard_link(here.join("one"), here.join("two")).await?;
/// fs::remove_file(here.join("one")).await?; // a name less, and the file stays
/// assert_eq!(fs::read(here.join("two")).await?, b"tick");
/// # std::fs::remove_dir_all(&here)?;
/// # Ok(())
/// # })
/// # }
/// ```
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
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::fs;
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// # let here = std::env::temp_dir().join(format!("tourbillon-symlink-{}", std::process::id()));
/// # std::fs::create_dir_all(&here)?;
/// fs::write(here.join("release-7"), "tick").await?;
/// fs::symlink("release-7", here.join("current")).await?;
/// assert_eq!(fs::read(here.join("current")).await?, b"tick");
/// # std::fs::remove_dir_all(&here)?;
/// # Ok(())
/// # })
/// # }
/// ```
pub async fn symlink(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    let paths = [from.as_ref(), to.as_ref()];
    on_both("linking", paths, |from, to| unix::fs::symlink(from, to)).await
}
