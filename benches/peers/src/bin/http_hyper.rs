//! hyper on tokio's current-thread runtime, with its default limits and timeouts.
//!
//! `flush` switches `pipeline_flush` on, which writes the answers of a batch together; `no-timer`
//! leaves out the timer, and with it the timeout that heads have by default. `idle` makes that
//! timeout, which idle connections have as well, ten minutes.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::{LocalSet, spawn_blocking, spawn_local};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let has = |word: &str| std::env::args().any(|arg| arg == word);
    let mut http = Builder::new();
    http.pipeline_flush(has("flush"));
    if !has("no-timer") {
        http.timer(TokioTimer::new());
    }
    if has("idle") {
        http.header_read_timeout(Duration::from_secs(600));
    }
    let listener = TcpListener::from_std(peers::listen()?)?;
    LocalSet::new().run_until(accept(listener, http)).await
}

async fn accept(listener: TcpListener, http: Builder) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = http.serve_connection(TokioIo::new(stream), service_fn(answer));
        // How a connection ends is between hyper and the client, which counts what is missing.
        spawn_local(async { drop(connection.await) });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => hello(),
        (&Method::GET, "/heavy") => match spawn_blocking(peers::compute).await {
            Ok(()) => hello(),
            Err(_) => failure(StatusCode::INTERNAL_SERVER_ERROR),
        },
        (&Method::POST, "/echo") => match request.into_body().collect().await {
            Ok(body) => Response::new(Full::new(body.to_bytes())),
            Err(_) => failure(StatusCode::BAD_REQUEST),
        },
        (&Method::GET, "/big") => Response::new(Full::new(Bytes::from_static(&peers::BIG))),
        _ => failure(StatusCode::NOT_FOUND),
    };
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    Ok(response)
}

fn hello() -> Response<Full<Bytes>> {
    Response::new(Full::new(Bytes::from_static(peers::HELLO.as_bytes())))
}

fn failure(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}
