//! Child processes that futures await.
//!
//! ```text
//!   Command ──spawn──▶ Child ─┬─ stdin, stdout, stderr: pipes ──▶ reactor ──▶ read, write
//!                             ├─ wait ──▶ a pidfd ──────────────▶ reactor ──▶ ExitStatus
//!                             │           or SIGCHLD ──▶ reaper ──wakes──▶ ExitStatus
//!                             └─ dropped while it runs ──▶ reaper: no zombie stays
//! ```
//!
//! A child's end is heard by a pidfd where the kernel has them (Linux 5.3),
//! else by SIGCHLD. Its status is taken exactly once, by this room: other
//! code in the process must not wait for any child at large
//! (`waitpid(-1, ..)`), nor ignore SIGCHLD, or the status is lost and
//! [`Child::wait`] says so.
//!
//! # Ending a child that may refuse
//!
//! Ask, give it some time, then insist:
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! use std::time::Duration;
//! use tourbillon::process::Command;
//! use tourbillon::timeout;
//!
//! let mut rt = tourbillon::Runtime::new()?;
//! rt.block_on(async {
//!     let mut child = Command::new("sleep").arg("600").spawn()?;
//!     child.terminate()?;
//!     let grace = Duration::from_secs(5);
//!     let status = match timeout(grace, child.wait()).await {
//!         Ok(status) => status?,
//!         Err(_elapsed) => {
//!             child.start_kill()?;
//!             child.wait().await?
//!         }
//!     };
//!     assert!(!status.success());
//!     Ok(())
//! })
//! # }
//! ```

mod command;
mod child;
mod pipe;
mod exit;
mod reaper;

pub use child::Child;
pub use command::Command;
pub use pipe::{ChildStderr, ChildStdin, ChildStdout};
pub use std::process::{ExitStatus, Output, Stdio};
