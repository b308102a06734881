//! What to start, and how.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, ExitStatus, Output, Stdio};

use super::child::Child;
use crate::runtime::current;
use crate::sys::{self, NamedError};

/// Starts a child process.
///
/// What is not set is inherited: environment, working directory, standard
/// streams (except by [`output`](Self::output)). Descriptors that are closed
/// on exec, as all of this crate's, are not. One command may be spawned many
/// times.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::process::Command;
///
/// let mut rt = tourbillon::Runtime::new()?;
/// let output = rt.block_on(Command::new("echo").arg("tick").output())?;
/// assert!(output.status.success());
/// assert_eq!(output.stdout, b"tick\n");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Command {
    std: process::Command,
    kills_on_drop: bool,
    uses_pidfd: bool,
    sets_stdin: bool,
    sets_stdout: bool,
    sets_stderr: bool,
}

impl Command {
    /// A command that runs `program`, which is looked up in `PATH` unless it
    /// has a slash in it. Nothing is started before
    /// [`spawn`](Self::spawn) and its like.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        process::Command::new(program).into()
    }

    /// Adds one argument. No shell looks at it.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.std.arg(arg);
        self
    }

    /// Adds arguments.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::process::Command;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let mut count = Command::new("sh");
    /// count.args(["-c", "echo $#", "sh"]).args(["one", "two"]);
    /// assert_eq!(count.output().await?.stdout, b"2\n");
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn args(&mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Self {
        self.std.args(args);
        self
    }

    /// Sets a variable of the child's environment.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.std.env(name, value);
        self
    }

    /// Sets variables of the child's environment.
    pub fn envs<N: AsRef<OsStr>, V: AsRef<OsStr>>(
        &mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> &mut Self {
        self.std.envs(variables);
        self
    }

    /// Keeps a variable from the child.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.std.env_remove(name);
        self
    }

    /// Keeps every variable from the child but those that are set after.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::process::Command;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let mut show = Command::new("/usr/bin/env");
    /// show.env_clear().env("GEARS", "6").envs([("TEETH", "64"), ("LEVER", "1")]);
    /// show.env_remove("LEVER");
    /// assert_eq!(show.output().await?.stdout, b"GEARS=6\nTEETH=64\n");
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn env_clear(&mut self) -> &mut Self {
        self.std.env_clear();
        self
    }

    /// Sets the child's working directory. Whether a relative path of the
    /// program is meant from there is not defined: give an absolute one.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::process::Command;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let output = Command::new("pwd").current_dir("/").output().await?;
    /// assert_eq!(output.stdout, b"/\n");
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn current_dir(&mut self, folder: impl AsRef<Path>) -> &mut Self {
        self.std.current_dir(folder);
        self
    }

    /// Sets what the child reads as its input: [`Stdio::piped`],
    /// [`Stdio::inherit`], [`Stdio::null`], or any descriptor that is owned.
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Self {
        self.std.stdin(stdin);
        self.sets_stdin = true;
        self
    }

    /// Sets where the child's output goes; see [`stdin`](Self::stdin).
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Self {
        self.std.stdout(stdout);
        self.sets_stdout = true;
        self
    }

    /// Sets where the child's errors go; see [`stdin`](Self::stdin).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::process::Command;
    /// use tourbillon::process::Stdio;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let mut command = Command::new("sh");
    /// command.args(["-c", "read line; echo $line >&2"]);
    /// command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    /// let output = command.spawn()?.wait_with_output().await?;
    /// assert_eq!((output.stdout, output.stderr), (vec![], vec![b'\n']));
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Self {
        self.std.stderr(stderr);
        self.sets_stderr = true;
        self
    }

    /// Whether a child that runs when its [`Child`] is dropped gets SIGKILL.
    /// Default: no, it runs on by itself.
    ///
    /// # Examples
    ///
    /// Within a time, or not at all:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::process::Command;
    /// use std::time::Duration;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let mut slow = Command::new("sleep");
    /// slow.arg("600").kill_on_drop(true);
    /// let limit = Duration::from_millis(20);
    /// let ended = tourbillon::timeout(limit, slow.status()).await;
    /// assert!(ended.is_err()); // and nothing sleeps on
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn kill_on_drop(&mut self, kills: bool) -> &mut Self {
        self.kills_on_drop = kills;
        self
    }

    /// Has the child run as this user; see setuid(2). Groups are left.
    pub fn uid(&mut self, id: u32) -> &mut Self {
        self.std.uid(id);
        self
    }

    /// Has the child run as this group; see setgid(2).
    ///
    /// # Examples
    ///
    /// A server that opened its port as root has somebody else do the work:
    ///
    /// ```no_run
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::process::Command;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let mut worker = Command::new("/usr/local/bin/worker");
    /// worker.uid(65_534).gid(65_534);
    /// assert!(worker.status().await?.success());
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn gid(&mut self, id: u32) -> &mut Self {
        self.std.gid(id);
        self
    }

    /// Puts the child into the process group `id`, or into one of its own
    /// (0): then a Ctrl-C at the terminal does not reach it; see setpgid(2).
    ///
    /// # Examples
    ///
    /// A shell and all that it has started, told at once:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::process::Command;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let mut shell = Command::new("sh");
    /// shell.args(["-c", "sleep 600 & wait"]).process_group(0);
    /// let mut child = shell.spawn()?;
    /// let group = format!("-{}", child.id().expect("it runs"));
    /// Command::new("kill").args(["-TERM", "--", &group]).status().await?;
    /// assert!(!child.wait().await?.success());
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn process_group(&mut self, id: i32) -> &mut Self {
        self.std.process_group(id);
        self
    }

    /// Whether the child's end is heard by a pidfd, where there is such a
    /// thing. Default: yes. With `false` it is by SIGCHLD, which is what
    /// happens anyway on kernels without pidfds, in sandboxes that forbid
    /// them, and when no descriptor is left.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::process::Command;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let mut command = Command::new("true");
    /// command.pidfd(false); // by SIGCHLD, as on an older kernel
    /// assert!(command.status().await?.success());
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn pidfd(&mut self, uses: bool) -> &mut Self {
        self.uses_pidfd = uses;
        self
    }

    /// The command of the standard library, for what is not here.
    ///
    /// Standard streams should be set by the methods here, else
    /// [`output`](Self::output) overrides them.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::process::Command;
    /// use std::os::unix::process::CommandExt;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let mut command = Command::new("sh");
    /// command.as_std_mut().arg0("tick");
    /// let output = command.args(["-c", "echo $0"]).output().await?;
    /// assert_eq!(output.stdout, b"tick\n");
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn as_std_mut(&mut self) -> &mut process::Command {
        &mut self.std
    }

    /// Starts the child.
    ///
    /// This blocks until the child has begun to run the program or has failed
    /// to, usually a millisecond or less: to fork and exec is work for
    /// the processor, not something to wait for.
    ///
    /// # Errors
    ///
    /// The message names the program; `NotFound` if there is none of that
    /// name (or no such working directory). Nothing has been started then.
    /// [`raw_os_error`](crate::fs::raw_os_error) finds the number.
    ///
    /// # Panics
    ///
    /// When no runtime is entered on this thread.
    #[track_caller]
    pub fn spawn(&mut self) -> io::Result<Child> {
        let parts = current();
        let started = self.std.spawn();
        let child = started.map_err(|error| self.name_error(error))?;
        Child::new(parts, child, self.kills_on_drop, self.uses_pidfd)
    }

    /// Starts the child and waits for its end.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn) and [`Child::wait`].
    ///
    /// # Panics
    ///
    /// When polled while no runtime is entered on this thread.
    ///
    /// # Cancellation
    ///
    /// Dropping the future drops the [`Child`].
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::process::Command;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let status = Command::new("sh").args(["-c", "exit 3"]).status().await?;
    /// assert_eq!(status.code(), Some(3));
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub async fn status(&mut self) -> io::Result<ExitStatus> {
        self.spawn()?.wait().await
    }

    /// Starts the child, takes in what it writes, and waits for its end.
    ///
    /// Unless they were set, its output and errors are pipes and its input is
    /// empty. What it writes is kept whatever its size: for a child that may
    /// write without end, [`spawn`](Self::spawn) it and read.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn) and [`Child::wait_with_output`].
    ///
    /// # Panics
    ///
    /// When polled while no runtime is entered on this thread.
    ///
    /// # Cancellation
    ///
    /// Dropping the future drops the [`Child`] and what it has written.
    pub async fn output(&mut self) -> io::Result<Output> {
        self.set_unset([Stdio::null(), Stdio::piped(), Stdio::piped()]);
        let child = self.spawn();
        self.set_unset([Stdio::inherit(), Stdio::inherit(), Stdio::inherit()]);
        child?.wait_with_output().await
    }

    fn set_unset(&mut self, [stdin, stdout, stderr]: [Stdio; 3]) {
        if !self.sets_stdin {
            self.std.stdin(stdin);
        }
        if !self.sets_stdout {
            self.std.stdout(stdout);
        }
        if !self.sets_stderr {
            self.std.stderr(stderr);
        }
    }

    fn name_error(&self, error: io::Error) -> io::Error {
        let program = self.std.get_program().display();
        let attempt = match self.std.get_current_dir() {
            Some(folder) => format!("starting {program} in {}", folder.display()),
            None => format!("starting {program}"),
        };
        let is_full = sys::is_resource_exhausted(&error);
        let remedy = "raise the limit on open files (ulimit -n) or start fewer children at a time";
        NamedError::wrap(error, attempt, is_full.then_some(remedy))
    }
}

/// Takes over a command as it is. Its standard streams count as not set.
impl From<process::Command> for Command {
    fn from(std: process::Command) -> Self {
        Command {
            std,
            kills_on_drop: false,
            uses_pidfd: true,
            sets_stdin: false,
            sets_stdout: false,
            sets_stderr: false,
        }
    }
}
