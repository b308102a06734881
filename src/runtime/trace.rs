//! Where idle tasks await: each is polled once, and what it waits for notes the
//! stack it was asked on.
//!
//! ```text
//!   turn n    callback: wakes 256 idle tasks, sets the tracer
//!   turn n+1  callback: keeps what was noted, wakes 256 more
//!             polls:    a leaf returns Pending ──▶ `waits_for` ──▶ the stack
//! ```
//!
//! The polls are ordinary ones, with the wakers that the tasks have: a task is
//! told nothing that is not so, and one whose time has come goes on. To a
//! future it is one wake without a reason, which each has to bear.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, mpsc};
use std::time::Instant;

use super::current::current;
use super::dump::Dump;
use crate::sys::stack_here;
use crate::watch::{Board, Frame, Owner, Runs, SlotState, TaskSeen, set_tracer};
use crate::watchdog::Symbols;

/// Tasks that are woken in one turn, so that those with work of their own do
/// not wait long.
const BATCH_MAX: usize = 256;

/// Stacks that are kept of one task: it may wait for several things at once.
const STACKS_MAX: usize = 4;

/// Where one task awaits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Traced {
    /// Its number on the board.
    pub(super) number: u32,
    /// Of each thing that it waits for the addresses, innermost first.
    pub(super) stacks: Vec<Vec<usize>>,
}

/// Has each idle task of the current loop polled once, and tells where they
/// await; or nothing, if that is not over at `until`. Posted to the loop.
pub(super) fn trace(board: Arc<Board>, until: Option<Instant>, tell: mpsc::Sender<Vec<Traced>>) {
    if has_passed(until) {
        // The loop was away so long that nobody waits for this.
        return;
    }
    let begun = NOTING.with_borrow_mut(|noting| {
        let is_first = noting.is_none();
        if is_first {
            *noting = Some(Noting::new(Arc::clone(&board)));
        }
        is_first
    });
    if begun {
        set_tracer(Some(note));
        let slots = current().executor.slots();
        let trace = Trace {
            left: slots.into_iter(),
            found: Vec::new(),
            until,
            tell,
        };
        trace.go_on();
    } else {
        // Somebody has asked before.
        current().call_soon(move || trace(board, until, tell));
    }
}

/// A trace that is under way: a callback of each turn until it is over.
struct Trace {
    left: std::vec::IntoIter<u32>,
    found: Vec<Traced>,
    until: Option<Instant>,
    tell: mpsc::Sender<Vec<Traced>>,
}

impl Trace {
    fn go_on(mut self) {
        let parts = current();
        let is_over = NOTING.with_borrow_mut(|noting| {
            let Some(noting) = noting else { return true };
            noting.base = stack_here();
            if noting.last.is_some_and(|last| !noting.has_come(last)) {
                // A batch may take many turns: only its last is looked at.
                return false;
            }
            noting.collect(&mut self.found);
            while noting.asked.len() < BATCH_MAX
                && let Some(slot) = self.left.next()
            {
                if noting.ask(slot) {
                    parts.executor.nudge(slot);
                }
            }
            noting.last.is_none()
        });
        if is_over {
            // Whoever asked may be gone.
            let _ = self.tell.send(std::mem::take(&mut self.found));
        } else if !has_passed(self.until) {
            parts.call_soon(move || self.go_on());
        }
    }
}

fn has_passed(until: Option<Instant>) -> bool {
    until.is_some_and(|until| Instant::now() >= until)
}

impl Drop for Trace {
    fn drop(&mut self) {
        set_tracer(None);
        let _ = NOTING.try_with(|noting| noting.take());
    }
}

thread_local! {
    static NOTING: RefCell<Option<Noting>> = const { RefCell::new(None) };
}

/// What is noted while tasks are polled.
struct Noting {
    board: Arc<Board>,
    /// The tasks that were woken, by slot: as they were, and what was noted.
    asked: HashMap<u32, (TaskSeen, Vec<Vec<usize>>)>,
    /// One of them, and the last to be polled unless the order is shuffled.
    last: Option<u32>,
    /// The stack on which the loop called: what is below it is not the task's.
    base: Vec<usize>,
}

/// What is called where a poll says what it waits for.
fn note() {
    let _ = NOTING.try_with(|noting| {
        // It may be called while another note is taken, by a stranger's waker.
        if let Ok(mut noting) = noting.try_borrow_mut()
            && let Some(noting) = &mut *noting
        {
            noting.note();
        }
    });
}

impl Noting {
    fn new(board: Arc<Board>) -> Self {
        Noting {
            board,
            asked: HashMap::new(),
            last: None,
            base: Vec::new(),
        }
    }

    /// Notes who lives in a slot, if they are idle: they are to be polled.
    fn ask(&mut self, slot: u32) -> bool {
        let seen = self.board.slots.look(slot);
        let seen = seen.filter(|seen| seen.state == SlotState::Idle);
        let Some(seen) = seen else { return false };
        self.asked.insert(slot, (seen, Vec::new()));
        self.last = Some(slot);
        true
    }

    /// Whether the task in this slot was polled since it was asked, or is gone.
    fn has_come(&self, slot: u32) -> bool {
        let before = self.asked.get(&slot);
        before.is_none_or(|(before, _)| has_come(&self.board, before))
    }

    fn note(&mut self) {
        let pulse = &self.board.pulse;
        let Some(Runs::Task(slot)) = pulse.runs() else {
            return;
        };
        if pulse.no_unwind_cell().load(Relaxed) > 0 {
            return;
        }
        if let Some((_, stacks)) = self.asked.get_mut(&slot)
            && stacks.len() < STACKS_MAX
        {
            let mut stack = stack_here();
            let above = stack.iter().rev().zip(self.base.iter().rev());
            let shared = above.take_while(|(one, other)| one == other).count();
            stack.truncate(stack.len() - shared);
            stacks.push(stack);
        }
    }

    /// Keeps what was noted of those who were polled, or have gone.
    fn collect(&mut self, found: &mut Vec<Traced>) {
        let board = &self.board;
        let come = self
            .asked
            .extract_if(|_, (before, _)| has_come(board, before));
        for (_, (before, stacks)) in come {
            board.slots.forget_poll(&before);
            found.push(Traced {
                number: before.number,
                stacks,
            });
        }
        self.last = self.asked.keys().next().copied();
    }
}

/// Whether this task was polled since, or has gone.
fn has_come(board: &Board, before: &TaskSeen) -> bool {
    let now = board.slots.look(before.slot);
    now.is_none_or(|now| (now.number, now.polls) != (before.number, before.polls))
}

/// Frames that are shown of a stack.
const FRAMES_MAX: usize = 8;

impl Dump {
    /// Adds where tasks await. Looks the names of functions up, which takes
    /// long: not for the loop's thread.
    pub(super) fn add_stacks(&mut self, traced: Vec<Traced>) {
        let symbols = Symbols::new();
        // Most tasks of a server wait in the same places.
        let mut known: HashMap<Vec<usize>, Vec<Frame>> = HashMap::new();
        let mut by_id = HashMap::new();
        for Traced { number, stacks } in traced {
            let mut named: Vec<Vec<Frame>> = Vec::new();
            for stack in stacks {
                let frames = known.entry(stack);
                let frames = frames
                    .or_insert_with_key(|stack| shown(symbols.frames(stack)))
                    .clone();
                // A leaf of ours clones the waker, and then says what it waits for.
                if !frames.is_empty() && !named.contains(&frames) {
                    named.push(frames);
                }
            }
            by_id.insert(format!("#{number}"), named);
        }
        for task in &mut self.tasks {
            task.stacks = by_id.remove(&task.id).unwrap_or_default();
        }
    }
}

/// Of all frames those that tell something.
fn shown(frames: Vec<Frame>) -> Vec<Frame> {
    let by = |wanted: &dyn Fn(&Frame) -> bool| -> Vec<Frame> {
        let wanted = frames.iter().filter(|frame| wanted(frame));
        wanted.take(FRAMES_MAX).cloned().collect()
    };
    let yours = by(&|frame| frame.owner == Owner::Yours);
    if !yours.is_empty() {
        return yours;
    }
    // A task of this crate's: what polls it is the same for all.
    let below = ["src/runtime/", "src/executor/", "src/watch/", "src/sys/"];
    by(&|frame| {
        frame.owner == Owner::Runtime && !below.iter().any(|room| frame.file.contains(room))
    })
}
