//! The gate: where somebody who studies the loop may hold it, between turns.
//!
//! Time is not stopped: what was due is late afterwards, and that is said.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::event::GateKind;

/// What the gate was last asked for, and how long it has held the loop.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GateState {
    pub(crate) is_paused: bool,
    /// How often it was asked for anything.
    pub(super) asked: u32,
    /// Turns that may pass although it is paused.
    steps: u32,
    /// How long to wait before each turn.
    pub(crate) slow: Duration,
    pub(crate) held: Duration,
}

/// One that is open costs the loop a load a turn.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    is_closed: AtomicBool,
    state: Mutex<GateState>,
    changed: Condvar,
}

/// Nobody waits longer before a turn in slow motion.
const SLOW_MAX: Duration = Duration::from_secs(2);

impl Gate {
    /// Pauses the loop before its next turn, lets one turn pass, lets it go,
    /// or slows it down.
    pub(crate) fn ask(&self, what: GateKind, delay: Duration) {
        let mut state = self.lock();
        state.asked = state.asked.wrapping_add(1);
        match what {
            GateKind::Pause => state.is_paused = true,
            GateKind::Step => {
                state.steps += u32::from(state.is_paused);
                state.is_paused = true;
            }
            GateKind::Go => {
                state.is_paused = false;
                state.slow = Duration::ZERO;
            }
            GateKind::Slow => state.slow = delay.min(SLOW_MAX),
        }
        if !state.is_paused {
            state.steps = 0;
        }
        let is_closed = state.is_paused || !state.slow.is_zero();
        self.is_closed.store(is_closed, Relaxed);
        drop(state);
        self.changed.notify_all();
    }

    pub(crate) fn state(&self) -> GateState {
        *self.lock()
    }

    /// Whether the loop has to ask before a turn.
    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Relaxed)
    }

    /// Waits until the next turn may pass. Loop thread.
    #[cold]
    pub(super) fn pass(&self) {
        let began = Instant::now();
        let mut state = self.lock();
        loop {
            if state.is_paused {
                if state.steps > 0 {
                    state.steps -= 1;
                    break;
                }
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let left = state.slow.saturating_sub(began.elapsed());
            if left.is_zero() {
                break;
            }
            let woken = self.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.held += began.elapsed();
    }

    fn lock(&self) -> MutexGuard<'_, GateState> {
        // No user code runs under it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::{Gate, GateKind};

    #[test]
    fn a_paused_gate_lets_as_many_turns_pass_as_it_was_asked_for() {
        let gate = Arc::new(Gate::default());
        gate.ask(GateKind::Pause, Duration::ZERO);
        let passed = Arc::new(AtomicU32::new(0));
        let thread = {
            let (gate, passed) = (Arc::clone(&gate), Arc::clone(&passed));
            thread::spawn(move || {
                while gate.is_closed() {
                    gate.pass();
                    passed.fetch_add(1, Ordering::SeqCst);
                }
            })
        };
        for turns in 1..=3 {
            gate.ask(GateKind::Step, Duration::ZERO);
            let deadline = Instant::now() + Duration::from_secs(10);
            while passed.load(Ordering::SeqCst) < turns {
                assert!(Instant::now() < deadline, "turn {turns} did not pass");
                thread::yield_now();
            }
        }
        assert_eq!(passed.load(Ordering::SeqCst), 3);
        gate.ask(GateKind::Go, Duration::ZERO);
        assert!(thread.join().is_ok());
        assert!(!gate.state().is_paused);
    }

    #[test]
    fn slow_motion_waits_before_a_turn_and_steps_are_not_saved_up() {
        let gate = Gate::default();
        gate.ask(GateKind::Slow, Duration::from_millis(3));
        let before = gate.state().held;
        gate.pass();
        assert!(gate.state().held >= before + Duration::from_millis(3));
        gate.ask(GateKind::Slow, Duration::from_secs(100));
        assert_eq!(gate.state().slow, Duration::from_secs(2));
        gate.ask(GateKind::Step, Duration::ZERO);
        assert!(gate.state().is_paused, "to step is to pause, too");
        assert_eq!(gate.state().steps, 0, "but the turn under way is the first");
        gate.ask(GateKind::Go, Duration::ZERO);
        assert!(!gate.is_closed());
    }
}
