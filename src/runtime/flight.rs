//! The flight recorder: keeps what happened around a stall, in a file each.
//!
//! While the loop is stuck it writes nothing, so what came before is taken
//! when the stall is found. What comes after may fill the ring, and is taken
//! half a second later; the file holds both.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use super::watcher::Watcher;
use crate::watch::Recording;
use crate::watchdog::{Stage, StallReport};

/// How long after a stall is kept.
const AFTER: Duration = Duration::from_millis(500);

/// A program that stalls all day must not fill the disk.
const FILES_MAX: u32 = 32;

/// Hears of stalls, and writes a file about each.
pub(super) struct Flight {
    folder: PathBuf,
    /// Made after the watchdog, which this belongs to.
    watcher: OnceLock<Watcher>,
    before: Mutex<Option<Recording>>,
    files: AtomicU32,
}

impl Flight {
    pub(super) fn new(folder: &Path) -> Arc<Self> {
        Arc::new(Flight {
            folder: folder.to_owned(),
            watcher: OnceLock::new(),
            before: Mutex::default(),
            files: AtomicU32::new(0),
        })
    }

    pub(super) fn follow(&self, watcher: Watcher) {
        let _ = self.watcher.set(watcher);
    }

    /// On the thread that tells of stalls.
    pub(super) fn hear(&self, report: &StallReport) {
        let Some(watcher) = self.watcher.get() else {
            return;
        };
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        match report.stage {
            Stage::Began => *before = Some(watcher.recording()),
            Stage::Lasts => {}
            Stage::Over => {
                let before = before.take();
                if self.files.fetch_add(1, Relaxed) < FILES_MAX {
                    self.write_soon(report.stall.id, before, watcher.clone());
                }
            }
        }
    }

    fn write_soon(&self, id: u32, before: Option<Recording>, watcher: Watcher) {
        let path = self.folder.join(format!("stall-{id}.json"));
        let write = move || {
            thread::sleep(AFTER);
            let all = joined(before, watcher.recording());
            match save(&path, &all) {
                Ok(()) => log::warn!("the events around stall {id} are in {}", path.display()),
                Err(error) => log::error!("{} could not be written: {error}", path.display()),
            }
        };
        let thread = thread::Builder::new().name("tourbillon-flight".to_owned());
        if let Err(error) = thread.spawn(write) {
            log::error!("the events around stall {id} are lost, no thread: {error}");
        }
    }
}

/// What the later one has forgotten of the earlier one, and then all of it.
fn joined(before: Option<Recording>, mut after: Recording) -> Recording {
    let Some(before) = before else { return after };
    let first = after
        .events
        .iter()
        .find(|event| event.kind.name() != "lost");
    let first = first.map_or(u64::MAX, |event| event.at);
    let mut events = before.events;
    events.retain(|event| event.at < first);
    events.append(&mut after.events);
    after.events = events;
    after.events.sort_by_key(|event| event.at);
    after
}

/// Whole or not at all: somebody may wait for the file to appear.
fn save(path: &Path, recording: &Recording) -> io::Result<()> {
    let unfinished = path.with_extension("part");
    fs::write(&unfinished, recording.save())?;
    fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests {
    use super::joined;
    use crate::watch::{Event, EventKind, Recording};

    #[test]
    fn what_was_forgotten_comes_from_before() {
        let of = |times: &[u64]| {
            let mut recording = Recording::new();
            let kind = EventKind::TimerFire { late: 0 };
            recording.events = times
                .iter()
                .map(|&at| Event { at, task: 0, kind })
                .collect();
            recording
        };
        let all = joined(Some(of(&[1, 2, 3, 4])), of(&[3, 4, 5]));
        let times: Vec<u64> = all.events.iter().map(|event| event.at).collect();
        assert_eq!(times, [1, 2, 3, 4, 5]);
        assert_eq!(joined(None, of(&[7])).events.len(), 1);
    }
}
