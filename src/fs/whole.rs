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
pub async fn write(path: impl AsRef<Path>, contents: impl Into<Vec<u8>>) -> io::Result<()> {
    let contents = contents.into();
    on_path("writing", path, move |path| fs::write(path, contents)).await
}
