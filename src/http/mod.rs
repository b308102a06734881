//! HTTP/1.1, the server's side of it, as a machine that never touches a socket.
//!
//! A [`Protocol`] is one connection's memory of where it stands. It is handed the bytes that came
//! and says what they mean; it is handed what the application answers and says which bytes to
//! write. Who reads, who writes and what time it is are not its business, so a test can cut a
//! conversation at every byte, and the same code serves TCP, Unix sockets, TLS and a simulation.
//!
//! Doubtful framing is refused, never repaired: whatever two readers could understand in two ways
//! is how requests are smuggled past a proxy. The rules are those of RFC 9110 and RFC 9112, read
//! strictly; each refusal is one [`ProtocolError`] that knows its status.
//!
//! One exchange has two sides that move independently, and both have to arrive before the
//! connection may be used again:
//!
//! ```text
//!   the request (receive)                       the response (send_*)
//!
//!         +--------+  a head that                     +---------+
//!   +---> |  Head  |  cannot be                 +---> | Waiting | -- send_continue, send_interim
//!   |     +--------+  understood                |     +---------+        (stay here)
//!   |      |  |   \------------> Failed         |          | send_head
//!   |      |  | has a body        ^  may be     |          v
//!   |      |  v                   |  answered   |     +-----------------------------+
//!   |      | Length | Chunked ----+  once       |     | Length | Chunked |          |
//!   |      |  |  bad framing,                   |     | UntilClose | Dropped        |
//!   |      |  |  too long                       |     +-----------------------------+
//!   |      |  |                                 |          | send_end    \  more or fewer
//!   |      v  v                                 |          v              \ bytes than declared
//!   |     +--------+                            |     +--------+           v
//!   |     |  Done  |                            |     |  Done  |        Broken
//!   |     +--------+                            |     +--------+           |
//!   |         |                                 |         |                |
//!   |         +---------- finish_exchange ------+---------+----------------+
//!   |                            |              |
//!   +------ Next::KeepAlive -----+--------------+
//!                                |
//!                                +---- Next::Close(why), Next::Upgrade ----> Closed
//! ```
//!
//! While the request is done and the response is not, `receive` answers [`Event::Paused`]:
//! pipelined requests wait in the caller's buffer and are answered in order (RFC 9112, 9.3.2).

mod protocol;
mod respond;
mod client;

mod head;
mod headers;
mod trailer;
mod status;

mod body;
mod parse;

mod date;
mod encode;

mod error;
mod limits;

#[cfg(test)]
mod tests;

pub use body::BodyKind;
pub use client::{AnswerError, ClientProtocol};
pub use date::{http_date, parse_http_date};
pub use error::{HeaderError, ProtocolError, SendError};
pub use head::{Method, RequestHead, ResponseHead, Version};
pub(crate) use headers::ContentType;
pub use headers::Headers;
pub use limits::Limits;
pub use protocol::{CloseReason, Event, Next, Protocol, Received};
pub use respond::BodyLength;
pub use status::Status;
