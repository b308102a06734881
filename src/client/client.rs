//! Connections that are kept for the next request.

use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::rc::{Rc, Weak};
use std::task::Poll;
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::error::ClientError;
use super::request::ClientRequest;
use super::url::Url;
use crate::http::{Headers, ResponseHead, Status};
use crate::net::TcpStream;
use crate::runtime::{current, timeout};

/// Idle connections that are kept, to all servers together.
const IDLE_MAX: usize = 32;

/// How long a connection may be idle, if nothing else is said: as with hyper's
/// client, and so below what proxies and firewalls forget after.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// How long a server may be silent, if nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Asks servers, and keeps connections for the next time.
///
/// Cloned, it is the same client. One that is dropped closes what it kept. It
/// keeps 32 connections at most, those that were used last.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tourbillon::client::{Client, ClientRequest};
/// use tourbillon::server::{Config, Request, Server};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     let echo = async |request: Request| request.into_body().collect(1000).await;
///     let address = "127.0.0.1:0".parse()?;
///     let mut server = Server::new(echo, Config { address, ..Config::default() });
///     server.startup().await?;
///     let url = format!("http://{}/", server.local_addr().expect("it listens"));
///     let handle = server.handle();
///     let client = tourbillon::spawn(async move {
///         let client = Client::new().with_timeout(Duration::from_secs(5));
///         let request = ClientRequest::new("POST", "/")?.with_body("tick");
///         let answer = client.send(&url, request).await?;
///         assert_eq!(answer.status().code(), 200);
///         assert_eq!(answer.text(100).await?, "tick");
///         handle.stop();
///         Ok::<_, Box<dyn std::error::Error>>(())
///     });
///     server.main_loop().await;
///     server.shutdown().await?;
///     client.await?
/// })
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    idle: Rc<RefCell<Vec<Idle>>>,
    idle_timeout: Duration,
    timeout: Duration,
}

/// A connection that waits for its next request.
struct Idle {
    authority: Box<str>,
    connection: Connection<TcpStream>,
    /// When it has waited for too long; `None` is never.
    ends: Option<Instant>,
}

impl Client {
    /// A client that gives up on a server that is silent for 30 seconds.
    pub fn new() -> Self {
        Client {
            idle: Rc::default(),
            idle_timeout: IDLE_TIMEOUT,
            timeout: TIMEOUT,
        }
    }

    /// Sets for how long a server may be silent: while it is connected to,
    /// while it takes in a request, before the head of its answer and between
    /// two pieces of its body.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets for how long a connection is kept while nobody uses it, from the
    /// end of its last answer on. Default: 90 s.
    ///
    /// No timer runs for it: those that are too old are closed when the
    /// client next takes a connection or keeps one, to whichever server.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tourbillon::client::Client;
    ///
    /// // Below the 60 s after which the server is known to close.
    /// let client = Client::new().with_idle_timeout(Duration::from_secs(55));
    /// # let _ = client;
    /// ```
    #[must_use]
    pub fn with_idle_timeout(mut self, idle_timeout: Duration) -> Self {
        self.idle_timeout = idle_timeout;
        self
    }

    /// Asks for a URL by GET.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Cancellation
    ///
    /// As [`send`](Self::send).
    pub async fn get(&self, url: &str) -> Result<Answer, ClientError> {
        let target = Url::parse(url)?.request_target();
        let request = ClientRequest::new("GET", &target);
        self.send(url, request.map_err(|_| ClientError::Url(url.to_owned()))?)
            .await
    }

    /// Sends a request to a server, and waits for the head of the answer. The
    /// target is that of the URL, if it has more than an authority; else it is
    /// the request's own. Host is added where it is missing.
    ///
    /// A kept connection may end just when it is used again. So a request
    /// whose method is safe or idempotent (RFC 9110, 9.2.2), and that was not
    /// answered by a single byte, is sent once more over a new one.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes the connection. The server may have seen
    /// the request or not.
    pub async fn send(&self, url: &str, request: ClientRequest) -> Result<Answer, ClientError> {
        let place = Url::parse(url)?;
        let request = request
            .for_url(&place)
            .ok_or_else(|| ClientError::Url(url.to_owned()))?;
        if let Some(mut connection) = self.take_idle(place.authority).await {
            let asked = self.ask(&mut connection, &request).await;
            let may_retry = request.is_idempotent() && !connection.has_heard();
            match asked {
                Err(error) if !(may_retry && is_end(&error)) => return Err(error),
                Err(_) => {}
                Ok(head) => return Ok(self.answer(head, connection, &place)),
            }
        }
        let connecting = TcpStream::connect((place.host, place.port));
        let stream = self.in_time(connecting, ClientError::Connect).await?;
        let mut connection = Connection::new(stream);
        let head = self.ask(&mut connection, &request).await?;
        Ok(self.answer(head, connection, &place))
    }

    async fn ask(
        &self,
        connection: &mut Connection<TcpStream>,
        request: &ClientRequest,
    ) -> Result<ResponseHead, ClientError> {
        let sent = self.send_all(connection, request).await;
        // A server that refuses a request may close before it has read it
        // all, and what it says of that is the better answer. It has said it
        // by now if it was waited for already.
        let limit = match sent {
            Err(ClientError::Timeout(_)) => Duration::ZERO,
            _ => self.timeout,
        };
        match (sent, timeout(limit, connection.receive()).await) {
            (_, Ok(Ok(head))) => Ok(head),
            (Err(error), _) | (_, Ok(Err(error))) => Err(error),
            (_, Err(_)) => Err(ClientError::Timeout(self.timeout)),
        }
    }

    /// Sends it for as long as some of it is taken in now and then.
    async fn send_all(
        &self,
        connection: &mut Connection<TcpStream>,
        request: &ClientRequest,
    ) -> Result<(), ClientError> {
        connection.begin(request)?;
        while self.in_time(connection.send_more(), |error| error).await? {}
        Ok(())
    }

    async fn in_time<T, E>(
        &self,
        future: impl Future<Output = Result<T, E>>,
        wrap: impl FnOnce(E) -> ClientError,
    ) -> Result<T, ClientError> {
        match timeout(self.timeout, future).await {
            Ok(outcome) => outcome.map_err(wrap),
            Err(_) => Err(ClientError::Timeout(self.timeout)),
        }
    }

    /// A kept connection that the server has not closed meanwhile.
    async fn take_idle(&self, authority: &str) -> Option<Connection<TcpStream>> {
        close_old(&self.idle);
        loop {
            let found = {
                let mut idle = self.idle.borrow_mut();
                let place = idle
                    .iter()
                    .rposition(|idle| *idle.authority == *authority)?;
                idle.remove(place)
            };
            let mut connection = found.connection;
            // What the loop has heard is as old as its last look: the kernel
            // is asked in any case.
            let is_stale = poll_fn(|cx| Poll::Ready(connection.poll_is_stale(cx))).await;
            if !is_stale && connection.stream().is_quiet() {
                return Some(connection);
            }
        }
    }

    fn answer(
        &self,
        head: ResponseHead,
        connection: Connection<TcpStream>,
        place: &Url<'_>,
    ) -> Answer {
        let is_over = connection.has_read_all();
        let mut answer = Answer {
            head,
            connection: Some(connection),
            keeper: Rc::downgrade(&self.idle),
            authority: Box::from(place.authority),
            idle_timeout: self.idle_timeout,
            timeout: self.timeout,
        };
        // Nobody reads a body that there is not.
        if is_over {
            answer.give_back();
        }
        answer
    }
}

impl Default for Client {
    fn default() -> Self {
        Client::new()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("idle", &self.idle.borrow().len())
            .field("idle_timeout", &self.idle_timeout)
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// Closes what was idle for too long.
fn close_old(idle: &RefCell<Vec<Idle>>) {
    let now = current().now();
    let is_old = |idle: &mut Idle| idle.ends.is_some_and(|ends| ends <= now);
    let old: Vec<Idle> = idle.borrow_mut().extract_if(.., is_old).collect();
    drop(old);
}

/// Whether the server was gone, as one is that has closed an idle connection.
fn is_end(error: &ClientError) -> bool {
    match error {
        ClientError::Io(error) => matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
        ),
        ClientError::Answer(_) | ClientError::Closed => true,
        _ => false,
    }
}

/// An answer: its head, and a body to receive.
///
/// Read to its end, it gives its connection back to the client; dropped
/// before, it closes it. One that has no body, as to HEAD, with 204, 304 or a
/// `content-length` of 0, has given it back when it comes.
///
/// # Examples
///
/// Whole, and piece by piece:
///
/// ```
/// use std::time::Duration;
/// use tourbillon::client::{Answer, Client, ClientError};
///
/// async fn compare(one: &str, other: &str) -> Result<bool, ClientError> {
///     let client = Client::new().with_timeout(Duration::from_secs(5));
///     let answer: Answer = client.get(one).await?;
///     if answer.headers().get("content-type") == Some("text/plain") {
///         println!("{} {}", answer.status(), answer.text(1000).await?);
///         return Ok(true);
///     }
///     let whole = answer.bytes(1_000_000).await?;
///     let mut answer = client.get(other).await?;
///     let mut rest = &whole[..];
///     while let Some(piece) = answer.chunk().await? {
///         match rest.strip_prefix(&*piece) {
///             Some(after) => rest = after,
///             None => return Ok(false),
///         }
///     }
///     Ok(rest.is_empty())
/// }
/// # let _ = compare;
/// ```
pub struct Answer {
    head: ResponseHead,
    /// None when the body was read to its end.
    connection: Option<Connection<TcpStream>>,
    keeper: Weak<RefCell<Vec<Idle>>>,
    authority: Box<str>,
    idle_timeout: Duration,
    timeout: Duration,
}

impl Answer {
    /// Its status.
    pub fn status(&self) -> Status {
        self.head.status
    }

    /// Its header fields.
    pub fn headers(&self) -> &Headers {
        &self.head.headers
    }

    /// Waits for the next piece of the body; `None` is its end.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing: the next call goes on.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        let Some(connection) = &mut self.connection else {
            return Ok(None);
        };
        match timeout(self.timeout, connection.chunk()).await {
            Ok(Ok(None)) => {
                self.give_back();
                Ok(None)
            }
            Ok(outcome) => outcome,
            Err(_) => Err(ClientError::Timeout(self.timeout)),
        }
    }

    /// Reads the whole body, but at most `max` bytes.
    ///
    /// # Errors
    ///
    /// `TooLong` as soon as more has come; else see [`ClientError`].
    ///
    /// # Cancellation
    ///
    /// What was read so far is lost, and the connection closed.
    pub async fn bytes(mut self, max: usize) -> Result<Vec<u8>, ClientError> {
        let mut all = Vec::new();
        while let Some(piece) = self.chunk().await? {
            if all.len() + piece.len() > max {
                return Err(ClientError::TooLong);
            }
            all.extend(piece);
        }
        Ok(all)
    }

    /// Reads the whole body as UTF-8, but at most `max` bytes; what is none
    /// becomes replacement characters.
    ///
    /// # Errors
    ///
    /// As [`bytes`](Self::bytes).
    ///
    /// # Cancellation
    ///
    /// What was read so far is lost, and the connection closed.
    pub async fn text(self, max: usize) -> Result<String, ClientError> {
        let bytes = self.bytes(max).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn give_back(&mut self) {
        let Some(connection) = self.connection.take().filter(Connection::is_reusable) else {
            return;
        };
        let Some(idle) = self.keeper.upgrade() else {
            return;
        };
        let kept = Idle {
            authority: std::mem::take(&mut self.authority),
            connection,
            ends: current().now().checked_add(self.idle_timeout),
        };
        idle.borrow_mut().push(kept);
        close_old(&idle);
        let mut idle = idle.borrow_mut();
        let surplus = (idle.len() > IDLE_MAX).then(|| idle.remove(0));
        drop(idle);
        drop(surplus);
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.head.status)
            .field("headers", &self.head.headers)
            .finish_non_exhaustive()
    }
}
