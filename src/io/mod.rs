//! Streams of bytes: the two traits that sockets, pipes and buffers share.
//!
//! ```text
//!   TcpStream   UnixStream   ChildStdout   Stdin   &[u8]
//!        └──────────┴──── AsyncRead ──┴──────┴──────┘
//!                             │
//!            BufReader, copy, HyperIo, FuturesIo: whoever reads
//! ```
//!
//! They know no runtime, so whoever has bytes can have them. A [`duplex`] is
//! a connection without a socket.

mod streams;
mod duplex;
pub(crate) mod scratch;
mod spares;

pub use duplex::{DuplexStream, duplex};
pub(crate) use spares::Spares;
pub use streams::{AsyncRead, AsyncWrite};
