//! The jobs that are out, and what the end of each sets off.
//!
//! A job that is awaited is two allocations: what the worker runs, and the
//! slot of its result, which is kept here until the job has ended. A cell for
//! the handle and a callback to fill it were three more. With those, 100,000
//! jobs touched 11,000 pages; with these, 7,000 (November 2026, `perf stat` of
//! `runtimes 100,000 --only=ours`).

use std::mem;
use std::panic::Location;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use slab::Slab;

use super::callbacks::{Callback, CallbackKind};
use super::current::current;
use super::offload::note_job_panic;
use super::parts::{Parts, Post};
use crate::blocking::{JobKey, Ran, Slot};
use crate::executor::panic_text;
use crate::queue::TaskQueue;
use crate::watch::Handed;

/// Where and when a job ran, and for how long; none if nobody watches.
pub(crate) type RanFor = Option<Box<(Ran, Duration)>>;

/// How a job left the pool.
pub(super) enum JobEnd {
    Ran(RanFor),
    Cancelled,
    Refused(&'static str),
}

/// What waits here for one job.
struct Waiting {
    generation: u32,
    place: &'static Location<'static>,
    /// When it was handed in, by the board of those who watch.
    handed: Handed,
    end: End,
}

/// What its end sets off.
pub(super) enum End {
    Completion(Box<dyn FnOnce(JobEnd)>),
    Handle(Awaited),
}

/// A job whose handle may be awaited.
pub(super) struct Awaited {
    /// Kept here too, so that a result nobody wants is dropped on this thread.
    pub(super) slot: Arc<dyn Kept>,
    pub(super) name: fn() -> &'static str,
    pub(super) waiter: Option<Waker>,
    /// It has ended, and a callback in line will say so.
    pub(super) is_filed: bool,
}

/// The slot of a result, whatever its type.
pub(super) trait Kept {
    /// What it says if it is a panic.
    fn panic_text(&self) -> Option<String>;
}

impl<T> Kept for Slot<T> {
    fn panic_text(&self) -> Option<String> {
        let result = self.lock().unwrap_or_else(PoisonError::into_inner);
        let payload = result.as_ref()?.as_ref().err()?;
        Some(panic_text(&**payload).into())
    }
}

/// The jobs that are out, by key: slab index and generation.
#[derive(Default)]
pub(super) struct Jobs {
    waiting: Slab<Waiting>,
    generation: u32,
}

impl Jobs {
    pub(super) fn insert(
        &mut self,
        place: &'static Location<'static>,
        handed: Handed,
        end: End,
    ) -> JobKey {
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        let index = self.waiting.insert(Waiting {
            generation,
            place,
            handed,
            end,
        });
        key_of(generation, index)
    }

    fn get(&mut self, key: JobKey) -> Option<&mut Waiting> {
        let waiting = self.waiting.get_mut(index_of(key))?;
        (waiting.generation == key.number()).then_some(waiting)
    }

    fn remove(&mut self, key: JobKey) -> Option<Waiting> {
        self.get(key)?;
        Some(self.waiting.remove(index_of(key)))
    }

    /// Who waits for a job that is out.
    fn waiter(&mut self, key: JobKey) -> Option<&mut Option<Waker>> {
        match &mut self.get(key)?.end {
            End::Handle(awaited) => Some(&mut awaited.waiter),
            End::Completion(_) => None,
        }
    }

    pub(super) fn is_out(&mut self, key: JobKey) -> bool {
        self.get(key).is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Keys of all that is out.
    pub(super) fn keys(&self) -> Vec<JobKey> {
        let key = |(index, waiting): (usize, &Waiting)| key_of(waiting.generation, index);
        self.waiting.iter().map(key).collect()
    }
}

fn key_of(generation: u32, index: usize) -> JobKey {
    JobKey(u64::from(generation) << 32 | index as u64)
}

fn index_of(key: JobKey) -> usize {
    (key.0 & u64::from(u32::MAX)) as usize
}

/// Tells the loop of jobs that have run; where and when, only if somebody
/// watches.
pub(super) fn deliver_to(
    door: Arc<TaskQueue<Post>>,
    is_watched: bool,
) -> impl Fn(JobKey, Ran) -> bool {
    move |key, ran| {
        let ran = is_watched.then(|| Box::new((ran, ran.began.elapsed())));
        let is_behind = !door.seems_empty();
        // A closed door means that the runtime ends, and asks by itself.
        let _ = door.post(Post::JobEnded(key, ran));
        is_behind
    }
}

impl Parts {
    /// A worker says that it has run this job.
    pub(super) fn job_ended(&self, key: JobKey, ran: RanFor) {
        self.file_end(key, JobEnd::Ran(ran));
    }

    /// Queues what follows a job, to be called in the run phase. Whoever awaits one that ran is
    /// told at once, since that calls no more than a waker; unless somebody watches, who is shown a
    /// call.
    pub(super) fn file_end(&self, key: JobKey, how: JobEnd) {
        let mut jobs = self.jobs.borrow_mut();
        let Some(waiting) = jobs.get(key) else { return };
        let (place, handed) = (waiting.place, waiting.handed);
        let completion = match &mut waiting.end {
            End::Completion(_) => jobs.remove(key),
            End::Handle(awaited) => {
                if mem::replace(&mut awaited.is_filed, true) {
                    return;
                }
                None
            }
        };
        drop(jobs);
        let job = key.number();
        let completed = self.watch().map(|watch| match &how {
            JobEnd::Ran(Some(ended)) => {
                let (Ran { worker, began }, took) = **ended;
                watch.job_ran(job, handed, worker, began, took)
            }
            _ => watch.job_cancelled(job, handed),
        });
        let call: Box<dyn FnOnce()> = match completion.map(|waiting| waiting.end) {
            Some(End::Completion(end)) => Box::new(move || end(how)),
            _ if completed.is_none() && matches!(how, JobEnd::Ran(_)) => {
                return self.end_awaited(key);
            }
            _ => Box::new(move || current().end_awaited(key)),
        };
        self.push_callback(Callback {
            call,
            place,
            kind: CallbackKind::Completion(completed.unwrap_or_default()),
        });
    }

    /// Tells whoever awaits a job. If nobody will, its result is dropped.
    fn end_awaited(&self, key: JobKey) {
        let waiting = self.jobs.borrow_mut().remove(key);
        let Some(Waiting { place, end, .. }) = waiting else {
            return;
        };
        let End::Handle(Awaited {
            slot, name, waiter, ..
        }) = end
        else {
            return;
        };
        if let Some(text) = slot.panic_text() {
            note_job_panic(name(), place, &text);
        }
        self.drop_quietly("the result of a job without a handle", slot);
        if let Some(waker) = waiter {
            self.wake(waker);
        }
    }

    /// Waits for the end of a job: of one that has a handle.
    pub(super) fn poll_end(&self, key: JobKey, cx: &Context<'_>) -> Poll<()> {
        match self.jobs.borrow_mut().waiter(key) {
            None => return Poll::Ready(()),
            Some(Some(waker)) if waker.will_wake(cx.waker()) => return Poll::Pending,
            Some(_) => {}
        }
        // A foreign waker may run code when cloned and when dropped: nothing
        // is borrowed then.
        let waker = cx.waker().clone();
        let replaced = match self.jobs.borrow_mut().waiter(key) {
            None => return Poll::Ready(()),
            Some(waiter) => waiter.replace(waker),
        };
        drop(replaced);
        Poll::Pending
    }
}
