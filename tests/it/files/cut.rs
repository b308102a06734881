//! Files that change while they are sent, and clients that stop reading them.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use tourbillon::server::{Body, Config, Request};

use crate::server_child::Child;
use crate::server_support::{Client, DEADLINE, MIB, Served, config, pattern, serve_with};
use crate::support::Folder;

/// More than the kernel's buffers take, at both ends together.
const LARGE: usize = 24 * MIB;

fn serve_file(config: Config, path: PathBuf) -> Served {
    serve_with(config, move || {
        async move |request: Request| match request.path() {
            "/ping" => Body::bytes(b"pong"),
            _ => {
                let file = File::open(&path).unwrap();
                let len = file.metadata().unwrap().len();
                Body::file(file, 0..len)
            }
        }
    })
}

fn large_file(folder: &Folder) -> (PathBuf, Vec<u8>) {
    let path = folder.path("large");
    let content = pattern(LARGE);
    std::fs::write(&path, &content).unwrap();
    (path, content)
}

/// Reads the head and no more, and returns the length it declares.
fn begin(client: &mut Client) -> usize {
    client.send("GET /file HTTP/1.1\r\nhost: a\r\n\r\n");
    let mut length = 0;
    loop {
        let line = client.line();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
        if line.is_empty() {
            return length;
        }
    }
}

#[test]
fn a_file_that_is_cut_short_cuts_the_connection() {
    let folder = Folder::new();
    let (path, content) = large_file(&folder);
    let served = serve_file(config(), path.clone());
    let mut client = served.connect();
    assert_eq!(begin(&mut client), LARGE);
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    // Before anything that the server can have sent yet, and so within a part it has begun.
    file.set_len(20 * MIB as u64 + 5).unwrap();
    let body = client.rest_up_to_a_cut();
    assert!(body.len() < LARGE, "the body looks whole");
    assert!(body == content[..body.len()], "the bytes differ");
    assert!(body.len() <= 20 * MIB + 5);
    assert_eq!(served.connect().get("/ping").text(), "pong");
    served.wait_until(|counts| counts.open <= 1);
}

#[test]
fn a_file_that_is_emptied_before_it_is_read_cuts_the_connection() {
    let folder = Folder::new();
    let path = folder.path("a");
    std::fs::write(&path, "ten bytes.").unwrap();
    for declared in [10_u64, 100_000] {
        let path = path.clone();
        let served = serve_with(config(), move || {
            async move |_| Body::file(File::open(&path).unwrap(), 4..declared + 4)
        });
        let mut client = served.connect();
        assert_eq!(begin(&mut client) as u64, declared);
        assert_eq!(client.rest_up_to_a_cut(), b"bytes.");
    }
}

#[test]
fn a_file_that_grows_is_sent_as_long_as_it_was() {
    let folder = Folder::new();
    let (path, content) = large_file(&folder);
    let served = serve_file(config(), path.clone());
    let mut client = served.connect();
    assert_eq!(begin(&mut client), LARGE);
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(&pattern(MIB)).unwrap();
    assert!(client.take(LARGE) == content, "the bytes differ");
    assert_eq!(client.get("/ping").text(), "pong");
}

#[test]
fn a_client_that_leaves_ends_the_sending() {
    let folder = Folder::new();
    let (path, _) = large_file(&folder);
    let served = serve_file(config(), path);
    for resets in [true, false] {
        let mut client = served.connect();
        begin(&mut client);
        served.wait_until(|counts| counts.running == 1);
        if resets {
            client.reset();
        } else {
            drop(client);
        }
        served.wait_until(|counts| counts.open == 0 && counts.running == 0);
    }
}

#[test]
fn a_client_that_does_not_read_has_the_write_timeout() {
    let folder = Folder::new();
    let (path, _) = large_file(&folder);
    let config = Config {
        write_timeout: Duration::from_millis(200),
        ..config()
    };
    let served = serve_file(config, path);
    let mut client = served.connect();
    begin(&mut client);
    let since = Instant::now();
    served.wait_until(|counts| counts.open == 0);
    assert!(since.elapsed() < DEADLINE);
    assert!(client.rest_up_to_a_cut().len() < LARGE);
}

/// One that reads slowly, but reads, has as long as it needs.
#[test]
fn a_client_that_reads_slowly_gets_it_all() {
    let folder = Folder::new();
    let (path, content) = large_file(&folder);
    let config = Config {
        write_timeout: Duration::from_secs(2),
        ..config()
    };
    let served = serve_file(config, path);
    let mut client = served.connect();
    begin(&mut client);
    let mut got = Vec::new();
    while got.len() < LARGE {
        let piece = client.take(MIB.min(LARGE - got.len()));
        got.extend(piece);
        // Slow is what it is to be; the test does not depend on how slow.
        thread::sleep(Duration::from_millis(5));
    }
    assert!(got == content, "the bytes differ");
    assert_eq!(client.get("/ping").text(), "pong");
}

/// Forty that do not read 100 MiB of zeros, and one that does: what lies in the page cache is the
/// kernel's, and this server holds none of it.
#[test]
fn large_files_cost_no_memory() {
    let folder = Folder::new();
    let path = folder.path("sparse");
    let len = 100 * MIB;
    File::create(&path).unwrap().set_len(len as u64).unwrap();
    let target = format!("GET /file?{} HTTP/1.1\r\nhost: a\r\n\r\n", path.display());
    let child = Child::start("");
    assert!(child.ask("/rss") > 0);
    let before = child.ask("/rss");
    let idle: Vec<Client> = (0..40)
        .map(|_| {
            let mut client = child.connect();
            client.send(&target);
            client
        })
        .collect();
    let mut reader = child.connect();
    reader.send(&target);
    while !reader.line().is_empty() {}
    let mut most = 0;
    for _ in 0..100 {
        assert!(reader.take(MIB).iter().all(|byte| *byte == 0));
        most = most.max(child.ask("/rss"));
    }
    let grown = most.saturating_sub(before);
    println!("41 files of 100 MiB: {grown} KiB more");
    // Of which up to 64 KiB are the buffer of each job that reads ahead.
    assert!(grown < 4096, "{grown} KiB more");
    drop(idle);
}
