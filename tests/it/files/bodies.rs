//! `Body::file`: how the bytes leave, counted at the transport.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::future::Future;
use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::rc::Rc;
use std::task::{Context, Poll};

use tourbillon::io::{AsyncRead, AsyncWrite};
use tourbillon::net::{PeerState, UnixStream};
use tourbillon::server::{Body, Request, Transport};
use tourbillon::spawn;

use super::folder;
use crate::server_support::{MIB, config, pattern, serve, server_of};
use crate::support::block_on;

/// What a connection did.
#[derive(Clone, Debug, Default, PartialEq)]
struct Calls {
    /// Bytes of each write.
    writes: Vec<usize>,
    /// Bytes of each sendfile.
    files: Vec<usize>,
}

/// A Unix socket that counts, and that may have no sendfile.
struct Counting {
    stream: UnixStream,
    calls: Rc<RefCell<Calls>>,
    sends_files: bool,
}

impl AsyncRead for Counting {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        AsyncRead::poll_read(&mut self.stream, cx, buf)
    }
}

impl AsyncWrite for Counting {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = AsyncWrite::poll_write(&mut self.stream, cx, buf);
        if let Poll::Ready(Ok(count)) = &written {
            self.calls.borrow_mut().writes.push(*count);
        }
        written
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = AsyncWrite::poll_write_vectored(&mut self.stream, cx, bufs);
        if let Poll::Ready(Ok(count)) = &written {
            self.calls.borrow_mut().writes.push(*count);
        }
        written
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_close(cx)
    }
}

impl Transport for Counting {
    fn poll_peer(&mut self, cx: &mut Context<'_>) -> PeerState {
        Transport::poll_peer(&mut self.stream, cx)
    }

    fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        file: &File,
        offset: u64,
        len: u64,
    ) -> Poll<io::Result<usize>> {
        if !self.sends_files {
            return Poll::Ready(Err(io::ErrorKind::Unsupported.into()));
        }
        let sent = UnixStream::poll_send_file(&mut self.stream, cx, file, offset, len);
        if let Poll::Ready(Ok(count)) = &sent {
            self.calls.borrow_mut().files.push(*count);
        }
        sent
    }
}

/// Serves one connection over a counting socket, and gives what `client` got, and what was done.
async fn counted<F: Future<Output = Vec<u8>>>(
    path: PathBuf,
    range: std::ops::Range<u64>,
    sends_files: bool,
    client: impl FnOnce(UnixStream) -> F,
) -> (Vec<u8>, Calls) {
    let app = async move |request: Request| match request.path() {
        "/file" => Body::file(File::open(&path).unwrap(), range.clone()),
        _ => Body::bytes(b"pong"),
    };
    let server = server_of(app, config());
    let (near, far) = UnixStream::pair().unwrap();
    let calls = Rc::new(RefCell::new(Calls::default()));
    let transport = Counting {
        stream: near,
        calls: Rc::clone(&calls),
        sends_files,
    };
    let serving = spawn(server.serve_connection(transport, None));
    let got = client(far).await;
    serving.await.unwrap();
    (got, calls.take())
}

const GET: &str = "GET /file HTTP/1.1\r\nhost: a\r\n\r\n";
const LAST: &str = "GET /ping HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

/// All that comes back for these bytes.
async fn talk(mut stream: UnixStream, requests: String) -> Vec<u8> {
    stream.write_all(requests.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut piece).await.unwrap() {
            0 => return all,
            count => all.extend_from_slice(&piece[..count]),
        }
    }
}

/// The body of the first response, by its length; and what follows it.
#[track_caller]
fn first_body(all: &[u8]) -> (&[u8], &[u8]) {
    let end = all.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let head = str::from_utf8(&all[..end]).unwrap().to_lowercase();
    assert!(!head.contains("transfer-encoding"), "{head}");
    let (_, length) = head.split_once("content-length: ").unwrap();
    let length: usize = length.split_once('\r').unwrap().0.parse().unwrap();
    all[end..].split_at(length)
}

#[test]
fn a_small_file_leaves_in_one_write_with_its_head() {
    block_on(|| async {
        let content = pattern(16 * 1024);
        let folder = folder(&[("a", &content)]);
        for sends_files in [true, false] {
            let (path, len) = (folder.path("a"), content.len() as u64);
            let requests = GET.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
            let (all, calls) = counted(path, 0..len, sends_files, |far| talk(far, requests)).await;
            assert_eq!(first_body(&all), (&content[..], &b""[..]));
            assert_eq!((calls.writes, calls.files), (vec![all.len()], vec![]));
        }
    });
}

#[test]
fn a_large_file_goes_by_sendfile_and_pipelined_requests_follow_it() {
    block_on(|| async {
        let content = pattern(3 * MIB + 17);
        let folder = folder(&[("a", &content)]);
        let range = 5..content.len() as u64 - 3;
        let expected = &content[5..content.len() - 3];
        let requests = format!("{GET}{GET}{LAST}");
        let (all, calls) = counted(folder.path("a"), range, true, |far| talk(far, requests)).await;
        let (first, rest) = first_body(&all);
        let (second, rest) = first_body(rest);
        assert!(first == expected && second == expected, "the bytes differ");
        assert_eq!(first_body(rest), (&b"pong"[..], &b""[..]));
        let by_file: usize = calls.files.iter().sum();
        // The first 16 KiB leave with the head.
        assert_eq!(by_file, 2 * (expected.len() - 16 * 1024));
        assert!(
            calls.writes.iter().all(|count| *count < 17 * 1024),
            "{:?}",
            calls.writes
        );
        println!(
            "large: {} writes, {} sendfiles",
            calls.writes.len(),
            calls.files.len()
        );
    });
}

#[test]
fn a_transport_without_sendfile_gets_the_same_bytes() {
    block_on(|| async {
        let content = pattern(MIB + 17);
        let folder = folder(&[("a", &content)]);
        let range = 1..content.len() as u64;
        let requests = format!("{GET}{LAST}");
        let (all, calls) = counted(folder.path("a"), range, false, |far| talk(far, requests)).await;
        let (first, rest) = first_body(&all);
        assert!(first == &content[1..], "the bytes differ");
        assert_eq!(first_body(rest), (&b"pong"[..], &b""[..]));
        assert!(calls.files.is_empty());
    });
}

#[test]
fn head_and_http_10_and_empty_ranges() {
    let content = pattern(100_000);
    let folder = folder(&[("a", &content)]);
    let path = folder.path("a");
    let served = serve(move || {
        async move |request: Request| {
            let number = |name| request.query_value(name).unwrap().parse().unwrap();
            Body::file(File::open(&path).unwrap(), number("from")..number("to"))
        }
    });
    let mut client = served.connect();
    client.send("HEAD /?from=0&to=100000 HTTP/1.1\r\nhost: a\r\n\r\n");
    let reply = client.reply_to("HEAD");
    assert_eq!(reply.field("content-length"), Some("100000"));
    #[expect(clippy::reversed_empty_ranges, reason = "such are tried")]
    for range in [0..0, 7..7, 9..3, 100_000..100_000] {
        let reply = client.get(&format!("/?from={}&to={}", range.start, range.end));
        assert_eq!((reply.status, &reply.body[..]), (200, &b""[..]));
    }
    for range in [
        0..1,
        0..100_000,
        99_999..100_000,
        1..16_385,
        1..16_386,
        50_000..80_000,
    ] {
        let reply = client.get(&format!("/?from={}&to={}", range.start, range.end));
        assert!(reply.body == content[range.clone()], "{range:?}");
    }
    let mut old = served.connect();
    old.send("GET /?from=0&to=100000 HTTP/1.0\r\n\r\n");
    let reply = old.reply();
    assert!(reply.closes() && reply.field("transfer-encoding").is_none());
    assert!(reply.body == content);
    old.assert_closed();
}

/// What is not in the page cache is read by the pool, and what is costs no job.
#[test]
#[cfg(target_os = "linux")]
fn only_what_is_not_in_memory_goes_through_the_pool() {
    block_on(|| async {
        for len in [10_000, MIB + 17] {
            let content = pattern(len);
            let folder = folder(&[("a", &content)]);
            let path = folder.path("a");
            let file = File::open(&path).unwrap();
            let jobs = async || {
                let before = tourbillon::stats().jobs;
                let requests = GET.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
                let range = 0..len as u64;
                let (all, _) = counted(path.clone(), range, true, |far| talk(far, requests)).await;
                assert!(first_body(&all).0 == content, "the bytes differ");
                tourbillon::stats().jobs - before
            };
            // The kernel need not forget when it is asked to, and a fast disk may bring it all
            // back between two looks: so it is asked more than once.
            let mut cold = 0;
            for _ in 0..50 {
                if cold == 0 && forget(&file, len) {
                    cold = jobs().await;
                }
            }
            assert!(cold <= 3, "{cold} jobs for {len} bytes");
            assert_eq!(jobs().await, 0, "all is in memory now");
            if cold == 0 {
                println!("skipped: {len} bytes that are not in memory when they are asked for");
            }
        }
    });
}

/// Asks the kernel to forget a file's pages, and tells whether it has forgotten all of them.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "std does not speak of the page cache")]
fn forget(file: &File, len: usize) -> bool {
    use std::os::fd::AsRawFd;
    use std::ptr;

    file.sync_all().unwrap();
    let fd = file.as_raw_fd();
    let mut resident = vec![1; len.div_ceil(4096)];
    // SAFETY: the descriptor is open. The map is private, only looked at by mincore(2), which
    // writes a byte for each of its pages into a vector of as many, and is given back.
    unsafe {
        libc::posix_fadvise(fd, 0, 0, libc::POSIX_FADV_DONTNEED);
        let map = libc::mmap(
            ptr::null_mut(),
            len,
            libc::PROT_READ,
            libc::MAP_PRIVATE,
            fd,
            0,
        );
        assert_ne!(map, libc::MAP_FAILED);
        assert_eq!(libc::mincore(map, len, resident.as_mut_ptr()), 0);
        libc::munmap(map, len);
    }
    resident.iter().all(|page| page & 1 == 0)
}

/// A fast download takes turns with everybody else.
#[test]
fn others_are_served_meanwhile() {
    const LEN: usize = 128 * MIB;
    let folder = folder(&[]);
    let path = folder.path("sparse");
    File::create(&path).unwrap().set_len(LEN as u64).unwrap();
    let served = serve(move || {
        let pings = Cell::new(0);
        async move |request: Request| match request.path() {
            "/ping" => {
                pings.set(pings.get() + 1);
                Body::bytes(b"pong")
            }
            _ => Body::file(File::open(&path).unwrap(), 0..LEN as u64),
        }
    });
    let address = served.address;
    let reader = std::thread::spawn(move || {
        let mut client = crate::server_support::Client::connect(address);
        client.send("GET /file HTTP/1.0\r\n\r\n");
        let mut piece = vec![0; MIB];
        let mut all = 0;
        while let count @ 1.. = io::Read::read(&mut client.stream, &mut piece).unwrap() {
            all += count;
        }
        all
    });
    let mut client = served.connect();
    let mut trips = 0;
    while !reader.is_finished() {
        assert_eq!(client.get("/ping").text(), "pong");
        trips += 1;
    }
    assert!(reader.join().unwrap() > LEN);
    println!("others: {trips} round trips during 128 MiB");
    assert!(trips > 16, "only {trips} round trips during 128 MiB");
}
