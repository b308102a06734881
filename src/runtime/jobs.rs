//! The jobs that are out, and what the end of each sets off.
//!
//! A job that is awaited is one allocation: what the worker runs, which comes
//! back with the result and waits here for whoever awaits it.

use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use slab::Slab;

use super::callbacks::{Callback, CallbackKind};
use super::current::current;
use super::offload::note_job_panic;
use super::parts::{Parts, Post};
use crate::blocking::{JobKey, Ran, Work};
use crate::queue::TaskQueue;
use crate::watch::Handed;

/// Where and when a job ran, and for how long; none if nobody watches.
pub(crate) type RanFor = Option<Box<(Ran, Duration)>>;

/// How a job left the pool.
pub(super) enum JobEnd {
    Ran(Work, RanFor),
    /// It was cancelled, or did not end in time.
    Aborted,
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

/// Where a job was handed in, when, and its completion.
type Ending = (
    &'static Location<'static>,
    Handed,
    Option<Box<dyn FnOnce(JobEnd)>>,
);

/// A job whose handle may be awaited.
pub(super) enum Awaited {
    Out {
        waiter: Option<Waker>,
        /// It has ended, and a callback in line will say so.
        is_ending: bool,
        /// Its handle is there.
        is_wanted: bool,
    },
    /// It waits for its handle; none if it never ran.
    Ended(Option<Work>),
}

impl Awaited {
    pub(super) const OUT: Awaited = Awaited::Out {
        waiter: None,
        is_ending: false,
        is_wanted: true,
    };
}

/// The jobs that are out, and results that wait for their handles, by key: slab
/// index and generation.
#[derive(Default)]
pub(super) struct Jobs {
    waiting: Slab<Waiting>,
    /// How many of them are out.
    out: usize,
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
        self.out += 1;
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

    fn awaited(&mut self, key: JobKey) -> Option<&mut Awaited> {
        match &mut self.get(key)?.end {
            End::Handle(awaited) => Some(awaited),
            End::Completion(_) => None,
        }
    }

    /// Where a job that ends was handed in, and what is to be called then; none if that is settled.
    fn take_end(&mut self, key: JobKey) -> Option<Ending> {
        let waiting = self.get(key)?;
        let (place, handed) = (waiting.place, waiting.handed);
        match &mut waiting.end {
            End::Handle(Awaited::Out { is_ending, .. }) if !*is_ending => {
                *is_ending = true;
                return Some((place, handed, None));
            }
            End::Handle(_) => return None,
            End::Completion(_) => {}
        }
        self.out -= 1;
        match self.waiting.remove(index_of(key)).end {
            End::Completion(end) => Some((place, handed, Some(end))),
            End::Handle(_) => None,
        }
    }

    /// Keeps what a job left for its handle. Gives back who waits for it, and
    /// what nobody wants.
    fn settle(&mut self, key: JobKey, work: Option<Work>) -> (Option<Waker>, Option<Work>) {
        let Some(awaited) = self.awaited(key) else {
            return (None, work);
        };
        let Awaited::Out {
            waiter, is_wanted, ..
        } = awaited
        else {
            return (None, work);
        };
        let (waiter, is_wanted) = (waiter.take(), *is_wanted);
        let unwanted = if is_wanted {
            *awaited = Awaited::Ended(work);
            None
        } else {
            self.waiting.remove(index_of(key));
            work
        };
        self.out -= 1;
        (waiter, unwanted)
    }

    /// Who waits for a job that is out.
    fn waiter(&mut self, key: JobKey) -> Option<&mut Option<Waker>> {
        match self.awaited(key)? {
            Awaited::Out { waiter, .. } => Some(waiter),
            Awaited::Ended(_) => None,
        }
    }

    fn remove_ended(&mut self, key: JobKey) -> Option<Work> {
        self.awaited(key)?;
        match self.waiting.remove(index_of(key)).end {
            End::Handle(Awaited::Ended(work)) => work,
            _ => None,
        }
    }

    /// Its handle is gone: gives back who waited, and what nobody will ask for.
    pub(super) fn disown(&mut self, key: JobKey) -> (Option<Waker>, Option<Work>) {
        let waiter = match self.awaited(key) {
            Some(Awaited::Out {
                waiter, is_wanted, ..
            }) => {
                *is_wanted = false;
                waiter.take()
            }
            _ => return (None, self.remove_ended(key)),
        };
        (waiter, None)
    }

    pub(super) fn is_out(&self, key: JobKey) -> bool {
        let waiting = self.waiting.get(index_of(key));
        waiting.is_some_and(|waiting| waiting.generation == key.number() && waiting.is_out())
    }

    /// Whether the end of a job is known, and what follows it is settled or in line.
    pub(super) fn has_ended(&self, key: JobKey) -> bool {
        let waiting = self.waiting.get(index_of(key));
        waiting.is_none_or(|waiting| {
            let is_known = match &waiting.end {
                End::Completion(_) => false,
                End::Handle(Awaited::Out { is_ending, .. }) => *is_ending,
                End::Handle(Awaited::Ended(_)) => true,
            };
            is_known || waiting.generation != key.number()
        })
    }

    /// Whether no job is out.
    pub(super) fn is_idle(&self) -> bool {
        self.out == 0
    }

    /// Keys of all that is out.
    pub(super) fn keys(&self) -> Vec<JobKey> {
        let out = self.waiting.iter().filter(|(_, waiting)| waiting.is_out());
        out.map(|(index, waiting)| key_of(waiting.generation, index))
            .collect()
    }
}

impl Waiting {
    fn is_out(&self) -> bool {
        !matches!(self.end, End::Handle(Awaited::Ended(_)))
    }
}

fn key_of(generation: u32, index: usize) -> JobKey {
    JobKey(u64::from(generation) << 32 | index as u64)
}

fn index_of(key: JobKey) -> usize {
    (key.0 & u64::from(u32::MAX)) as usize
}

/// Jobs that ended after the door had closed, until the runtime has asked:
/// what ends then is its worker's to drop.
pub(crate) struct LateJobs(Mutex<Option<Vec<LateJob>>>);

type LateJob = (JobKey, Work, RanFor);

impl Default for LateJobs {
    fn default() -> Self {
        LateJobs(Mutex::new(Some(Vec::new())))
    }
}

impl LateJobs {
    /// Gives the job back when nobody will ask any more.
    fn push(&self, job: LateJob) -> Option<LateJob> {
        let mut late = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(late) = &mut *late else {
            return Some(job);
        };
        late.push(job);
        None
    }

    pub(super) fn close(&self) -> Vec<LateJob> {
        let late = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        late.unwrap_or_default()
    }
}

/// Gives the loop the jobs that have run; where and when, only if somebody
/// watches.
pub(super) fn deliver_to(
    door: Arc<TaskQueue<Post>>,
    late: Arc<LateJobs>,
    is_watched: bool,
) -> impl Fn(JobKey, Ran, Work) -> bool {
    move |key, ran, work| {
        let ran = is_watched.then(|| Box::new((ran, ran.began.elapsed())));
        let is_behind = !door.seems_empty();
        // A closed door means that the runtime ends.
        if let Err(Post::JobEnded(key, work, ran)) = door.post(Post::JobEnded(key, work, ran)) {
            drop(late.push((key, work, ran)));
        }
        is_behind
    }
}

impl Parts {
    /// Queues what follows a job, to be called in the run phase. Whoever awaits one that ran is
    /// told at once, since that calls no more than a waker; unless somebody watches, who is shown a
    /// call.
    pub(super) fn end_job(&self, key: JobKey, how: JobEnd) {
        let Some((place, handed, completion)) = self.jobs.borrow_mut().take_end(key) else {
            return self.drop_quietly("the result of a job that nobody waits for", how);
        };
        let job = key.number();
        let completed = self.watch().map(|watch| match &how {
            JobEnd::Ran(_, Some(ended)) => {
                let (Ran { worker, began }, took) = **ended;
                watch.job_ran(job, handed, worker, began, took)
            }
            _ => watch.job_cancelled(job, handed),
        });
        let call: Box<dyn FnOnce()> = match (completion, how) {
            (Some(end), how) => Box::new(move || end(how)),
            (None, JobEnd::Ran(work, _)) if completed.is_none() => {
                return self.end_awaited(key, Some(work));
            }
            (None, JobEnd::Ran(work, _)) => {
                Box::new(move || current().end_awaited(key, Some(work)))
            }
            (None, _) => Box::new(move || current().end_awaited(key, None)),
        };
        self.push_callback(Callback {
            call,
            place,
            kind: CallbackKind::Completion(completed.unwrap_or_default()),
        });
    }

    /// Tells whoever awaits a job. If nobody will, its result is dropped.
    fn end_awaited(&self, key: JobKey, work: Option<Work>) {
        work.iter().for_each(note_job_panic);
        let (waiter, unwanted) = self.jobs.borrow_mut().settle(key, work);
        if let Some(work) = unwanted {
            self.drop_quietly("the result of a job without a handle", work);
        }
        if let Some(waker) = waiter {
            self.wake(waker);
        }
    }

    /// Waits for the end of a job: of one that has a handle.
    pub(super) fn poll_end(&self, key: JobKey, cx: &Context<'_>) -> Poll<Option<Work>> {
        if let Some(Some(waker)) = self.jobs.borrow_mut().waiter(key)
            && waker.will_wake(cx.waker())
        {
            return Poll::Pending;
        }
        if self.jobs.borrow().is_out(key) {
            // A foreign waker may run code when cloned and when dropped, and
            // panic then: nothing is borrowed or taken out meanwhile.
            let waker = cx.waker().clone();
            let replaced = match self.jobs.borrow_mut().waiter(key) {
                Some(waiter) => waiter.replace(waker),
                None => Some(waker),
            };
            drop(replaced);
        }
        let mut jobs = self.jobs.borrow_mut();
        if jobs.is_out(key) {
            return Poll::Pending;
        }
        Poll::Ready(jobs.remove_ended(key))
    }
}
