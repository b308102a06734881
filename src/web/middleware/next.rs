//! What goes around a handler, and what it goes around.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use crate::server::{Handler, IntoResponse, Request, Response};

pub(in crate::web) type ResponseFuture = Pin<Box<dyn Future<Output = Response>>>;

/// A [`Handler`] behind a pointer: the one allocation of a routed request.
pub(in crate::web) trait BoxHandler {
    fn call(self: Rc<Self>, request: Request) -> ResponseFuture;
}

impl<H: Handler> BoxHandler for H {
    fn call(self: Rc<Self>, request: Request) -> ResponseFuture {
        Box::pin(async move { self.handle(request).await })
    }
}

/// Goes around a handler: an async function of the request and of what comes
/// next.
///
/// It may change the request, answer by itself, change the response, or time
/// the whole; and it must not forget to run `next`. No task is spawned for
/// it: each costs one boxed future a request. It stands around one route
/// ([`around`]), a nest or a whole application
/// ([`Router::layer`](crate::web::Router::layer)).
///
/// # Examples
///
/// ```
/// use tourbillon::server::{Request, Response, Status};
/// use tourbillon::web::{Next, Router};
///
/// async fn members_only(request: Request, next: Next) -> Result<Response, Status> {
///     match request.headers().get("x-member") {
///         Some(_) => Ok(next.run(request).await),
///         None => Err(Status::FORBIDDEN),
///     }
/// }
///
/// let app = Router::new().get("/club", async |_| "Welcome").layer(members_only);
/// # let _ = app;
/// ```
pub trait Middleware: 'static {
    /// Answers a request, by `next` or by itself.
    ///
    /// # Cancellation
    ///
    /// The future is dropped if the client leaves first, and what it runs
    /// goes with it.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::server::{Request, Response};
    /// use tourbillon::web::{Middleware, Next};
    ///
    /// struct Nothing;
    ///
    /// impl Middleware for Nothing {
    ///     async fn handle(&self, request: Request, next: Next) -> Response {
    ///         next.run(request).await
    ///     }
    /// }
    /// ```
    fn handle(&self, request: Request, next: Next) -> impl Future<Output = Response>;
}

impl<F, R> Middleware for F
where
    F: AsyncFn(Request, Next) -> R + 'static,
    R: IntoResponse,
{
    async fn handle(&self, request: Request, next: Next) -> Response {
        self(request, next).await.into_response()
    }
}

/// A [`Middleware`] behind a pointer.
pub(in crate::web) trait BoxMiddleware {
    fn call(self: Rc<Self>, request: Request, next: Next) -> ResponseFuture;
}

impl<M: Middleware> BoxMiddleware for M {
    fn call(self: Rc<Self>, request: Request, next: Next) -> ResponseFuture {
        Box::pin(async move { self.handle(request, next).await })
    }
}

/// One thing on the way to a handler.
#[derive(Clone)]
pub(in crate::web) enum Step {
    Around(Rc<dyn BoxMiddleware>),
    /// Changes the request and costs no future.
    Setup(Rc<dyn Fn(&mut Request)>),
}

/// What comes next on the way to a handler, and the handler last.
///
/// # Examples
///
/// ```
/// use tourbillon::server::{Request, Response};
/// use tourbillon::web::{Next, Router};
///
/// let app = Router::new()
///     .get("/", async |_| "Hello!")
///     .layer(async |request: Request, next: Next| {
///         let mut response = next.run(request).await;
///         let added = response.headers_mut().insert("x-served-by", "tourbillon");
///         added.map(|()| response)
///     });
/// # let _ = app;
/// ```
pub struct Next {
    steps: Rc<[Step]>,
    at: usize,
    last: Rc<dyn BoxHandler>,
}

impl Next {
    pub(in crate::web) fn new(steps: &Rc<[Step]>, last: Rc<dyn BoxHandler>) -> Self {
        Next {
            steps: Rc::clone(steps),
            at: 0,
            last,
        }
    }

    /// Has the request answered by what comes next.
    ///
    /// # Cancellation
    ///
    /// Dropping the future drops the handler's, wherever it is.
    pub async fn run(self, request: Request) -> Response {
        self.begin(request).await
    }

    /// The same, as one pointer: no future that holds it grows by what is
    /// below.
    pub(in crate::web) fn begin(mut self, mut request: Request) -> ResponseFuture {
        while let Some(step) = self.steps.get(self.at) {
            self.at += 1;
            match step {
                Step::Setup(change) => change(&mut request),
                Step::Around(middleware) => {
                    let middleware = Rc::clone(middleware);
                    return middleware.call(request, self);
                }
            }
        }
        self.last.call(request)
    }
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next")
            .field("layers_left", &(self.steps.len() - self.at))
            .finish_non_exhaustive()
    }
}

/// Puts a middleware around one handler.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tourbillon::web::middleware::timeout;
/// use tourbillon::web::{Router, around};
///
/// let report = async |_| "a long report";
/// let app = Router::new().get("/report", around(report, timeout(Duration::from_secs(60))));
/// # let _ = app;
/// ```
pub fn around(handler: impl Handler, middleware: impl Middleware) -> Around {
    Around {
        steps: Rc::new([Step::Around(Rc::new(middleware))]),
        handler: Rc::new(handler),
    }
}

/// A handler with a middleware around it; made by [`around`].
///
/// # Examples
///
/// ```
/// use tourbillon::web::{Around, Next, around};
///
/// let quiet: Around = around(async |_| "Hello!", async |request, next: Next| {
///     next.run(request).await.with_body(Vec::new())
/// });
/// # let _ = quiet;
/// ```
pub struct Around {
    steps: Rc<[Step]>,
    handler: Rc<dyn BoxHandler>,
}

impl Handler for Around {
    async fn handle(&self, request: Request) -> Response {
        let next = Next::new(&self.steps, Rc::clone(&self.handler));
        next.run(request).await
    }
}

impl fmt::Debug for Around {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Around").finish_non_exhaustive()
    }
}
