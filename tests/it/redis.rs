//! The RESP server of the examples: its parser on made-up bytes, the server by hand over TCP, and
//! the two programs that Redis's authors wrote, where they are installed.

mod commands;
mod expiry;
mod limits;
mod parser;
mod tools;

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{self, ExitStatus, Stdio};
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{built, lines_of};

#[path = "../../examples/redis/request.rs"]
mod request;

/// When a test that hangs is called a failure. Nothing waits for it to pass.
const DEADLINE: Duration = Duration::from_secs(20);

/// The example, in a process of its own on a free port.
struct Server {
    process: process::Child,
    address: SocketAddr,
    lines: Receiver<String>,
}

impl Server {
    fn start(options: &[&str]) -> Self {
        let mut process = process::Command::new(built("redis"))
            .args(["--port", "0"])
            .args(options)
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = lines_of(process.stdout.take().unwrap());
        let mut server = Server {
            process,
            address: SocketAddr::from(([0; 4], 0)),
            lines,
        };
        let line = server.line();
        let address = line.strip_prefix("listening on ");
        server.address = address
            .unwrap_or_else(|| panic!("{line:?}"))
            .parse()
            .unwrap();
        server
    }

    #[track_caller]
    fn line(&self) -> String {
        self.lines
            .recv_timeout(DEADLINE)
            .expect("the server says no more")
    }

    fn connect(&self) -> Client {
        Client::over(TcpStream::connect(self.address).unwrap())
    }

    #[expect(unsafe_code, reason = "std can kill a child, but not signal it")]
    fn signal(&self, signal: i32) {
        // SAFETY: kill(2) touches no memory, and the child was not waited for, so its number is
        // still its own.
        let outcome = unsafe { libc::kill(self.process.id() as libc::pid_t, signal) };
        assert_eq!(outcome, 0);
    }

    #[track_caller]
    fn ended(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < DEADLINE, "the server does not end");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One reply, in full.
#[derive(Clone, PartialEq, Eq)]
enum Reply {
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Null,
    Array(Vec<Reply>),
    NullArray,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Simple(text) => write!(f, "+{text}"),
            Reply::Error(text) => write!(f, "-{text}"),
            Reply::Integer(value) => write!(f, ":{value}"),
            Reply::Bulk(bytes) => write!(f, "${}", bytes.escape_ascii()),
            Reply::Null => f.write_str("null"),
            Reply::Array(items) => f.debug_list().entries(items).finish(),
            Reply::NullArray => f.write_str("null array"),
        }
    }
}

fn simple(text: &str) -> Reply {
    Reply::Simple(text.to_owned())
}

fn error(text: &str) -> Reply {
    Reply::Error(text.to_owned())
}

fn bulk(bytes: impl AsRef<[u8]>) -> Reply {
    Reply::Bulk(bytes.as_ref().to_vec())
}

fn bulks(items: &[&str]) -> Reply {
    Reply::Array(items.iter().map(bulk).collect())
}

fn int(value: i64) -> Reply {
    Reply::Integer(value)
}

/// The bytes of a command as clients send it.
fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// The bytes of a command whose words have no blanks.
fn line(text: &str) -> Vec<u8> {
    let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
    command(&words)
}

struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        Client {
            stream: BufReader::new(stream),
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    /// Sends a command whose words have no blanks, and reads its reply.
    #[track_caller]
    fn ask(&mut self, text: &str) -> Reply {
        self.send(&line(text));
        self.reply()
    }

    /// Asks, and wants to hear this.
    #[track_caller]
    fn hears(&mut self, text: &str, wanted: Reply) {
        let heard = self.ask(text);
        assert_eq!(heard, wanted, "{text}");
    }

    #[track_caller]
    fn reply(&mut self) -> Reply {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).unwrap();
        let line = line.strip_suffix(b"\r\n");
        let line = line.unwrap_or_else(|| panic!("the connection ended before the reply"));
        let text = String::from_utf8(line[1..].to_vec()).unwrap();
        let number = || text.parse::<i64>().unwrap();
        match line[0] {
            b'+' => Reply::Simple(text),
            b'-' => Reply::Error(text),
            b':' => Reply::Integer(number()),
            b'$' if number() < 0 => Reply::Null,
            b'$' => {
                let mut bytes = vec![0; number() as usize + 2];
                self.stream.read_exact(&mut bytes).unwrap();
                assert!(bytes.ends_with(b"\r\n"), "{text}: {bytes:?}");
                bytes.truncate(bytes.len() - 2);
                Reply::Bulk(bytes)
            }
            b'*' if number() < 0 => Reply::NullArray,
            b'*' => Reply::Array((0..number()).map(|_| self.reply()).collect()),
            _ => panic!("{:?} is no reply", line.escape_ascii()),
        }
    }

    /// All that comes until the connection ends.
    #[track_caller]
    fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).unwrap();
        rest.escape_ascii().to_string()
    }

    /// Waits for the end of the connection, which must bring nothing more.
    #[track_caller]
    fn ends(&mut self) {
        assert_eq!(self.rest(), "");
    }

    /// The same, where a reset will do.
    #[track_caller]
    fn is_cut_off(&mut self) {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
        }
    }

    fn close_write(&self) {
        self.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    }

    /// Asks until it hears this.
    #[track_caller]
    fn hears_in_time(&mut self, text: &str, wanted: &Reply) {
        let began = Instant::now();
        loop {
            let heard = self.ask(text);
            if heard == *wanted {
                return;
            }
            assert!(began.elapsed() < DEADLINE, "{text}: always {heard:?}");
            thread::sleep(Duration::from_millis(1));
        }
    }
}
