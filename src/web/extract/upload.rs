//! A file that a client has sent.

use std::fs::OpenOptions;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::fs::{self, File};

/// A file is kept in memory up to here, as in Starlette: most are small.
pub(super) const MEMORY_BYTES_MAX: usize = 1024 * 1024;

/// A file that came in a form: small ones are in memory, others in a file
/// below [`std::env::temp_dir`], which goes when this is dropped.
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
    path: PathBuf,
    file: File,
    is_ours: bool,
}

impl Spool {
    /// Makes a file in a directory. It is made whole by the job: if nobody
    /// waits for it any more, it goes where the job's value goes.
    async fn new_in(directory: PathBuf) -> io::Result<Spool> {
        fs::run_job(move || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true).mode(0o600);
            let number = RandomState::new().hash_one(std::process::id());
            let path = directory.join(format!("tourbillon-upload-{number:016x}"));
            let file = options.open(&path)?;
            Ok(Spool {
                file: File::opened(file, &path),
                path,
                is_ours: true,
            })
        })
        .await
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if self.is_ours
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            log::warn!("{} could not be removed: {error}", self.path.display());
        }
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

    /// Puts it at a path, in place of what is there.
    ///
    /// # Errors
    ///
    /// Those of the file system. The upload is still there then.
    ///
    /// # Cancellation
    ///
    /// It may be there or not. The upload goes when this is dropped.
    pub async fn persist(&mut self, path: impl AsRef<Path>) -> io::Result<()> {
        let Some(spool) = &mut self.spool else {
            return fs::write(path, self.memory.clone()).await;
        };
        if spool.is_ours && fs::rename(&spool.path, path.as_ref()).await.is_ok() {
            spool.is_ours = false;
            spool.path = path.as_ref().to_owned();
            return Ok(());
        }
        // Another file system, or moved away already: then by its bytes.
        fs::copy(&spool.path, path.as_ref()).await.map(drop)
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
            let memory = std::mem::take(&mut self.memory);
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

    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;
    use crate::runtime::{Runtime, yield_now};

    /// A client may leave while the file is being made.
    #[test]
    fn a_file_that_nobody_waits_for_goes() {
        let name = format!("tourbillon-spools-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir(&directory).unwrap();
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
        let left = std::fs::read_dir(&directory).unwrap().count();
        std::fs::remove_dir_all(&directory).unwrap();
        assert_eq!(left, 0);
    }
}
