//! Whole files at once.

use std::fs;
use std::io;
use std::path::Path;

use super::job::on_path;

/// Reads a whole file, whatever its size.
///
/// # Errors
///
/// When it cannot be opened or read; see [the room](super).
///
/// # Cancellation
///
/// A job that has begun runs to its end; what it read is dropped.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::fs;
///
/// # let path = std::env::temp_dir().join(format!("tourbillon-doc-{}", std::process::id()));
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     fs::write(&path, "tick").await?;
///     assert_eq!(fs::read(&path).await?, b"tick");
///     assert_eq!(fs::read_to_string(&path).await?, "tick");
///     fs::remove_file(&path).await?;
///     let error = fs::read(&path).await.unwrap_err();
///     assert!(error.to_string().starts_with("reading /"));
///     Ok(())
/// })
/// # }
/// ```
pub async fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    on_path("reading", path, |path| fs::read(path)).await
}

/// Reads a whole file as text.
///
/// # Errors
///
/// As [`read`]; `InvalidData` if it is not UTF-8.
///
/// # Cancellation
///
/// A job that has begun runs to its end; what it read is dropped.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::io::ErrorKind;
/// use tourbillon::fs;
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// # let name = format!("tourbillon-read-to-string-{}", std::process::id());
/// # let here = std::env::temp_dir().join(name);
/// # std::fs::create_dir_all(&here)?;
/// fs::write(here.join("text"), "tick\n").await?;
/// assert_eq!(fs::read_to_string(here.join("text")).await?.trim(), "tick");
/// fs::write(here.join("bytes"), [0xff, 0xfe]).await?;
/// let error = fs::read_to_string(here.join("bytes")).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidData);
/// # std::fs::remove_dir_all(&here)?;
/// # Ok(())
/// # })
/// # }
/// ```
pub async fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    on_path("reading", path, |path| fs::read_to_string(path)).await
}

/// Writes a file: makes it if there is none, else puts `contents` in the
/// place of what it held.
///
/// It is neither atomic nor on the disk when this returns: for that, write
/// another file, [`sync_all`](super::File::sync_all) it, and
/// [`rename`](super::rename()) it.
///
/// # Errors
///
/// When it cannot be opened or written; it may be empty or half written then.
///
/// # Cancellation
///
/// A job that has begun runs to its end: the file may be written.
///
/// # Examples
///
/// Old or new, whatever happens in between:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::fs::{self, File};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// # let here = std::env::temp_dir().join(format!("tourbillon-write-{}", std::process::id()));
/// # std::fs::create_dir_all(&here)?;
/// let (path, draft) = (here.join("state"), here.join("state.new"));
/// fs::write(&draft, "tick").await?;
/// File::open(&draft).await?.sync_all().await?;
/// fs::rename(&draft, &path).await?;
/// assert_eq!(fs::read(&path).await?, b"tick");
/// # std::fs::remove_dir_all(&here)?;
/// # Ok(())
/// # })
/// # }
/// ```
pub async fn write(path: impl AsRef<Path>, contents: impl Into<Vec<u8>>) -> io::Result<()> {
    let contents = contents.into();
    on_path("writing", path, move |path| fs::write(path, contents)).await
}
