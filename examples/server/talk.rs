//! What HTTP can say besides a status and a body: how a request was understood, hints before the
//! answer, fields after it, another protocol instead of it.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use tourbillon::http::HeaderError;
use tourbillon::io::{AsyncRead, AsyncWrite};
use tourbillon::server::{
    Body, BodyError, BodyWriter, Headers, Request, Response, Status, Upgraded,
};

use crate::work::number;

/// Says how the request's target was understood.
pub(crate) async fn target(request: Request) -> String {
    let host = request.head().host().unwrap_or("-");
    let query = request.query().unwrap_or("-");
    format!("{host} {} {query}", request.path())
}

/// Reads the body to its end and says how long it was.
pub(crate) async fn length(request: Request) -> Result<String, BodyError> {
    let body = request.into_body().collect(1024 * 1024).await?;
    Ok(body.len().to_string())
}

/// Answers with the status that is asked for and a body, where there may be one.
pub(crate) async fn status(request: Request) -> Result<Response, Status> {
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
pub(crate) async fn field(request: Request) -> Result<Result<Response, HeaderError>, BodyError> {
    let text = request.into_body().collect(64 * 1024).await?;
    let colon = text.iter().position(|byte| *byte == b':').unwrap_or(0);
    let name = String::from_utf8_lossy(&text[..colon]).into_owned();
    Ok(Response::text("ok").with_header(&name, &text[(colon + 1).min(text.len())..]))
}

/// Hints at what the answer will need, and answers when `ms` have passed.
pub(crate) async fn hints(request: Request) -> Result<Result<&'static str, HeaderError>, Status> {
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
pub(crate) async fn trailers(request: Request) -> Result<Response, HeaderError> {
    let name = request.query_value("name").unwrap_or("server-timing");
    let mut trailers = Headers::new();
    trailers.append(name, "total;dur=1")?;
    let body = async move |mut writer: BodyWriter| {
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
pub(crate) async fn upgrade(request: Request) -> Result<Response, HeaderError> {
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
