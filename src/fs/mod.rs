//! Files and folders, by the blocking pool.
//!
//! ```text
//!   fs::read(path).await ──job──▶ a worker: std::fs::read ──completion──▶ the task
//! ```
//!
//! The kernel has no readiness for files: a read takes as long as the disk,
//! and a name as long as the server it is mounted from. So each function here
//! is one job of the pool, and as many run at a time as it has workers
//! ([`Builder::blocking_workers_max`](crate::Builder::blocking_workers_max)).
//! Many small steps in a row are better one job of one's own: see
//! [`spawn_blocking`](crate::spawn_blocking).
//!
//! # What is the same for all
//!
//! - *When:* the job is handed to the pool when the future is first polled.
//! - *Cancellation:* dropping the future takes the job out of the pool's
//!   queue. One that has begun runs to its end all the same: what it was to
//!   change may be changed, what it has read is dropped. Reads and writes of
//!   a [`File`] are positional, so no position is left in between.
//! - *Errors:* those of the standard library's function of the same name,
//!   their kind kept, with what was tried in front: `reading /x/y: No such
//!   file or directory (os error 2)`. [`raw_os_error`] finds the number. If
//!   the pool takes no job (its queue is full, the runtime shuts down), that.
//! - *Panics:* when polled while no runtime is entered on this thread.
//! - A pipe or a device that has nothing to give holds a worker until it has:
//!   open those elsewhere.
//!
//! # Examples
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! use std::os::unix::fs::PermissionsExt;
//! use tourbillon::fs::{self, Permissions};
//!
//! # let here = std::env::temp_dir().join(format!("tourbillon-room-{}", std::process::id()));
//! # let at = |name: &str| here.join(name);
//! let mut rt = tourbillon::Runtime::new()?;
//! rt.block_on(async {
//!     fs::create_dir(&here).await?;
//!     fs::write(at("a"), "tick").await?;
//!     assert_eq!(fs::copy(at("a"), at("b")).await?, 4);
//!     fs::hard_link(at("a"), at("c")).await?;
//!     fs::symlink("a", at("link")).await?;
//!     assert_eq!(fs::read_link(at("link")).await?.to_str(), Some("a"));
//!     assert!(fs::symlink_metadata(at("link")).await?.is_symlink());
//!     assert!(fs::canonicalize(at("link")).await?.ends_with("a"));
//!     fs::set_permissions(at("b"), Permissions::from_mode(0o400)).await?;
//!     for name in ["a", "b", "c", "link"] {
//!         fs::remove_file(at(name)).await?;
//!     }
//!     fs::remove_dir(&here).await
//! })
//! # }
//! ```

mod job;
mod whole;
mod folder;
mod file;
mod read_dir;

pub use crate::sys::raw_os_error;
pub use file::File;
pub use folder::{
    canonicalize, copy, create_dir, create_dir_all, exists, hard_link, metadata, read_link,
    remove_dir, remove_dir_all, remove_file, rename, set_permissions, symlink, symlink_metadata,
};
pub(crate) use job::run as run_job;
pub use read_dir::{DirEntry, ReadDir, read_dir};
pub use std::fs::{FileType, Metadata, OpenOptions, Permissions};
pub use whole::{read, read_to_string, write};
