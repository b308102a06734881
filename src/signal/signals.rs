//! A listener for some of the process's signals.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::fd::AsRawFd;
use std::task::{Context, Poll, ready};

use crate::reactor::{Direction, FdSource};
use crate::runtime::{Registered, current};
use crate::sys::{Signal, SignalPipe};

/// Hears some of the process's signals, one by one.
///
/// While it lives, the signals it listens for no longer end the process;
/// when the last listener for one is dropped, they do as before.
pub struct Signals {
    pipe: SignalPipe,
    source: Registered<FdSource>,
}

impl Signals {
    /// Starts to listen for `signals`.
    ///
    /// # Errors
    ///
    /// When the list is empty, 16 listeners live in this process, or the
    /// process is out of descriptors.
    ///
    /// # Panics
    ///
    /// When no runtime is entered on this thread.
    #[track_caller]
    pub fn new(signals: &[Signal]) -> io::Result<Self> {
        let parts = current();
        let pipe = SignalPipe::new(signals)?;
        let source = Registered::new(parts, FdSource(pipe.as_raw_fd()))?;
        source.assume_readable();
        Ok(Signals { pipe, source })
    }

    /// Waits for the next signal. Several of one kind that came while nobody
    /// listened are heard once.
    ///
    /// # Errors
    ///
    /// Those of reading a pipe, of which none is known to occur.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no signal.
    pub async fn recv(&mut self) -> io::Result<Signal> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Polls for what [`recv`](Self::recv) waits for.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Signal>> {
        loop {
            if let Some(signal) = self.pipe.read()? {
                return Poll::Ready(Ok(signal));
            }
            self.source.clear_ready(Direction::Read)?;
            ready!(self.source.poll_ready(cx, Direction::Read))?;
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // The pipe stays open for the next listener, so the kernel's poll
        // has to be told.
        if let Err(error) = self.source.release() {
            log::debug!("a signal pipe could not be taken out of the kernel's poll: {error}");
        }
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals")
            .field("pipe", &self.pipe)
            .finish_non_exhaustive()
    }
}
