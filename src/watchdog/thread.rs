//! The watchdog's two threads: one sleeps and looks, one says what was found.
//!
//! To say it takes time: the first name that is looked up reads all of the program's tables, and a
//! program's own ear may be slow. Whoever did that between two looks would be blind meanwhile.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::sys::{Origin, PulseCells, StackTarget, ThreadId};

use super::findings::Findings;
use super::guard::{Guard, Means};
use super::report::ms;
use super::symbols::warm_up;
use super::teller::Teller;
use super::tray::Tray;
use super::watchdog::Watchdog;
use super::watched::Watched;

/// A loop that is watched, for as long as this lives. It belongs to the loop's thread.
#[derive(Debug)]
pub(crate) struct Watching {
    /// The one that looks, then the one that tells.
    threads: Vec<JoinHandle<()>>,
    bed: Arc<Bed>,
    tray: Arc<Tray>,
    findings: Arc<Findings>,
    /// Dropped after the threads have ended; none if stacks cannot be had.
    target: Option<StackTarget>,
    armed: String,
    origin: Origin,
}

impl Watching {
    /// Begins to watch the loop that is turned on the calling thread.
    ///
    /// # Errors
    ///
    /// If no thread can be started. That there are no stacks is none: see [`armed`](Self::armed).
    pub(crate) fn start<B: Watched + PulseCells>(
        config: &Watchdog,
        board: Arc<B>,
    ) -> io::Result<Self> {
        let target = match config.samples {
            0 => Err("no stacks: none were asked for".to_owned()),
            _ => StackTarget::here(Arc::clone(&board) as _, config.signal)
                .map_err(|error| format!("no stacks: {error}")),
        };
        let how = match &target {
            Ok(target) => target.test().to_string(),
            Err(why) => why.clone(),
        };
        let answers = target.as_ref().is_ok_and(|target| target.test().answers);
        let target = target.ok();
        let sampler = target.as_ref().map(StackTarget::sampler);
        let means = Means {
            thread: ThreadId::here(),
            sampler: sampler.filter(|_| answers),
        };
        let findings = Arc::new(Findings::default());
        let mut watching = Self {
            threads: Vec::new(),
            bed: Arc::default(),
            tray: Arc::default(),
            findings: Arc::clone(&findings),
            target,
            armed: format!("watchdog armed: {}, {how}", ms(config.threshold)),
            origin: Origin::here(),
        };
        let (bed, tray) = (Arc::clone(&watching.bed), Arc::clone(&watching.tray));
        let mut guard = Guard::new(config, board, means, Arc::clone(&findings), tray);
        let nap = config.nap();
        watching.start_thread("tourbillon-watchdog", move || {
            guard.rest();
            while !bed.sleep(nap) {
                guard.look();
                guard.rest();
            }
            guard.end();
        })?;
        let mut teller = Teller::new(config, findings, how);
        let tray = Arc::clone(&watching.tray);
        watching.start_thread("tourbillon-reports", move || {
            while let Some(news) = tray.take() {
                teller.tell(news);
                tray.done();
            }
        })?;
        if sampler.is_some() {
            warm_up();
        }
        Ok(watching)
    }

    fn start_thread(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let thread = Builder::new().name(name.to_owned()).spawn(run)?;
        self.threads.push(thread);
        Ok(())
    }

    /// The list itself, for other threads.
    pub(crate) fn findings(&self) -> Arc<Findings> {
        Arc::clone(&self.findings)
    }

    /// That it watches, and how it takes stacks, in one line.
    pub(crate) fn armed(&self) -> &str {
        &self.armed
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        if !self.origin.is_here() {
            // A fork has no such thread, and may find its locks taken for ever.
            std::mem::forget(self.target.take());
            return;
        }
        self.bed.wake();
        for (at, thread) in self.threads.drain(..).enumerate() {
            // Their panics were caught where they can happen, and were written by the panic hook.
            let _ = thread.join();
            if at == 0 {
                // The last news is there: the other says it, and ends.
                self.tray.close();
            }
        }
    }
}

/// Where the thread sleeps, and is told that it is over.
#[derive(Debug, Default)]
struct Bed {
    is_over: Mutex<bool>,
    woken: Condvar,
}

impl Bed {
    fn wake(&self) {
        *self.is_over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.woken.notify_all();
    }

    /// Says whether it is over.
    fn sleep(&self, nap: Duration) -> bool {
        let is_over = self.is_over.lock().unwrap_or_else(PoisonError::into_inner);
        let slept = self
            .woken
            .wait_timeout_while(is_over, nap, |is_over| !*is_over);
        *slept.unwrap_or_else(PoisonError::into_inner).0
    }
}
