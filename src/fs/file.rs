//! An open file, read and written at positions.
//!
//! A file that keeps its own position would lose it to a dropped future: the
//! job moves it, and nobody learns how far. So there is none here, and each
//! read and write says where.

use std::fmt;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::job::{name, on_path, run};
use super::{Metadata, OpenOptions};

/// An open file.
///
/// Several reads and writes may run at a time, in any order. It is closed
/// when it is dropped and the last job on it has ended; on a network's file
/// system closing may block, and so is worth a
/// [`spawn_blocking`](crate::spawn_blocking) there.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::fs::{self, File};
///
/// # let path = std::env::temp_dir().join(format!("tourbillon-file-{}", std::process::id()));
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     let file = File::create(&path).await?;
///     file.write_all_at("tick, tack", 0).await?;
///     file.sync_all().await?;
///
///     let file = File::open(&path).await?;
///     let mut buf = [0; 4];
///     file.read_exact_at(&mut buf, 6).await?;
///     assert_eq!(&buf, b"tack");
///     fs::remove_file(&path).await
/// })
/// # }
/// ```
#[derive(Clone)]
pub struct File {
    std: Arc<fs::File>,
    /// For the errors.
    path: Arc<Path>,
}

impl File {
    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// See [the room](super).
    ///
    /// # Cancellation
    ///
    /// Dropping the future changes nothing.
    pub async fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::open_with(path, OpenOptions::new().read(true)).await
    }

    /// Opens a file for writing. Makes it if there is none, and empties it
    /// if there is.
    ///
    /// # Errors
    ///
    /// See [the room](super).
    ///
    /// # Cancellation
    ///
    /// A job that has begun runs to its end: the file may be made, or empty.
    pub async fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::open_with(
            path,
            OpenOptions::new().write(true).create(true).truncate(true),
        )
        .await
    }

    /// Opens a file as `options` say.
    ///
    /// With `append`, Linux writes at the end whatever position is given.
    ///
    /// # Errors
    ///
    /// See [the room](super).
    ///
    /// # Cancellation
    ///
    /// A job that has begun runs to its end: the file may be made, or empty.
    ///
    /// # Examples
    ///
    /// A file that must not be there yet:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::fs::File;
    /// use tourbillon::fs::OpenOptions;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// # let name = format!("tourbillon-open-with-{}", std::process::id());
    /// # let here = std::env::temp_dir().join(name);
    /// # std::fs::create_dir_all(&here)?;
    /// let path = here.join("lock");
    /// let mut options = OpenOptions::new();
    /// options.write(true).create_new(true);
    /// File::open_with(&path, &options).await?.write_at("me", 0).await?;
    /// let error = File::open_with(&path, &options).await.unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    /// # std::fs::remove_dir_all(&here)?;
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub async fn open_with(path: impl AsRef<Path>, options: &OpenOptions) -> io::Result<Self> {
        let options = options.clone();
        let shown: Arc<Path> = path.as_ref().into();
        let std = on_path("opening", path, move |path| options.open(path)).await?;
        Ok(File {
            std: Arc::new(std),
            path: shown,
        })
    }

    /// Takes over a file that is open. Its position is neither used nor moved.
    pub fn from_std(file: fs::File) -> Self {
        let shown = format!("file descriptor {}", file.as_raw_fd());
        File {
            std: Arc::new(file),
            path: PathBuf::from(shown).into(),
        }
    }

    /// Gives the file away. If clones of it live, or jobs run on it, that is
    /// a duplicate of its descriptor.
    ///
    /// # Errors
    ///
    /// When it has to be duplicated, and no descriptor is left.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::fs::File;
    /// use std::io::Read;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let file = File::from_std(std::fs::File::open("Cargo.toml")?);
    /// let mut buf = [0; 9];
    /// let count = file.read_at(&mut buf, 0).await?;
    /// let mut file = file.into_std()?; // its position was not moved
    /// let mut again = vec![0; count];
    /// file.read_exact(&mut again)?;
    /// assert_eq!(again, &buf[..count]);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn into_std(self) -> io::Result<fs::File> {
        let path = self.path;
        Arc::try_unwrap(self.std)
            .or_else(|shared| shared.try_clone())
            .map_err(|error| name(error, "duplicating", &path))
    }

    /// A second descriptor of the same open file. To share this one, clone
    /// it.
    ///
    /// # Errors
    ///
    /// When no descriptor is left.
    ///
    /// # Examples
    ///
    /// For a library that wants a descriptor of its own:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::fs::File;
    /// use std::os::fd::AsRawFd;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let file = File::open("Cargo.toml").await?;
    /// let other = file.try_clone()?;
    /// assert_ne!(file.as_raw_fd(), other.as_raw_fd());
    /// assert_eq!(file.clone().as_raw_fd(), file.as_raw_fd());
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn try_clone(&self) -> io::Result<Self> {
        let std = self.std.try_clone();
        let std = std.map_err(|error| name(error, "duplicating", &self.path))?;
        Ok(File {
            std: Arc::new(std),
            path: Arc::clone(&self.path),
        })
    }

    /// Reads into `buf` what the file holds from `offset` on. Returns how
    /// many bytes, which may be fewer than there are; zero means the end (or
    /// that `buf` is empty).
    ///
    /// # Errors
    ///
    /// See [the room](super).
    ///
    /// # Cancellation
    ///
    /// Dropping the future changes nothing, `buf` neither.
    pub async fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        // The worker may outlive `buf`, so it reads into a buffer of its own.
        let mut bytes = vec![0; buf.len()];
        let read = self.on_file("reading", move |file| {
            let count = file.read_at(&mut bytes, offset)?;
            bytes.truncate(count);
            Ok(bytes)
        });
        let bytes = read.await?;
        buf[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }

    /// Fills `buf` from `offset` on.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the file ends first, and `buf` is as it was; else
    /// see [the room](super).
    ///
    /// # Cancellation
    ///
    /// Dropping the future changes nothing, `buf` neither.
    pub async fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let mut bytes = vec![0; buf.len()];
        let read = self.on_file("reading", move |file| {
            file.read_exact_at(&mut bytes, offset)?;
            Ok(bytes)
        });
        buf.copy_from_slice(&read.await?);
        Ok(())
    }

    /// Writes `bytes` from `offset` on. Returns how many were written, which
    /// may be fewer than there are. A gap before `offset` reads as zeros.
    ///
    /// A `Vec` is taken over, a slice is copied.
    ///
    /// # Errors
    ///
    /// See [the room](super).
    ///
    /// # Cancellation
    ///
    /// A job that has begun runs to its end: it may be written.
    pub async fn write_at(&self, bytes: impl Into<Vec<u8>>, offset: u64) -> io::Result<usize> {
        let bytes = bytes.into();
        let write = move |file: &fs::File| file.write_at(&bytes, offset);
        self.on_file("writing", write).await
    }

    /// Writes all of `bytes` from `offset` on; see
    /// [`write_at`](Self::write_at).
    ///
    /// # Errors
    ///
    /// See [the room](super); some may have been written then.
    ///
    /// # Cancellation
    ///
    /// A job that has begun runs to its end: all may be written.
    pub async fn write_all_at(&self, bytes: impl Into<Vec<u8>>, offset: u64) -> io::Result<()> {
        let bytes = bytes.into();
        let write = move |file: &fs::File| file.write_all_at(&bytes, offset);
        self.on_file("writing", write).await
    }

    /// Says what the file is: size, kind, times.
    ///
    /// # Errors
    ///
    /// See [the room](super).
    ///
    /// # Cancellation
    ///
    /// Dropping the future changes nothing.
    pub async fn metadata(&self) -> io::Result<Metadata> {
        self.on_file("looking at", fs::File::metadata).await
    }

    /// Cuts the file, or extends it by zeros.
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
    /// A file of a certain size, and on the disk:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::fs::File;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// # let name = format!("tourbillon-set-len-{}", std::process::id());
    /// # let here = std::env::temp_dir().join(name);
    /// # std::fs::create_dir_all(&here)?;
    /// let file = File::create(here.join("pages")).await?;
    /// file.set_len(4096).await?;
    /// file.sync_data().await?;
    /// assert_eq!(file.metadata().await?.len(), 4096);
    /// # std::fs::remove_dir_all(&here)?;
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub async fn set_len(&self, size: u64) -> io::Result<()> {
        let resize = move |file: &fs::File| file.set_len(size);
        self.on_file("resizing", resize).await
    }

    /// Waits until all that was written is on the disk, with what is known
    /// about the file; see fsync(2).
    ///
    /// # Errors
    ///
    /// What the disk says. Linux tells each error once: whatever was written
    /// since the last sync may be lost, and to sync again does not tell.
    ///
    /// # Cancellation
    ///
    /// A job that has begun runs to its end, and an error of the disk is
    /// lost with it.
    pub async fn sync_all(&self) -> io::Result<()> {
        self.on_file("syncing", fs::File::sync_all).await
    }

    /// The same for the contents, and of the rest what is needed to read
    /// them; see fdatasync(2).
    ///
    /// # Errors
    ///
    /// As [`sync_all`](Self::sync_all).
    ///
    /// # Cancellation
    ///
    /// As [`sync_all`](Self::sync_all).
    pub async fn sync_data(&self) -> io::Result<()> {
        self.on_file("syncing", fs::File::sync_data).await
    }

    /// As [`from_std`](Self::from_std), with its path for the errors.
    pub(crate) fn opened(file: fs::File, path: &Path) -> Self {
        File {
            std: Arc::new(file),
            path: path.into(),
        }
    }

    /// The file itself, for calls that do not wait for the disk.
    pub(crate) fn as_std(&self) -> &fs::File {
        &self.std
    }

    /// Has the kernel read these bytes into its page cache, so that sending
    /// them does not wait for the disk. Ends early at the end of the file.
    ///
    /// # Cancellation
    ///
    /// Dropping the future changes nothing.
    pub(crate) async fn read_ahead(&self, mut offset: u64, end: u64) -> io::Result<()> {
        self.on_file("reading", move |file| {
            let mut buf = vec![0; 64 * 1024];
            while offset < end {
                let most = (end - offset).min(buf.len() as u64) as usize;
                match file.read_at(&mut buf[..most], offset)? {
                    0 => break,
                    count => offset += count as u64,
                }
            }
            Ok(())
        })
        .await
    }

    async fn on_file<T: Send + 'static>(
        &self,
        verb: &'static str,
        job: impl FnOnce(&fs::File) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (std, path) = (Arc::clone(&self.std), Arc::clone(&self.path));
        run(move || job(&std).map_err(|error| name(error, verb, &path))).await
    }
}

impl From<fs::File> for File {
    fn from(file: fs::File) -> Self {
        File::from_std(file)
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.std.as_fd()
    }
}

impl AsRawFd for File {
    fn as_raw_fd(&self) -> RawFd {
        self.std.as_raw_fd()
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("fd", &self.as_raw_fd())
            .field("path", &self.path)
            .finish()
    }
}
