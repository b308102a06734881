//! Compressed answers, and which are not.

use std::fs;
use std::io::Read;
use std::time::{Duration, UNIX_EPOCH};

use flate2::read::{GzDecoder, ZlibDecoder};
use tourbillon::server::{Body, Headers, Request, Response, Status};
use tourbillon::web::middleware::compression;
use tourbillon::web::{FileResponse, Router};

use crate::server_support::{Reply, Served, pattern, serve};

fn app() -> Router {
    let text = "Hello, compressed World! ".repeat(100);
    let long = text.clone();
    let with = |name: &'static str, value: &'static str| {
        let text = text.clone();
        async move |_: Request| Response::text(text.clone()).with_header(name, value)
    };
    let stream = async |_: Request| {
        Body::stream(async |mut writer| {
            for piece in pattern(300_000).chunks(1000) {
                writer.write(piece).await?;
                tourbillon::yield_now().await;
            }
            Ok(())
        })
    };
    let broken = async |_: Request| {
        Body::stream(async |mut writer| {
            writer.write("a beginning").await?;
            Err(std::io::ErrorKind::Other.into())
        })
    };
    Router::new()
        .get("/text", with("etag", "\"1\""))
        .get("/weak", with("etag", "W/\"1\""))
        .get("/png", with("content-type", "image/png"))
        .get("/coded", with("content-encoding", "br"))
        .get("/kept", with("cache-control", "public, no-transform"))
        .get("/short", async |_| "short")
        .get("/part", async move |_: Request| {
            (Status::PARTIAL_CONTENT, long.clone())
        })
        .get("/none", async |_| Status::NO_CONTENT)
        .get("/large", async |_| pattern(1_000_000))
        .get("/stream", stream)
        .get("/broken", broken)
        .layer(compression())
}

fn ask(served: &Served, method: &str, path: &str, accept: &str) -> Reply {
    let mut client = served.connect();
    client.send(format!(
        "{method} {path} HTTP/1.1\r\nhost: a\r\naccept-encoding: {accept}\r\n\r\n"
    ));
    client.reply_to(method)
}

fn gunzip(reply: &Reply) -> Vec<u8> {
    assert_eq!(
        reply.field("content-encoding"),
        Some("gzip"),
        "{:?}",
        reply.fields
    );
    let mut plain = Vec::new();
    GzDecoder::new(&reply.body[..])
        .read_to_end(&mut plain)
        .unwrap();
    plain
}

#[test]
fn an_answer_is_compressed_as_the_client_likes() {
    let served = serve(app);
    let plain = ask(&served, "GET", "/text", "identity");
    assert_eq!(plain.field("content-encoding"), None);
    assert_eq!(
        (plain.field("vary"), plain.field("etag")),
        (Some("accept-encoding"), Some("\"1\""))
    );
    let gzip = ask(&served, "GET", "/text", "gzip, deflate");
    assert_eq!(gunzip(&gzip), plain.body);
    assert!(gzip.body.len() < plain.body.len() / 5);
    assert_eq!(
        (gzip.field("vary"), gzip.field("etag")),
        (Some("accept-encoding"), Some("W/\"1\""))
    );
    let deflate = ask(&served, "GET", "/text", "deflate");
    assert_eq!(deflate.field("content-encoding"), Some("deflate"));
    let mut text = Vec::new();
    ZlibDecoder::new(&deflate.body[..])
        .read_to_end(&mut text)
        .unwrap();
    assert_eq!(text, plain.body);
    let head = ask(&served, "HEAD", "/text", "gzip");
    assert_eq!(head.field("content-encoding"), Some("gzip"));
    assert_eq!(
        ask(&served, "GET", "/weak", "gzip").field("etag"),
        Some("W/\"1\"")
    );
}

#[test]
fn long_and_streamed_answers_come_out_whole() {
    let served = serve(app);
    assert_eq!(
        gunzip(&ask(&served, "GET", "/large", "gzip")),
        pattern(1_000_000)
    );
    assert_eq!(
        gunzip(&ask(&served, "GET", "/stream", "gzip")),
        pattern(300_000)
    );
    let mut client = served.connect();
    client.send("GET /broken HTTP/1.1\r\nhost: a\r\naccept-encoding: gzip\r\n\r\n");
    let mut all = Vec::new();
    client.stream.read_to_end(&mut all).unwrap();
    assert!(!all.ends_with(b"0\r\n\r\n"), "the cut can be seen");
}

#[test]
fn what_must_not_be_compressed_is_left_alone() {
    let served = serve(app);
    let varying = Some("accept-encoding");
    for (path, vary) in [
        ("/png", None),
        ("/kept", None),
        ("/short", None),
        ("/part", varying),
        ("/none", None),
    ] {
        let reply = ask(&served, "GET", path, "gzip");
        let fields = (reply.field("content-encoding"), reply.field("vary"));
        assert_eq!(fields, (None, vary), "{path}");
    }
    let coded = ask(&served, "GET", "/coded", "gzip");
    assert_eq!(coded.field("content-encoding"), Some("br"));
}

fn ask_raw(path: &str, fields: &str) -> String {
    let served = serve(|| {
        let trailing = async |_: Request| {
            Body::stream(async |mut writer| {
                writer.write("x".repeat(1000)).await?;
                let mut trailers = Headers::new();
                trailers.append("server-timing", "total;dur=12")?;
                writer.trailers(trailers)?;
                Ok(())
            })
        };
        let lying = async |request: Request| {
            let said = if request.query().is_some() { 900 } else { 1100 };
            Body::sized_stream(said, async |mut writer| {
                writer.write("x".repeat(1000)).await?;
                Ok(())
            })
        };
        let known = async |_: Request| {
            let response = Response::new(Status::NOT_MODIFIED);
            response.with_header("etag", "\"1\"")
        };
        Router::new()
            .get("/trailing", trailing)
            .get("/lying", lying)
            .get("/known", known)
            .layer(compression())
    });
    let mut client = served.connect();
    client.send(format!(
        "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{fields}\r\n"
    ));
    String::from_utf8_lossy(&client.rest_up_to_a_cut()).into_owned()
}

#[test]
fn trailers_come_behind_a_compressed_body_too() {
    let all = ask_raw("/trailing", "accept-encoding: gzip\r\n");
    assert!(all.contains("content-encoding: gzip"), "{all}");
    assert!(all.ends_with("0\r\nserver-timing: total;dur=12\r\n\r\n"));
}

#[test]
fn a_body_of_another_length_than_was_said_is_cut_also_when_compressed() {
    for path in ["/lying", "/lying?more"] {
        let all = ask_raw(path, "accept-encoding: gzip\r\n");
        assert!(all.contains("content-encoding: gzip"), "{all}");
        assert!(!all.ends_with("0\r\n\r\n"), "{path}: the cut can be seen");
    }
}

/// RFC 9110, 15.4.5: what the 200 would have said.
#[test]
fn a_304_varies_as_its_200_does() {
    let gzip = "accept-encoding: gzip\r\n";
    let weak = "accept-encoding: gzip\r\nif-none-match: W/\"1\"\r\n";
    let strong = "accept-encoding: gzip\r\nif-none-match: \"1\"\r\n";
    for (fields, tag) in [
        ("", "etag: \"1\""),
        (gzip, "etag: \"1\""),
        (strong, "etag: \"1\""),
        (weak, "etag: W/\"1\""),
    ] {
        let all = ask_raw("/known", fields);
        assert!(all.contains("304") && all.contains("vary: accept-encoding"));
        assert!(all.contains(tag), "{all}");
    }
}

/// RFC 9110, 13.1.5 and 8.8.3: a part of the plain text must not come to stand
/// behind the beginning of a compressed answer.
#[test]
fn a_range_goes_with_the_plain_text_only() {
    let name = format!("tourbillon-compressed-{}.txt", std::process::id());
    let path = std::env::temp_dir().join(name);
    let text = "Hello, compressed World! ".repeat(100);
    fs::write(&path, &text).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    let modified = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    file.set_modified(modified).unwrap();
    let opened = path.clone();
    let served = serve(move || {
        let inner = opened.clone();
        let bare = async move |request: Request| FileResponse::answer(&request, &opened).await;
        let layered = async move |request: Request| FileResponse::answer(&request, &inner).await;
        let layered = Router::new().get("/", layered).layer(compression());
        Router::new().get("/bare", bare).nest("/layered", layered)
    });
    let get = |path: &str, fields: &str| {
        let mut client = served.connect();
        client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n{fields}\r\n"));
        client.reply()
    };
    let gzip = "accept-encoding: gzip\r\n";
    let range = "range: bytes=100-199\r\n";
    let whole = get("/layered", gzip);
    assert_eq!(gunzip(&whole), text.as_bytes());
    assert_eq!(whole.field("accept-ranges"), None);
    let weak = whole.field("etag").unwrap();
    let strong = weak.strip_prefix("W/").unwrap();
    let date = whole.field("last-modified").unwrap();

    let by_date = format!("{range}if-range: {date}\r\n");
    assert_eq!(get("/bare", &by_date).status, 206, "the date does fit");
    let by_weak = format!("{range}if-range: {weak}\r\n");
    for fields in [&by_date, &by_weak] {
        let reply = get("/layered", &format!("{gzip}{fields}"));
        assert_eq!((reply.status, reply.field("content-range")), (200, None));
        assert_eq!(gunzip(&reply), text.as_bytes());
        // It may have been compressed when the client asked otherwise.
        let reply = get("/layered", fields);
        assert_eq!((reply.status, reply.field("content-range")), (200, None));
        assert_eq!(reply.body, text.as_bytes());
    }
    let by_strong = format!("{range}if-range: {strong}\r\n");
    for fields in [range, &by_strong] {
        let reply = get("/layered", &format!("{gzip}{fields}"));
        assert_eq!(reply.status, 206);
        assert_eq!(reply.body, &text.as_bytes()[100..200]);
        assert_eq!(reply.field("content-encoding"), None);
        assert_eq!(reply.field("etag"), Some(strong));
        assert_eq!(reply.field("vary"), Some("accept-encoding"));
    }
    fs::remove_file(&path).unwrap();
}
