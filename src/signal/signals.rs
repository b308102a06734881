//! A listener for some of the process's signals.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::task::{Context, Poll, ready};

use crate::reactor::{Direction, FdSource, Interest};
use crate::runtime::{Registered, current};
use crate::sys::{Signal, SignalPipe};

/// Hears some of the process's signals, one by one.
///
/// While it lives, the signals it listens for no longer end the process;
/// when the last listener for one is dropped, they do as before.
pub struct Signals {
    // The pipe stays open for the next listener, so the source goes first.
    source: Registered<FdSource<RawFd>>,
    pipe: SignalPipe,
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
        let source = Registered::outlived(parts, FdSource(pipe.as_raw_fd()), Interest::READABLE)?;
        source.assume_readable();
        Ok(Signals { source, pipe })
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

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals")
            .field("pipe", &self.pipe)
            .finish_non_exhaustive()
    }
}
