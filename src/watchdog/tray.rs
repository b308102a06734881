//! What was seen and has not been said yet.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::teller::News;

/// So much may lie there; whoever is that far behind hears of the rest as a number.
const NEWS_MAX: usize = 64;

/// Between the thread that looks and the one that tells. The loop never takes this lock.
#[derive(Debug, Default)]
pub(super) struct Tray {
    lies: Mutex<Lies>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Lies {
    news: VecDeque<News>,
    is_telling: bool,
    is_closed: bool,
}

impl Tray {
    /// Puts news there; says whether there was room.
    pub(super) fn put(&self, news: News) -> bool {
        let has_room = self.lock().news.len() < NEWS_MAX;
        if has_room {
            self.put_anyway(news);
        }
        has_room
    }

    /// The same for the end of what there was room for: there are no more of these.
    pub(super) fn put_anyway(&self, news: News) {
        self.lock().news.push_back(news);
        self.changed.notify_all();
    }

    /// Takes the oldest, and waits for it; none when all was taken and no more will come.
    pub(super) fn take(&self) -> Option<News> {
        let lies = self.lock();
        let waits = |lies: &mut Lies| lies.news.is_empty() && !lies.is_closed;
        let lies = self.changed.wait_while(lies, waits);
        let mut lies = lies.unwrap_or_else(PoisonError::into_inner);
        let news = lies.news.pop_front();
        lies.is_telling = news.is_some();
        news
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.lock().news.is_empty()
    }

    /// What was taken last has been told.
    pub(super) fn done(&self) {
        self.lock().is_telling = false;
        self.changed.notify_all();
    }

    /// Waits until all has been told, but not for longer than that.
    pub(super) fn wait_until_told(&self, patience: Duration) {
        let waits = |lies: &mut Lies| lies.is_telling || !lies.news.is_empty();
        // Told or not, it is time to go on.
        drop(
            self.changed
                .wait_timeout_while(self.lock(), patience, waits),
        );
    }

    /// No more news will come.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Lies> {
        // Nothing but moves is done under it.
        self.lies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
