//! Server-sent events: a response that goes on for as long as there is news
//! (HTML Standard, 9.2).
//!
//! ```text
//!   make(events) ──send──┐
//!   silence of 15 s ─────┼──▶ body of the response, in chunks ──▶ EventSource
//!   the server drains ───┘         (an end)
//! ```

use std::cell::Cell;
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use crate::runtime::sleep;
use crate::server::{Body, BodyWriter, Draining, IntoResponse, Request, Response, Status};

/// Silence that proxies and mobile networks bear. The HTML Standard
/// recommends a comment "every 15 seconds or so".
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Comments that follow each other any faster serve nobody, and with no time
/// between them they would be all that is done.
const KEEP_ALIVE_MIN: Duration = Duration::from_secs(1);

/// A response of server-sent events, as a browser's `EventSource` reads them.
///
/// It has `cache-control: no-cache`, and `x-accel-buffering: no` so that
/// nginx passes events on at once. While nothing is sent for 15 s, a comment
/// goes out, which clients ignore and proxies do not. It ends when `make`
/// returns, when the client leaves (the future of `make` is dropped then),
/// and when the server drains: browsers connect again by themselves, to
/// whoever serves then, with the id of the last event they saw.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tourbillon::server::{IntoResponse, Request, Response};
/// use tourbillon::sleep;
/// use tourbillon::web::{Event, Sse, last_event_id};
///
/// async fn ticks(request: Request) -> Response {
///     let last = last_event_id(&request).and_then(|id| id.parse().ok());
///     let mut next: u64 = last.map_or(0, |last: u64| last + 1);
///     let events = Sse::new(&request, async move |mut events| {
///         events.send(Event::comment("welcome").retry(Duration::from_secs(3))).await?;
///         loop {
///             let event = Event::data(format!("tick {next}")).event("tick").id(&next.to_string());
///             events.send(event).await?;
///             next += 1;
///             sleep(Duration::from_secs(1)).await;
///         }
///     });
///     events.keep_alive(Some(Duration::from_secs(5))).ends_on_drain(true).into_response()
/// }
/// # fn is_handler(_: impl tourbillon::server::Handler) {}
/// # is_handler(ticks);
/// ```
pub struct Sse<F> {
    make: F,
    draining: Option<Draining>,
    keep_alive: Option<Duration>,
}

impl<F> Sse<F>
where
    F: AsyncFnOnce(Events) -> io::Result<()> + 'static,
{
    /// The events that `make` sends, while it sends them. It is called when
    /// the head goes out, and not at all in answer to HEAD. If it fails, the
    /// connection is cut and the log says why.
    pub fn new(request: &Request, make: F) -> Self {
        Sse {
            make,
            draining: Some(request.draining()),
            keep_alive: Some(KEEP_ALIVE),
        }
    }

    /// How long nothing may be sent before a comment is. Default: 15 s.
    /// `None` is never; less than a second counts as one.
    #[must_use]
    pub fn keep_alive(mut self, silence: Option<Duration>) -> Self {
        self.keep_alive = silence.map(|silence| silence.max(KEEP_ALIVE_MIN));
        self
    }

    /// Whether it ends when the server is told to stop. Default: yes. If
    /// not, it holds up the server for
    /// [`graceful_timeout`](crate::server::Config::graceful_timeout), unless
    /// `make` returns.
    #[must_use]
    pub fn ends_on_drain(mut self, ends: bool) -> Self {
        if !ends {
            self.draining = None;
        }
        self
    }
}

impl<F> IntoResponse for Sse<F>
where
    F: AsyncFnOnce(Events) -> io::Result<()> + 'static,
{
    fn into_response(self) -> Response {
        let mut response = Response::new(Status::OK);
        for (name, value) in [
            ("content-type", "text/event-stream"),
            ("cache-control", "no-cache"),
            ("x-accel-buffering", "no"),
        ] {
            let appended = response.headers_mut().append(name, value);
            appended.expect("these three are plain text");
        }
        response.with_body(Body::stream(async move |writer| self.run(writer).await))
    }
}

impl<F> Sse<F>
where
    F: AsyncFnOnce(Events) -> io::Result<()> + 'static,
{
    async fn run(self, writer: BodyWriter) -> io::Result<()> {
        let has_sent = Rc::new(Cell::new(false));
        let silence = keep_alive(self.keep_alive, writer.duplicate(), Rc::clone(&has_sent));
        let events = Events { writer, has_sent };
        let drain = async {
            match self.draining {
                Some(draining) => draining.wait().await,
                None => pending().await,
            }
        };
        let mut silence = pin!(silence);
        let mut drain = pin!(drain);
        let mut making = pin!((self.make)(events));
        poll_fn(|cx| {
            // First, so that what was said before the drain is sent.
            if let Poll::Ready(end) = making.as_mut().poll(cx) {
                return Poll::Ready(end);
            }
            if drain.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            silence.as_mut().poll(cx)
        })
        .await
    }
}

/// Breaks each silence. Ends by an error only: the client is gone.
async fn keep_alive(
    silence: Option<Duration>,
    mut writer: BodyWriter,
    has_sent: Rc<Cell<bool>>,
) -> io::Result<()> {
    let Some(silence) = silence else {
        return pending().await;
    };
    loop {
        let mut timer = pin!(sleep(silence));
        poll_fn(|cx| {
            // Whoever sends is polled right before this.
            if has_sent.take() {
                timer.set(sleep(silence));
            }
            timer.as_mut().poll(cx)
        })
        .await;
        writer.write(": keep-alive\n\n").await?;
    }
}

impl<F> fmt::Debug for Sse<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sse")
            .field("keep_alive", &self.keep_alive)
            .field("ends_on_drain", &self.draining.is_some())
            .finish_non_exhaustive()
    }
}

/// Where events are sent; given to what [`Sse::new`] takes.
///
/// # Examples
///
/// ```
/// use tourbillon::web::{Event, Events};
///
/// async fn count_down(mut events: Events) -> std::io::Result<()> {
///     for number in (0..10).rev() {
///         events.send(Event::data(number.to_string())).await?;
///     }
///     Ok(())
/// }
/// # let _ = count_down;
/// ```
pub struct Events {
    writer: BodyWriter,
    has_sent: Rc<Cell<bool>>,
}

impl Events {
    /// Sends an event, waiting while 64 KiB or more are on their way.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if its id or its type holds what none may hold;
    /// `BrokenPipe` when the connection is gone.
    ///
    /// # Cancellation
    ///
    /// Dropping the future before it is ready has sent nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::web::{Event, Events};
    ///
    /// async fn say(events: &mut Events, text: &str) -> std::io::Result<()> {
    ///     events.send(Event::data(text)).await
    /// }
    /// # let _ = say;
    /// ```
    pub async fn send(&mut self, event: Event) -> io::Result<()> {
        let text = event.text()?;
        self.writer.write(text).await?;
        self.has_sent.set(true);
        Ok(())
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

/// One server-sent event. Clients hear of it if it has data.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tourbillon::web::Event;
///
/// let event = Event::data("two\nlines").event("news").id("7");
/// assert_eq!(event.text()?, "data: two\ndata: lines\nevent: news\nid: 7\n\n");
/// let hello = Event::comment("hello").retry(Duration::from_millis(500));
/// assert_eq!(hello.text()?, ": hello\nretry: 500\n\n");
/// assert!(Event::data("x").id("forged\ndata: y").text().is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Event {
    lines: String,
    fault: Option<&'static str>,
}

impl Event {
    /// An event with this data. Each of its lines goes out as one, and the
    /// client puts them together again, with LF between them.
    pub fn data(data: impl AsRef<str>) -> Self {
        Event::of_lines("data: ", data.as_ref())
    }

    /// No event, but a comment, which clients ignore.
    pub fn comment(text: impl AsRef<str>) -> Self {
        Event::of_lines(": ", text.as_ref())
    }

    fn of_lines(name: &str, text: &str) -> Self {
        let mut lines = String::with_capacity(text.len() + 32);
        // CR LF, CR and LF all end a line for the client.
        let mut rest = text;
        loop {
            let end = rest.find(['\r', '\n']).unwrap_or(rest.len());
            lines.push_str(name);
            lines.push_str(&rest[..end]);
            lines.push('\n');
            if end == rest.len() {
                break;
            }
            let is_pair = rest[end..].starts_with("\r\n");
            rest = &rest[end + if is_pair { 2 } else { 1 }..];
        }
        Event { lines, fault: None }
    }

    /// Sets its id, which the client sends as `last-event-id` when it
    /// connects again. It may hold no CR, LF or NUL: sending it fails then.
    #[must_use]
    pub fn id(self, id: &str) -> Self {
        self.field("id", id, "an event's id may hold no CR, LF or NUL")
    }

    /// Sets its type; without one it is a `message`. It may hold no CR, LF or
    /// NUL: sending it fails then.
    #[must_use]
    pub fn event(self, event_type: &str) -> Self {
        self.field(
            "event",
            event_type,
            "an event's type may hold no CR, LF or NUL",
        )
    }

    /// Sets how long the client waits before it connects again, in whole
    /// milliseconds.
    #[must_use]
    pub fn retry(self, delay: Duration) -> Self {
        let ms = delay.as_millis().to_string();
        self.field("retry", &ms, "a number is no line")
    }

    fn field(mut self, name: &str, value: &str, fault: &'static str) -> Self {
        if value.contains(['\r', '\n', '\0']) {
            self.fault = Some(fault);
            return self;
        }
        for part in [name, ": ", value, "\n"] {
            self.lines.push_str(part);
        }
        self
    }

    /// The event as it is sent.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if its id or its type holds CR, LF or NUL.
    pub fn text(&self) -> io::Result<String> {
        match self.fault {
            Some(fault) => Err(io::Error::new(io::ErrorKind::InvalidInput, fault)),
            None => Ok(format!("{}\n", self.lines)),
        }
    }
}

/// The id of the last event that a client saw before it lost its connection:
/// where to go on. `None` if it is new, or its id is no UTF-8.
///
/// # Examples
///
/// ```
/// use tourbillon::server::Request;
/// use tourbillon::web::last_event_id;
///
/// fn next(request: &Request) -> u64 {
///     let last = last_event_id(request).and_then(|id| id.parse::<u64>().ok());
///     last.map_or(0, |last| last + 1)
/// }
/// # let _ = next;
/// ```
pub fn last_event_id(request: &Request) -> Option<&str> {
    request.headers().get("last-event-id")
}
