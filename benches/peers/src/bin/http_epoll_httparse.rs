//! The least that a real server does: parse, route, frame, and tell the date, on an epoll loop.
//!
//! It has no limits and no timeouts, and knows bodies by Content-Length only.

use std::io::Write;

use httparse::{EMPTY_HEADER, Request, Status};
use peers::epoll_server::{Answer, Body, Reply, Step, serve};

/// From here on a body is sent from where it was read to.
const ECHO_MIN: usize = 256 << 10;

fn main() -> std::io::Result<()> {
    serve(&peers::listen()?, &mut Parse::default())
}

#[derive(Default)]
struct Parse {
    second: libc::time_t,
    /// The date header, as of that second.
    date: Vec<u8>,
}

impl Parse {
    fn head(&self, reply: &mut Reply, status: &str, len: usize) {
        let out = &mut reply.bytes;
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(status.as_bytes());
        out.extend_from_slice(b"\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ");
        write!(out, "{len}").expect("a vector takes all");
        out.extend_from_slice(&self.date);
        if reply.closes {
            out.extend_from_slice(b"Connection: close\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }
}

impl Answer for Parse {
    fn tick(&mut self) {
        // SAFETY: no pointer is passed.
        let now = unsafe { libc::time(std::ptr::null_mut()) };
        if now == self.second {
            return;
        }
        self.second = now;
        let mut text = [0_u8; 64];
        let format = c"\r\nDate: %a, %d %b %Y %H:%M:%S GMT\r\n";
        // SAFETY: all zeros is a valid `tm`; both calls write to what is theirs for the call, and
        // the format is a C string.
        let len = unsafe {
            let mut parts: libc::tm = std::mem::zeroed();
            libc::gmtime_r(&now, &mut parts);
            libc::strftime(
                text.as_mut_ptr().cast(),
                text.len(),
                format.as_ptr(),
                &parts,
            )
        };
        self.date = text[..len].to_vec();
    }

    fn answer(&mut self, input: &[u8], reply: &mut Reply) -> Step {
        let mut headers = [EMPTY_HEADER; 64];
        let mut request = Request::new(&mut headers);
        let head = match request.parse(input) {
            Ok(Status::Complete(head)) => head,
            Ok(Status::Partial) => return Step::Needs(0),
            Err(_) => return Step::Malformed,
        };
        let mut len = 0;
        for header in &*request.headers {
            if header.name.eq_ignore_ascii_case("content-length") {
                let text = str::from_utf8(header.value).unwrap_or_default();
                let Ok(value) = text.parse() else {
                    return Step::Malformed;
                };
                len = value;
            } else if header.name.eq_ignore_ascii_case("connection") {
                reply.closes |= header.value.eq_ignore_ascii_case(b"close");
            }
        }
        let Some(body) = input.get(head..head + len) else {
            reply.closes = false;
            return Step::Needs(head + len);
        };
        match (request.method, request.path) {
            (Some("GET"), Some("/")) => {
                self.head(reply, "200 OK", peers::HELLO.len());
                reply.bytes.extend_from_slice(peers::HELLO.as_bytes());
            }
            (Some("POST"), Some("/echo")) => {
                self.head(reply, "200 OK", len);
                if len >= ECHO_MIN && input.len() == head + len {
                    reply.body = Body::Echo(head);
                } else {
                    reply.bytes.extend_from_slice(body);
                }
            }
            (Some("GET"), Some("/big")) => {
                self.head(reply, "200 OK", peers::BIG.len());
                reply.body = Body::Static(&peers::BIG);
            }
            _ => self.head(reply, "404 Not Found", 0),
        }
        Step::Answered(head + len)
    }
}
