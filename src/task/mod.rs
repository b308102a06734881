//! What tasks can be made of: groups that end together, limits that can be
//! moved, values that go with a task.
//!
//! ```text
//!   TaskGroup ──spawn──▶ child  child  child
//!       │                  │ fails
//!       │ join             ▼
//!       ▼             the others are cancelled
//!   all results, or all errors; and no child lives any more
//! ```
//!
//! Nothing here is known to the loop: each piece is futures around futures.

mod group;
mod local;
mod deadline;

pub use deadline::Deadline;
pub use group::{Failure, GroupError, GroupSpawner, TaskGroup};
pub use local::{TaskLocal, inherit};
