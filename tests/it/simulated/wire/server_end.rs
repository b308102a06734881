//! The server's end of a wire: what the connection under test runs over.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll};

use tourbillon::io::{AsyncRead, AsyncWrite};
use tourbillon::net::PeerState;
use tourbillon::server::Transport;

use super::{End, Wire};

/// The server's end of a wire.
pub(in crate::simulated) struct ServerEnd(pub(in crate::simulated) Rc<RefCell<Wire>>);

impl ServerEnd {
    /// Counts a call, and makes it wait now and then although it need not.
    fn begin(wire: &mut Wire) -> bool {
        wire.past.calls += 1;
        let hiccup = wire.has_trouble();
        if hiccup {
            wire.server.hiccup = true;
            wire.scene.note(wire.id, "a hiccup", 0);
        }
        hiccup
    }

    fn write(wire: &mut Wire, cx: &Context<'_>, bufs: &[&[u8]]) -> Poll<io::Result<usize>> {
        assert!(
            wire.to_client.end == End::Open,
            "the server writes after it has closed its writing side"
        );
        if wire.server.is_reset {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let waits = Self::begin(wire);
        let room = wire.to_client.room(wire.weather.capacities.1);
        let all = bufs.iter().map(|buf| buf.len()).sum::<usize>();
        if (waits || room == 0) && all > 0 {
            wire.server.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = wire.piece(all.min(room));
        let mut left = count;
        for buf in bufs {
            let from_this = left.min(buf.len());
            wire.to_client.put(&buf[..from_this]);
            left -= from_this;
        }
        wire.past.written += count;
        wire.past.last_write_at = wire.scene.now();
        wire.scene.note(wire.id, "the server writes", count);
        Poll::Ready(Ok(count))
    }
}

impl AsyncRead for ServerEnd {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        assert!(!buf.is_empty(), "a read into no room looks like an end");
        let mut wire = self.0.borrow_mut();
        let waits = Self::begin(&mut wire) && !wire.server.is_reset;
        if waits && wire.to_client.end == End::Open {
            wire.past.read_at_hiccup = Some(wire.past.read);
        }
        let arrived = wire.to_server.arrived;
        if arrived > 0 && !waits {
            let most = wire.piece(arrived.min(buf.len()));
            let count = wire.to_server.take(&mut buf[..most]);
            wire.past.read += count;
            wire.past.last_read_at = wire.scene.now();
            wire.scene.note(wire.id, "the server reads", count);
            return Poll::Ready(Ok(count));
        }
        if wire.server.is_reset {
            if wire.server.was_told {
                return Poll::Ready(Ok(0));
            }
            wire.server.was_told = true;
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if wire.to_server.end == End::Arrived && !waits {
            wire.scene.note(wire.id, "the server reads the end", 0);
            return Poll::Ready(Ok(0));
        }
        wire.server.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl AsyncWrite for ServerEnd {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Self::write(&mut self.0.borrow_mut(), cx, &[buf])
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bufs: Vec<&[u8]> = bufs.iter().map(|buf| &**buf).collect();
        Self::write(&mut self.0.borrow_mut(), cx, &bufs)
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut wire = self.0.borrow_mut();
        wire.scene.note(wire.id, "the server sends no more", 0);
        if wire.server.is_reset {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        }
        wire.to_client.end = End::Flies;
        wire.past.read_at_end = Some(wire.past.read);
        Poll::Ready(Ok(()))
    }
}

impl Transport for ServerEnd {
    fn poll_peer(&mut self, cx: &mut Context<'_>) -> PeerState {
        let mut wire = self.0.borrow_mut();
        wire.past.calls += 1;
        let client_ended = wire.to_server.end == End::Arrived;
        if wire.server.is_reset || (client_ended && wire.to_client.end != End::Open) {
            return PeerState::Gone;
        }
        wire.server.reader = Some(cx.waker().clone());
        if client_ended {
            let now = wire.scene.now();
            wire.past.half_closed_at.get_or_insert(now);
            PeerState::HalfClosed
        } else {
            PeerState::Open
        }
    }

    fn reset_on_close(&mut self, resets: bool) -> io::Result<()> {
        self.0.borrow_mut().server.resets = resets;
        Ok(())
    }
}

impl Drop for ServerEnd {
    fn drop(&mut self) {
        let mut wire = self.0.borrow_mut();
        wire.server.is_closed = true;
        wire.server.reader = None;
        wire.server.writer = None;
        wire.past.closed_at = Some(wire.scene.now());
        let unread = wire.to_server.arrived;
        wire.scene.note(wire.id, "the server closes", unread);
        if wire.to_client.end == End::Open {
            wire.to_client.end = End::Flies;
        }
        if unread > 0 || wire.server.resets {
            wire.to_server.clear_from(0);
            let why = match wire.server.resets {
                true => "the server resets",
                false => "the server closes with bytes unread",
            };
            wire.reset_client(why);
        }
    }
}
