//! A limit on the bodies that clients send.

use super::next::{Middleware, Next};
use crate::server::{BodyError, Request};
use crate::web::error::HttpError;

/// Answers 413 to a request that declares a body of more than `max` bytes,
/// and ends the reading of one that turns out longer with
/// [`BodyError::TooLong`], which is 413 too.
///
/// It also stands in for the 2 MiB that extractors take at most. Where one
/// is around another the smaller counts, so a route that takes more must not
/// be inside of one for all.
///
/// # Examples
///
/// ```
/// use tourbillon::server::Request;
/// use tourbillon::web::middleware::body_limit;
/// use tourbillon::web::{Router, around};
///
/// let upload = async |request: Request| request.into_body().collect(usize::MAX).await;
/// let app = Router::new().post("/upload", around(upload, body_limit(100 * 1024 * 1024)));
/// # let _ = app;
/// ```
pub fn body_limit(max: u64) -> impl Middleware {
    async move |mut request: Request, next: Next| {
        let declared = request.headers().get("content-length");
        let declared = declared.and_then(|length| length.parse::<u64>().ok());
        if declared.is_some_and(|length| length > max) {
            return Err(HttpError::from(BodyError::TooLong));
        }
        let limit = request.body().limit().map_or(max, |outer| outer.min(max));
        request.body().set_limit(limit);
        Ok(next.run(request).await)
    }
}
