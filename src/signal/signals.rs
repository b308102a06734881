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
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::signal::{Signal, Signals};
///
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     let mut signals = Signals::new(&[Signal::Hangup, Signal::Terminate])?;
///     # let id = std::process::id().to_string();
///     # std::process::Command::new("kill").args(["-HUP", &id]).status()?;
///     match signals.recv().await? {
///         Signal::Hangup => println!("reading the configuration again"),
///         _ => println!("ending"),
///     }
///     Ok(())
/// })
/// # }
/// ```
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
    /// When the list is empty, 64 listeners live in this process, or the
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
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::signal::{Signal, Signals};
    /// use std::future::poll_fn;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let mut signals = Signals::new(&[Signal::User1])?;
    /// # let id = std::process::id().to_string();
    /// # std::process::Command::new("kill").args(["-USR1", &id]).status()?;
    /// assert_eq!(poll_fn(|cx| signals.poll_recv(cx)).await?, Signal::User1);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Signal>> {
        loop {
            // First, so that who polls for other reasons makes no system call.
            ready!(self.source.poll_ready(cx, Direction::Read))?;
            if let Some(signal) = self.pipe.read()? {
                return Poll::Ready(Ok(signal));
            }
            self.source.clear_ready(Direction::Read)?;
        }
    }
}

/// Waits for Ctrl-C at the terminal (SIGINT).
///
/// It listens from the first poll until the future is dropped: a Ctrl-C
/// between two calls ends the process as ever. To hear each, and other
/// signals too, keep a [`Signals`].
///
/// # Errors
///
/// As [`Signals::new`].
///
/// # Panics
///
/// When polled while no runtime is entered on this thread.
///
/// # Cancellation
///
/// Dropping the future ends the listening.
///
/// # Examples
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     tourbillon::signal::ctrl_c().await?;
///     println!("ending");
///     Ok(())
/// })
/// # }
/// ```
pub async fn ctrl_c() -> io::Result<()> {
    Signals::new(&[Signal::Interrupt])?.recv().await.map(drop)
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals")
            .field("pipe", &self.pipe)
            .finish_non_exhaustive()
    }
}
