//! What is in a folder, in batches: one job brings many entries.

use std::ffi::{OsStr, OsString};
use std::fs::{self, FileType, Metadata};
use std::future::{Future, poll_fn};
use std::io;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::vec;

use super::folder::symlink_metadata;
use super::job::{name, on_path};
use crate::executor::JoinError;
use crate::runtime::{JobHandle, spawn_blocking};

/// Entries that one job brings: getdents(2) fills std's buffer of 32 KiB with
/// about a thousand, and a job costs as much as some hundred of them.
const BATCH: usize = 256;

/// Opens a folder, to see what is in it.
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
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     let mut folder = fs::read_dir("src/fs").await?;
///     let mut names = Vec::new();
///     while let Some(entry) = folder.next_entry().await? {
///         names.push(entry.file_name().to_owned());
///     }
///     assert!(names.iter().any(|name| name == "read_dir.rs"));
///     Ok(())
/// })
/// # }
/// ```
pub async fn read_dir(path: impl AsRef<Path>) -> io::Result<ReadDir> {
    let shown: Arc<Path> = path.as_ref().into();
    let std = on_path("reading the folder", path, |path| fs::read_dir(path)).await?;
    Ok(ReadDir {
        path: shown,
        entries: Vec::new().into_iter(),
        state: State::Open(std),
    })
}

/// What is in a folder, in no order; given by [`read_dir`].
///
/// `.` and `..` are left out. What is added or removed meanwhile may be seen
/// or not.
///
/// # Examples
///
/// How many names, a batch at a time:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::fs::{self, ReadDir};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let mut folder: ReadDir = fs::read_dir("src/fs").await?;
/// let mut count = 0;
/// while let Some(batch) = folder.next_batch().await? {
///     count += batch.len();
/// }
/// assert!(count >= 6);
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Debug)]
pub struct ReadDir {
    path: Arc<Path>,
    /// Of the last batch, what was not given yet.
    entries: vec::IntoIter<DirEntry>,
    state: State,
}

#[derive(Debug)]
enum State {
    Open(fs::ReadDir),
    /// A worker has it. The job is kept here and not in a future, so a
    /// dropped future loses no batch.
    Reading(JobHandle<Batch>),
    /// The last batch ended with an error, to be told after it.
    Failed(io::Error),
    Ended,
}

/// What one job brings.
struct Batch {
    entries: Vec<DirEntry>,
    /// The folder, unless that was the end.
    rest: io::Result<Option<fs::ReadDir>>,
}

impl ReadDir {
    /// Gives the next entry; `None` after the last. Most calls have it at
    /// hand, and some wait for a batch.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read any further; then it has ended.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no entry.
    pub async fn next_entry(&mut self) -> io::Result<Option<DirEntry>> {
        poll_fn(|cx| {
            if self.entries.len() == 0 && !ready!(self.poll_fill(cx))? {
                return Poll::Ready(Ok(None));
            }
            Poll::Ready(Ok(self.entries.next()))
        })
        .await
    }

    /// Gives what one job brings, up to 256 entries and at least one; `None`
    /// after the last.
    ///
    /// # Errors
    ///
    /// As [`next_entry`](Self::next_entry).
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no entry.
    pub async fn next_batch(&mut self) -> io::Result<Option<Vec<DirEntry>>> {
        poll_fn(|cx| {
            if self.entries.len() == 0 && !ready!(self.poll_fill(cx))? {
                return Poll::Ready(Ok(None));
            }
            Poll::Ready(Ok(Some(std::mem::take(&mut self.entries).collect())))
        })
        .await
    }

    /// Says whether there is a batch.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Open(std) => {
                    let path = Arc::clone(&self.path);
                    self.state = State::Reading(spawn_blocking(move || read_batch(std, &path)));
                }
                State::Reading(mut job) => match Pin::new(&mut job).poll(cx) {
                    Poll::Pending => {
                        self.state = State::Reading(job);
                        return Poll::Pending;
                    }
                    Poll::Ready(Ok(batch)) => {
                        self.state = match batch.rest {
                            Ok(Some(std)) => State::Open(std),
                            Ok(None) => State::Ended,
                            Err(error) => State::Failed(error),
                        };
                        self.entries = batch.entries.into_iter();
                        if self.entries.len() > 0 {
                            return Poll::Ready(Ok(true));
                        }
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(lost(error))),
                },
                State::Failed(error) => return Poll::Ready(Err(error)),
                State::Ended => return Poll::Ready(Ok(false)),
            }
        }
    }
}

/// On a worker.
fn read_batch(mut std: fs::ReadDir, path: &Arc<Path>) -> Batch {
    let mut entries = Vec::new();
    let rest = loop {
        if entries.len() == BATCH {
            break Ok(Some(std));
        }
        match std.next() {
            Some(Ok(entry)) => entries.push(DirEntry {
                folder: Arc::clone(path),
                name: entry.file_name(),
                kind: entry.file_type().ok(),
            }),
            Some(Err(error)) => break Err(name(error, "reading the folder", path)),
            None => break Ok(None),
        }
    };
    Batch { entries, rest }
}

fn lost(error: JoinError) -> io::Error {
    match error.into_panic() {
        Ok(payload) => resume_unwind(payload),
        Err(error) => error.into(),
    }
}

/// One entry of a folder.
///
/// # Examples
///
/// How many bytes are in the files of a folder?
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::fs::{self, DirEntry};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// async fn size(entry: &DirEntry) -> std::io::Result<u64> {
///     match entry.file_type() {
///         Some(kind) if kind.is_file() => Ok(entry.metadata().await?.len()),
///         _ => Ok(0),
///     }
/// }
///
/// let (mut folder, mut sum) = (fs::read_dir("src/fs").await?, 0);
/// while let Some(entry) = folder.next_entry().await? {
///     assert!(entry.path().ends_with(entry.file_name()));
///     sum += size(&entry).await?;
/// }
/// assert!(sum > 10_000);
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DirEntry {
    folder: Arc<Path>,
    name: OsString,
    kind: Option<FileType>,
}

impl DirEntry {
    /// Its name, without the folder.
    pub fn file_name(&self) -> &OsStr {
        &self.name
    }

    /// The path that the folder was opened by, with its name.
    pub fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// Whether it is a file, a folder, a link, ..., as the folder says.
    /// `None` if it does not say, and the entry was gone when it was looked
    /// at.
    pub fn file_type(&self) -> Option<FileType> {
        self.kind
    }

    /// Says what it is: size, kind, times. Links are not followed.
    ///
    /// # Errors
    ///
    /// See [the room](super).
    ///
    /// # Cancellation
    ///
    /// Dropping the future changes nothing.
    pub async fn metadata(&self) -> io::Result<Metadata> {
        symlink_metadata(self.path()).await
    }
}
