//! The reference server: what load, conformance and fault tests talk to.
//!
//! Run:    cargo run --release --example server -- --port 8000
//! Shows:  every limit as an option, and a route for each kind of work.
//! Next:   src/server/mod.rs, or examples/blocking_vs_offloaded.

use std::env;
use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tourbillon::http::HeaderError;
use tourbillon::io::{AsyncRead, AsyncWrite};
use tourbillon::server::{
    AccessLog, Body, BodyError, Config, Headers, IntoResponse, Listen, Overload, Request, Response,
    Status, TrustedPeers, Upgraded, blocking, serve,
};
use tourbillon::web::{Event, Router, Sse, StaticFiles, last_event_id};

const USAGE: &str = "\
usage: server [OPTION VALUE]...

  --port N                 where to listen on 127.0.0.1; also the variable PORT; 0 takes a free one
  --address A:P            where to listen, in full
  --listen WHERE           there instead, may come again: A:P, unix:PATH, fd:N or systemd
  --reuse-port on|off      whether other processes may listen on the same port
  --backlog N              connections the kernel completes before they are accepted
  --connections-max N      connections open at once
  --refuse-connections on|off        answer 503 beyond that, not wait
  --requests-in-flight-max N         requests answered at once
  --overload WHAT          beyond that: refuse, pause, or queue:LEN:TIME, such as queue:100:2s
  --retry-after T          in the 503s; 0s leaves it out
  --proxy-protocol PEERS   who begins with a PROXY head: addresses and networks, by commas
  --head-bytes-max N       longest request head
  --target-bytes-max N     longest request target
  --headers-max N          most header fields in a request
  --body-bytes-max N       longest request body
  --head-timeout T         from the first byte of a head to its last (10s, 500ms)
  --body-timeout T         between two reads of a body
  --body-rate-min N        least bytes of body per second, on average; 0 is none
  --body-rate-grace T      how long a body may take before that rate is asked for
  --keep-alive T           between an answer and the next request
  --requests-per-connection-max N   the last answer on a connection closes it
  --write-timeout T        between two writes that the client takes in
  --half-close-timeout T   for a handler whose client has closed its sending side
  --linger-timeout T       for bytes nobody wants after a final answer
  --startup-timeout T      for the lifespan's startup
  --shutdown-delay T       goes on serving for so long once told to stop, not ready any more
  --graceful-timeout T     for running requests once told to stop
  --access-log FORM        on, off, json, or a pattern such as '%(h)s %(r)s %(s)s'
  --files DIR              serve what is below it under /files/";

type Options = (Config, Option<StaticFiles>);

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    let (config, files) = match parse(env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match serve(app(files), config) {
        Ok(()) => ExitCode::SUCCESS,
        // The server has logged why.
        Err(error) => error.into(),
    }
}

fn app(files: Option<StaticFiles>) -> Router {
    let app = Router::new()
        .get("/", async |_| {
            Response::typed("text/plain", b"Hello, World!")
        })
        .get("/json", async |_| {
            Response::typed("application/json", br#"{"message":"Hello, World!"}"#)
        })
        .get("/ping", async |_| "pong")
        .post("/echo", echo)
        .get("/slow", slow)
        .get("/bytes", bytes)
        .get("/panic", async |_| -> &str { panic!("asked to") })
        .get("/bad-practice", async |_| heavy_work())
        .get("/good-practice", blocking(|_| heavy_work()))
        .get("/target", target)
        .post("/length", length)
        .post("/ignore", async |_| "ignored")
        .get("/status", status)
        .post("/field", field)
        .get("/hints", hints)
        .get("/trailers", trailers)
        .get("/upgrade", upgrade)
        .post("/upgrade", upgrade)
        .get("/events", events);
    match files {
        Some(files) => app.get("/files/{rest:path}", files),
        None => app,
    }
}

/// Streams the request's body back.
async fn echo(request: Request) -> Response {
    let mut body = request.into_body();
    let body = Body::stream(async move |mut writer| {
        while let Some(piece) = body.chunk().await? {
            writer.write(piece).await?;
        }
        Ok(())
    });
    Response::new(Status::OK).with_body(body)
}

/// Takes its time without holding the loop.
async fn slow(request: Request) -> Result<String, Status> {
    let ms = number(&request, "ms", 1000)?;
    tourbillon::sleep(Duration::from_millis(ms)).await;
    Ok(format!("slept {ms} ms"))
}

/// Streams as many bytes as are asked for.
async fn bytes(request: Request) -> Result<Body, Status> {
    let count = number(&request, "n", 16 * 1024 * 1024)?;
    Ok(Body::sized_stream(count, async move |mut writer| {
        let piece = [b'x'; 16 * 1024];
        let mut left = count;
        while left > 0 {
            let now = left.min(piece.len() as u64);
            writer.write(&piece[..now as usize]).await?;
            left -= now;
        }
        Ok(())
    }))
}

/// Says how the request's target was understood.
async fn target(request: Request) -> String {
    let host = request.head().host().unwrap_or("-");
    let query = request.query().unwrap_or("-");
    format!("{host} {} {query}", request.path())
}

/// Reads the body to its end and says how long it was.
async fn length(request: Request) -> Result<String, BodyError> {
    let body = request.into_body().collect(1024 * 1024).await?;
    Ok(body.len().to_string())
}

/// Answers with the status that is asked for and a body, where there may be one.
async fn status(request: Request) -> Result<Response, Status> {
    let code = u16::try_from(number(&request, "code", 200)?).ok();
    let status = code.and_then(Status::new).ok_or(Status::BAD_REQUEST)?;
    let response = Response::text("a body").with_status(status);
    Ok(match request.query_value("close") {
        Some(_) => response
            .with_header("connection", "close")
            .map_err(|_| Status::BAD_REQUEST)?,
        None => response,
    })
}

/// Answers with the field that the body holds, if such a one may be sent.
async fn field(request: Request) -> Result<Result<Response, HeaderError>, BodyError> {
    let text = request.into_body().collect(64 * 1024).await?;
    let colon = text.iter().position(|byte| *byte == b':').unwrap_or(0);
    let name = String::from_utf8_lossy(&text[..colon]).into_owned();
    Ok(Response::text("ok").with_header(&name, &text[(colon + 1).min(text.len())..]))
}

/// Hints at what the answer will need, and answers when `ms` have passed.
async fn hints(request: Request) -> Result<Result<&'static str, HeaderError>, Status> {
    let mut hints = Headers::new();
    let ms = number(&request, "ms", 10)?;
    if let Err(error) = hints.append("link", "</style.css>; rel=preload; as=style") {
        return Ok(Err(error));
    }
    for _ in 0..number(&request, "n", 1)?.min(100) {
        request.early_hints(&hints);
    }
    if ms > 0 {
        tourbillon::sleep(Duration::from_millis(ms)).await;
    }
    Ok(Ok("styled"))
}

/// Streams a body that ends with a trailer, of the name that is asked for.
async fn trailers(request: Request) -> Result<Response, HeaderError> {
    let name = request.query_value("name").unwrap_or("server-timing");
    let mut trailers = Headers::new();
    trailers.append(name, "total;dur=1")?;
    let body = async move |mut writer: tourbillon::server::BodyWriter| {
        writer.write("first,").await?;
        let is_taken = writer.trailers(trailers).is_ok();
        writer
            .write(if is_taken { "last" } else { "refused" })
            .await?;
        Ok(())
    };
    Response::new(Status::OK)
        .with_body(match request.query_value("sized") {
            Some(_) => Body::sized_stream(10, body),
            None => Body::stream(body),
        })
        .with_header("trailer", "server-timing")
}

/// Switches to a protocol in which everything is said back. `taker=none` forgets to take the
/// stream, and `unasked` switches a client that did not ask for it.
async fn upgrade(request: Request) -> Result<Response, HeaderError> {
    let asked = request.headers().has_token("upgrade", "echo");
    if !asked && request.query_value("unasked").is_none() {
        return Response::text("echo is spoken here")
            .with_status(Status::UPGRADE_REQUIRED)
            .with_header("upgrade", "echo");
    }
    if request.query_value("taker") != Some("none") {
        let upgrade = request.upgrade();
        let echo = async move { echo_raw(upgrade.await?).await };
        tourbillon::spawn(echo).detach();
    }
    Response::new(Status::SWITCHING_PROTOCOLS).with_header("upgrade", "echo")
}

async fn echo_raw(mut stream: Upgraded) -> io::Result<()> {
    let mut piece = [0; 4096];
    loop {
        let count = poll_fn(|cx| stream.poll_read(cx, &mut piece)).await?;
        let mut left = &piece[..count];
        while !left.is_empty() {
            let count = poll_fn(|cx| stream.poll_write(cx, left)).await?;
            left = &left[count..];
        }
        if count == 0 {
            return poll_fn(|cx| stream.poll_close(cx)).await;
        }
    }
}

/// Tells the time since it was asked, every second or `ms`, until the client
/// leaves or the server drains.
async fn events(request: Request) -> Result<Response, Status> {
    let pause = Duration::from_millis(number(&request, "ms", 1000)?);
    let last = last_event_id(&request).and_then(|id| id.parse::<u64>().ok());
    let begin = Instant::now();
    let events = Sse::new(&request, async move |mut events| {
        for id in last.map_or(0, |last| last + 1).. {
            let text = format!("{} ms", begin.elapsed().as_millis());
            let event = Event::data(text).event("tick").id(&id.to_string());
            events.send(event).await?;
            tourbillon::sleep(pause).await;
        }
        Ok(())
    });
    Ok(events.into_response())
}

fn number(request: &Request, name: &str, default: u64) -> Result<u64, Status> {
    match request.query_value(name) {
        Some(text) => text.parse().map_err(|_| Status::BAD_REQUEST),
        None => Ok(default),
    }
}

/// Computes for about 200 ms, and so holds whatever thread it runs on.
fn heavy_work() -> String {
    let begin = Instant::now();
    let mut sum = 0_u64;
    while begin.elapsed() < Duration::from_millis(200) {
        sum = (0..10_000).fold(sum, |sum, n| sum.rotate_left(5) ^ n);
    }
    format!("done: {sum}")
}

/// Reads the options. `None` is a call for help.
fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Options>, Box<dyn Error>> {
    let mut config = Config::default();
    let mut files = None;
    if let Ok(port) = env::var("PORT") {
        let port = port
            .parse()
            .map_err(|_| format!("PORT={port} is no port"))?;
        config.address.set_port(port);
    }
    while let Some(option) = args.next() {
        if option == "--help" || option == "-h" {
            return Ok(None);
        }
        let value = args
            .next()
            .ok_or_else(|| format!("{option} needs a value"))?;
        if option == "--files" {
            let site =
                StaticFiles::new(&value).map_err(|why| format!("{option} {value}: {why}"))?;
            files = Some(site.precompressed(true).listing(true));
            continue;
        }
        set(&mut config, &option, &value).map_err(|why| format!("{option} {value}: {why}"))?;
    }
    Ok(Some((config, files)))
}

fn set(config: &mut Config, option: &str, value: &str) -> Result<(), Box<dyn Error>> {
    let limits = &mut config.limits;
    match option {
        "--port" => config.address.set_port(value.parse()?),
        "--address" => config.address = value.parse()?,
        "--listen" => config.listen.push(listen(value)?),
        "--reuse-port" => config.reuse_port = switch(value)?,
        "--backlog" => config.backlog = value.parse()?,
        "--connections-max" => config.connections_max = value.parse()?,
        "--refuse-connections" => config.refuse_connections = switch(value)?,
        "--requests-in-flight-max" => config.requests_in_flight_max = value.parse()?,
        "--overload" => config.overload = overload(value)?,
        "--retry-after" => config.retry_after = time(value)?,
        "--proxy-protocol" => config.proxy_protocol = Some(TrustedPeers::new(value.split(','))?),
        "--head-bytes-max" => limits.head_bytes_max = value.parse()?,
        "--target-bytes-max" => limits.target_bytes_max = value.parse()?,
        "--headers-max" => limits.headers_max = value.parse()?,
        "--body-bytes-max" => limits.body_bytes_max = value.parse()?,
        "--head-timeout" => config.head_timeout = time(value)?,
        "--body-timeout" => config.body_timeout = time(value)?,
        "--body-rate-min" => config.body_rate_min = value.parse()?,
        "--body-rate-grace" => config.body_rate_grace = time(value)?,
        "--requests-per-connection-max" => config.requests_per_connection_max = value.parse()?,
        "--keep-alive" => config.keep_alive = time(value)?,
        "--write-timeout" => config.write_timeout = time(value)?,
        "--half-close-timeout" => config.half_close_timeout = time(value)?,
        "--linger-timeout" => config.linger_timeout = time(value)?,
        "--startup-timeout" => config.startup_timeout = time(value)?,
        "--shutdown-delay" => config.shutdown_delay = time(value)?,
        "--graceful-timeout" => config.graceful_timeout = time(value)?,
        "--access-log" => {
            config.access_log = match value {
                "on" => AccessLog::default(),
                "off" => AccessLog::off(),
                "json" => AccessLog::json(),
                pattern => AccessLog::pattern(pattern)?,
            }
        }
        _ => return Err("there is no such option".into()),
    }
    Ok(())
}

fn listen(text: &str) -> Result<Listen, Box<dyn Error>> {
    Ok(match text.split_once(':') {
        Some(("unix", path)) => Listen::Unix {
            path: path.into(),
            mode: None,
        },
        Some(("fd", number)) => Listen::Fd(number.parse()?),
        None if text == "systemd" => Listen::Systemd,
        _ => Listen::Tcp(text.parse()?),
    })
}

fn overload(text: &str) -> Result<Overload, Box<dyn Error>> {
    let parts: Vec<&str> = text.split(':').collect();
    Ok(match parts[..] {
        ["refuse"] => Overload::Refuse,
        ["pause"] => Overload::Pause,
        ["queue", len_max, wait_max] => Overload::Queue {
            len_max: len_max.parse()?,
            wait_max: time(wait_max)?,
        },
        _ => return Err("refuse, pause or queue:LEN:TIME is expected".into()),
    })
}

fn switch(text: &str) -> Result<bool, Box<dyn Error>> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("on or off is expected".into()),
    }
}

/// Reads `10s` or `500ms`.
fn time(text: &str) -> Result<Duration, Box<dyn Error>> {
    if let Some(ms) = text.strip_suffix("ms") {
        return Ok(Duration::from_millis(ms.parse()?));
    }
    let seconds = text
        .strip_suffix('s')
        .ok_or("a time such as 10s or 500ms is expected")?;
    Ok(Duration::try_from_secs_f64(seconds.parse()?)?)
}
