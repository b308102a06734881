//! An application, asked without a port and on a clock that is moved by hand.

use std::fmt;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::client::{ClientError, ClientRequest, Connection, Headers};
use crate::executor::JoinHandle;
use crate::http::{ResponseHead, Status};
use crate::io::{DuplexStream, duplex};
use crate::runtime::{Runtime, spawn};
use crate::server::{AccessLog, Config, Handler, ServeError, Server};
use crate::time::ManualClock;

/// Who the requests come from: nobody's port, and Starlette's number.
const CLIENT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 50_000);

/// Bytes on their way in each direction, as in a socket.
const PIPE_BYTES: usize = 64 * 1024;

/// Bodies longer than this are a mistake in a test.
const BODY_MAX: usize = 256 * 1024 * 1024;

/// Asks an application as a client would, all on the calling thread: no port
/// is opened, and each request goes through the whole server over a stream in
/// memory.
///
/// Time stands still but for two things: [`advance`](Self::advance) moves it,
/// and while a request is waited for and nothing else can happen it jumps to
/// the next deadline. So what sleeps for an hour is tested in no time, and
/// always alike.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tourbillon::client::ClientRequest;
/// use tourbillon::server::Request;
/// use tourbillon::web::{Router, TestClient};
///
/// let app = Router::new()
///     .get("/users/{id}", async |request: Request| {
///         format!("user {}", request.param("id").unwrap_or_default())
///     })
///     .post("/echo", async |request: Request| request.into_body().collect(100).await)
///     .get("/tomorrow", async |_| {
///         tourbillon::sleep(Duration::from_secs(86_400)).await;
///         "now"
///     });
///
/// let mut client = TestClient::new(app);
/// let answer = client.get("/users/7");
/// assert_eq!((answer.status().code(), answer.text()), (200, "user 7"));
/// assert_eq!(client.get("/nowhere").status().code(), 404);
///
/// let request = ClientRequest::new("POST", "/echo").unwrap().with_body("tick");
/// assert_eq!(client.send(request).bytes(), b"tick");
/// assert_eq!(client.get("/tomorrow").text(), "now");
/// client.close().unwrap();
/// ```
pub struct TestClient<H> {
    server: Server<H>,
    runtime: Runtime,
    time: ManualClock,
}

impl<H: Handler> TestClient<H> {
    /// A client for this application, on a server with default limits.
    ///
    /// # Panics
    ///
    /// When no runtime can be made; and as all that follows where something
    /// happens that a test does not expect.
    #[track_caller]
    pub fn new(app: H) -> Self {
        let config = Config {
            access_log: AccessLog::off(),
            ..Config::default()
        };
        match TestClient::of(Server::new(app, config)) {
            Ok(client) => client,
            Err(error) => panic!("without a lifespan nothing can fail: {error}"),
        }
    }

    /// A client for this server, whose lifespan is started. It does not
    /// listen.
    ///
    /// # Errors
    ///
    /// When the lifespan's startup fails.
    ///
    /// # Panics
    ///
    /// When no runtime can be made.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::server::{Config, Lifespan, Request, Server};
    /// use tourbillon::web::TestClient;
    ///
    /// let app = async |request: Request| match request.state::<&str>() {
    ///     Some(name) => format!("Hello, {name}!"),
    ///     None => "Who are you?".to_owned(),
    /// };
    /// let lifespan = Lifespan::new(async || Ok::<_, String>("Ann"));
    /// let server = Server::new(app, Config::default()).with_lifespan(lifespan);
    /// let mut client = TestClient::of(server)?;
    /// assert_eq!(client.get("/").text(), "Hello, Ann!");
    /// client.close()?;
    /// # Ok::<(), tourbillon::server::ServeError>(())
    /// ```
    #[track_caller]
    pub fn of(mut server: Server<H>) -> Result<Self, ServeError> {
        let time = ManualClock::new();
        let builder = Runtime::builder().manual_clock(&time).auto_advance(true);
        let mut runtime = builder.build().expect("a test may have a runtime");
        runtime.block_on(server.start_application())?;
        Ok(TestClient {
            server,
            runtime,
            time,
        })
    }

    /// Asks for a path by GET, and waits for the answer.
    ///
    /// # Panics
    ///
    /// When there is none, or the path is no target.
    #[track_caller]
    pub fn get(&mut self, target: &str) -> TestAnswer {
        match ClientRequest::new("GET", target) {
            Ok(request) => self.send(request),
            Err(error) => panic!("{target:?} cannot be asked for: {error}"),
        }
    }

    /// Sends a request over a connection of its own, and waits for the answer.
    /// Host is added where it is missing.
    ///
    /// # Panics
    ///
    /// When there is no answer, because the connection was cut off, say.
    #[track_caller]
    pub fn send(&mut self, request: ClientRequest) -> TestAnswer {
        let target = request.head().target().to_owned();
        let pending = self.begin(request);
        match self.block_on(pending) {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => panic!("no answer to {target:?}: {error}"),
            Err(error) => panic!("no answer to {target:?}: {error}"),
        }
    }

    /// Begins a request and runs what can run without waiting. The handle is
    /// joined by [`block_on`](Self::block_on); aborted, it is a client that
    /// leaves.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tourbillon::client::ClientRequest;
    /// use tourbillon::web::TestClient;
    ///
    /// let mut client = TestClient::new(async |_| {
    ///     tourbillon::sleep(Duration::from_secs(10)).await;
    ///     "at last"
    /// });
    /// let pending = client.begin(ClientRequest::new("GET", "/").unwrap());
    /// client.advance(Duration::from_secs(9));
    /// assert!(!pending.is_finished());
    /// client.advance(Duration::from_secs(1));
    /// assert!(pending.is_finished());
    /// let answer = client.block_on(pending).unwrap().unwrap();
    /// assert_eq!(answer.text(), "at last");
    /// ```
    #[track_caller]
    pub fn begin(&mut self, request: ClientRequest) -> JoinHandle<Result<TestAnswer, ClientError>> {
        let mut connection = self.connect();
        let host = request.with_host("testserver");
        let request = host.expect("a short name is a Host");
        let entered = self.runtime.enter();
        let pending = spawn(async move {
            let sent = connection.send(&request).await;
            // Who refuses a long body may be gone before it was read, and has
            // answered all the same.
            let head = match (sent, connection.receive().await) {
                (_, Ok(head)) => head,
                (Err(error), _) | (_, Err(error)) => return Err(error),
            };
            let body = connection.body(BODY_MAX).await?;
            Ok(TestAnswer { head, body })
        });
        drop(entered);
        self.settle();
        pending
    }

    /// Opens a connection, on which anything may be said.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::client::{ClientRequest, Connection};
    /// use tourbillon::io::DuplexStream;
    /// use tourbillon::web::TestClient;
    ///
    /// let mut client = TestClient::new(async |_| "Hello!");
    /// let mut connection: Connection<DuplexStream> = client.connect();
    /// let head = client.block_on(async move {
    ///     let request = ClientRequest::new("GET", "/").unwrap();
    ///     connection.send(&request).await.unwrap();
    ///     connection.receive().await.unwrap()
    /// });
    /// assert_eq!(head.status.code(), 400, "a Host is missing");
    /// ```
    pub fn connect(&mut self) -> Connection<DuplexStream> {
        let (here, there) = duplex(PIPE_BYTES);
        let _entered = self.runtime.enter();
        spawn(self.server.serve_connection(there, Some(CLIENT))).detach();
        Connection::new(here)
    }

    /// Moves the clock, and runs what has become due and what that sets off.
    pub fn advance(&mut self, by: Duration) {
        self.time.advance(by);
        self.settle();
    }

    /// Waits for a future; whatever else runs, runs meanwhile.
    pub fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Stops the server in order and ends its lifespan.
    ///
    /// # Errors
    ///
    /// When the lifespan's shutdown fails.
    pub fn close(self) -> Result<(), ServeError> {
        let TestClient {
            server,
            mut runtime,
            ..
        } = self;
        let ended = runtime.block_on(server.shutdown());
        runtime.shutdown();
        ended
    }

    fn settle(&mut self) {
        let turned = self.runtime.run_until_stalled();
        turned.expect("a loop without sockets turns");
    }
}

impl<H: Handler> fmt::Debug for TestClient<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestClient")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// An answer, whole.
///
/// # Examples
///
/// ```
/// use tourbillon::server::Response;
/// use tourbillon::web::{TestAnswer, TestClient};
///
/// let app = async |_| Response::text("Hello!").with_header("x-number", "7");
/// let answer: TestAnswer = TestClient::new(app).get("/");
/// assert_eq!((answer.status().code(), answer.bytes()), (200, &b"Hello!"[..]));
/// assert_eq!(answer.headers().get("x-number"), Some("7"));
/// ```
#[derive(Debug)]
pub struct TestAnswer {
    head: ResponseHead,
    body: Vec<u8>,
}

impl TestAnswer {
    /// Its status.
    pub fn status(&self) -> Status {
        self.head.status
    }

    /// Its header fields.
    pub fn headers(&self) -> &Headers {
        &self.head.headers
    }

    /// Its body.
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// Its body as text.
    ///
    /// # Panics
    ///
    /// When it is no UTF-8.
    #[track_caller]
    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("the body is text")
    }
}
