//! What a request shares with the connection it came over.
//!
//! The connection drives the handler and learns first that the client has
//! gone; the handler, and tasks that outlive it, learn it here. A link serves
//! one exchange after the other, of whatever connection, unless somebody
//! still holds it: then what they hold is over, and it is not used again.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::asks::Asks;
use super::request_line::RequestLine;
use super::state::ServerState;
use crate::http::{RequestHead, Status};
use crate::sync::Event;
use crate::watch::Writer;

/// Between a connection and the request in progress.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) server: Rc<ServerState>,
    /// Nobody waits for this exchange's response any more.
    over: Event,
    /// Who the client is, where the peer is a proxy.
    pub(super) client: Cell<Option<SocketAddr>>,
    /// The pattern of the route that was found.
    pub(super) route: RefCell<Option<Rc<str>>>,
    pub(super) asks: Asks,
    /// What was asked for, and when.
    pub(super) line: RefCell<RequestLine>,
    pub(super) since: Cell<Option<Instant>>,
    /// Where the connection comes from, and how many requests came over it.
    pub(super) peer: Cell<Option<SocketAddr>>,
    pub(super) requests: Cell<u64>,
}

/// Who holds a link before any request does: its connection, and the
/// connection's entry in the list of those that are open.
const OWN_HOLDERS: usize = 2;

/// The connection's end of a link. However the exchange ends, whoever waits
/// for that is told.
pub(super) struct OpenLink(Rc<Link>);

impl OpenLink {
    pub(super) fn new(server: Rc<ServerState>) -> Self {
        OpenLink(Rc::new(Link {
            server,
            over: Event::new(),
            client: Cell::default(),
            route: RefCell::default(),
            asks: Asks::default(),
            line: RefCell::default(),
            since: Cell::default(),
            peer: Cell::default(),
            requests: Cell::default(),
        }))
    }

    /// Has it serve a connection.
    pub(super) fn serve(&self, peer: Option<SocketAddr>, requests: u64) {
        self.0.peer.set(peer);
        self.0.requests.set(requests);
    }

    /// How many requests have come over this connection.
    #[inline]
    pub(super) fn requests(&self) -> u64 {
        self.0.requests.get()
    }

    /// The other end, for a request.
    #[inline]
    pub(super) fn share(&self) -> Rc<Link> {
        Rc::clone(&self.0)
    }

    /// What the handler has asked for.
    pub(super) fn asks(&self) -> &Asks {
        &self.0.asks
    }

    /// Whether a request, or what came of one, still holds the other end.
    #[inline]
    pub(super) fn is_shared(&self) -> bool {
        Rc::strong_count(&self.0) > OWN_HOLDERS
    }

    /// Whether it can serve no further exchange.
    #[inline]
    pub(super) fn is_used_up(&self) -> bool {
        self.is_shared() || self.0.over.is_set()
    }

    /// Says that the client has gone.
    pub(super) fn client_left(&self) {
        self.0.over.set();
    }

    /// Ends the exchange: tells who still holds the other end, or makes it
    /// fit for another exchange.
    #[inline]
    pub(super) fn end(&self) {
        if self.is_used_up() {
            self.finish();
            return;
        }
        self.0.client.set(None);
        self.0.route.take();
        self.0.asks.clear();
    }

    fn finish(&self) {
        self.0.asks.finish();
        self.0.over.set();
    }

    /// Notes what is asked for, in a buffer that begins with it; tells those
    /// who watch, and remembers the number they give it.
    #[inline(always)]
    pub(super) fn begin(
        &self,
        head: &RequestHead,
        buffer: &[u8],
        now: Instant,
        watch: Option<&Writer>,
    ) {
        self.0.since.set(Some(now));
        self.0.requests.set(self.0.requests.get() + 1);
        let mut line = self.0.line.borrow_mut();
        let method_len = head.method_text().len();
        line.begin(buffer, method_len + 1 + head.target().len());
        if let Some(watch) = watch {
            let shown = method_len + 1 + head.target_without_query().len();
            line.number = watch.request_begins(line.first(shown));
        }
    }

    /// Tells them that the response has ended.
    pub(super) fn tell_end(&self, watch: &Writer, status: Status, bytes: u64) {
        watch.request_ends(self.0.line.borrow().number, status.code(), bytes);
    }

    /// How long ago that was.
    #[inline]
    pub(super) fn age(&self, now: Instant) -> Duration {
        match self.0.since.get() {
            // In one turn, as a rule, and subtracting is dearer than this.
            Some(since) if since != now => now.saturating_duration_since(since),
            _ => Duration::ZERO,
        }
    }

    pub(super) fn client(&self) -> Option<SocketAddr> {
        self.0.client.get()
    }

    pub(super) fn route(&self) -> Option<Rc<str>> {
        self.0.route.borrow().clone()
    }
}

impl Drop for OpenLink {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Tells that nobody waits for a response any more.
///
/// Made by [`Request::on_disconnect`](super::Request::on_disconnect). It holds
/// neither the request nor the connection.
#[derive(Clone)]
pub struct Disconnect(pub(super) Rc<Link>);

impl Disconnect {
    /// Whether it has happened. A client that is gone is noticed when the
    /// loop next polls the connection, not before.
    pub fn has_happened(&self) -> bool {
        self.0.over.is_set()
    }

    /// Waits until the client has left, or has its response: in both cases
    /// what is still being done for it is done for nobody.
    ///
    /// # Cancellation
    ///
    /// Dropping the future has no effect.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::server::Request;
    /// # async fn search(_: Request) -> String { String::new() }
    ///
    /// // Logs what was given up; the handler itself is dropped by then.
    /// async fn handler(request: Request) -> String {
    ///     let disconnect = request.on_disconnect();
    ///     let path = request.path().to_owned();
    ///     let watcher = async move {
    ///         disconnect.wait().await;
    ///         log::debug!("{path} is over");
    ///     };
    ///     tourbillon::spawn(watcher).detach();
    ///     search(request).await
    /// }
    /// # fn is_handler(_: impl tourbillon::server::Handler) {}
    /// # is_handler(handler);
    /// ```
    pub async fn wait(&self) {
        self.0.over.wait().await;
    }
}

impl fmt::Debug for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disconnect")
            .field("has_happened", &self.has_happened())
            .finish()
    }
}

/// Tells that the server was asked to stop, for whatever would go on for
/// long: a stream of events, a long poll.
///
/// Made by [`Request::draining`](super::Request::draining). The server then
/// waits for responses to end, for
/// [`graceful_timeout`](super::Config::graceful_timeout) at most.
#[derive(Clone)]
pub struct Draining(pub(super) Rc<ServerState>);

impl Draining {
    /// Whether the server was asked to stop.
    pub fn is_draining(&self) -> bool {
        self.0.is_draining()
    }

    /// Waits until the server is asked to stop.
    ///
    /// # Cancellation
    ///
    /// Dropping the future has no effect.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tourbillon::server::{Body, Request};
    ///
    /// // Ticks until the client leaves or the server stops, and then ends
    /// // as a complete response.
    /// async fn ticks(request: Request) -> Body {
    ///     let draining = request.draining();
    ///     Body::stream(async move |mut writer| {
    ///         while !draining.is_draining() {
    ///             writer.write("tick\n").await?;
    ///             let pause = draining.wait();
    ///             let _ = tourbillon::timeout(Duration::from_secs(1), pause).await;
    ///         }
    ///         Ok(())
    ///     })
    /// }
    /// # fn is_handler(_: impl tourbillon::server::Handler) {}
    /// # is_handler(ticks);
    /// ```
    pub async fn wait(&self) {
        self.0.drain.wait().await;
    }
}

impl fmt::Debug for Draining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draining")
            .field("is_draining", &self.is_draining())
            .finish()
    }
}
