//! A limit on the time that an answer takes.

use std::time::Duration;

use super::next::{Middleware, Next};
use crate::server::{Request, Status};
use crate::web::error::HttpError;

/// Answers 503 when the handler has not answered after `limit`, and drops
/// it where it is. The time of a streamed body does not count: its response
/// has begun.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tourbillon::web::Router;
/// use tourbillon::web::middleware::timeout;
///
/// let app = Router::new()
///     .get("/", async |_| "Hello!")
///     .layer(timeout(Duration::from_secs(30)));
/// # let _ = app;
/// ```
pub fn timeout(limit: Duration) -> impl Middleware {
    async move |request: Request, next: Next| {
        let answer = crate::runtime::timeout(limit, next.run(request)).await;
        answer.map_err(|_| {
            let error = HttpError::new(Status::SERVICE_UNAVAILABLE);
            error.detail("the answer took too long")
        })
    }
}
