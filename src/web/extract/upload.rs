//! A file that a client has sent.

use std::fs::{OpenOptions, remove_file, rename};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::mem;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::fs::{self, File};
use crate::sys::{self, NamedError};

/// A file is kept in memory up to here, as in Starlette: most are small.
pub(super) const MEMORY_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of a file that are copied at a time.
const PIECE: usize = 256 * 1024;

/// A file that came in a form: small ones are in memory, others on the disk
/// of [`std::env::temp_dir`], in a file without a name. That one goes when
/// this is dropped, and when the process ends in whatever way.
///
/// What the client says of it, name and type, is only what it says: a name
/// may hold slashes and dots, and must not be used as a path.
///
/// # Examples
///
/// ```
/// use tourbillon::web::extract::UploadedFile;
///
/// async fn keep(mut file: UploadedFile) -> std::io::Result<String> {
///     if file.size() < 100 {
///         return Ok(String::from_utf8_lossy(&file.read().await?).into_owned());
///     }
///     file.persist("/srv/uploads/1").await?;
///     Ok(format!("{} is {:?}, a {:?}", file.field(), file.name(), file.content_type()))
/// }
/// # let _ = keep;
/// ```
#[derive(Debug)]
pub struct UploadedFile {
    pub(super) field: String,
    pub(super) name: String,
    pub(super) content_type: Option<String>,
    pub(super) size: u64,
    pub(super) memory: Vec<u8>,
    pub(super) spool: Option<Spool>,
}

/// A file of ours, of which only we know.
#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    /// It was given none.
    is_unnamed: bool,
}

impl Spool {
    /// Makes a file on the file system of a directory.
    async fn new_in(directory: PathBuf) -> io::Result<Spool> {
        fs::run_job(move || {
            let file = sys::open_unnamed(&directory)?;
            Ok(Spool {
                file: File::opened(file, Path::new("an upload")),
                is_unnamed: true,
            })
        })
        .await
    }

    /// Puts it at a path: by a name if it has none yet and is on that file
    /// system, else by its bytes. A name does not replace another, so it is
    /// given one beside it first.
    async fn put(&mut self, path: PathBuf) -> io::Result<()> {
        let file = self.file.clone();
        // A second name would be of the same bytes, not of a copy.
        let is_unnamed = mem::take(&mut self.is_unnamed);
        fs::run_job(move || {
            let number = RandomState::new().hash_one(std::process::id());
            let draft = path.with_file_name(format!(".tourbillon-upload-{number:016x}"));
            let linked = match is_unnamed {
                true => sys::link_unnamed(file.as_std(), &draft),
                false => Err(io::ErrorKind::AlreadyExists.into()),
            };
            let made = linked.or_else(|_| copy(file.as_std(), &draft));
            made.and_then(|()| rename(&draft, &path)).map_err(|error| {
                // It may not be there at all.
                let _ = remove_file(&draft);
                NamedError::wrap(error, format!("keeping {}", path.display()), None)
            })
        })
        .await
    }
}

/// Copies to a path that is free.
fn copy(from: &std::fs::File, path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut to = options.open(path)?;
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    loop {
        let count = from.read_at(&mut piece, at)?;
        if count == 0 {
            return Ok(());
        }
        to.write_all(&piece[..count])?;
        at += count as u64;
    }
}

impl UploadedFile {
    /// The name of the form's field.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The name that the client gives it. It may be empty.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type that the client gives it.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// How long it is, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads it whole.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    pub async fn read(&self) -> io::Result<Vec<u8>> {
        match &self.spool {
            None => Ok(self.memory.clone()),
            Some(spool) => {
                let too_long = |_| io::Error::from(io::ErrorKind::FileTooLarge);
                let mut all = vec![0; usize::try_from(self.size).map_err(too_long)?];
                spool.file.read_exact_at(&mut all, 0).await?;
                Ok(all)
            }
        }
    }

    /// Puts it at a path, in place of what is there. A large one has a name
    /// beside it first, `.tourbillon-upload-` and a number, so that the path
    /// names the old file or all of the new one; only its owner may read it.
    ///
    /// # Errors
    ///
    /// Those of the file system. The upload is still there then.
    ///
    /// # Cancellation
    ///
    /// It may be there or not. The upload goes when this is dropped.
    pub async fn persist(&mut self, path: impl AsRef<Path>) -> io::Result<()> {
        match &mut self.spool {
            None => fs::write(path, self.memory.clone()).await,
            Some(spool) => spool.put(path.as_ref().to_owned()).await,
        }
    }

    pub(super) async fn write(&mut self, data: Vec<u8>) -> io::Result<()> {
        let at = self.size;
        self.size += data.len() as u64;
        if self.spool.is_none() {
            if self.size <= MEMORY_BYTES_MAX as u64 {
                self.memory.extend_from_slice(&data);
                return Ok(());
            }
            let spool = Spool::new_in(std::env::temp_dir()).await?;
            let memory = mem::take(&mut self.memory);
            spool.file.write_all_at(memory, 0).await?;
            self.spool = Some(spool);
        }
        match &self.spool {
            Some(spool) => spool.file.write_all_at(data, at).await,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::MetadataExt;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;
    use crate::runtime::{Runtime, yield_now};

    fn folder(name: &str) -> PathBuf {
        let name = format!("tourbillon-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        folder
    }

    fn names_in(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A client may leave while the file is being made.
    #[test]
    fn a_file_that_nobody_waits_for_goes() {
        let directory = folder("spools");
        let mut runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            for round in 0..300 {
                let mut making = pin!(Spool::new_in(directory.clone()));
                let mut cx = Context::from_waker(Waker::noop());
                let _ = making.as_mut().poll(&mut cx);
                for _ in 0..round % 30 {
                    yield_now().await;
                }
            }
        });
        runtime.shutdown();
        let left = names_in(&directory);
        std::fs::remove_dir_all(&directory).unwrap();
        assert_eq!(left, [""; 0]);
    }

    /// So nothing is left of it if the process is killed, and no drop waits
    /// for the disk.
    #[test]
    fn what_is_kept_has_no_name_until_it_is_given_one() {
        let directory = folder("unnamed");
        let path = |name: &str| directory.join(name);
        let inode = |name: &str| std::fs::metadata(path(name)).unwrap().ino();
        std::fs::write(path("old"), "what was there").unwrap();
        Runtime::new().unwrap().block_on(async {
            let mut spool = Spool::new_in(directory.clone()).await.unwrap();
            spool.file.write_all_at("tick", 0).await.unwrap();
            assert_eq!(names_in(&directory), ["old"]);
            assert!(spool.put(path("none/new")).await.is_err());
            assert!(spool.put(directory.join("..")).await.is_err());

            let mut spool = Spool::new_in(directory.clone()).await.unwrap();
            let bytes = vec![7; 2 * PIECE + 1];
            spool.file.write_all_at(bytes.clone(), 0).await.unwrap();
            for name in ["old", "copy", "old"] {
                spool.put(path(name)).await.unwrap();
                assert_eq!(std::fs::read(path(name)).unwrap(), bytes);
                let mode = std::fs::metadata(path(name)).unwrap().mode();
                assert_eq!(mode & 0o777, 0o600);
            }
            assert_ne!(inode("old"), inode("copy"));
            drop(spool);
            assert_eq!(names_in(&directory), ["copy", "old"]);
        });
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
