//! An id for each request, to find it again in logs.

use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;

use super::next::{Middleware, Next};
use crate::server::{Request, Response};

const FIELD: &str = "x-request-id";

/// Longer ones are no ids, but somebody's way into the logs.
const ID_BYTES_MAX: usize = 128;

/// The id of a request; in its extensions and in its response's, below
/// [`request_id`].
///
/// # Examples
///
/// ```
/// use tourbillon::server::Request;
/// use tourbillon::web::middleware::RequestId;
///
/// async fn handler(request: Request) -> String {
///     let id = request.extensions().get::<RequestId>();
///     format!("request {}", id.map_or("?", |id| id.as_str()))
/// }
/// # let _ = handler;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Rc<str>);

impl RequestId {
    /// It as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Gives each request an id: the one in its `x-request-id`, if it is at most
/// 128 letters, digits and `-_.`, and else a new one. It is in the
/// request's extensions for handlers, in the response's for the server, and
/// in the response's `x-request-id`.
///
/// # Examples
///
/// ```
/// use tourbillon::web::Router;
/// use tourbillon::web::middleware::request_id;
///
/// let app = Router::new().get("/", async |_| "Hello!").layer(request_id());
/// # let _ = app;
/// ```
pub fn request_id() -> impl Middleware {
    let seed = RandomState::new();
    let count = Cell::new(0_u64);
    async move |mut request: Request, next: Next| {
        let given = request.headers().get(FIELD).filter(|id| is_sane(id));
        let id = RequestId(given.map_or_else(|| fresh(&seed, &count), Rc::from));
        request.extensions_mut().insert(id.clone());
        let response = next.run(request).await;
        with_id(response, id)
    }
}

fn with_id(mut response: Response, id: RequestId) -> Response {
    let added = response.headers_mut().insert(FIELD, id.as_str());
    added.expect("an id holds no control character");
    response.extensions_mut().insert(id);
    response
}

fn is_sane(id: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !id.is_empty() && id.len() <= ID_BYTES_MAX && id.bytes().all(is_good)
}

/// Unlike any other: half of it is the hash of a counter under a secret of
/// this process, and the counter is the rest.
fn fresh(seed: &RandomState, count: &Cell<u64>) -> Rc<str> {
    let number = count.get() + 1;
    count.set(number);
    format!("{:016x}{number:016x}", seed.hash_one(number)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sane_ids_are_taken() {
        for id in ["a", "0-A_z.9", &"x".repeat(128)] {
            assert!(is_sane(id), "{id}");
        }
        for id in ["", "a b", "a\"b", "é", "a/b", "a,b", &"x".repeat(129)] {
            assert!(!is_sane(id), "{id}");
        }
        let (seed, count) = (RandomState::new(), Cell::new(0));
        let (one, two) = (fresh(&seed, &count), fresh(&seed, &count));
        assert!(one != two && is_sane(&one) && one.len() == 32);
        assert_ne!(fresh(&RandomState::new(), &Cell::new(0)), one);
    }
}
