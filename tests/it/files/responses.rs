//! `FileResponse`: its fields, its conditions, and its ranges against slices.

use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tourbillon::server::{IntoResponse, Request, Response};
use tourbillon::web::{FileResponse, Router};

use super::folder;
use crate::server_support::{Client, Reply, Served, pattern, serve};
use crate::support::Folder;

const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const ETAG: &str = "\"ae1b981bc490a00-186a0\"";

/// A file of 100,000 bytes from 1994, under every name that is asked for.
fn serve_file(folder: &Folder, size: usize) -> (Served, Vec<u8>) {
    let content = pattern(size);
    let path: PathBuf = folder.path("file.txt");
    std::fs::write(&path, &content).unwrap();
    let modified = UNIX_EPOCH + Duration::from_secs(784_111_777);
    let file = File::options().write(true).open(&path).unwrap();
    file.set_modified(modified).unwrap();
    let served = serve(move || {
        let (whole, stored, missing) = (path.clone(), path.clone(), path.with_extension("no"));
        let any = {
            let path = path.clone();
            async move |request: Request| FileResponse::answer(&request, &path).await
        };
        Router::new()
            .get("/", any.clone())
            .post("/", any)
            .get("/whole", async move |_| {
                FileResponse::open(&whole)
                    .await
                    .map(IntoResponse::into_response)
            })
            .get(
                "/stored",
                async move |request: Request| -> std::io::Result<Response> {
                    let mut file = FileResponse::open(&stored).await?;
                    file.headers_mut()
                        .insert("cache-control", "max-age=5")
                        .unwrap();
                    Ok(file.attachment("Übersicht.txt").respond_to(&request))
                },
            )
            .get("/missing", async move |request: Request| {
                FileResponse::answer(&request, &missing).await
            })
            .get("/folder", async |request: Request| {
                FileResponse::answer(&request, std::env::temp_dir()).await
            })
            .get("/endless", async |request: Request| {
                FileResponse::answer(&request, "/dev/zero").await
            })
    });
    (served, content)
}

#[track_caller]
fn ask(client: &mut Client, method: &str, path: &str, fields: &[(&str, &str)]) -> Reply {
    let lines: String = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    client.send(format!(
        "{method} {path} HTTP/1.1\r\nhost: a\r\n{lines}\r\n"
    ));
    client.reply_to(method)
}

#[test]
fn a_whole_file_and_what_is_said_of_it() {
    let folder = folder(&[]);
    let (served, content) = serve_file(&folder, 100_000);
    let mut client = served.connect();
    for method in ["GET", "HEAD"] {
        let reply = ask(&mut client, method, "/", &[]);
        assert_eq!(reply.status, 200);
        assert_eq!(
            reply.field("content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert_eq!(reply.field("content-length"), Some("100000"));
        assert_eq!(reply.field("accept-ranges"), Some("bytes"));
        assert_eq!(reply.field("last-modified"), Some(MODIFIED));
        assert_eq!(reply.field("etag"), Some(ETAG));
        assert!(method == "HEAD" || reply.body == content);
    }
    let stored = client.get("/stored");
    let disposition = "attachment; filename=\"_bersicht.txt\"; filename*=UTF-8''%C3%9Cbersicht.txt";
    assert_eq!(stored.field("content-disposition"), Some(disposition));
    for path in ["/missing", "/folder", "/endless"] {
        assert_eq!(client.get(path).status, 404, "{path}");
    }
    assert!(ask(&mut client, "GET", "/whole", &[("range", "bytes=0-1")]).body == content);
}

/// A file from the future is not said to be: that would be later than the response.
#[test]
fn a_file_from_the_future_is_from_now() {
    let folder = folder(&[("a", b"x")]);
    let path = folder.path("a");
    let file = File::options().write(true).open(&path).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(86_400))
        .unwrap();
    let served =
        serve(move || async move |request: Request| FileResponse::answer(&request, &path).await);
    let reply = served.connect().get("/");
    assert!(
        reply.field("last-modified") <= reply.field("date"),
        "{reply:?}"
    );
}

#[test]
fn conditions_become_statuses() {
    let folder = folder(&[]);
    let (served, content) = serve_file(&folder, 100_000);
    let mut client = served.connect();
    for (method, fields, status) in [
        ("GET", &[("if-none-match", ETAG)][..], 304),
        ("HEAD", &[("if-none-match", ETAG)], 304),
        ("GET", &[("if-none-match", "\"other\"")], 200),
        ("GET", &[("if-modified-since", MODIFIED)], 304),
        (
            "GET",
            &[("if-modified-since", "Sun Nov  6 08:49:36 1994")],
            200,
        ),
        (
            "GET",
            &[
                ("if-none-match", "\"other\""),
                ("if-modified-since", MODIFIED),
            ],
            200,
        ),
        ("GET", &[("if-match", ETAG)], 200),
        ("GET", &[("if-match", "\"other\"")], 412),
        ("HEAD", &[("if-match", "\"other\"")], 412),
        (
            "GET",
            &[("if-unmodified-since", "Sun, 06 Nov 1994 08:49:36 GMT")],
            412,
        ),
        ("GET", &[("range", "bytes=0-9"), ("if-range", ETAG)], 206),
        (
            "GET",
            &[("range", "bytes=0-9"), ("if-range", MODIFIED)],
            206,
        ),
        (
            "GET",
            &[("range", "bytes=0-9"), ("if-range", "\"other\"")],
            200,
        ),
        (
            "GET",
            &[("range", "bytes=0-9"), ("if-none-match", ETAG)],
            304,
        ),
        (
            "GET",
            &[("range", "bytes=0-9"), ("if-match", "\"other\"")],
            412,
        ),
        ("GET", &[("range", "bytes=100000-")], 416),
        (
            "GET",
            &[("range", "bytes=100000-"), ("if-range", "\"other\"")],
            200,
        ),
        (
            "GET",
            &[("range", "bytes=0-9"), ("range", "bytes=0-9")],
            200,
        ),
        ("GET", &[("range", "lines=0-9")], 200),
        ("HEAD", &[("range", "bytes=0-9")], 200),
        (
            "POST",
            &[("range", "bytes=0-9"), ("if-none-match", ETAG)],
            200,
        ),
    ] {
        let reply = ask(&mut client, method, "/", fields);
        assert_eq!(reply.status, status, "{method} with {fields:?}");
        match status {
            304 => {
                assert_eq!(reply.field("etag"), Some(ETAG));
                assert!(reply.field("content-type").is_none());
                assert!(reply.field("last-modified").is_none());
            }
            416 => assert_eq!(reply.field("content-range"), Some("bytes */100000")),
            206 => assert!(reply.body == content[..10]),
            200 if method != "HEAD" => assert!(reply.body == content),
            _ => {}
        }
    }
    let kept = ask(&mut client, "GET", "/stored", &[("if-none-match", ETAG)]);
    assert_eq!(kept.field("cache-control"), Some("max-age=5"));
    assert!(kept.field("content-disposition").is_none());
}

/// A seed's numbers; xorshift.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// The parts of a multipart body: their ranges and their bytes.
#[track_caller]
fn parts_of(reply: &Reply) -> Vec<(Range<usize>, Vec<u8>)> {
    let media_type = reply.field("content-type").unwrap();
    let boundary = media_type
        .strip_prefix("multipart/byteranges; boundary=")
        .unwrap();
    let delimiter = format!("\r\n--{boundary}");
    let mut rest = &reply.body[..];
    let mut parts = Vec::new();
    loop {
        rest = rest
            .strip_prefix(delimiter.as_bytes())
            .expect("a delimiter");
        if rest == b"--\r\n" {
            return parts;
        }
        let end = rest
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        let head = str::from_utf8(&rest[..end]).unwrap();
        assert!(
            head.contains("\r\ncontent-type: text/plain; charset=utf-8\r\n"),
            "{head}"
        );
        let (_, range) = head.split_once("content-range: bytes ").unwrap();
        let (first, last) = range.split_once('/').unwrap().0.split_once('-').unwrap();
        let range = first.parse().unwrap()..last.parse::<usize>().unwrap() + 1;
        rest = &rest[end + 4..];
        let (body, after) = rest.split_at(range.len());
        parts.push((range, body.to_vec()));
        rest = after;
    }
}

#[test]
fn random_ranges_are_slices() {
    // One that is read where it is opened, and one that is sent from the file.
    for size in [5_000, 300_000] {
        let folder = folder(&[]);
        let (served, content) = serve_file(&folder, size);
        let mut client = served.connect();
        for seed in 1..=300_u64 {
            let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let mut wanted = vec![false; size];
            let mut list = Vec::new();
            for _ in 0..=numbers.below(3) {
                let (first, more) = (numbers.below(size + size / 4), numbers.below(size));
                let range = match numbers.below(3) {
                    0 => {
                        list.push(format!("{first}-{}", first + more));
                        first..first + more + 1
                    }
                    1 => {
                        list.push(format!("{first}-"));
                        first..size
                    }
                    _ => {
                        list.push(format!("-{more}"));
                        size.saturating_sub(more)..size
                    }
                };
                wanted[range.start.min(size)..range.end.min(size)].fill(true);
            }
            let field = format!("bytes={}", list.join(","));
            let reply = ask(&mut client, "GET", "/", &[("range", &field)]);
            let parts = match (reply.status, reply.field("content-range")) {
                (416, Some(range)) => {
                    assert_eq!(range, format!("bytes */{size}"));
                    Vec::new()
                }
                (206, Some(range)) => {
                    let range = range.strip_prefix("bytes ").unwrap();
                    let (range, all) = range.split_once('/').unwrap();
                    assert_eq!(all, size.to_string());
                    let (first, last) = range.split_once('-').unwrap();
                    let range = first.parse().unwrap()..last.parse::<usize>().unwrap() + 1;
                    vec![(range, reply.body.clone())]
                }
                (206, None) => parts_of(&reply),
                _ => panic!("seed {seed}, {field}: {}", reply.status),
            };
            let mut given = vec![false; size];
            for (range, body) in parts {
                assert!(
                    body == content[range.clone()],
                    "seed {seed}, {field}: {range:?}"
                );
                given[range].fill(true);
            }
            assert!(given == wanted, "seed {seed}, {field}");
        }
    }
}
