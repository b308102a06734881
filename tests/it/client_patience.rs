//! The small client, when requests are long, servers slow and connections at their end.

use std::io;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tourbillon::Runtime;
use tourbillon::client::{ClientRequest, Connection};
use tourbillon::io::{AsyncRead, AsyncWrite};

use super::server_support::MIB;

fn run<T>(test: impl AsyncFnOnce() -> T) -> T {
    Runtime::new().unwrap().block_on(test())
}

fn post() -> ClientRequest {
    ClientRequest::new("POST", "/").unwrap()
}

/// A stream that takes a few bytes at a time, as a slow connection does.
struct Narrow {
    taken: usize,
}

impl AsyncRead for Narrow {
    fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }
}

impl AsyncWrite for Narrow {
    fn poll_write(&mut self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let count = buf.len().min(4096);
        self.taken += count;
        Poll::Ready(Ok(count))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What is left of a body is not moved for each piece that has gone: 8,192 times the half of
/// 32 MiB would be 128 GiB.
#[test]
fn a_long_body_is_not_moved_for_each_piece_that_has_gone() {
    const LEN: usize = 32 * MIB;
    run(async || {
        let mut connection = Connection::new(Narrow { taken: 0 });
        let request = post().with_body(vec![0; LEN]);
        let begun = Instant::now();
        connection.send(&request).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(5));
        let (stream, _) = connection.into_parts();
        assert!(stream.taken > LEN);
    });
}
