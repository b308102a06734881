//! A dump at the press of Ctrl-\, as Java and Go programs give one.

use std::fmt;
use std::io;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::signals::Signals;
use crate::runtime::{Handle, Runtime, Watcher};
use crate::sys::Signal;

/// How long to wait for the loop to say where its tasks wait: one that turns
/// says so in a moment.
const PATIENCE: Duration = Duration::from_millis(500);

/// Writes a [dump with stacks](Watcher::dump_with_stacks) of the loop to
/// standard error whenever the process gets SIGQUIT, which Ctrl-\ sends in a
/// terminal. The process does not end by it.
///
/// A thread of its own does that, so a loop that is stuck is dumped too.
/// Dropping what this returns ends it, and gives SIGQUIT back.
///
/// # Errors
///
/// When the signal cannot be taken, or no thread can be started.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::Runtime;
/// use tourbillon::signal::dump_on_quit;
///
/// let mut rt = Runtime::builder().watch(true).build()?;
/// let _dumps = dump_on_quit(rt.watcher().expect("it is watched"))?;
/// rt.block_on(async { /* the program */ });
/// # Ok(())
/// # }
/// ```
pub fn dump_on_quit(watcher: Watcher) -> io::Result<DumpOnQuit> {
    let (told, hears) = mpsc::channel();
    let thread = thread::Builder::new()
        .name("tourbillon-dump".to_owned())
        .spawn(move || {
            if let Err(error) = dump_until_stopped(&watcher, &told) {
                let _ = told.send(Err(error));
            }
        })?;
    let begun = hears
        .recv()
        .unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()));
    Ok(DumpOnQuit {
        loop_there: begun?,
        thread: Some(thread),
    })
}

fn dump_until_stopped(
    watcher: &Watcher,
    told: &mpsc::Sender<io::Result<Handle>>,
) -> io::Result<()> {
    let mut rt = Runtime::builder().unwatched().build()?;
    let _entered = rt.enter();
    let mut signals = Signals::new(&[Signal::Quit])?;
    let watcher = watcher.clone();
    let dumps = async move {
        while signals.recv().await.is_ok() {
            eprintln!("{}", watcher.dump_with_stacks(PATIENCE));
        }
    };
    rt.spawn(dumps).detach();
    let _ = told.send(Ok(rt.handle()));
    rt.run()
}

/// While this lives, SIGQUIT dumps; made by [`dump_on_quit`].
///
/// # Examples
///
/// For a part of the program only:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::Runtime;
/// use tourbillon::signal::{DumpOnQuit, dump_on_quit};
///
/// let rt = Runtime::builder().watch(true).build()?;
/// let dumps: DumpOnQuit = dump_on_quit(rt.watcher().expect("it is watched"))?;
/// drop(dumps); // Ctrl-\\ ends the process again
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping it ends the dumps"]
pub struct DumpOnQuit {
    loop_there: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Drop for DumpOnQuit {
    fn drop(&mut self) {
        let _ = self.loop_there.stop();
        if let Some(thread) = self.thread.take() {
            // A panic of its was written by the panic hook.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for DumpOnQuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DumpOnQuit").finish_non_exhaustive()
    }
}
