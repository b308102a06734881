//! The life of one connection: read, run what is there, write, and again.
//!
//! ```text
//!   recv ──▶ command, command, command, half a command
//!               │        │        │          └─▶ kept until the rest has come
//!               ▼        ▼        ▼
//!             reply    reply    reply ──▶ one send
//! ```
//!
//! However many commands one read brings, their replies leave in one write. While 64 KiB of
//! replies wait for a client that does not read them, none of its commands is run, and none read.

use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem;
use std::net::Shutdown;
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::Duration;

use tourbillon::net::{Keepalive, TcpStream};
use tourbillon::{spawn, timeout, yield_now};

use super::commands::{self, Call, Client};
use super::hub::Hub;
use super::reply::Replies;
use super::request::Parser;

/// Replies that may wait to be sent before the next command runs.
const WAITING_BYTES_MAX: usize = 64 * 1024;

/// How long we listen to a client that was told good-bye, and how many bytes of it we pass over.
/// To close with bytes unread would be a reset, which can take our last words with it.
const FAREWELL_MAX: Duration = Duration::from_secs(1);
const FAREWELL_BYTES_MAX: usize = 16 * 1024 * 1024;

/// When a silent peer is asked whether it is still there: Redis's numbers.
const KEEPALIVE: Keepalive = Keepalive {
    idle: Duration::from_secs(300),
    interval: Duration::from_secs(100),
    retries: 3,
};

/// Serves `stream` in a task of its own.
pub(crate) fn begin(stream: TcpStream, hub: &Rc<Hub>, id: u64) {
    let is_writing = Rc::new(Cell::new(false));
    let mut connection = Connection {
        stream,
        parser: Parser::new(hub.limits),
        client: Client::new(id),
        hub: Rc::clone(hub),
        kept: Vec::new(),
        replies: Replies::default(),
        has_more: false,
        is_writing: Rc::clone(&is_writing),
    };
    let task = spawn(async move {
        // A connection that breaks is the client's affair.
        let _ = connection.serve().await;
    });
    hub.seat(id, task, is_writing);
}

/// Refuses a connection in the words that clients know. One read from a fresh socket cannot wait.
pub(crate) async fn refuse(mut stream: TcpStream) {
    let told = stream
        .write_all(b"-ERR max number of clients reached\r\n")
        .await;
    if told.is_ok() {
        let _ = farewell(&mut stream, &mut vec![0; 1024]).await;
    }
}

struct Connection {
    stream: TcpStream,
    parser: Parser,
    client: Client,
    hub: Rc<Hub>,
    /// What has been read and not been run: a part of a command, nearly always nothing.
    kept: Vec<u8>,
    replies: Replies,
    /// Whether `kept` may hold a whole command.
    has_more: bool,
    is_writing: Rc<Cell<bool>>,
}

/// What a read has brought.
#[derive(PartialEq)]
enum Read {
    Nothing,
    Some,
    /// As much as it may: there is more, and others have waited.
    Full,
}

impl Connection {
    async fn serve(&mut self) -> io::Result<()> {
        self.stream.set_keepalive(Some(KEEPALIVE))?;
        loop {
            self.is_writing.set(false);
            let read = self.read().await?;
            self.is_writing.set(true);
            loop {
                self.write().await?;
                if self.client.is_leaving {
                    self.is_writing.set(false);
                    return farewell(&mut self.stream, &mut self.kept).await;
                }
                if !self.has_more {
                    break;
                }
                self.run_kept();
            }
            if read == Read::Nothing || self.hub.is_stopping() {
                return Ok(());
            }
            if read == Read::Full {
                yield_now().await;
            }
        }
    }

    /// Reads what has come, and runs it where it lies.
    async fn read(&mut self) -> io::Result<Read> {
        let hub = Rc::clone(&self.hub);
        poll_fn(|cx| {
            let scratch = &mut **hub.scratch.borrow_mut();
            let count = ready!(self.stream.poll_read(cx, scratch))?;
            if count == 0 {
                return Poll::Ready(Ok(Read::Nothing));
            }
            let bytes = &scratch[..count];
            if self.kept.is_empty() {
                let done = self.run(bytes);
                self.kept.extend_from_slice(&bytes[done..]);
            } else {
                self.kept.extend_from_slice(bytes);
                self.run_kept();
            }
            let is_full = count == scratch.len();
            Poll::Ready(Ok(if is_full { Read::Full } else { Read::Some }))
        })
        .await
    }

    fn run_kept(&mut self) {
        let mut kept = mem::take(&mut self.kept);
        let done = self.run(&kept);
        if done == kept.len() {
            // An idle connection holds nothing.
            return;
        }
        kept.drain(..done);
        self.kept = kept;
    }

    /// Runs the commands in `bytes`, and says how many of the bytes they were.
    fn run(&mut self, bytes: &[u8]) -> usize {
        if self.replies.is_unused() {
            self.replies = Replies::reuse(self.hub.take_buffer());
        }
        let store = Rc::clone(&self.hub.store);
        let mut store = store.borrow_mut();
        let mut done = 0;
        self.has_more = false;
        while !self.client.is_leaving {
            if self.replies.len() >= WAITING_BYTES_MAX {
                self.has_more = true;
                break;
            }
            let rest = &bytes[done..];
            match self.parser.next(rest) {
                Ok(None) => break,
                Ok(Some(length)) => {
                    done += length;
                    let words = self.parser.words(rest);
                    if words.len() > 0 {
                        self.hub.commands.set(self.hub.commands.get() + 1);
                        commands::run(&mut Call {
                            words,
                            store: &mut store,
                            client: &mut self.client,
                            hub: &self.hub,
                            out: &mut self.replies,
                        });
                    }
                }
                Err(fault) => {
                    self.replies.error(&format!("ERR {fault}"));
                    self.client.is_leaving = true;
                }
            }
        }
        done
    }

    /// Sends the replies, and gives back their buffer.
    async fn write(&mut self) -> io::Result<()> {
        if self.replies.len() > 0 {
            self.stream.write_all(self.replies.bytes()).await?;
        }
        let buffer = mem::take(&mut self.replies).into_buffer();
        self.hub.give_buffer(buffer);
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.hub.leave(self.client.id);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("id", &self.client.id)
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

/// Closes our side, and passes over what the client has still to say until it closes its own.
async fn farewell(stream: &mut TcpStream, scratch: &mut Vec<u8>) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    scratch.resize(4096, 0);
    let listen = async {
        let mut left = FAREWELL_BYTES_MAX;
        while left > 0 {
            match stream.read(scratch).await? {
                0 => break,
                count => left = left.saturating_sub(count),
            }
        }
        Ok(())
    };
    timeout(FAREWELL_MAX, listen).await.unwrap_or(Ok(()))
}
