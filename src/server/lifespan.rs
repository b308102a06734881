//! What happens before the first connection and after the last one.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;

type BoxError = Box<dyn Error + Send + Sync>;
type Running<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>>>>;
type Startup = dyn FnOnce() -> Running<Rc<dyn Any>>;
type Shutdown = dyn FnOnce(Rc<dyn Any>) -> Running<()>;

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
    pub(super) shutdown: Option<Box<Shutdown>>,
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
                shutdown: None,
            },
            state: PhantomData,
        }
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
        let shutdown = move |state: Rc<dyn Any>| -> Running<()> {
            let state = state.downcast().expect("startup made a state of this type");
            Box::pin(async move { shutdown(state).await.map_err(Into::into) })
        };
        self.hooks.shutdown = Some(Box::new(shutdown));
        self
    }

    pub(super) fn into_hooks(self) -> Hooks {
        self.hooks
    }
}

impl<S> fmt::Debug for Lifespan<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifespan")
            .field("has_shutdown", &self.hooks.shutdown.is_some())
            .finish_non_exhaustive()
    }
}
