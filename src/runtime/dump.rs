//! The dump: what every task waits for, since when, and from where.
//!
//! It is taken from the board, by any thread and also while the loop is
//! stuck; or, of a loop that nobody watches, from its tasks themselves.

use std::fmt;
use std::time::{Duration, Instant};

use super::parts::Parts;
use crate::blocking::{PoolStats, RunningJob};
use crate::executor::{TaskInfo, TaskState};
use crate::watch::{
    Board, Frame, Phase, Runs, SlotState, TaskSeen, Wait, WaitKind, escaped, quoted,
};

/// What every task waited for when this was taken.
///
/// Its text is for people: one line a task, for 500 of them at most, then the
/// queues.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::{Runtime, spawn_named, yield_now};
///
/// let mut rt = Runtime::new()?;
/// rt.block_on(async {
///     let _lost = spawn_named("lost", std::future::pending::<()>());
///     yield_now().await;
/// });
/// let dump = rt.dump();
/// assert!(dump.tasks[0].is_lost, "nobody can ever wake it");
/// println!("{dump}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Dump {
    /// Turns begun.
    pub turn: u64,
    /// What the loop was doing, in a word.
    pub phase: &'static str,
    /// All that live, by number.
    pub tasks: Vec<TaskDump>,
    /// The callback that runs, by the place it was handed in at.
    pub callback: Option<String>,
    /// Timers that wait, and those of them that tasks await in vain since.
    pub timers: usize,
    /// Deadlines of tasks that have passed.
    pub overdue: usize,
    /// Descriptors that are watched.
    pub fds: usize,
    /// What other threads have sent and the loop has not taken in.
    pub posts: usize,
    /// Jobs that wait for a worker.
    pub jobs_queued: usize,
    /// Jobs that run.
    pub jobs_running: usize,
    /// What was asked for and is missing, in words.
    pub missing: Option<String>,
}

/// One task in a [`Dump`].
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # use tourbillon::{Runtime, TaskDump, spawn};
/// # let mut rt = Runtime::new()?;
/// # rt.block_on(async { spawn(std::future::pending::<()>()).detach() });
/// let task: &TaskDump = &rt.dump().tasks[0];
/// assert!(task.place.contains(".rs:"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskDump {
    /// Its number: that of a recording and of the page if the loop is
    /// watched, else its [`TaskId`](crate::TaskId).
    pub id: String,
    /// What it works on, or else its name, or else its type.
    pub name: String,
    /// What it is doing.
    pub state: TaskState,
    /// What kind of thing it waits for.
    pub waits_for: WaitKind,
    /// The same in words, with which one.
    pub reason: String,
    /// How long it has been in this state.
    pub since: Duration,
    /// How often it was polled.
    pub polls: u32,
    /// Where it was spawned.
    pub place: String,
    /// Nothing will ever wake it: nobody has its waker.
    pub is_lost: bool,
    /// Where it waits, innermost first: your functions or, where there are
    /// none, those of this crate. There are several where it waits for several
    /// things at once, and none unless
    /// [`dump_with_stacks`](crate::Watcher::dump_with_stacks) was asked.
    pub stacks: Vec<Vec<Frame>>,
}

/// Where a dump is taken from.
pub(super) enum Source<'a> {
    Board(&'a Board),
    Parts(&'a Parts),
}

/// What a task says it waits for.
struct Waits<'a> {
    wait: Wait,
    polls: u32,
    is_reachable: bool,
    /// Until its deadline, if that is what it waits for.
    left: Option<i64>,
    jobs: &'a [RunningJob],
    /// The task it waits for, by its name in this dump.
    other: String,
}

impl Dump {
    pub(super) fn take(
        source: Source<'_>,
        (pool, jobs): (PoolStats, Vec<RunningJob>),
        posts: usize,
    ) -> Self {
        let mut dump = match source {
            Source::Board(board) => Dump::of_board(board, &jobs),
            Source::Parts(parts) => Dump::of_parts(parts, &jobs),
        };
        dump.posts = posts;
        dump.jobs_queued = pool.queued;
        dump.jobs_running = jobs.len();
        dump
    }

    fn of_board(board: &Board, jobs: &[RunningJob]) -> Self {
        let mut seen = board.slots.all();
        seen.retain(|task| task.state != SlotState::Free);
        seen.sort_by_key(|task| task.number);
        let mut overdue = 0;
        let mut tasks = Vec::with_capacity(seen.len());
        for task in &seen {
            let left = left_of(board, task).filter(|_| task.state == SlotState::Idle);
            overdue += usize::from(left.is_some_and(|left| left < 0));
            tasks.push(dump_of(board, task, jobs));
        }
        let callback = match board.pulse.runs() {
            Some(Runs::Callback(place)) => Some(board.place_of(place).to_owned()),
            _ => None,
        };
        Dump {
            turn: board.pulse.turn(),
            phase: board.pulse.phase().name(),
            tasks,
            callback,
            timers: board.timers(),
            overdue,
            fds: board.fds.all().len(),
            posts: 0,
            jobs_queued: 0,
            jobs_running: 0,
            missing: None,
        }
    }

    fn of_parts(parts: &Parts, jobs: &[RunningJob]) -> Self {
        let infos = parts.executor.infos();
        let now = parts.clock.ticks_passed(parts.clock.now()) as u32;
        let mut overdue = 0;
        let mut tasks = Vec::with_capacity(infos.len());
        for info in &infos {
            let is_timer = info.waits_for == WaitKind::Timer;
            let left = is_timer.then(|| i64::from(info.waiting.which.wrapping_sub(now) as i32));
            overdue += usize::from(left.is_some_and(|left| left < 0));
            let other = infos
                .iter()
                .find(|other| other.id.slot() == info.waiting.which);
            let waits = Waits {
                wait: Wait {
                    kind: info.waits_for,
                    which: info.waiting.which,
                },
                polls: info.polls,
                is_reachable: info.waiting.is_reachable,
                left,
                jobs,
                other: other.map(|other| other.id.to_string()).unwrap_or_default(),
            };
            let since = now.wrapping_sub(info.waiting.since);
            let since = Duration::from_millis(since.into());
            tasks.push(waits.dump(info.id.to_string(), info, since));
        }
        let stats = parts.stats();
        Dump {
            turn: stats.turns,
            phase: Phase::Stopped.name(),
            tasks,
            callback: None,
            timers: stats.timers_waiting,
            overdue,
            fds: stats.sources,
            posts: 0,
            jobs_queued: 0,
            jobs_running: 0,
            missing: None,
        }
    }
}

impl Parts {
    /// The dump of this loop, on its own thread.
    pub(crate) fn dump(&self) -> Dump {
        let source = match self.watch() {
            Some(watch) => Source::Board(watch.board()),
            None => Source::Parts(self),
        };
        let pool = (self.pool.stats(), self.pool.running());
        Dump::take(source, pool, self.door.len())
    }
}

/// How long until its deadline, of one that waits for a timer.
fn left_of(board: &Board, task: &TaskSeen) -> Option<i64> {
    let is_timed = task.wait.kind == WaitKind::Timer;
    is_timed.then(|| board.until(task.wait.which)).flatten()
}

pub(super) fn dump_of(board: &Board, task: &TaskSeen, jobs: &[RunningJob]) -> TaskDump {
    let other = match task.wait.kind {
        WaitKind::Task => board.slots.look(task.wait.which),
        _ => None,
    };
    let waits = Waits {
        wait: task.wait,
        polls: task.polls,
        is_reachable: task.is_reachable,
        left: left_of(board, task),
        jobs,
        other: other
            .map(|other| format!("#{}", other.number))
            .unwrap_or_default(),
    };
    let state = match task.state {
        SlotState::Running => TaskState::Running,
        SlotState::Ready => TaskState::Ready,
        SlotState::Idle | SlotState::Free => TaskState::Waiting,
    };
    TaskDump {
        id: format!("#{}", task.number),
        name: board.title_of(task),
        state,
        waits_for: task.wait.kind(task.is_reachable),
        reason: waits.reason(state),
        since: board.since(task.since),
        polls: task.polls,
        place: board.names.get(task.place).to_owned(),
        is_lost: state == TaskState::Waiting && waits.is_lost(),
        stacks: Vec::new(),
    }
}

impl Waits<'_> {
    /// Nobody has its waker, and it has had the chance to give it away.
    fn is_lost(&self) -> bool {
        self.wait.kind == WaitKind::Nothing && !self.is_reachable && self.polls > 0
    }

    fn dump(&self, id: String, info: &TaskInfo, since: Duration) -> TaskDump {
        TaskDump {
            id,
            name: escaped(&info.name),
            state: info.state,
            waits_for: info.waits_for,
            reason: self.reason(info.state),
            since,
            polls: info.polls,
            place: info.place.to_string(),
            is_lost: info.state == TaskState::Waiting && self.is_lost(),
            stacks: Vec::new(),
        }
    }

    fn reason(&self, state: TaskState) -> String {
        let which = self.wait.which;
        match (state, self.wait.kind) {
            (TaskState::Running, _) => String::from("it runs"),
            (TaskState::Ready, _) => String::from("its turn"),
            (TaskState::Aborting, _) => String::from("its end"),
            (_, WaitKind::Timer) => match self.left {
                Some(left) if left < 0 => format!("a timer, {} ms overdue", -left),
                Some(left) => format!("a timer, due in {left} ms"),
                None => String::from("a timer"),
            },
            (_, WaitKind::Readable) => format!("fd {} readable", which as i32),
            (_, WaitKind::Writable) => format!("fd {} writable", which as i32),
            (_, WaitKind::Job) => self.job(which),
            (_, WaitKind::Task) => format!("the end of task {}", self.other),
            (_, WaitKind::Channel) => String::from("a channel"),
            (_, WaitKind::Lock) => String::from("a lock"),
            (_, WaitKind::Notify) => String::from("to be notified"),
            (_, WaitKind::Yield) => String::from("its turn"),
            _ if self.is_lost() => String::from("NOTHING WILL EVER WAKE THIS TASK"),
            (_, WaitKind::Nothing) if self.polls == 0 => String::from("its first poll"),
            _ => String::from("something foreign"),
        }
    }

    fn job(&self, number: u32) -> String {
        match self.jobs.iter().find(|job| job.key.number() == number) {
            Some(job) => {
                let ran = Instant::now().saturating_duration_since(job.since);
                format!("job {number}, on worker {} for {ran:.1?}", job.worker)
            }
            None => format!("job {number}, which waits for a worker or for its completion"),
        }
    }
}

impl Dump {
    /// The same as one object of JSON.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let rt = tourbillon::Runtime::new()?;
    /// assert!(rt.dump().json().starts_with("{\"turn\":0,"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn json(&self) -> String {
        let tasks: Vec<String> = self.tasks.iter().map(TaskDump::json).collect();
        let text = |text: &String| quoted(text).to_string();
        let callback = self.callback.as_ref().map_or("null".to_owned(), text);
        let missing = self.missing.as_ref().map_or("null".to_owned(), text);
        format!(
            "{{\"turn\":{},\"phase\":{},\"callback\":{callback},\"timers\":{},\"overdue\":{},\
             \"fds\":{},\"posts\":{},\"jobs_running\":{},\"jobs_queued\":{},\
             \"missing\":{missing},\"tasks\":[{}]}}",
            self.turn,
            quoted(self.phase),
            self.timers,
            self.overdue,
            self.fds,
            self.posts,
            self.jobs_running,
            self.jobs_queued,
            tasks.join(","),
        )
    }
}

impl TaskDump {
    fn json(&self) -> String {
        let stacks: Vec<String> = self.stacks.iter().map(|stack| frames(stack)).collect();
        format!(
            "{{\"id\":{},\"name\":{},\"state\":{},\"waits_for\":{},\"reason\":{},\"since_ms\":{},\
             \"polls\":{},\"place\":{},\"is_lost\":{},\"stacks\":[{}]}}",
            quoted(&self.id),
            quoted(&self.name),
            quoted(word(self.state)),
            quoted(self.waits_for.text()),
            quoted(&self.reason),
            self.since.as_millis(),
            self.polls,
            quoted(&self.place),
            self.is_lost,
            stacks.join(","),
        )
    }
}

/// Function and place of each.
fn frames(stack: &[Frame]) -> String {
    let frames = stack
        .iter()
        .map(|frame| format!("[{},{}]", quoted(&frame.function), quoted(&frame.place())));
    format!("[{}]", frames.collect::<Vec<_>>().join(","))
}

fn word(state: TaskState) -> &'static str {
    match state {
        TaskState::Waiting => "waits",
        TaskState::Ready => "ready",
        TaskState::Running => "running",
        TaskState::Aborting => "aborting",
    }
}

/// A log is not to be flooded.
const TASKS_SHOWN: usize = 500;

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (turn, count) = (self.turn, self.tasks.len());
        writeln!(
            f,
            "tourbillon dump: turn {turn}, {}, {count} tasks",
            self.phase
        )?;
        if let Some(place) = &self.callback {
            writeln!(f, "  a callback from {place} runs")?;
        }
        if let Some(missing) = &self.missing {
            writeln!(f, "  {missing}")?;
        }
        for task in self.tasks.iter().take(TASKS_SHOWN) {
            writeln!(f, "  {task}")?;
            for frame in task.stacks.iter().flatten() {
                writeln!(f, "      at {}  {}", frame.function, frame.place())?;
            }
        }
        if count > TASKS_SHOWN {
            writeln!(f, "  and {} more", count - TASKS_SHOWN)?;
        }
        let (timers, overdue) = (self.timers, self.overdue);
        let (fds, posts) = (self.fds, self.posts);
        let (queued, running) = (self.jobs_queued, self.jobs_running);
        write!(
            f,
            "  timers {timers} ({overdue} overdue), fds {fds}, posts {posts}, \
             jobs {running} running, {queued} queued"
        )
    }
}

impl fmt::Display for TaskDump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = word(self.state);
        let (id, name, reason) = (&self.id, &self.name, &self.reason);
        let (polls, place) = (self.polls, &self.place);
        let since = Duration::from_millis(self.since.as_millis() as u64);
        write!(
            f,
            "{id} {name}: {state} for {since:?}: {reason}; {polls} polls, spawned at {place}"
        )
    }
}
