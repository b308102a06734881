//! A server's life: startup, main loop, shutdown.

use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::process;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::close_reason::CloseReason;
use super::config::Config;
use super::connection::Connection;
use super::drain;
use super::handler::Handler;
use super::lifespan::{Hooks, Lifespan};
use super::state::{Place, ServerState, Shared};
use super::stop::ServerHandle;
use super::transport::Transport;
use crate::net::{ListenOptions, TcpListener, TcpStream};
use crate::runtime::{Runtime, Sleep, current, sleep, spawn_named};
use crate::signal::{Signal, Signals};
use crate::sys;

/// How long accepting rests after an error that the listener has no answer to.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `app` on a runtime of its own until SIGINT or SIGTERM. Returns
/// when the server has stopped.
///
/// # Errors
///
/// See [`Server::run`]; and when no runtime can be made.
///
/// # Examples
///
/// ```no_run
/// use tourbillon::server::{Config, serve};
/// use tourbillon::web::Router;
///
/// let app = Router::new().get("/", async |_| "Hello!");
/// serve(app, Config::default())?;
/// # Ok::<(), tourbillon::server::ServeError>(())
/// ```
pub fn serve(app: impl Handler, config: Config) -> Result<(), ServeError> {
    // Each connection is a descriptor, and the usual soft limit of 1024 is
    // for programs that use select(2). Go does the same.
    match sys::raise_fd_limit() {
        Ok(limit) => log::debug!("up to {limit} open files"),
        Err(error) => log::warn!("the limit on open files stays as it is: {error}"),
    }
    let mut runtime = Runtime::new().map_err(ServeError::Runtime)?;
    let served = runtime.block_on(Server::new(app, config).run());
    runtime.shutdown();
    served
}

/// An HTTP/1.1 server.
///
/// [`run`](Self::run) is its whole life. A program that needs to do
/// something in between, such as to ask for the port, calls
/// [`startup`](Self::startup), [`main_loop`](Self::main_loop) and
/// [`shutdown`](Self::shutdown) one after the other.
pub struct Server<H> {
    pub(super) shared: Rc<Shared<H>>,
    pub(super) hooks: Option<Hooks>,
    pub(super) listener: Option<TcpListener>,
    pub(super) signals: Option<Signals>,
    /// After an error, so that a broken listener does not spin.
    accept_pause: Option<Sleep>,
    pub(super) handle: ServerHandle,
}

impl<H: Handler> Server<H> {
    /// A server that has not started.
    pub fn new(app: H, config: Config) -> Self {
        Server {
            shared: Rc::new(Shared::new(app, config)),
            hooks: None,
            listener: None,
            signals: None,
            accept_pause: None,
            handle: ServerHandle::default(),
        }
    }

    /// Sets what runs before the first connection and after the last.
    #[must_use]
    pub fn with_lifespan<S: 'static>(mut self, lifespan: Lifespan<S>) -> Self {
        self.hooks = Some(lifespan.into_hooks());
        self
    }

    /// What stops this server, from any thread.
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// What this server counts.
    pub fn state(&self) -> Rc<ServerState> {
        Rc::clone(&self.shared.counts)
    }

    /// Where it listens, between startup and shutdown.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.as_ref()?.local_addr().ok()
    }

    /// Starts, serves until it is told to stop, and stops.
    ///
    /// # Errors
    ///
    /// When it cannot start, or the lifespan's shutdown fails.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes the listener and leaves the connections
    /// to themselves: they end as their clients do.
    ///
    /// # Panics
    ///
    /// When no runtime is entered on this thread.
    pub async fn run(mut self) -> Result<(), ServeError> {
        self.startup().await?;
        self.main_loop().await;
        self.shutdown().await
    }

    /// Runs the lifespan's startup, listens, and takes the signals. Returns
    /// where it listens.
    ///
    /// # Errors
    ///
    /// When the lifespan's startup fails, the address cannot be listened on,
    /// or the signals cannot be taken.
    ///
    /// # Cancellation
    ///
    /// Dropping the future drops the hook that runs, and nothing listens.
    pub async fn startup(&mut self) -> Result<SocketAddr, ServeError> {
        log::info!("Started server process [{}]", process::id());
        if let Some(hooks) = &mut self.hooks {
            log::info!("Waiting for application startup.");
            match hooks.start().await {
                Ok(state) => *self.shared.lifespan_state.borrow_mut() = Some(state),
                Err(error) => {
                    log::error!("Application startup failed: {error}");
                    self.hooks = None;
                    return Err(ServeError::Startup(error));
                }
            }
            log::info!("Application startup complete.");
        }
        match self.listen() {
            Ok(address) => Ok(address),
            Err(error) => {
                log::error!("{error}");
                // What was started is stopped again, as if it had served.
                drain::end_lifespan(self).await?;
                Err(ServeError::Listen(error))
            }
        }
    }

    fn listen(&mut self) -> io::Result<SocketAddr> {
        let config = &self.shared.config;
        let options = ListenOptions {
            backlog: config.backlog,
            ..ListenOptions::default()
        };
        let listener = TcpListener::bind_with(config.address, &options)?;
        let address = listener.local_addr()?;
        if config.signals {
            self.signals = Some(Signals::new(&[Signal::Interrupt, Signal::Terminate])?);
        }
        self.listener = Some(listener);
        let hint = if config.signals {
            " (press Ctrl-C to quit)"
        } else {
            ""
        };
        log::info!("tourbillon listening on http://{address}{hint}");
        Ok(address)
    }

    /// Accepts connections until it is told to stop by a signal or by its
    /// [`handle`](Self::handle).
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no connection; it may be called again.
    ///
    /// # Panics
    ///
    /// When called before [`startup`](Self::startup).
    pub async fn main_loop(&mut self) {
        assert!(self.listener.is_some(), "main_loop follows startup");
        let handle = self.handle.clone();
        let mut asked = pin!(handle.asked(1));
        poll_fn(|cx| {
            self.poll_signals(cx);
            if asked.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            self.poll_accept(cx);
            Poll::Pending
        })
        .await;
    }

    /// Takes each signal as a call of [`ServerHandle::stop`].
    pub(super) fn poll_signals(&mut self, cx: &mut Context<'_>) {
        while let Some(signals) = &mut self.signals {
            match signals.poll_recv(cx) {
                Poll::Pending => return,
                Poll::Ready(Ok(signal)) => {
                    log::info!("Received {}", signal.name());
                    self.handle.stop();
                }
                Poll::Ready(Err(error)) => {
                    log::error!("Signals can be read no more: {error}");
                    self.signals = None;
                }
            }
        }
    }

    /// Accepts all that wait, as far as the limits allow.
    pub(super) fn poll_accept(&mut self, cx: &mut Context<'_>) {
        loop {
            if let Some(pause) = &mut self.accept_pause {
                if Pin::new(pause).poll(cx).is_pending() {
                    return;
                }
                self.accept_pause = None;
            }
            let open = self.shared.counts.connections_open.get();
            if open >= self.shared.config.connections_max {
                *self.shared.watcher.borrow_mut() = Some(cx.waker().clone());
                return;
            }
            let Some(listener) = &mut self.listener else {
                return;
            };
            match listener.poll_accept(cx) {
                Poll::Pending => return,
                Poll::Ready(Ok((stream, peer))) => self.spawn_connection(stream, peer),
                Poll::Ready(Err(error)) => {
                    log::error!("A connection was not accepted: {error}");
                    self.accept_pause = Some(sleep(ACCEPT_PAUSE));
                }
            }
        }
    }

    fn spawn_connection(&self, stream: TcpStream, peer: SocketAddr) {
        let place = Place::take(Rc::clone(&self.shared), Some(peer), current().now());
        let key = place.key;
        let connection = Connection::new(stream, place, Some(peer));
        let task = spawn_named("http connection", connection.run());
        if let Some(open) = self.shared.connections.borrow_mut().get_mut(key) {
            open.task = Some(task);
        }
    }

    /// Serves one connection over `transport` until it ends, and returns
    /// why. For transports that no listener accepts.
    ///
    /// It belongs to this server: it is counted, and it is told when the
    /// server drains.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes the transport and drops the handler that
    /// runs.
    ///
    /// # Panics
    ///
    /// When no runtime is entered on this thread.
    pub fn serve_connection<T: Transport>(
        &self,
        transport: T,
        peer: Option<SocketAddr>,
    ) -> impl Future<Output = CloseReason> + use<H, T> {
        let place = Place::take(Rc::clone(&self.shared), peer, current().now());
        Connection::new(transport, place, peer).run()
    }

    /// Stops in order, in six steps that are logged: close the listener; end
    /// idle connections; wait for the busy ones, at most for
    /// [`graceful_timeout`](Config::graceful_timeout) or until asked again;
    /// abort what is left, by name; run the lifespan's shutdown; done.
    ///
    /// # Errors
    ///
    /// When the lifespan's shutdown fails.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves out the steps that are left: the listener is
    /// closed, the connections end as their clients do, and the lifespan's
    /// shutdown does not run, or is dropped where it is.
    pub async fn shutdown(mut self) -> Result<(), ServeError> {
        drain::shutdown(&mut self).await
    }
}

impl<H> fmt::Debug for Server<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("shared", &self.shared)
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}

/// Why a server did not start, or did not stop well.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// No runtime could be made.
    Runtime(io::Error),
    /// The address could not be listened on, or the signals not be taken.
    Listen(io::Error),
    /// The lifespan's startup failed.
    Startup(Box<dyn Error + Send + Sync>),
    /// The lifespan's shutdown failed.
    Shutdown(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServeError::Runtime(error) => write!(f, "no runtime: {error}"),
            ServeError::Listen(error) => error.fmt(f),
            ServeError::Startup(error) => write!(f, "application startup failed: {error}"),
            ServeError::Shutdown(error) => write!(f, "application shutdown failed: {error}"),
        }
    }
}

impl Error for ServeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ServeError::Runtime(error) | ServeError::Listen(error) => Some(error),
            ServeError::Startup(error) | ServeError::Shutdown(error) => Some(&**error),
        }
    }
}
