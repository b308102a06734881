//! What answers requests.

use std::future::Future;
use std::sync::Arc;

use super::request::Request;
use super::response::{IntoResponse, Response};
use crate::runtime::spawn_blocking;

/// Answers requests: an async function or closure, a [`Router`](crate::web::Router),
/// or what [`blocking`] makes of a plain function.
///
/// Handlers run on the loop's thread, so they need no `Send` and no lock;
/// and while one computes or blocks, everything else waits.
///
/// # Examples
///
/// ```
/// use tourbillon::server::{Request, Status};
///
/// async fn greet(request: Request) -> Result<String, Status> {
///     let name = request.query_value("name").ok_or(Status::BAD_REQUEST)?;
///     Ok(format!("Hello, {name}!"))
/// }
/// # fn is_handler(_: impl tourbillon::server::Handler) {}
/// # is_handler(greet);
/// # is_handler(async |_request| "Hello!");
/// ```
pub trait Handler: 'static {
    /// Answers one request.
    ///
    /// # Cancellation
    ///
    /// The future is dropped if the client leaves first.
    fn handle(&self, request: Request) -> impl Future<Output = Response>;
}

impl<F, R> Handler for F
where
    F: AsyncFn(Request) -> R + 'static,
    R: IntoResponse,
{
    async fn handle(&self, request: Request) -> Response {
        self(request).await.into_response()
    }
}

/// Makes a handler of a plain function that computes or blocks: it runs on a
/// thread of the blocking pool, and the loop goes on meanwhile.
///
/// It is given what of the request may leave the loop's thread: method,
/// path, query and header fields, but not the body. If the pool refuses the
/// job, the answer is 503; if the function panics, 500.
///
/// # Examples
///
/// ```
/// use tourbillon::server::blocking;
/// use tourbillon::web::Router;
///
/// let app = Router::new().get("/primes", blocking(|_| {
///     let is_prime = |n: &u32| (2..*n).all(|d| n % d != 0);
///     (2..1000).filter(is_prime).count().to_string()
/// }));
/// # let _ = app;
/// ```
pub fn blocking<F, R>(handler: F) -> Blocking<F>
where
    F: Fn(crate::http::RequestHead) -> R + Send + Sync + 'static,
    R: IntoResponse + Send + 'static,
{
    Blocking(Arc::new(handler))
}

/// A handler that runs in the blocking pool; made by [`blocking`].
#[derive(Debug)]
pub struct Blocking<F>(Arc<F>);

impl<F, R> Handler for Blocking<F>
where
    F: Fn(crate::http::RequestHead) -> R + Send + Sync + 'static,
    R: IntoResponse + Send + 'static,
{
    async fn handle(&self, request: Request) -> Response {
        let handler = Arc::clone(&self.0);
        let head = request.head().clone();
        let job = spawn_blocking(move || handler(head));
        match job.await {
            Ok(value) => value.into_response(),
            Err(error) => error.into_response(),
        }
    }
}
