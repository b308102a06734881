//! One call of the standard library as a job of the pool.

use std::io;
use std::panic::resume_unwind;
use std::path::Path;

use crate::runtime::{JobHandle, spawn_blocking};
use crate::sys::NamedError;

/// A job that is taken out of the pool's queue if nobody waits for it.
struct CancelOnDrop<T>(JobHandle<T>);

impl<T> Drop for CancelOnDrop<T> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Runs `job` on the pool.
pub(crate) async fn run<T: Send + 'static>(
    job: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let mut job = CancelOnDrop(spawn_blocking(job));
    match (&mut job.0).await {
        Ok(result) => result,
        Err(error) => Err(match error.into_panic() {
            Ok(payload) => resume_unwind(payload),
            Err(error) => error.into(),
        }),
    }
}

/// Runs `job` on `path`; `verb` is what it does, for the error.
pub(super) async fn on_path<T: Send + 'static>(
    verb: &'static str,
    path: impl AsRef<Path>,
    job: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let path = path.as_ref().to_owned();
    run(move || job(&path).map_err(|error| name(error, verb, &path))).await
}

/// Runs `job` on two paths, as in "renaming a to b".
pub(super) async fn on_both<T: Send + 'static>(
    verb: &'static str,
    [from, to]: [&Path; 2],
    job: impl FnOnce(&Path, &Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (from, to) = (from.to_owned(), to.to_owned());
    run(move || {
        job(&from, &to).map_err(|error| {
            let attempt = format!("{verb} {} to {}", from.display(), to.display());
            NamedError::wrap(error, attempt, None)
        })
    })
    .await
}

/// Puts what was tried in front of an error.
pub(super) fn name(error: io::Error, verb: &str, path: &Path) -> io::Error {
    NamedError::wrap(error, format!("{verb} {}", path.display()), None)
}
