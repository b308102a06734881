//! A route for each kind of work: none, waiting, streaming, computing.

use std::time::{Duration, Instant};

use tourbillon::server::{Body, IntoResponse, Request, Response, Status};
use tourbillon::web::{Event, Sse, last_event_id};

/// Streams the request's body back.
pub(crate) async fn echo(request: Request) -> Response {
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
pub(crate) async fn slow(request: Request) -> Result<String, Status> {
    let ms = number(&request, "ms", 1000)?;
    tourbillon::sleep(Duration::from_millis(ms)).await;
    Ok(format!("slept {ms} ms"))
}

/// Streams as many bytes as are asked for.
pub(crate) async fn bytes(request: Request) -> Result<Body, Status> {
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

/// Tells the time since it was asked, every second or `ms`, until the client
/// leaves or the server drains.
pub(crate) async fn events(request: Request) -> Result<Response, Status> {
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

/// Computes for about 200 ms, and so holds whatever thread it runs on.
pub(crate) fn heavy_work() -> String {
    let begin = Instant::now();
    let mut sum = 0_u64;
    while begin.elapsed() < Duration::from_millis(200) {
        sum = (0..10_000).fold(sum, |sum, n| sum.rotate_left(5) ^ n);
    }
    format!("done: {sum}")
}

/// A number from the query.
pub(crate) fn number(request: &Request, name: &str, default: u64) -> Result<u64, Status> {
    match request.query_value(name) {
        Some(text) => text.parse().map_err(|_| Status::BAD_REQUEST),
        None => Ok(default),
    }
}
