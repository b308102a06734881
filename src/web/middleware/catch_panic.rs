//! A panic as an answer.

use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use super::next::{Middleware, Next};
use crate::executor::panic_text;
use crate::server::{IntoResponse, Request, Response, Status};
use crate::web::error::HttpError;

/// Hears of panics.
type Hook = dyn Fn(&HandlerPanic);

/// Answers 500 where a handler panics, and keeps the connection. Without it
/// the server does the same and closes the connection; the hook is what this
/// is for.
///
/// # Examples
///
/// ```
/// use tourbillon::web::Router;
/// use tourbillon::web::middleware::catch_panic;
///
/// let app = Router::new()
///     .get("/", async |_| "Hello!")
///     .layer(catch_panic().hook(|panic| {
///         eprintln!("{} {}: {}", panic.method(), panic.path(), panic.text());
///     }));
/// # let _ = app;
/// ```
pub fn catch_panic() -> CatchPanic {
    CatchPanic { hook: None }
}

/// The middleware that [`catch_panic`] makes.
///
/// # Examples
///
/// ```
/// use tourbillon::web::middleware::{CatchPanic, catch_panic};
///
/// let reporting: CatchPanic = catch_panic().hook(|panic| eprintln!("{}", panic.text()));
/// # let _ = reporting;
/// ```
#[derive(Clone)]
pub struct CatchPanic {
    hook: Option<Rc<Hook>>,
}

impl CatchPanic {
    /// Has a function hear of each panic, before the answer goes out.
    #[must_use]
    pub fn hook(mut self, hook: impl Fn(&HandlerPanic) + 'static) -> Self {
        self.hook = Some(Rc::new(hook));
        self
    }
}

/// What is known of a panic; for the hook of [`catch_panic`].
///
/// # Examples
///
/// ```
/// use tourbillon::web::middleware::HandlerPanic;
///
/// fn report(panic: &HandlerPanic) -> String {
///     format!("{} {} panicked: {}", panic.method(), panic.path(), panic.text())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct HandlerPanic {
    text: String,
    method: String,
    path: String,
}

impl HandlerPanic {
    /// What the handler said when it panicked.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The method of the request.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path of the request.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl Middleware for CatchPanic {
    async fn handle(&self, request: Request, next: Next) -> Response {
        let mut panic = HandlerPanic {
            text: String::new(),
            method: request.method_text().to_owned(),
            path: request.path().to_owned(),
        };
        let mut answer = pin!(next.run(request));
        let caught =
            poll_fn(
                |cx| match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(cx))) {
                    Ok(polled) => polled.map(Ok),
                    Err(payload) => Poll::Ready(Err(payload)),
                },
            );
        match caught.await {
            Ok(response) => response,
            Err(payload) => {
                panic.text = panic_text(&*payload).to_owned();
                let HandlerPanic { text, method, path } = &panic;
                log::error!("a handler panicked for {method} {path}: {text}");
                if let Some(hook) = &self.hook {
                    hook(&panic);
                }
                HttpError::new(Status::INTERNAL_SERVER_ERROR).into_response()
            }
        }
    }
}

impl fmt::Debug for CatchPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CatchPanic")
            .field("has_hook", &self.hook.is_some())
            .finish()
    }
}
