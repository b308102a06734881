//! The practical limit: an epoll loop that answers each empty line and reads nothing else.
//!
//! `close` closes after each answer, since it cannot see that it was asked to.

use peers::epoll_server::{Answer, Reply, Step, serve};

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!";
const END: &[u8] = b"\r\n\r\n";

fn main() -> std::io::Result<()> {
    let closes = std::env::args().any(|arg| arg == "close");
    serve(&peers::listen()?, &mut Count { closes })
}

struct Count {
    closes: bool,
}

impl Answer for Count {
    fn answer(&mut self, input: &[u8], reply: &mut Reply) -> Step {
        let (start, len) = (input.as_ptr(), input.len());
        // SAFETY: both are slices, which are valid for their lengths.
        let end = unsafe { libc::memmem(start.cast(), len, END.as_ptr().cast(), END.len()) };
        if end.is_null() {
            return Step::Needs(0);
        }
        reply.bytes.extend_from_slice(ANSWER);
        reply.closes = self.closes;
        Step::Answered(end as usize - start as usize + END.len())
    }
}
