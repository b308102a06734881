//! A server's life: startup, main loop, shutdown.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::process;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::close_reason::CloseReason;
use super::config::Config;
use super::connection::Connection;
use super::drain;
use super::handler::Handler;
use super::lifespan::{Hooks, Lifespan};
use super::listen::LocalAddr;
use super::listeners::Listeners;
use super::serve_error::ServeError;
use super::state::{Place, ServerState, Shared};
use super::stop::ServerHandle;
use super::transport::Transport;
use crate::runtime::{Runtime, Sleep, current, timeout};
use crate::signal::{Signal, Signals};
use crate::sys;

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
    pub(super) listeners: Option<Listeners>,
    pub(super) signals: Option<Signals>,
    /// After an error, so that a broken listener does not spin.
    pub(super) accept_pause: Option<Sleep>,
    pub(super) handle: ServerHandle,
}

impl<H: Handler> Server<H> {
    /// A server that has not started.
    pub fn new(app: H, config: Config) -> Self {
        Server {
            shared: Rc::new(Shared::new(app, config)),
            hooks: None,
            listeners: None,
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

    /// The first TCP address it listens on, between startup and shutdown.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        let listeners = self.listeners.as_ref()?;
        listeners.addresses().find_map(LocalAddr::tcp)
    }

    /// All that it listens on, in the order of
    /// [`Config::listen`](super::Config::listen), between startup and
    /// shutdown.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tourbillon::server::{Config, Listen, LocalAddr, Server};
    ///
    /// let free = Listen::Tcp("127.0.0.1:0".parse()?);
    /// let config = Config { listen: vec![free.clone(), free], ..Config::default() };
    /// let mut server = Server::new(async |_request| "Hello!", config);
    /// tourbillon::Runtime::new()?.block_on(async {
    ///     server.startup().await?;
    ///     let addresses = server.local_addrs();
    ///     assert!(matches!(addresses[..], [LocalAddr::Tcp(a), LocalAddr::Tcp(b)] if a != b));
    ///     server.shutdown().await
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn local_addrs(&self) -> Vec<LocalAddr> {
        let listeners = self.listeners.iter();
        listeners.flat_map(Listeners::addresses).cloned().collect()
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

    /// Runs the lifespan's startup, listens, and takes the signals. From then
    /// on [`ServerState::is_ready`] says so.
    ///
    /// # Errors
    ///
    /// When the lifespan's startup fails or takes longer than
    /// [`startup_timeout`](Config::startup_timeout), an address cannot be
    /// listened on, or the signals cannot be taken.
    ///
    /// # Cancellation
    ///
    /// Dropping the future drops the hook that runs, and nothing listens.
    pub async fn startup(&mut self) -> Result<(), ServeError> {
        self.shared
            .say(format_args!("Started server process [{}]", process::id()));
        self.start_application().await?;
        match self.listen() {
            Ok(()) => Ok(()),
            Err(error) => {
                log::error!("{error}");
                // What was started is stopped again, as if it had served.
                drain::end_lifespan(self).await?;
                Err(ServeError::Listen(error))
            }
        }
    }

    /// Keeps the lines about its start and its end to the debug level.
    pub(crate) fn quiet(self) -> Self {
        self.shared.is_quiet.set(true);
        self
    }

    /// Runs the lifespan's startup, if there is one.
    pub(crate) async fn start_application(&mut self) -> Result<(), ServeError> {
        if let Some(hooks) = &mut self.hooks {
            self.shared
                .say(format_args!("Waiting for application startup."));
            let limit = self.shared.config.startup_timeout;
            let started = timeout(limit, hooks.start()).await;
            match started.unwrap_or_else(|_| Err(format!("it took longer than {limit:?}").into())) {
                Ok(state) => *self.shared.lifespan_state.borrow_mut() = Some(state),
                Err(error) => {
                    log::error!("Application startup failed: {error}");
                    self.hooks = None;
                    return Err(ServeError::Startup(error));
                }
            }
            self.shared
                .say(format_args!("Application startup complete."));
        }
        Ok(())
    }

    fn listen(&mut self) -> io::Result<()> {
        let config = &self.shared.config;
        let listeners = Listeners::bind(config)?;
        if config.signals {
            self.signals = Some(Signals::new(&[Signal::Interrupt, Signal::Terminate])?);
        }
        let hint = if config.signals {
            " (press Ctrl-C to quit)"
        } else {
            ""
        };
        for address in listeners.addresses() {
            self.shared
                .say(format_args!("tourbillon running on {address}{hint}"));
        }
        self.listeners = Some(listeners);
        self.shared.counts.serving.set(true);
        Ok(())
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
        assert!(self.listeners.is_some(), "main_loop follows startup");
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
                    self.shared.say(format_args!("Received {}", signal.name()));
                    self.handle.stop();
                }
                Poll::Ready(Err(error)) => {
                    log::error!("Signals can be read no more: {error}");
                    self.signals = None;
                }
            }
        }
    }

    /// Serves one connection over `transport` until it ends, and returns
    /// why. For transports that no listener accepts.
    ///
    /// It belongs to this server: it is counted, it is told when the server
    /// drains, and it is cut off with the others.
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
        let shared = Rc::clone(&self.shared);
        let place = Place::take(Rc::clone(&shared), peer, current().now());
        let open = Rc::clone(&place.open);
        let connection = Connection::new(transport, place);
        async move {
            let mut running = pin!(connection.run());
            poll_fn(|cx| {
                if shared.is_cut_off.get() {
                    return Poll::Ready(CloseReason::CutOff);
                }
                open.note_waker(cx);
                running.as_mut().poll(cx)
            })
            .await
        }
    }

    /// Stops in order, in six steps that are logged: close the listeners; end
    /// idle connections; wait for the busy ones, at most for
    /// [`graceful_timeout`](Config::graceful_timeout) or until asked again;
    /// abort what is left, by name; run the lifespan's shutdown; done.
    ///
    /// From the call on it is not [ready](ServerState::is_ready); the first
    /// step comes after [`shutdown_delay`](Config::shutdown_delay).
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
            .field("listeners", &self.listeners)
            .finish_non_exhaustive()
    }
}
