//! A callback for a descriptor: what asyncio calls a reader or a writer, and
//! libuv a poll handle.
//!
//! ```text
//!   kernel: ready ──▶ callback ──▶ ask the kernel again ──▶ still ready? ──┐
//!                        ▲                                                 │
//!                        └────────────── next turn ◀───────────────────────┘
//! ```
//!
//! Level-triggered on top of an edge-triggered reactor, by asking again after
//! each call. The callback runs as a task's poll, so that panics, borrows and
//! the order of the turn are as for every task.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, RawFd};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::async_fd;
use super::registered::Registered;
use super::spawn::spawn_at;
use crate::executor::{JoinHandle, Name};
use crate::reactor::{FdSource, Interest, Ready};

/// Has the loop call `callback` whenever `fd` is ready for `interest`, until
/// the watch that this returns is dropped.
///
/// - The first call comes in a later turn, never within this function.
/// - At most one call comes in a turn. While `fd` stays ready, each visit to
///   the kernel brings another: who leaves data unread is called again, and
///   none has to read until it would block. This is asyncio's `add_reader`
///   and libuv's `uv_poll`.
/// - An end or a hang-up is readable, an error is readable and writable, and
///   both stay so: cancel the watch then, or be called in every turn.
/// - A callback that panics ends its watch: the panic is logged with the
///   place of this call, and counted.
/// - A watch does not keep [`Runtime::run`](crate::Runtime::run) going or
///   from returning. It ends with the runtime.
///
/// `fd` is owned by the watch and given to no one: it is dropped when the
/// watch ends, after the kernel has let go of it. To keep using it, give a
/// reference that counts (`Rc<File>`, `Arc<OwnedFd>`), or a duplicate. What a
/// host owns is a `BorrowedFd<'static>`, which must outlive the watch. The fd
/// need not be non-blocking, if the callback reads no more than is there.
/// One fd can be watched once: for both directions, say so in `interest`.
///
/// # Errors
///
/// As [`AsyncFd::new`](crate::AsyncFd::new).
///
/// # Panics
///
/// When no runtime is entered on this thread.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
/// use std::rc::Rc;
/// use tourbillon::{Interest, Runtime, stop, watch_fd};
///
/// let mut rt = Runtime::new()?;
/// let _guard = rt.enter();
/// let (mut host, ours) = UnixStream::pair()?;
/// let ours = Rc::new(ours);
/// let fd = Rc::clone(&ours);
/// let watch = watch_fd(fd, Interest::READABLE, move |ready| {
///     assert!(ready.is_readable());
///     let mut byte = [0];
///     (&*ours).read_exact(&mut byte).unwrap();
///     stop();
/// })?;
/// host.write_all(b"!")?;
/// rt.run()?;
/// watch.cancel();
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn watch_fd(
    fd: impl AsFd + 'static,
    interest: Interest,
    callback: impl FnMut(Ready) + 'static,
) -> io::Result<FdWatch> {
    let place = Location::caller();
    let source = async_fd::watch(&fd, interest)?;
    let watched = Rc::new(Watched(RefCell::new(Some(Open {
        source: Rc::new(source),
        _fd: Box::new(fd),
    }))));
    let calls = Calls {
        watched: Rc::clone(&watched),
        interest,
        callback,
        place,
    };
    let task = spawn_at(calls, Name::Fixed(|| "watch_fd"), place);
    Ok(FdWatch { watched, task })
}

/// A callback that waits for a descriptor. Dropping it ends that.
///
/// It does so at once: the callback is not called again, not even in this
/// turn, the kernel lets go of the descriptor, and the descriptor is dropped.
/// The callback itself is dropped in the next turn, so it may drop its own
/// watch.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::os::unix::net::UnixStream;
/// use tourbillon::{Interest, Runtime, watch_fd};
///
/// let mut rt = Runtime::new()?;
/// let _guard = rt.enter();
/// let (theirs, ours) = UnixStream::pair()?;
/// let watch = watch_fd(ours, Interest::READABLE, |_| panic!("nothing was sent"))?;
/// rt.run_until_stalled()?;
/// assert!(watch.is_active());
/// watch.cancel(); // the socket is closed with it
/// assert!(std::io::Read::read(&mut &theirs, &mut [0])? == 0);
/// # Ok(())
/// # }
/// ```
#[must_use = "the callback is called until this is dropped"]
pub struct FdWatch {
    watched: Rc<Watched>,
    task: JoinHandle<()>,
}

impl FdWatch {
    /// Ends the watch; the same as dropping it, and easier to read.
    pub fn cancel(self) {
        drop(self);
    }

    /// Whether the callback may be called again: it has not panicked, the
    /// kernel could be asked, and the runtime has not ended.
    pub fn is_active(&self) -> bool {
        self.watched.0.borrow().is_some()
    }
}

impl Drop for FdWatch {
    fn drop(&mut self) {
        self.watched.close();
        self.task.abort();
    }
}

impl fmt::Debug for FdWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FdWatch")
            .field("active", &self.is_active())
            .finish_non_exhaustive()
    }
}

/// What the handle and the task share: the descriptor, until one of them
/// ends the watch.
struct Watched(RefCell<Option<Open>>);

struct Open {
    source: Rc<Registered<FdSource<RawFd>>>,
    _fd: Box<dyn AsFd>,
}

impl Watched {
    fn source(&self) -> Option<Rc<Registered<FdSource<RawFd>>>> {
        let open = self.0.borrow();
        open.as_ref().map(|open| Rc::clone(&open.source))
    }

    fn close(&self) {
        let Some(open) = self.0.take() else { return };
        if let Err(error) = open.source.release() {
            log::debug!("a descriptor could not be taken out of the kernel's poll: {error}");
        }
        // What was watched is the user's, and may do anything when dropped.
        let parts = Rc::clone(open.source.parts());
        parts.drop_quietly("what was watched", open);
    }
}

/// The task: waits, calls, asks again.
struct Calls<F> {
    watched: Rc<Watched>,
    interest: Interest,
    callback: F,
    place: &'static Location<'static>,
}

impl<F: FnMut(Ready)> Calls<F> {
    fn poll_ready(
        &self,
        source: &Registered<FdSource<RawFd>>,
        cx: &Context<'_>,
    ) -> Poll<io::Result<Ready>> {
        let mut is_ready = false;
        for direction in self.interest.directions() {
            match source.poll_ready(cx, direction) {
                Poll::Ready(Ok(())) => is_ready = true,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
        }
        match is_ready {
            true => Poll::Ready(Ok(source.readiness())),
            false => Poll::Pending,
        }
    }
}

impl<F: FnMut(Ready)> Calls<F> {
    /// A panic is caught here already: what the callback holds must not be
    /// dropped while it unwinds, since that may panic as well.
    fn call(&mut self, ready: Ready, source: &Registered<FdSource<RawFd>>) {
        let call = AssertUnwindSafe(|| (self.callback)(ready));
        if let Err(payload) = catch_unwind(call) {
            let place = self.place;
            let who = format_args!("watch_fd callback from {place}");
            source.parts().note_panic(&who, payload);
            self.watched.close();
        }
    }
}

/// Nothing in it is pinned: the callback is called through `&mut`.
impl<F> Unpin for Calls<F> {}

impl<F: FnMut(Ready)> Future for Calls<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(source) = self.watched.source() {
            let again = match self.poll_ready(&source, cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => Err(error),
                Poll::Ready(Ok(ready)) => {
                    self.call(ready, &source);
                    if self.watched.source().is_none() {
                        break;
                    }
                    source.ask_again(Interest::READABLE | Interest::WRITABLE)
                }
            };
            if let Err(error) = again {
                log::error!("a descriptor can no longer be watched: {error}");
                self.watched.close();
            }
        }
        Poll::Ready(())
    }
}

impl<F> Drop for Calls<F> {
    fn drop(&mut self) {
        self.watched.close();
    }
}
