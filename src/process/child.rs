//! A child process that was started, until its status has been taken.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::process::{self, ExitStatus, Output};
use std::rc::Rc;
use std::task::{Context, Poll};

use super::exit::ExitWatch;
use super::pipe::{ChildStderr, ChildStdin, ChildStdout};
use super::reaper;
use crate::runtime::Parts;
use crate::sys::{self, NamedError, Origin, Signal};

/// A child process.
///
/// Dropping it leaves the child running, and its status is taken in the
/// background when it ends, by a thread that starts for that and ends with
/// the last such child: no zombie stays, whether or not the runtime lives.
/// With [`kill_on_drop`](super::Command::kill_on_drop) it gets SIGKILL first.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::process::{Command, Stdio};
///
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     let mut command = Command::new("cat");
///     let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
///     let mut stdin = child.stdin.take().expect("it is piped");
///     stdin.write_all(b"tick").await?;
///     drop(stdin);
///     let output = child.wait_with_output().await?;
///     assert_eq!(output.stdout, b"tick");
///     Ok(())
/// })
/// # }
/// ```
pub struct Child {
    /// Where it reads, if that is a pipe. Dropping it closes the pipe.
    pub stdin: Option<ChildStdin>,
    /// Where it writes, if that is a pipe.
    pub stdout: Option<ChildStdout>,
    /// Where it writes errors, if that is a pipe.
    pub stderr: Option<ChildStderr>,
    life: Life,
    watch: Option<ExitWatch>,
    parts: Rc<Parts>,
    /// A forked child has a copy of this, and no right to the process.
    origin: Origin,
    kills_on_drop: bool,
    uses_pidfd: bool,
}

enum Life {
    /// Its status has not been taken, so its number is no other's.
    Open(process::Child),
    Ended(ExitStatus),
    /// Somebody else has taken the status.
    Lost(u32),
}

impl Child {
    pub(super) fn new(
        parts: Rc<Parts>,
        mut process: process::Child,
        kills_on_drop: bool,
        uses_pidfd: bool,
    ) -> io::Result<Self> {
        let stdin = process.stdin.take();
        let stdout = process.stdout.take();
        let stderr = process.stderr.take();
        // Should a pipe be refused, the child ends with this.
        let mut child = Child {
            stdin: None,
            stdout: None,
            stderr: None,
            life: Life::Open(process),
            watch: None,
            parts: Rc::clone(&parts),
            origin: Origin::here(),
            kills_on_drop: true,
            uses_pidfd,
        };
        child.stdin = stdin.map(|end| ChildStdin::new(&parts, end)).transpose()?;
        child.stdout = stdout
            .map(|end| ChildStdout::new(&parts, end))
            .transpose()?;
        child.stderr = stderr
            .map(|end| ChildStderr::new(&parts, end))
            .transpose()?;
        child.kills_on_drop = kills_on_drop;
        Ok(child)
    }

    /// The process id; `None` once its status has been taken, since the
    /// number may be another's then.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::process::Command;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let mut child = Command::new("true").spawn()?;
    /// println!("process {} has begun", child.id().expect("its status is not taken"));
    /// assert!(child.wait().await?.success());
    /// assert_eq!(child.id(), None);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn id(&self) -> Option<u32> {
        match &self.life {
            Life::Open(process) => Some(process.id()),
            Life::Ended(_) | Life::Lost(_) => None,
        }
    }

    /// Waits for the child to end. Its stdin is closed first, if that is a
    /// pipe and has not been taken out: it may wait for the end of its input.
    ///
    /// A child that writes into a pipe which nobody reads never ends: take
    /// the pipe out and read it, or see
    /// [`wait_with_output`](Self::wait_with_output).
    ///
    /// # Errors
    ///
    /// When other code has taken the status, or SIGCHLD is ignored; in a
    /// forked process; when the end can be heard neither by a pidfd nor by
    /// SIGCHLD.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing: the status is there for the next
    /// call, as often as one likes.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        poll_fn(|cx| self.poll_wait(cx)).await
    }

    /// Polls for what [`wait`](Self::wait) waits for, and closes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::process::Command;
    /// use std::future::poll_fn;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let mut child = Command::new("false").spawn()?;
    /// let status = poll_fn(|cx| child.poll_wait(cx)).await?;
    /// assert_eq!(status.code(), Some(1));
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<ExitStatus>> {
        if self.watch.is_none() {
            if let Some(status) = self.try_wait()? {
                return Poll::Ready(Ok(status));
            }
            let id = self.id().expect("a child that runs has its number");
            self.watch = Some(ExitWatch::new(&self.parts, id, self.uses_pidfd));
        }
        loop {
            let watch = self.watch.as_mut().expect("it was made above");
            let has_news = watch.arm(cx)?;
            // In this order: what happens from here on wakes the task.
            if let Some(status) = self.try_wait()? {
                return Poll::Ready(Ok(status));
            }
            if !has_news {
                return Poll::Pending;
            }
            let watch = self.watch.as_mut().expect("it stays while the child runs");
            watch.clear()?;
        }
    }

    /// The status, if the child has ended.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::process::Command;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let mut child = Command::new("sleep").arg("600").spawn()?;
    /// assert!(child.try_wait()?.is_none(), "it still runs");
    /// child.kill().await?;
    /// assert!(child.try_wait()?.is_some());
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.origin.check()?;
        let process = match &mut self.life {
            Life::Open(process) => process,
            Life::Ended(status) => return Ok(Some(*status)),
            Life::Lost(id) => return Err(lost(*id)),
        };
        let id = process.id();
        match process.try_wait() {
            Ok(None) => Ok(None),
            Ok(Some(status)) => {
                self.life = Life::Ended(status);
                self.watch = None;
                Ok(Some(status))
            }
            // waitpid(2) fails so for want of such a child only.
            Err(_) => {
                self.life = Life::Lost(id);
                self.watch = None;
                Err(lost(id))
            }
        }
    }

    /// Takes in what the child writes into its pipes, and waits for its end.
    /// Its stdin is closed first, as by [`wait`](Self::wait).
    ///
    /// It is done when the child has ended and both pipes have: what the
    /// child has started and left behind may hold them open.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait), or what read(2) says; the child is dropped
    /// then.
    ///
    /// # Cancellation
    ///
    /// Dropping the future drops the child and what it has written.
    pub async fn wait_with_output(mut self) -> io::Result<Output> {
        drop(self.stdin.take());
        let (mut out, mut err) = (self.stdout.take(), self.stderr.take());
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let mut status = None;
        poll_fn(|cx| {
            // Each in its turn: a child may wait for either to be read.
            if let Some(end) = &mut out
                && end.poll_drain(cx, &mut stdout)?.is_ready()
            {
                out = None;
            }
            if let Some(end) = &mut err
                && end.poll_drain(cx, &mut stderr)?.is_ready()
            {
                err = None;
            }
            if status.is_none()
                && let Poll::Ready(ended) = self.poll_wait(cx)?
            {
                status = Some(ended);
            }
            match status {
                Some(status) if out.is_none() && err.is_none() => Poll::Ready(Ok(status)),
                _ => Poll::Pending,
            }
        })
        .await
        .map(|status| Output {
            status,
            stdout,
            stderr,
        })
    }

    /// Sends a signal: a [`Signal`], or the number of any. To a child whose
    /// status has been taken, nothing.
    ///
    /// # Errors
    ///
    /// When there is no such signal, or the child is another user by now; as
    /// [`try_wait`](Self::try_wait).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::process::Command;
    /// use std::os::unix::process::ExitStatusExt;
    /// use tourbillon::signal::Signal;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let mut child = Command::new("sleep").arg("600").spawn()?;
    /// child.signal(Signal::Terminate)?;
    /// let status = child.wait().await?;
    /// assert_eq!(status.signal(), Some(Signal::Terminate.number()));
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn signal(&mut self, signal: impl Into<i32>) -> io::Result<()> {
        // A look first: a number that somebody else has freed is not ours.
        if self.try_wait()?.is_some() {
            return Ok(());
        }
        let id = self.id().expect("a child that runs has its number");
        let number = signal.into();
        let named = |error| {
            let attempt = format!("sending signal {number} to process {id}");
            NamedError::wrap(error, attempt, None)
        };
        sys::send_signal(id, number).map_err(named)
    }

    /// Asks the child to end (SIGTERM), which it may refuse.
    ///
    /// # Errors
    ///
    /// As [`signal`](Self::signal).
    pub fn terminate(&mut self) -> io::Result<()> {
        self.signal(Signal::Terminate)
    }

    /// Ends the child (SIGKILL) and does not wait until it has ended.
    ///
    /// # Errors
    ///
    /// As [`signal`](Self::signal).
    pub fn start_kill(&mut self) -> io::Result<()> {
        // The same number everywhere: POSIX, kill(1).
        self.signal(9)
    }

    /// Ends the child (SIGKILL) and waits until it has ended.
    ///
    /// # Errors
    ///
    /// As [`signal`](Self::signal) and [`wait`](Self::wait).
    ///
    /// # Cancellation
    ///
    /// The signal is sent by the first poll; then as [`wait`](Self::wait).
    pub async fn kill(&mut self) -> io::Result<()> {
        self.start_kill()?;
        self.wait().await.map(drop)
    }
}

fn lost(id: u32) -> io::Error {
    io::Error::other(format!(
        "the status of process {id} was taken by other code: nothing else in this process may \
         wait for any child at large, nor ignore SIGCHLD"
    ))
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.origin.is_here() || !matches!(self.try_wait(), Ok(None)) {
            return;
        }
        if self.kills_on_drop
            && let Err(error) = self.start_kill()
        {
            log::warn!("a child that was dropped could not be killed: {error}");
        }
        self.watch = None;
        // It may have ended since it was looked at.
        let Some(id) = self.id() else { return };
        if let Life::Open(process) = std::mem::replace(&mut self.life, Life::Lost(id)) {
            reaper::adopt(process, self.uses_pidfd);
        }
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Child");
        match &self.life {
            Life::Open(process) => debug.field("id", &process.id()),
            Life::Ended(status) => debug.field("status", status),
            Life::Lost(id) => debug.field("lost", id),
        };
        debug.finish_non_exhaustive()
    }
}
