//! A job: a closure on its way to a worker, and its result on the way back.
//!
//! Both are in one box with one owner: the caller, the lanes, a worker, and then whoever it is
//! delivered to. So nothing of a job is shared, locked or counted, and the thread that allocated it
//! frees it as a rule. With a second box, for a result that two owners shared, a job took 1.45
//! times as long (November 2026, `taskset -c 0 runtimes 100,000 --only=ours`).

use std::any::{Any, type_name};
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::thread;
use std::time::Instant;

/// A job, whatever it runs and returns; made by [`job`].
pub(crate) type Work = Box<dyn AnyJob>;

/// What can be asked of a [`Work`].
pub(crate) trait AnyJob: Send {
    /// Calls the closure, at the first call, and keeps what it returned.
    ///
    /// A panic of it, or of what it captured while that is dropped, is kept as the result.
    fn run(&mut self);

    /// The type of the closure.
    fn name(&self) -> &'static str;

    /// Where it was handed in.
    fn place(&self) -> &'static Location<'static>;

    /// What it panicked with, until the result is taken.
    fn panic(&self) -> Option<&(dyn Any + Send)>;

    /// Moves the result into an `Option<thread::Result<T>>`; see [`result_of`].
    fn give(&mut self, into: &mut dyn Any);
}

/// Names one job between the pool and its caller.
///
/// The caller chooses it, as a rule a slab index with a generation, and keeps it unique among the
/// jobs that wait or run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct JobKey(pub u64);

impl JobKey {
    /// Its number among all jobs of its runtime: the high half.
    pub(crate) fn number(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Where and since when a job has run. To read the clock at its end, too, is left to whoever wants
/// to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    /// The worker, from 1; the number in its thread's name.
    pub worker: u16,
    pub began: Instant,
}

/// The queue a job waits in. Each is first in, first out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    /// Work that ends by itself soon: files, compression, a query.
    #[default]
    Normal,
    /// Work that may hang for seconds on someone else, above all name resolution. It gets at most
    /// [`slow_max`](super::PoolLimits::slow_max) workers, so that a dead name server does not stop
    /// the file reads.
    Slow,
}

/// A job that a worker is running now.
#[derive(Clone, Debug)]
pub(crate) struct RunningJob {
    /// The key it was submitted under.
    pub key: JobKey,
    /// Its name, or the type of its closure.
    pub name: &'static str,
    /// Where it was submitted.
    pub place: &'static Location<'static>,
    /// When a worker took it.
    pub since: Instant,
    /// Which one: the number in its thread's name.
    pub worker: u16,
}

/// A closure that is larger than its result by more than this is boxed by itself. Then a result
/// that waits for whoever wants it does not keep the room of what was captured, and a worker's
/// stack has to hold the captures once only.
const SPARE_BYTES_MAX: usize = 256;

/// Makes a job of a closure, handed in at `place`.
pub(crate) fn job<T: Send + 'static, J>(place: &'static Location<'static>, f: J) -> Work
where
    J: FnOnce() -> T + Send + 'static,
{
    if size_of::<J>() > size_of::<T>() + SPARE_BYTES_MAX {
        return typed::<J, T, Box<J>>(place, Box::new(f));
    }
    typed::<J, T, J>(place, f)
}

fn typed<N: 'static, T: Send + 'static, J>(place: &'static Location<'static>, f: J) -> Work
where
    J: FnOnce() -> T + Send + 'static,
{
    Box::new(TypedJob {
        place,
        state: State::Waits(f),
        named: PhantomData::<fn(N)>,
    })
}

/// Takes the result of a job that returns a `T`: `None` if it has not run, or its result was taken.
///
/// `Err` holds the payload of the panic that ended it.
pub(crate) fn result_of<T: 'static>(mut work: Work) -> Option<thread::Result<T>> {
    let mut result: Option<thread::Result<T>> = None;
    work.give(&mut result);
    result
}

/// `N` is the closure, and `J` too or a box of it.
struct TypedJob<N, T, J> {
    place: &'static Location<'static>,
    state: State<T, J>,
    named: PhantomData<fn(N)>,
}

enum State<T, J> {
    Waits(J),
    Ran(thread::Result<T>),
    Empty,
}

impl<N, T, J> AnyJob for TypedJob<N, T, J>
where
    N: 'static,
    T: Send + 'static,
    J: FnOnce() -> T + Send + 'static,
{
    fn run(&mut self) {
        match mem::replace(&mut self.state, State::Empty) {
            // Nobody sees the captured values after a panic: the closure owns them and is gone.
            State::Waits(f) => self.state = State::Ran(catch_unwind(AssertUnwindSafe(f))),
            other => self.state = other,
        }
    }

    fn name(&self) -> &'static str {
        type_name::<N>()
    }

    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn panic(&self) -> Option<&(dyn Any + Send)> {
        match &self.state {
            State::Ran(Err(payload)) => Some(&**payload),
            _ => None,
        }
    }

    fn give(&mut self, into: &mut dyn Any) {
        let into = into.downcast_mut::<Option<thread::Result<T>>>();
        let into = into.expect("a job's result is taken as what its closure returns");
        match mem::replace(&mut self.state, State::Empty) {
            State::Ran(result) => *into = Some(result),
            other => self.state = other,
        }
    }
}

impl fmt::Debug for dyn AnyJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyJob")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}
