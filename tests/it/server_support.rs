//! A server on a thread of its own, and raw clients that are hard to please.
//!
//! The loop is single-threaded and serves in the order of arrival. So a round trip of `/ping` on
//! one connection ([`Client::settle`]) proves that the server has seen what others sent before:
//! that is how these tests separate segments without sleeping.

use std::cell::RefCell;
use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::mem;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use tourbillon::server::{
    AccessLog, Config, Handler, Request, Response, Server, ServerHandle, ServerState,
};
use tourbillon::{Handle, Runtime};

/// How long anything may take before a test gives up: it is a bug then, not a slow machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) const PING: &[u8] = b"GET /ping HTTP/1.1\r\nhost: a\r\n\r\n";

pub(crate) const MIB: usize = 1024 * 1024;

thread_local! {
    static COUNTS: RefCell<Option<Rc<ServerState>>> = const { RefCell::new(None) };
}

/// The defaults, quiet and on a free port.
pub(crate) fn config() -> Config {
    Config {
        address: "127.0.0.1:0".parse().unwrap(),
        signals: false,
        access_log: AccessLog::off(),
        requests_per_connection_max: u64::MAX,
        ..Config::default()
    }
}

/// A running server; dropping it stops it at once.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) handle: ServerHandle,
    runtime: Handle,
    ended: Receiver<Result<(), String>>,
}

/// What a server counts, at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) open: usize,
    pub(crate) total: u64,
    pub(crate) requests: u64,
    pub(crate) running: usize,
    pub(crate) refused: u64,
    pub(crate) panics: u64,
    pub(crate) waiting: usize,
    pub(crate) overload_refusals: u64,
    pub(crate) connections_refused: u64,
}

/// A handler of any type. A server is compiled anew for each type of handler, and here there would
/// be a hundred of them.
pub(crate) struct AnyHandler(Box<dyn Answer>);

trait Answer {
    fn answer(&self, request: Request) -> Pin<Box<dyn Future<Output = Response> + '_>>;
}

impl<H: Handler> Answer for H {
    fn answer(&self, request: Request) -> Pin<Box<dyn Future<Output = Response> + '_>> {
        Box::pin(self.handle(request))
    }
}

impl Handler for AnyHandler {
    fn handle(&self, request: Request) -> impl Future<Output = Response> {
        self.0.answer(request)
    }
}

/// A server, whatever its handler is.
pub(crate) fn server_of(app: impl Handler, config: Config) -> Server<AnyHandler> {
    Server::new(AnyHandler(Box::new(app)), config)
}

pub(crate) fn serve<H: Handler>(make: impl FnOnce() -> H + Send + 'static) -> Served {
    serve_with(config(), make)
}

pub(crate) fn serve_with<H: Handler>(
    config: Config,
    make: impl FnOnce() -> H + Send + 'static,
) -> Served {
    let runtime = || Runtime::new().unwrap();
    serve_on(runtime, move || server_of(make(), config)).unwrap()
}

/// The general case. An error is what startup said.
pub(crate) fn serve_on(
    runtime: impl FnOnce() -> Runtime + Send + 'static,
    make: impl FnOnce() -> Server<AnyHandler> + Send + 'static,
) -> Result<Served, String> {
    serve_boxed(Box::new(runtime), Box::new(make))
}

fn serve_boxed(
    runtime: Box<dyn FnOnce() -> Runtime + Send>,
    make: Box<dyn FnOnce() -> Server<AnyHandler> + Send>,
) -> Result<Served, String> {
    let (started, starts) = mpsc::channel();
    let (ends, ended) = mpsc::channel();
    thread::spawn(move || {
        let mut runtime = runtime();
        let reach = runtime.handle();
        let result = runtime.block_on(async move {
            let mut server = make();
            if let Err(error) = server.startup().await {
                started.send(Err(error.to_string())).unwrap();
                return Ok(());
            }
            COUNTS.set(Some(server.state()));
            let address = server.local_addr().unwrap();
            started.send(Ok((address, server.handle(), reach))).unwrap();
            server.main_loop().await;
            server.shutdown().await.map_err(|error| error.to_string())
        });
        runtime.shutdown();
        // Nobody may be waiting for it.
        let _ = ends.send(result);
    });
    let (address, handle, runtime) = starts.recv_timeout(DEADLINE).expect("a server starts")?;
    Ok(Served {
        address,
        handle,
        runtime,
        ended,
    })
}

impl Served {
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    pub(crate) fn counts(&self) -> Counts {
        let (reply, replies) = mpsc::channel();
        let ask = move || {
            COUNTS.with_borrow(|state| {
                let state = state.as_ref().unwrap();
                let counts = Counts {
                    open: state.connections_open(),
                    total: state.connections_total(),
                    requests: state.requests_total(),
                    running: state.requests_running(),
                    refused: state.requests_refused(),
                    panics: state.handler_panics(),
                    waiting: state.requests_waiting(),
                    overload_refusals: state.overload_refusals(),
                    connections_refused: state.connections_refused(),
                };
                reply.send(counts).unwrap();
            });
        };
        self.runtime.call(ask).unwrap();
        replies.recv_timeout(DEADLINE).expect("the loop turns")
    }

    /// Waits until the counts are as wanted.
    #[track_caller]
    pub(crate) fn wait_until(&self, wanted: impl Fn(&Counts) -> bool) {
        let since = Instant::now();
        loop {
            let counts = self.counts();
            if wanted(&counts) {
                return;
            }
            assert!(since.elapsed() < DEADLINE, "it stays at {counts:?}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Stops it in order, and says how that went.
    pub(crate) fn stop(self) -> Result<(), String> {
        self.handle.stop();
        self.ended()
    }

    /// Waits for its end.
    pub(crate) fn ended(&self) -> Result<(), String> {
        let ended = self.ended_within(DEADLINE);
        ended.expect("a stopped server ends, and does not panic")
    }

    pub(crate) fn ended_within(&self, time: Duration) -> Option<Result<(), String>> {
        self.ended.recv_timeout(time).ok()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.handle.stop();
        self.handle.stop();
    }
}

/// A client that checks every byte it gets.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    received: Vec<u8>,
}

/// A response, as it came over the wire.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut found = self.fields.iter().filter(|(known, _)| known == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} comes twice: {self:?}");
        value
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn closes(&self) -> bool {
        self.field("connection") == Some("close")
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect_timeout(&address, DEADLINE).unwrap())
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        Client {
            stream,
            received: Vec::new(),
        }
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    #[track_caller]
    pub(crate) fn get(&mut self, path: &str) -> Reply {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
        self.reply()
    }

    /// Returns when the server has dealt with what arrived before this call, on any connection.
    /// A new connection needs a turn to be accepted and another to be read, hence several trips.
    #[track_caller]
    pub(crate) fn settle(&mut self) {
        for _ in 0..3 {
            self.send(PING);
            assert_eq!(self.reply().text(), "pong");
        }
    }

    #[track_caller]
    pub(crate) fn reply(&mut self) -> Reply {
        self.reply_to("GET")
    }

    /// Reads one response, strictly.
    #[track_caller]
    pub(crate) fn reply_to(&mut self, method: &str) -> Reply {
        let line = self.line();
        let rest = line.strip_prefix("HTTP/1.1 ").unwrap_or_else(|| {
            panic!("{line:?} is no status line");
        });
        assert_eq!(rest.as_bytes().get(3), Some(&b' '), "{line:?}");
        let status: u16 = rest[..3].parse().unwrap();
        let mut reply = Reply {
            status,
            fields: Vec::new(),
            body: Vec::new(),
        };
        loop {
            let line = self.line();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").expect("a field has a colon");
            let is_lower = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
            assert!(name.bytes().all(is_lower), "{name:?} is an odd name");
            assert!(!value.contains(char::is_control), "{value:?}");
            reply.fields.push((name.to_owned(), value.to_owned()));
        }
        if status < 200 {
            return reply;
        }
        assert_eq!(reply.field("date").map(str::len), Some(29), "{reply:?}");
        let length = reply.field("content-length").map(|n| n.parse().unwrap());
        let coding = reply.field("transfer-encoding");
        assert!(length.is_none() || coding.is_none(), "{reply:?}");
        let ends_at_head = status == 204 || status == 304;
        assert!(!ends_at_head || length.is_none() && coding.is_none());
        if method == "HEAD" || ends_at_head {
            return reply;
        }
        reply.body = match (length, coding) {
            (Some(length), _) => self.take(length),
            (_, Some("chunked")) => self.chunks(),
            (_, coding) => {
                assert!(coding.is_none() && reply.closes(), "no end: {reply:?}");
                self.rest()
            }
        };
        reply
    }

    #[track_caller]
    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk() {
            body.extend(chunk);
        }
        body
    }

    /// One chunk of a chunked body; `None` is its end.
    #[track_caller]
    pub(crate) fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = self.line();
        let size = usize::from_str_radix(&line, 16).unwrap();
        let chunk = self.take(size);
        assert_eq!(self.take(2), b"\r\n");
        (size > 0).then_some(chunk)
    }

    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line = self.take(end + 1);
                let text = line.strip_suffix(b"\r\n").expect("lines end in CR LF");
                return String::from_utf8(text.to_vec()).unwrap();
            }
            self.fill();
        }
    }

    #[track_caller]
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        while self.received.len() < count {
            self.fill();
        }
        let rest = self.received.split_off(count);
        mem::replace(&mut self.received, rest)
    }

    #[track_caller]
    fn fill(&mut self) {
        let mut piece = vec![0; 64 * 1024];
        let count = self.stream.read(&mut piece).unwrap();
        assert!(count > 0, "closed after {:?}", self.text_received());
        self.received.extend(&piece[..count]);
    }

    fn text_received(&self) -> String {
        String::from_utf8_lossy(&self.received[..self.received.len().min(300)]).into_owned()
    }

    /// All that comes up to an orderly close.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut all = mem::take(&mut self.received);
        self.stream.read_to_end(&mut all).unwrap();
        all
    }

    /// All that comes up to a close or a reset.
    #[track_caller]
    pub(crate) fn rest_up_to_a_cut(&mut self) -> Vec<u8> {
        let mut all = mem::take(&mut self.received);
        match self.stream.read_to_end(&mut all) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
            _ => {}
        }
        self.close();
        all
    }

    /// Asserts that the server has closed, in order and without another word, and closes as well.
    #[track_caller]
    pub(crate) fn assert_closed(&mut self) {
        self.assert_ended();
        self.close();
    }

    /// Asserts that the server has closed, and stays, so that it lingers.
    #[track_caller]
    pub(crate) fn assert_ended(&mut self) {
        let rest = self.rest();
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }

    /// A server that lingers for `linger_timeout` need not wait for this client.
    fn close(&self) {
        // The connection may have been reset.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Asserts that nothing has come so far.
    #[track_caller]
    pub(crate) fn assert_silent(&mut self) {
        assert_eq!(self.text_received(), "");
        self.stream.set_nonblocking(true).unwrap();
        let peeked = self.stream.peek(&mut [0]);
        assert_eq!(peeked.unwrap_err().kind(), ErrorKind::WouldBlock);
        self.stream.set_nonblocking(false).unwrap();
    }

    /// Sends no more, and goes on reading.
    pub(crate) fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Goes away without a word: RST instead of FIN.
    #[expect(unsafe_code, reason = "std has no stable way to set SO_LINGER")]
    pub(crate) fn reset(self) {
        let zero = libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        // SAFETY: setsockopt(2) reads one linger through a pointer to one that lives here, and
        // the descriptor is open.
        let outcome = unsafe {
            libc::setsockopt(
                self.stream.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_LINGER,
                (&raw const zero).cast(),
                mem::size_of::<libc::linger>() as libc::socklen_t,
            )
        };
        assert_eq!(outcome, 0);
    }
}

/// Bytes in which a lost, doubled or swapped piece shows: no power of two divides their period.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    let byte = |at: usize| (at.wrapping_mul(2_654_435_761) >> 13) as u8;
    let period: Vec<u8> = (0..65_521).map(byte).collect();
    let mut all = period.repeat(len / period.len() + 1);
    all.truncate(len);
    all
}

/// Says that it was dropped: in a handler, that its future was.
pub(crate) struct DropGuard(pub(crate) Sender<()>);

impl Drop for DropGuard {
    fn drop(&mut self) {
        // The test may be over.
        let _ = self.0.send(());
    }
}
