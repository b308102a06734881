//! The tables of a frame: tasks, descriptors, workers, queues.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::frame::queue_counts;
use crate::blocking::{PoolStats, RunningJob};
use crate::executor::TaskState;
use crate::export::short_function;
use crate::runtime::{TaskDump, Watcher};
use crate::sys::readable_now;
use crate::watch::{Board, FdSeen, SlotState, TaskSeen, WaitKind, quoted};

/// How many of each a frame holds; the page says how many more there are.
const TASKS_MAX: usize = 200;
const FDS_MAX: usize = 64;
const READY_MAX: usize = 50;

/// All that is copied for one frame.
pub(super) struct Tables {
    seen: Vec<TaskSeen>,
    /// The first of them, in words.
    told: Vec<TaskDump>,
    fds: Vec<FdSeen>,
    readable: Vec<i32>,
    names: Vec<String>,
    pool: (PoolStats, Vec<RunningJob>),
    posts: usize,
    workers_max: usize,
}

impl Tables {
    pub(super) fn take(watcher: &Watcher) -> Self {
        let board = watcher.board();
        let mut seen = board.slots.all();
        seen.retain(|task| task.state != SlotState::Free);
        // Those that are ready in the order they will run.
        let order = |task: &TaskSeen| match task.state {
            SlotState::Ready => task.queued,
            _ => task.number.into(),
        };
        seen.sort_by_key(|task| (rank(task.state), order(task)));
        let fds = board.fds.all();
        let numbers: Vec<_> = fds.iter().map(|fd| fd.fd).collect();
        let names = fds.iter().map(|fd| board.names.get(fd.what).to_owned());
        let pool = watcher.pool();
        let shown = seen.iter().take(TASKS_MAX);
        Tables {
            told: shown.map(|task| watcher.task(task, &pool.1)).collect(),
            seen,
            readable: readable_now(&numbers),
            names: names.collect(),
            fds,
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
        self.fds.len()
    }

    /// How many descriptors have something to read. A listener has none: it
    /// has connections to accept.
    pub(super) fn ready_fds(&self) -> usize {
        let fds = self.fds.iter().zip(&self.names);
        let unread =
            fds.filter(|(fd, name)| self.readable.contains(&fd.fd) && !name.ends_with("Listener"));
        unread.count()
    }

    pub(super) fn queues(&self, board: &Board) -> String {
        let mut ready: Vec<_> = self
            .seen
            .iter()
            .filter(|task| task.state == SlotState::Ready)
            .collect();
        ready.sort_by_key(|task| task.queued);
        let more = ready.len().saturating_sub(READY_MAX);
        let ready = ready
            .iter()
            .take(READY_MAX)
            .map(|task| task.number.to_string());
        let (taken, callbacks, timers) = queue_counts(board);
        let late = self.seen.iter().filter_map(|task| lateness(board, task));
        let (overdue, worst) =
            late.fold((0, 0), |(count, worst), late| (count + 1, worst.max(late)));
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
            list(ready),
        )
    }

    pub(super) fn fds(&self) -> String {
        let fds = self.fds.iter().zip(&self.names);
        list(fds.take(FDS_MAX).map(|(fd, name)| {
            let waits = |kind| {
                let mut tasks = self.seen.iter();
                tasks.any(|task| task.wait.kind == kind && task.wait.which == fd.fd as u32)
            };
            let want = match (waits(WaitKind::Readable), waits(WaitKind::Writable)) {
                (true, true) => "rw",
                (true, false) => "r",
                (false, true) => "w",
                (false, false) => "",
            };
            let ready = if self.readable.contains(&fd.fd) {
                "r"
            } else {
                ""
            };
            format!("[{},{},\"{want}\",\"{ready}\"]", fd.fd, quoted(name))
        }))
    }

    pub(super) fn tasks_more(&self) -> usize {
        self.seen.len().saturating_sub(TASKS_MAX)
    }

    pub(super) fn tasks(&self, board: &Board) -> String {
        list(self.seen.iter().zip(&self.told).map(|(task, told)| {
            let state = word(told.state);
            let reason = &*told.reason;
            let reason = if state == "idle" { reason } else { "" };
            let busy = match board.ring {
                Some(_) => milliseconds(task.busy),
                None => "null".to_owned(),
            };
            format!(
                "[{},\"{state}\",\"{}\",{},{},{busy},{},{},{}]",
                task.number,
                task.wait.kind(task.is_reachable).text(),
                quoted(reason),
                task.polls,
                quoted(&board.title_of(task)),
                quoted(&told.place),
                milliseconds(board.since(task.since).as_nanos() as u64),
            )
        }))
    }

    pub(super) fn workers(&self) -> String {
        let (stats, jobs) = &self.pool;
        let busiest = jobs.iter().map(|job| usize::from(job.worker)).max();
        let count = stats.workers.max(busiest.unwrap_or_default());
        list((1..=count.min(self.workers_max)).map(|number| {
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
        let most = self.workers_max;
        format!("{{\"queued\":{queued},\"done\":{done},\"max\":{most}}}")
    }
}

/// What is busy comes first.
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
    let left = board.until(task.wait.which).filter(|_| is_timed)?;
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
