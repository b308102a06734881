//! The tables of a frame: tasks, descriptors, workers, queues.
//!
//! All are counted, and few are copied: a frame of a loop with 100,000 tasks looks at each, and
//! keeps no more than it shows.

use std::collections::HashSet;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::frame::queue_counts;
use crate::blocking::{PoolStats, RunningJob};
use crate::executor::TaskState;
use crate::export::short_function;
use crate::runtime::{TaskDump, Watcher};
use crate::sys::readable_now;
use crate::watch::{Board, FdSeen, SlotState, TaskSeen, WaitKind, cut, quoted};

/// How many of each a frame holds; the page says how many more there are.
const TASKS_MAX: usize = 200;
const FDS_MAX: usize = 64;
const READY_MAX: usize = 50;
const WORKERS_MAX: usize = 64;
/// A task may be called by its type, which can be long.
const TITLE_BYTES_MAX: usize = 120;
/// Of how many descriptors the kernel is asked whether there is something to read.
const FDS_ASKED_MAX: usize = 1_024;

/// All that is copied for one frame.
pub(super) struct Tables {
    /// The first of them, in the order they are shown.
    shown: Vec<TaskSeen>,
    /// The same in words.
    told: Vec<TaskDump>,
    counts: Counts,
    fds: Vec<Descriptor>,
    fd_count: usize,
    unread: usize,
    pool: (PoolStats, Vec<RunningJob>),
    posts: usize,
    workers_max: usize,
}

/// What is known of all tasks.
#[derive(Default)]
struct Counts {
    live: usize,
    ready: usize,
    /// Timers that tasks await in vain, and for how many milliseconds the first of them.
    overdue: usize,
    worst_late: i64,
}

/// A descriptor that is shown.
struct Descriptor {
    fd: i32,
    name: String,
    is_read: bool,
    is_written: bool,
    is_ready: bool,
}

impl Tables {
    pub(super) fn take(watcher: &Watcher) -> Self {
        let board = watcher.board();
        let all_fds = board.fds.all();
        let asked = all_fds.iter().take(FDS_ASKED_MAX).map(|fd| fd.fd);
        let ready: HashSet<i32> = readable_now(&asked.collect::<Vec<_>>())
            .into_iter()
            .collect();
        // A listener has nothing to read: it has connections to accept.
        let is_unread = |fd: &&FdSeen| {
            ready.contains(&fd.fd) && !board.names.get(fd.what).ends_with("Listener")
        };
        let unread = all_fds.iter().filter(is_unread).count();
        let mut fds: Vec<Descriptor> = all_fds
            .iter()
            .take(FDS_MAX)
            .map(|fd| Descriptor {
                fd: fd.fd,
                name: board.names.get(fd.what).to_owned(),
                is_read: false,
                is_written: false,
                is_ready: ready.contains(&fd.fd),
            })
            .collect();
        let (shown, counts) = look_at_tasks(board, &mut fds);
        let pool = watcher.pool();
        Tables {
            told: shown
                .iter()
                .map(|task| watcher.task(task, &pool.1))
                .collect(),
            shown,
            counts,
            fds,
            fd_count: all_fds.len(),
            unread,
            pool,
            posts: watcher.posts_waiting(),
            workers_max: watcher.workers_max(),
        }
    }

    /// Where the task was spawned that runs, or else the one that runs next.
    pub(super) fn front(&self) -> Option<&str> {
        let task = self.told.first()?;
        (task.state != TaskState::Waiting).then_some(&*task.place)
    }

    pub(super) fn fd_count(&self) -> usize {
        self.fd_count
    }

    /// How many descriptors have something to read, of the first of them.
    pub(super) fn unread(&self) -> usize {
        self.unread
    }

    pub(super) fn queues(&self, board: &Board) -> String {
        let ready = self.shown.iter();
        let ready = ready.filter(|task| task.state == SlotState::Ready);
        let ready: Vec<String> = ready
            .take(READY_MAX)
            .map(|task| task.number.to_string())
            .collect();
        let more = self.counts.ready - ready.len();
        let (taken, callbacks, timers) = queue_counts(board);
        let (overdue, worst) = (self.counts.overdue, self.counts.worst_late);
        let next = match board.queues.next_deadline.load(Relaxed) {
            0 => None,
            tick => board.until(tick.wrapping_sub(1)),
        };
        let next = next.map_or_else(|| "null".to_owned(), |next| next.max(0).to_string());
        format!(
            "{{\"submit\":{},\"submitted\":{},\"taken\":{taken},\"callbacks\":{callbacks},\
             \"ready\":{},\"ready_more\":{more},\"timers\":{timers},\"overdue\":{overdue},\
             \"worst_late_ms\":{worst},\"next_ms\":{next}}}",
            self.posts,
            taken as usize + self.posts,
            list(ready.into_iter()),
        )
    }

    pub(super) fn fds(&self) -> String {
        list(self.fds.iter().map(|fd| {
            let want = match (fd.is_read, fd.is_written) {
                (true, true) => "rw",
                (true, false) => "r",
                (false, true) => "w",
                (false, false) => "",
            };
            let ready = if fd.is_ready { "r" } else { "" };
            format!("[{},{},\"{want}\",\"{ready}\"]", fd.fd, quoted(&fd.name))
        }))
    }

    pub(super) fn tasks_more(&self) -> usize {
        self.counts.live.saturating_sub(TASKS_MAX)
    }

    /// `woken` says who last woke a task, if that is known.
    pub(super) fn tasks(&self, board: &Board, woken: impl Fn(u32) -> Option<u32>) -> String {
        list(self.shown.iter().zip(&self.told).map(|(task, told)| {
            let state = word(told.state);
            let reason = &*told.reason;
            let reason = if state == "idle" { reason } else { "" };
            let busy = match board.ring {
                Some(_) => milliseconds(task.busy),
                None => "null".to_owned(),
            };
            let woken = woken(task.number).map_or_else(|| "null".to_owned(), |by| by.to_string());
            format!(
                "[{},\"{state}\",\"{}\",{},{},{busy},{},{},{},{},{woken}]",
                task.number,
                task.wait.kind(task.is_reachable).text(),
                quoted(reason),
                task.polls,
                quoted(cut(&board.title_of(task), TITLE_BYTES_MAX)),
                quoted(&told.place),
                milliseconds(board.since(task.since).as_nanos() as u64),
                task.parent,
            )
        }))
    }

    fn worker_count(&self) -> usize {
        let (stats, jobs) = &self.pool;
        let busiest = jobs.iter().map(|job| usize::from(job.worker)).max();
        let count = stats.workers.max(busiest.unwrap_or_default());
        count.min(self.workers_max)
    }

    pub(super) fn workers(&self) -> String {
        let jobs = &self.pool.1;
        list((1..=self.worker_count().min(WORKERS_MAX)).map(|number| {
            let job = jobs.iter().find(|job| usize::from(job.worker) == number);
            match job {
                None => format!("[\"worker-{number}\",\"idle\",0,\"\",0]"),
                Some(job) => {
                    let ran = Instant::now().saturating_duration_since(job.since);
                    let name = short_function(job.name);
                    let (key, name) = (job.key.number(), quoted(&name));
                    let ran = ran.as_millis();
                    format!("[\"worker-{number}\",\"busy\",{key},{name},{ran}]")
                }
            }
        }))
    }

    pub(super) fn pool(&self) -> String {
        let (queued, done) = (self.pool.0.queued, self.pool.0.finished);
        let (most, busy) = (self.workers_max, self.pool.1.len());
        let more = self.worker_count().saturating_sub(WORKERS_MAX);
        format!(
            "{{\"queued\":{queued},\"done\":{done},\"max\":{most},\"busy\":{busy},\
             \"more\":{more}}}"
        )
    }
}

/// Counts all tasks, keeps the first of them in the order they are shown, and marks which
/// descriptors are waited for.
fn look_at_tasks(board: &Board, fds: &mut [Descriptor]) -> (Vec<TaskSeen>, Counts) {
    let mut counts = Counts::default();
    let mut places: Vec<(u32, usize)> = (fds.iter().enumerate())
        .map(|(at, fd)| (fd.fd as u32, at))
        .collect();
    places.sort_unstable();
    let mut kept: Vec<TaskSeen> = Vec::with_capacity(2 * TASKS_MAX);
    for task in board.slots.each() {
        if task.state == SlotState::Free {
            continue;
        }
        counts.live += 1;
        counts.ready += usize::from(task.state == SlotState::Ready);
        if let Some(late) = lateness(board, &task) {
            counts.overdue += 1;
            counts.worst_late = counts.worst_late.max(late);
        }
        if matches!(task.wait.kind, WaitKind::Readable | WaitKind::Writable) {
            let from = places.partition_point(|&(fd, _)| fd < task.wait.which);
            let same = places[from..].iter();
            for &(_, at) in same.take_while(|place| place.0 == task.wait.which) {
                fds[at].is_read |= task.wait.kind == WaitKind::Readable;
                fds[at].is_written |= task.wait.kind == WaitKind::Writable;
            }
        }
        kept.push(task);
        if kept.len() == 2 * TASKS_MAX {
            kept.select_nth_unstable_by_key(TASKS_MAX, order);
            kept.truncate(TASKS_MAX);
        }
    }
    kept.sort_by_key(order);
    kept.truncate(TASKS_MAX);
    (kept, counts)
}

/// What is busy comes first, and of what is ready what runs first.
fn order(task: &TaskSeen) -> (u8, u64) {
    let order = match task.state {
        SlotState::Ready => task.queued,
        _ => task.number.into(),
    };
    (rank(task.state), order)
}

fn rank(state: SlotState) -> u8 {
    match state {
        SlotState::Running => 0,
        SlotState::Ready => 1,
        SlotState::Idle | SlotState::Free => 2,
    }
}

fn word(state: TaskState) -> &'static str {
    match state {
        TaskState::Waiting => "idle",
        TaskState::Ready => "ready",
        TaskState::Running => "running",
        TaskState::Aborting => "aborting",
    }
}

/// How many milliseconds a task waits in vain for its timer, if it does.
fn lateness(board: &Board, task: &TaskSeen) -> Option<i64> {
    let is_timed = task.state == SlotState::Idle && task.wait.kind == WaitKind::Timer;
    // The clock is read for those that have a deadline alone.
    let left = is_timed.then(|| board.until(task.wait.which)).flatten()?;
    Some(-left).filter(|&late| late > 0)
}

/// A list in JSON of what is JSON already.
pub(super) fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    format!("[{}]", items.join(","))
}

/// Nanoseconds as milliseconds with three decimals.
pub(super) fn milliseconds(nanos: u64) -> String {
    format!("{}.{:03}", nanos / 1_000_000, nanos / 1_000 % 1_000)
}
