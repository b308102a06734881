//! Accepting connections on a Unix socket.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::accepting::Accepting;
use super::socket_file::{self, SocketFile};
use super::unix_stream::UnixStream;
use crate::reactor::FdSource;
use crate::runtime::{Registered, current};
use crate::sys;

/// How to listen on a Unix socket.
///
/// # Examples
///
/// For this user alone:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::os::unix::fs::PermissionsExt;
/// use tourbillon::net::{UnixListenOptions, UnixListener};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// # let name = format!("tourbillon-unix-options-{}", std::process::id());
/// # let here = std::env::temp_dir().join(name);
/// # std::fs::create_dir_all(&here)?;
/// let path = here.join("socket");
/// let options = UnixListenOptions { mode: Some(0o600), ..UnixListenOptions::default() };
/// let _listener = UnixListener::bind_with(&path, &options)?;
/// assert_eq!(std::fs::metadata(&path)?.permissions().mode() & 0o777, 0o600);
/// # std::fs::remove_dir_all(&here)?;
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixListenOptions {
    /// Who may connect: the permission bits of the socket's file, set before
    /// anybody can. On Linux connecting takes the right to write; some other
    /// systems have ignored it (unix(7)). Default: `None`, what the process's
    /// umask leaves. An abstract name has no file and no mode.
    pub mode: Option<u32>,
    /// How many connections the kernel keeps until the program accepts them.
    /// Default: 2048. Linux lowers it to `net.core.somaxconn`.
    pub backlog: u32,
}

impl Default for UnixListenOptions {
    fn default() -> Self {
        UnixListenOptions {
            mode: None,
            backlog: 2048,
        }
    }
}

/// Accepts connections on a Unix socket.
///
/// Dropping it closes it, and removes its file if that is still the one it
/// made (by device and inode): a program that took the path over meanwhile
/// keeps its own.
///
/// # Examples
///
/// Greets each who connects:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::net::{UnixListener, UnixStream};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// # let here = std::env::temp_dir().join(format!("tourbillon-greeter-{}", std::process::id()));
/// # std::fs::create_dir_all(&here)?;
/// let path = here.join("greeter");
/// let mut listener = UnixListener::bind(&path)?;
/// assert_eq!(listener.local_addr()?.as_pathname(), Some(&*path));
/// tourbillon::spawn(async move {
///     while let Ok((mut peer, _)) = listener.accept().await {
///         peer.write_all(b"hello").await.ok();
///     }
/// })
/// .detach();
/// let mut buf = [0; 5];
/// UnixStream::connect(&path).await?.read_exact(&mut buf).await?;
/// assert_eq!(&buf, b"hello");
/// # std::fs::remove_dir_all(&here)?;
/// # Ok(())
/// # })
/// # }
/// ```
pub struct UnixListener {
    // Before the socket: see there.
    file: Option<SocketFile>,
    accepting: Accepting<FdSource<std::os::unix::net::UnixListener>>,
}

impl UnixListener {
    /// Listens at `path`, with the default [`UnixListenOptions`].
    ///
    /// A socket file that is there already is removed if nobody listens on it
    /// (a connection is refused): a program that was killed leaves one
    /// behind. Any other file stays, and is an error. FreeBSD and macOS also
    /// refuse while a listener's backlog is full, and so look the same.
    ///
    /// On Linux, a path that begins with a zero byte is an abstract name: it
    /// is no file, and gone with the socket. A leading `@` has no meaning.
    ///
    /// # Errors
    ///
    /// When the path is taken, too long (107 bytes on Linux, 103 elsewhere),
    /// empty, or its directory does not permit it; the message names it.
    ///
    /// # Panics
    ///
    /// When no runtime is entered on this thread.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use tourbillon::net::{UnixListener, UnixStream};
    ///
    /// let path = std::env::temp_dir().join(format!("tourbillon-doc-{}", std::process::id()));
    /// let mut rt = tourbillon::Runtime::new()?;
    /// rt.block_on(async {
    ///     let mut listener = UnixListener::bind(&path)?;
    ///     let mut client = UnixStream::connect(&path).await?;
    ///     let (mut server, _) = listener.accept().await?;
    ///     client.write_all(b"tick").await?;
    ///     let mut buf = [0; 4];
    ///     server.read_exact(&mut buf).await?;
    ///     assert_eq!(&buf, b"tick");
    ///     drop(listener);
    ///     assert!(!path.exists());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::bind_with(path, &UnixListenOptions::default())
    }

    /// Listens at `path`.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    ///
    /// # Panics
    ///
    /// When no runtime is entered on this thread.
    #[track_caller]
    pub fn bind_with(path: impl AsRef<Path>, options: &UnixListenOptions) -> io::Result<Self> {
        let parts = current();
        let path = path.as_ref();
        let (listener, file) = listen(path, options)
            .map_err(|error| socket_file::named("cannot listen on", path, error))?;
        let io = Registered::new(parts, FdSource(listener))?;
        Ok(UnixListener {
            file,
            accepting: Accepting::new(io),
        })
    }

    /// Takes over a listening socket made elsewhere, and makes it
    /// non-blocking. Its file, if it has one, is left alone.
    ///
    /// # Errors
    ///
    /// When the kernel's poll does not take it.
    ///
    /// # Panics
    ///
    /// When no runtime is entered on this thread.
    #[track_caller]
    pub fn from_std(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        let parts = current();
        listener.set_nonblocking(true)?;
        let io = Registered::new(parts, FdSource(listener))?;
        Ok(UnixListener {
            file: None,
            accepting: Accepting::new(io),
        })
    }

    /// Gives the socket away, blocking again. Its file stays.
    ///
    /// # Errors
    ///
    /// When the kernel's poll or the socket refuses the change; the file is
    /// removed then, with the socket.
    ///
    /// # Examples
    ///
    /// Handed to another program, and taken over from one:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::UnixListener;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// # let name = format!("tourbillon-unix-handover-{}", std::process::id());
    /// # let here = std::env::temp_dir().join(name);
    /// # std::fs::create_dir_all(&here)?;
    /// let path = here.join("socket");
    /// let socket = UnixListener::bind(&path)?.into_std()?;
    /// assert!(path.exists());
    /// let successor = UnixListener::from_std(socket)?;
    /// drop(successor);
    /// assert!(path.exists()); // it was not the one that made it
    /// # std::fs::remove_dir_all(&here)?;
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn into_std(mut self) -> io::Result<std::os::unix::net::UnixListener> {
        let io = &self.accepting.io;
        let listener = io.get().0.try_clone()?;
        io.release()?;
        listener.set_nonblocking(false)?;
        if let Some(file) = self.file.take() {
            file.keep();
        }
        Ok(listener)
    }

    /// Waits for a connection, and gives the address it came from: seldom
    /// more than "unnamed", since few clients bind.
    ///
    /// A full descriptor table is met as by
    /// [`TcpListener::accept`](super::TcpListener::accept): by a rest of
    /// 100 ms, never by an error.
    ///
    /// # Errors
    ///
    /// What accept(2) says, other than the above.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no connection.
    pub async fn accept(&mut self) -> io::Result<(UnixStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Polls for what [`accept`](Self::accept) waits for.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::{UnixListener, UnixStream};
    /// use std::future::poll_fn;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// # let name = format!("tourbillon-unix-poll-{}", std::process::id());
    /// # let here = std::env::temp_dir().join(name);
    /// # std::fs::create_dir_all(&here)?;
    /// let mut listener = UnixListener::bind(here.join("socket"))?;
    /// let _client = UnixStream::connect(here.join("socket")).await?;
    /// let (_peer, from) = poll_fn(|cx| listener.poll_accept(cx)).await?;
    /// assert!(from.is_unnamed());
    /// # std::fs::remove_dir_all(&here)?;
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        let accepted = self.accepting.poll_accept(cx, |io| io.0.accept());
        let (io, address) = ready!(accepted)?;
        io.set_nonblocking(true)?;
        let stream = UnixStream::connected(Rc::clone(self.accepting.io.parts()), io)?;
        Poll::Ready(Ok((stream, address)))
    }

    /// The address it listens on.
    ///
    /// # Errors
    ///
    /// What getsockname(2) says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.accepting.io.get().0.local_addr()
    }
}

type Listening = (std::os::unix::net::UnixListener, Option<SocketFile>);

fn listen(path: &Path, options: &UnixListenOptions) -> io::Result<Listening> {
    let address = socket_file::address(path)?;
    let taken = |error: &io::Error| error.kind() == io::ErrorKind::AddrInUse;
    match listen_once(path, &address, options) {
        Err(error) if taken(&error) && address.as_pathname().is_some() => {
            // Whatever goes wrong there, that it is taken says more.
            match socket_file::remove_stale(path, &address) {
                Ok(true) => listen_once(path, &address, options),
                _ => Err(error),
            }
        }
        listening => listening,
    }
}

fn listen_once(
    path: &Path,
    address: &SocketAddr,
    options: &UnixListenOptions,
) -> io::Result<Listening> {
    let mut file = None;
    let listener = sys::listen_unix(address, options.backlog, || {
        if address.as_pathname().is_some() {
            let made = file.insert(SocketFile::made(path)?);
            options.mode.map_or(Ok(()), |mode| made.set_mode(mode))?;
        }
        Ok(())
    })?;
    Ok((listener, file))
}

impl AsRawFd for UnixListener {
    fn as_raw_fd(&self) -> RawFd {
        self.accepting.io.get().0.as_raw_fd()
    }
}

impl fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnixListener")
            .field("fd", &self.as_raw_fd())
            .field("address", &self.local_addr().ok())
            .finish()
    }
}
