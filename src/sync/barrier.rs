//! A meeting point.

use std::fmt;
use std::future::poll_fn;

use super::waiters::{Standing, Visit, Waiters};

/// A point that tasks pass together, once enough of them have come.
///
/// It can be used again and again. Who has come is who waits, so one that
/// gives up is not counted: there is no broken state as in `asyncio.Barrier`.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::rc::Rc;
/// use tourbillon::sync::Barrier;
///
/// let mut rt = tourbillon::Runtime::new()?;
/// let start = Rc::new(Barrier::new(2));
/// let other = Rc::clone(&start);
/// rt.block_on(async {
///     let task = tourbillon::spawn(async move { other.wait().await });
///     let leads = start.wait().await;
///     assert_ne!(leads, task.await.unwrap());
/// });
/// # Ok(())
/// # }
/// ```
pub struct Barrier {
    parties: usize,
    waiters: Waiters,
}

impl Barrier {
    /// Makes a barrier that opens when `parties` tasks wait at it. Zero
    /// counts as one, which never waits.
    pub fn new(parties: usize) -> Self {
        Barrier {
            parties: parties.max(1),
            waiters: Waiters::default(),
        }
    }

    /// Waits until enough tasks have come; returns whether this one is the
    /// leader, which is the one that came last.
    ///
    /// # Cancellation
    ///
    /// Dropping the future before the barrier opens takes the task back out:
    /// it has not come. Dropping it after has no effect on the others.
    pub async fn wait(&self) -> bool {
        let visit = Visit::new(&self.waiters);
        poll_fn(|cx| {
            visit.poll(cx, |standing| match standing {
                Standing::Outside => self.arrive(),
                Standing::Chosen | Standing::Released => Some(false),
            })
        })
        .await
    }

    fn arrive(&self) -> Option<bool> {
        if self.waiters.len() + 1 < self.parties {
            return None;
        }
        self.waiters.release_all();
        Some(true)
    }

    /// Places taken in line.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.waiters.held()
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties)
            .field("waiting", &self.waiters.len())
            .finish()
    }
}
