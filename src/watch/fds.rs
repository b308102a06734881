//! The descriptors that the loop watches, for those who watch the loop.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};

use super::chunks::{Chunks, number_of};
use super::event::NameId;

/// By the reactor's numbers.
pub(crate) struct Fds(Chunks<Entry>);

/// One that is gone says nothing.
#[derive(Default)]
struct Entry {
    /// The descriptor and one, so that zero is none.
    fd: AtomicU64,
    what: AtomicU32,
}

/// A descriptor, as it was when this was copied. It may be another's by now:
/// whoever asks the kernel about it may count wrong, and do no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FdSeen {
    pub(crate) fd: i32,
    pub(crate) what: NameId,
}

impl Fds {
    pub(super) fn new() -> Self {
        Fds(Chunks::new())
    }

    pub(super) fn add(&self, key: u32, fd: i32, what: NameId) {
        if let Some(entry) = self.0.make(number_of(key)) {
            entry.what.store(what.0, Relaxed);
            entry.fd.store(fd as u64 + 1, Release);
        }
    }

    /// Takes it off the list, and says which it was.
    pub(super) fn remove(&self, key: u32) -> Option<i32> {
        let entry = self.0.get(number_of(key))?;
        let fd = entry.fd.load(Relaxed);
        entry.fd.store(0, Relaxed);
        fd.checked_sub(1).map(|fd| fd as i32)
    }

    /// The descriptor with this key.
    pub(super) fn fd(&self, key: u32) -> Option<i32> {
        let fd = self.0.get(number_of(key))?.fd.load(Relaxed);
        fd.checked_sub(1).map(|fd| fd as i32)
    }

    pub(crate) fn all(&self) -> Vec<FdSeen> {
        let seen = self.0.all().filter_map(|(_, entry)| {
            let fd = entry.fd.load(Acquire).checked_sub(1)? as i32;
            let what = NameId(entry.what.load(Relaxed));
            Some(FdSeen { fd, what })
        });
        seen.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{FdSeen, Fds, NameId};

    #[test]
    fn a_list_of_descriptors_grows_and_forgets() {
        let fds = Fds::new();
        for key in 0..5_000 {
            fds.add(key, key as i32 + 3, NameId(7));
        }
        for key in (0..5_000).step_by(2) {
            assert_eq!(fds.remove(key), Some(key as i32 + 3));
        }
        assert_eq!((fds.fd(1), fds.fd(2), fds.remove(2)), (Some(4), None, None));
        let all = fds.all();
        assert_eq!(all.len(), 2_500);
        let what = NameId(7);
        assert!(all.contains(&FdSeen { fd: 5_002, what }));
    }
}
