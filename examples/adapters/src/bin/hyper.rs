//! hyper on this loop: a server and a client, HTTP/1.1 and HTTP/2, on one thread.
//!
//! Run: cargo run --manifest-path examples/adapters/Cargo.toml --bin hyper

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use tourbillon::hyper::{HyperExecutor, HyperIo, HyperTimer};
use tourbillon::net::{TcpListener, TcpStream};
use tourbillon::{Runtime, spawn, task::TaskGroup};

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let mut rt = Runtime::new()?;
    rt.block_on(async {
        let old = TcpListener::bind("127.0.0.1:0")?;
        let new = TcpListener::bind("127.0.0.1:0")?;
        let addresses = (old.local_addr()?, new.local_addr()?);
        spawn(serve_http1(old)).detach();
        spawn(serve_http2(new)).detach();

        let stream = HyperIo::new(TcpStream::connect(addresses.0).await?);
        let (mut sender, connection) = conn::http1::handshake(stream).await?;
        spawn(connection).detach();
        for number in 1..=3 {
            println!("HTTP/1.1  {}", text(sender.send_request(ask(number)?).await?).await?);
        }

        let stream = HyperIo::new(TcpStream::connect(addresses.1).await?);
        let builder = conn::http2::Builder::new(HyperExecutor);
        let (sender, connection) = { builder }.timer(HyperTimer).handshake(stream).await?;
        spawn(connection).detach();
        // Many at once over one connection: what HTTP/2 is for.
        let group = TaskGroup::new();
        for number in 1..=3 {
            let mut sender = sender.clone();
            group.spawn(async move {
                let answer = sender.send_request(ask(number)?).await?;
                text(answer).await
            });
        }
        let answers = group.join().await.map_err(|error| error.to_string())?;
        for answer in answers {
            println!("HTTP/2    {answer}");
        }
        Ok(())
    })
}

async fn serve_http1(mut listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        spawn(async move {
            let mut builder = http1::Builder::new();
            // A client that sends no head is cut off by this loop's timers.
            builder.timer(HyperTimer).header_read_timeout(Duration::from_secs(5));
            let served = builder.serve_connection(HyperIo::new(stream), service_fn(answer));
            if let Err(error) = served.await {
                eprintln!("HTTP/1.1: {error}");
            }
        })
        .detach();
    }
}

async fn serve_http2(mut listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        spawn(async move {
            let mut builder = http2::Builder::new(HyperExecutor);
            let builder = builder.timer(HyperTimer);
            let builder = builder.keep_alive_interval(Duration::from_secs(20));
            let served = builder.serve_connection(HyperIo::new(stream), service_fn(answer));
            if let Err(error) = served.await {
                eprintln!("HTTP/2: {error}");
            }
        })
        .detach();
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = format!("{:?} {} {}", request.version(), request.method(), request.uri().path());
    Ok(Response::new(Full::from(text)))
}

fn ask(number: u32) -> Result<Request<Empty<Bytes>>, hyper::http::Error> {
    let request = Request::get(format!("http://localhost/{number}"));
    request.header("host", "localhost").body(Empty::new())
}

async fn text(response: Response<Incoming>) -> Result<String, Failure> {
    let body = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(body.to_vec())?)
}
