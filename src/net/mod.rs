//! Sockets that futures can await.
//!
//! ```text
//!   read ──▶ is it ready? ──yes──▶ try the system call ──▶ bytes
//!                │ no                    │ would block
//!                ▼                       ▼
//!             wait for the reactor ◀── note that it is not ready
//! ```
//!
//! Try, then wait, then try again. A socket belongs to the runtime that was
//! entered when it was made, and never leaves that thread.
//!
//! What works on any stream of bytes ([`copy`], [`BufReader`], ...) asks for
//! [`AsyncRead`] and [`AsyncWrite`].

mod accepting;
mod listener;
mod stream;
mod tcp_options;
mod duplex;
mod split;
mod udp;
mod udp_options;
mod socket_file;
mod unix_listener;
mod unix_stream;
mod unix_datagram;
mod connect;
mod target;
mod lookup;
mod race;
mod async_io;
mod copy;
mod buf_reader;
mod lines;
mod buf_writer;
mod send_file;
mod pool_job;
#[cfg(feature = "futures-io")]
mod futures_io;

#[cfg(test)]
mod tests;

pub use crate::io::{AsyncRead, AsyncWrite};
pub use crate::reactor::PeerState;
pub use crate::sys::{ConnectOptions, Keepalive, ListenOptions, UCred};
pub use buf_reader::BufReader;
pub use buf_writer::BufWriter;
pub use copy::{copy, copy_bidirectional};
#[cfg(feature = "futures-io")]
pub use futures_io::FuturesIo;
pub use lines::Lines;
pub use listener::TcpListener;
pub use lookup::lookup_host;
pub use send_file::send_file;
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
pub use stream::TcpStream;
pub use target::Target;
pub use udp::UdpSocket;
pub use unix_datagram::UnixDatagram;
pub use unix_listener::{UnixListenOptions, UnixListener};
pub use unix_stream::UnixStream;
