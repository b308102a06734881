//! What is said to clients for whom there is no room.

use std::future::{Future, poll_fn};
use std::task::{Poll, ready};
use std::time::Duration;

use super::response::Response;
use super::transport::Transport;
use crate::http::{Protocol, Status};
use crate::runtime::timeout;

const TEXT: &str = "Service Unavailable";

/// What a client may send that is told to go, before it is reset.
const DROPPED_BYTES_MAX: usize = 64 * 1024;

/// The 503 for a request that finds no place.
pub(super) fn refusal(retry_after: Duration) -> Response {
    let mut response = Response::plain(Status::SERVICE_UNAVAILABLE, TEXT);
    if retry_after > Duration::ZERO {
        let seconds = retry_after.as_secs();
        let seconds = seconds.saturating_add(u64::from(retry_after.subsec_nanos() > 0));
        response
            .headers_mut()
            .append("retry-after", seconds.to_string())
            .expect("a number is a field's value");
    }
    response
}

/// Answers 503 on a connection that is not served, and closes it so that the
/// answer arrives: for `linger` at most.
pub(super) fn turn_away<T: Transport>(
    mut transport: T,
    retry_after: Duration,
    date: &[u8; 29],
    linger: Duration,
) -> impl Future<Output = ()> + use<T> {
    let mut bytes = Vec::new();
    let refusal = refusal(retry_after);
    let head = &refusal.parts().head;
    Protocol::new()
        .send_whole(head, TEXT.as_bytes(), date, &mut bytes)
        .expect("a fresh connection takes an answer");
    async move {
        // It may be gone already, or too slow: then it is not told.
        let _ = timeout(linger, tell(&mut transport, &bytes)).await;
    }
}

async fn tell<T: Transport>(transport: &mut T, bytes: &[u8]) {
    let mut left = bytes;
    let told = poll_fn(|cx| {
        while !left.is_empty() {
            match ready!(transport.poll_write(cx, left)) {
                Ok(count @ 1..) => left = &left[count..],
                _ => return Poll::Ready(false),
            }
        }
        transport.poll_close(cx).map(|closed| closed.is_ok())
    });
    if !told.await {
        return;
    }
    // A close with unread bytes in the socket would be a reset, which may
    // overtake the answer.
    let mut dropped = 0;
    poll_fn(|cx| {
        let mut buf = [0; 4096];
        while dropped < DROPPED_BYTES_MAX {
            match ready!(transport.poll_read(cx, &mut buf)) {
                Ok(count @ 1..) => dropped += count,
                _ => break,
            }
        }
        Poll::Ready(())
    })
    .await;
}
