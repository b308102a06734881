//! What happens before the first connection and after the last one.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;

type BoxError = Box<dyn Error + Send + Sync>;
pub(super) type Running<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>>>>;
type Startup = dyn FnOnce() -> Running<Rc<dyn Any>>;
type Ending = dyn FnOnce(Rc<dyn Any>) -> Running<()>;

/// Hooks around the life of a server, and the state that one of them makes.
///
/// The startup hook runs before the server listens; if it fails, the server
/// does not start. What it returns is the state that handlers get with
/// [`Request::state`](super::Request::state). The shutdown hook runs after
/// the last connection has ended.
///
/// # Examples
///
/// ```
/// use std::io;
/// use tourbillon::server::Lifespan;
///
/// struct Greeting(String);
///
/// let lifespan = Lifespan::new(async || Ok::<_, io::Error>(Greeting("Hello".into())))
///     .on_shutdown(async |state| {
///         println!("{} is said no more", state.0);
///         Ok::<_, io::Error>(())
///     });
/// # let _ = lifespan;
/// ```
pub struct Lifespan<S> {
    hooks: Hooks,
    state: PhantomData<S>,
}

/// The hooks, with the state's type forgotten.
pub(super) struct Hooks {
    startup: Option<Box<Startup>>,
    pub(super) drain: Option<Box<Ending>>,
    pub(super) shutdown: Option<Box<Ending>>,
}

impl Hooks {
    /// Begins the startup.
    ///
    /// # Panics
    ///
    /// When it was begun before: a server starts once.
    pub(super) fn start(&mut self) -> Running<Rc<dyn Any>> {
        let startup = self.startup.take().expect("a server starts once");
        startup()
    }
}

impl<S: 'static> Lifespan<S> {
    /// A life that begins with `startup`.
    pub fn new<E>(startup: impl AsyncFnOnce() -> Result<S, E> + 'static) -> Self
    where
        E: Into<BoxError> + 'static,
    {
        let startup = move || -> Running<Rc<dyn Any>> {
            Box::pin(async move {
                let state = startup().await.map_err(Into::into)?;
                Ok(Rc::new(state) as Rc<dyn Any>)
            })
        };
        Lifespan {
            hooks: Hooks {
                startup: Some(Box::new(startup)),
                drain: None,
                shutdown: None,
            },
            state: PhantomData,
        }
    }

    /// Hears that the server drains with `drain`, which is given the state.
    ///
    /// It begins when no more connections are accepted, before those that are
    /// open are waited for, and runs beside the requests that are still being
    /// answered. The server waits for it as for them, and drops it after
    /// [`graceful_timeout`](super::Config::graceful_timeout). A failure or a
    /// panic is logged and changes nothing.
    ///
    /// # Examples
    ///
    /// Streams end first, and the pool of connections behind them last:
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use tourbillon::server::Lifespan;
    /// use tourbillon::sync::CancellationToken;
    ///
    /// let lifespan = Lifespan::new(async || Ok::<_, Infallible>(CancellationToken::new()))
    ///     .on_drain(async |streams| {
    ///         streams.cancel();
    ///         Ok::<_, Infallible>(())
    ///     })
    ///     .on_shutdown(async |_| Ok::<_, Infallible>(println!("all are gone")));
    /// # let _ = lifespan;
    /// ```
    #[must_use]
    pub fn on_drain<E>(mut self, drain: impl AsyncFnOnce(Rc<S>) -> Result<(), E> + 'static) -> Self
    where
        E: Into<BoxError> + 'static,
    {
        self.hooks.drain = Some(ending(drain));
        self
    }

    /// Ends with `shutdown`, which is given the state.
    #[must_use]
    pub fn on_shutdown<E>(
        mut self,
        shutdown: impl AsyncFnOnce(Rc<S>) -> Result<(), E> + 'static,
    ) -> Self
    where
        E: Into<BoxError> + 'static,
    {
        self.hooks.shutdown = Some(ending(shutdown));
        self
    }

    pub(super) fn into_hooks(self) -> Hooks {
        self.hooks
    }
}

/// A hook that is given the state, with the state's type forgotten.
fn ending<S: 'static, E: Into<BoxError> + 'static>(
    hook: impl AsyncFnOnce(Rc<S>) -> Result<(), E> + 'static,
) -> Box<Ending> {
    Box::new(move |state| {
        let state = state.downcast().expect("startup made a state of this type");
        Box::pin(async move { hook(state).await.map_err(Into::into) })
    })
}

impl<S> fmt::Debug for Lifespan<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifespan")
            .field("has_shutdown", &self.hooks.shutdown.is_some())
            .finish_non_exhaustive()
    }
}
