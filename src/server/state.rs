//! What the connections of one server share.

use std::any::Any;
use std::cell::{Cell, OnceCell, Ref, RefCell};
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use slab::Slab;

use super::close_reason::CloseReason;
use super::config::Config;
use super::in_flight::InFlight;
use super::link::{Link, OpenLink};
use super::metrics::{BOUNDS_MS, Metrics};
use crate::executor::{JoinHandle, waker};
use crate::http::http_date;
use crate::io::Spares;
use crate::sync::Event;

/// How many links wait to be used again.
const LINKS_KEPT_MAX: usize = 32;

/// What a server counts, from its start to now.
#[derive(Debug, Default)]
pub struct ServerState {
    pub(super) connections_open: Cell<usize>,
    pub(super) connections_total: Cell<u64>,
    pub(super) requests_total: Cell<u64>,
    pub(super) requests_running: Cell<usize>,
    pub(super) requests_refused: Cell<u64>,
    pub(super) requests_waiting: Cell<usize>,
    pub(super) overload_refusals: Cell<u64>,
    pub(super) connections_refused: Cell<u64>,
    pub(super) connections_leaving: Cell<usize>,
    pub(super) handler_panics: Cell<u64>,
    pub(super) metrics: Metrics,
    /// Between startup and shutdown.
    pub(super) serving: Cell<bool>,
    /// The application's word.
    unready: Cell<bool>,
    pub(super) drain: Event,
}

impl ServerState {
    /// Connections that are open now.
    pub fn connections_open(&self) -> usize {
        self.connections_open.get()
    }

    /// Connections accepted so far.
    pub fn connections_total(&self) -> u64 {
        self.connections_total.get()
    }

    /// Requests that were given to the handler so far.
    pub fn requests_total(&self) -> u64 {
        self.requests_total.get()
    }

    /// Requests that are being answered now.
    pub fn requests_running(&self) -> usize {
        self.requests_running.get()
    }

    /// Requests that were refused because they broke HTTP or a limit.
    pub fn requests_refused(&self) -> u64 {
        self.requests_refused.get()
    }

    /// Requests that wait for a place among those
    /// [in flight](super::Config::requests_in_flight_max).
    pub fn requests_waiting(&self) -> usize {
        self.requests_waiting.get()
    }

    /// Requests answered 503 because as many were in flight as may be.
    pub fn overload_refusals(&self) -> u64 {
        self.overload_refusals.get()
    }

    /// Connections answered 503 because as many were open as may be.
    pub fn connections_refused(&self) -> u64 {
        self.connections_refused.get()
    }

    /// Handlers that panicked.
    pub fn handler_panics(&self) -> u64 {
        self.handler_panics.get()
    }

    /// Responses with a status of this class that have ended so far: 1 for
    /// 1xx, that is 101, to 5 for 5xx. What is said to clients whose request
    /// or connection was refused for itself does not count here, nor what is
    /// aborted when [`graceful_timeout`](super::Config::graceful_timeout) has
    /// passed.
    ///
    /// # Panics
    ///
    /// When there is no such class.
    pub fn responses(&self, class: u8) -> u64 {
        self.metrics.responses[usize::from(class) - 1].get()
    }

    /// Responses that were cut off after their head, but not by the server's
    /// own end.
    pub fn responses_cut_off(&self) -> u64 {
        self.metrics.cut_off.get()
    }

    /// Bytes of response bodies so far, without their framing.
    pub fn body_bytes_sent(&self) -> u64 {
        self.metrics.body_bytes.get()
    }

    /// How many responses took how long from the head of the request to the
    /// last byte handed over: pairs of an upper bound, `None` for the last,
    /// and a count of those between it and the one before.
    ///
    /// Time is the loop's own, which moves with its turns.
    pub fn durations(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let bounds = BOUNDS_MS.iter().map(|ms| Some(Duration::from_millis(*ms)));
        let counts = self.metrics.durations.iter().map(Cell::get);
        bounds.chain([None]).zip(counts)
    }

    /// The sum of all these durations.
    pub fn durations_sum(&self) -> Duration {
        self.metrics.took.get()
    }

    /// Whether the server takes requests and wants more: from the end of its
    /// startup until it is told to stop, unless
    /// [`set_ready`](Self::set_ready) said no. What a load balancer asks for.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::server::{Request, Status};
    /// use tourbillon::web::Router;
    ///
    /// let app = Router::new().get("/ready", async |request: Request| {
    ///     match request.server().is_ready() {
    ///         true => Status::OK,
    ///         false => Status::SERVICE_UNAVAILABLE,
    ///     }
    /// });
    /// # let _ = app;
    /// ```
    pub fn is_ready(&self) -> bool {
        self.serving.get() && !self.unready.get()
    }

    /// Has the application say whether it can do its work: while its database
    /// is away, say, it is not ready. Requests are served all the same. At
    /// first it is.
    pub fn set_ready(&self, is_ready: bool) {
        self.unready.set(!is_ready);
    }

    /// Whether the server was told to stop.
    pub fn is_draining(&self) -> bool {
        self.drain.is_set()
    }
}

/// What the connections of one server share.
pub(super) struct Shared<H> {
    pub(super) app: H,
    pub(super) config: Config,
    pub(super) counts: Rc<ServerState>,
    pub(super) in_flight: InFlight,
    pub(super) lifespan_state: RefCell<Option<Rc<dyn Any>>>,
    pub(super) connections: RefCell<Slab<Rc<Open>>>,
    /// Whoever waits for the number of connections, or of requests, to fall.
    pub(super) watcher: RefCell<Option<Waker>>,
    /// Links that no exchange uses.
    links: Spares<OpenLink, LINKS_KEPT_MAX>,
    /// What is open still is to end at once.
    pub(super) is_cut_off: Cell<bool>,
    /// It is part of something else, and its start and end are nobody's news.
    pub(super) is_quiet: Cell<bool>,
    date: RefCell<Date>,
}

/// A connection, as the server sees it.
pub(super) struct Open {
    pub(super) peer: Cell<Option<SocketAddr>>,
    pub(super) since: Instant,
    /// The connection's task, if the server has spawned it.
    pub(super) task: OnceCell<JoinHandle<CloseReason>>,
    /// Else, who polls it.
    waker: Cell<Option<Waker>>,
    pub(super) requests: Cell<u64>,
    /// Of the exchange in progress, and none while it is idle. Counts the
    /// requests meanwhile.
    pub(super) link: Cell<Option<Rc<Link>>>,
}

/// The `date` field, made once a second.
struct Date {
    text: [u8; 29],
    until: Option<Instant>,
}

impl<H> Shared<H> {
    pub(super) fn new(app: H, config: Config) -> Self {
        let counts = Rc::<ServerState>::default();
        let (max, policy) = (config.requests_in_flight_max, config.overload);
        Shared {
            app,
            config,
            in_flight: InFlight::new(max, policy, Rc::clone(&counts)),
            counts,
            lifespan_state: RefCell::default(),
            connections: RefCell::default(),
            watcher: RefCell::default(),
            links: Spares::new(),
            is_cut_off: Cell::default(),
            is_quiet: Cell::default(),
            date: RefCell::new(Date {
                text: http_date(0),
                until: None,
            }),
        }
    }

    /// Says how far the server is.
    pub(super) fn say(&self, line: fmt::Arguments<'_>) {
        let level = if self.is_quiet.get() {
            log::Level::Debug
        } else {
            log::Level::Info
        };
        log::log!(target: "tourbillon::server", level, "{line}");
    }

    /// The `date` field as of `now`.
    #[inline]
    pub(super) fn date(&self, now: Instant) -> Ref<'_, [u8; 29]> {
        let date = self.date.borrow();
        if date.until.is_some_and(|until| now < until) {
            return Ref::map(date, |date| &date.text);
        }
        drop(date);
        self.refresh_date(now);
        Ref::map(self.date.borrow(), |date| &date.text)
    }

    #[cold]
    fn refresh_date(&self, now: Instant) {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let text = http_date(since_epoch.as_secs());
        let into_second = Duration::from_nanos(u64::from(since_epoch.subsec_nanos()));
        let until = now.checked_add(Duration::from_secs(1) - into_second);
        *self.date.borrow_mut() = Date { text, until };
    }

    /// A link for an exchange.
    #[inline]
    pub(super) fn take_link(&self) -> OpenLink {
        let link = self.links.take();
        link.unwrap_or_else(|| OpenLink::new(Rc::clone(&self.counts)))
    }

    /// Keeps one for later, which nobody else holds.
    #[inline]
    pub(super) fn give_link(&self, link: OpenLink) {
        link.asks().forget_connection();
        drop(self.links.give(link));
    }

    /// Wakes whoever waits for the number of connections, or of requests, to
    /// fall.
    pub(super) fn wake_watcher(&self) {
        let watcher = self.watcher.take();
        if let Some(watcher) = watcher {
            watcher.wake();
        }
    }

    /// Remembers whom to wake when that number falls.
    pub(super) fn note_watcher(&self, cx: &Context<'_>) {
        let replaced = self.watcher.replace(Some(cx.waker().clone()));
        drop(replaced);
    }

    /// Tells every connection to look whether the server drains.
    pub(super) fn wake_connections(&self) {
        let wakers: Vec<Waker> = {
            let connections = self.connections.borrow();
            let open = connections.iter();
            open.filter_map(|(_, open)| open.waker()).collect()
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// A connection's place among the open ones, left on drop.
pub(super) struct Place<H> {
    pub(super) shared: Rc<Shared<H>>,
    key: usize,
    pub(super) open: Rc<Open>,
}

impl Open {
    /// The link of the exchange in progress.
    pub(super) fn link(&self) -> Option<Rc<Link>> {
        let link = self.link.take();
        self.link.set(link.clone());
        link
    }

    /// Whom to wake. One that was noted is noted again by the next poll.
    fn waker(&self) -> Option<Waker> {
        match self.task.get() {
            Some(task) => Some(waker(task.ticket())),
            None => self.waker.take(),
        }
    }

    /// Remembers who polls this connection.
    pub(super) fn note_waker(&self, cx: &Context<'_>) {
        let waker = self.waker.take();
        if waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            self.waker.set(waker);
            return;
        }
        // They may be foreign, and run any code.
        drop(waker);
        self.waker.set(Some(cx.waker().clone()));
    }
}

impl<H> Place<H> {
    pub(super) fn take(shared: Rc<Shared<H>>, peer: Option<SocketAddr>, now: Instant) -> Self {
        let open = Rc::new(Open {
            peer: Cell::new(peer),
            since: now,
            waker: Cell::default(),
            task: OnceCell::new(),
            requests: Cell::new(0),
            link: Cell::default(),
        });
        let key = shared.connections.borrow_mut().insert(Rc::clone(&open));
        let counts = &shared.counts;
        counts
            .connections_open
            .set(counts.connections_open.get() + 1);
        counts
            .connections_total
            .set(counts.connections_total.get() + 1);
        Place { shared, key, open }
    }

    /// Where the connection comes from.
    #[inline]
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.open.peer.get()
    }
}

impl<H> Drop for Place<H> {
    fn drop(&mut self) {
        let open = self.shared.connections.borrow_mut().remove(self.key);
        drop(open);
        let counts = &self.shared.counts;
        counts
            .connections_open
            .set(counts.connections_open.get() - 1);
        self.shared.wake_watcher();
    }
}

impl<H> fmt::Debug for Shared<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}
