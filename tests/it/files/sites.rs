//! `StaticFiles`: directories, siblings, pages, and what is cached.

use std::cell::Cell;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

use tourbillon::server::{Handler, Request};
use tourbillon::web::{StaticFiles, Symlinks, TestClient};

use super::{folder, site};
use crate::server_support::{Client, Reply};
use crate::support::{cpu_time, thread_cpu_time};

#[track_caller]
fn accepting(client: &mut Client, path: &str, accepted: &str) -> Reply {
    let field = format!("accept-encoding: {accepted}");
    client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n{field}\r\n\r\n"));
    client.reply()
}

#[test]
fn a_directory_is_its_index_behind_a_slash() {
    let folder = folder(&[
        ("index.html", b"home"),
        ("docs/index.html", b"docs"),
        ("docs/a b.txt", b"text"),
        ("empty/", b""),
    ]);
    let served = site(&folder.path(""), |files| files);
    let mut client = served.connect();
    assert_eq!(client.get("/").text(), "home");
    assert_eq!(client.get("/docs/").text(), "docs");
    let typed = client.get("/docs/");
    assert_eq!(
        typed.field("content-type"),
        Some("text/html; charset=utf-8")
    );
    for (path, location) in [("/docs", "/docs/"), ("/docs?a=/b&c", "/docs/?a=/b&c")] {
        let reply = client.get(path);
        assert_eq!(
            (reply.status, reply.field("location")),
            (308, Some(location))
        );
    }
    assert_eq!(client.get("/docs/a%20b.txt").text(), "text");
    for path in [
        "/empty",
        "/empty/",
        "/docs/a%20b.txt/",
        "/missing",
        "/docs/missing/",
    ] {
        assert_eq!(client.get(path).status, 404, "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        client.send(format!(
            "{method} / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"
        ));
        let reply = client.reply();
        assert_eq!(
            (reply.status, reply.field("allow")),
            (405, Some("GET, HEAD"))
        );
    }
    client.send("HEAD /docs/ HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(client.reply_to("HEAD").field("content-length"), Some("4"));
}

#[test]
fn compressed_siblings_by_what_is_accepted() {
    let folder = folder(&[
        ("a.css", b"plain"),
        ("a.css.br", b"brotli"),
        ("a.css.gz", b"gzip"),
        ("b.css", b"plain"),
        ("b.css.zst", b"zstd"),
        ("c.css", b"plain"),
        ("c.css.gz/x", b"a folder is no sibling"),
        ("only.css.gz", b"gzip"),
    ]);
    let served = site(&folder.path(""), |files| files.precompressed(true));
    let mut client = served.connect();
    for (path, accepted, text, coding) in [
        ("/a.css", "gzip, br", "brotli", Some("br")),
        ("/a.css", "gzip, br;q=0.9", "gzip", Some("gzip")),
        ("/a.css", "br;q=0, *", "gzip", Some("gzip")),
        ("/a.css", "zstd", "plain", None),
        ("/a.css", "identity", "plain", None),
        ("/a.css", "", "plain", None),
        ("/b.css", "gzip, br, zstd", "zstd", Some("zstd")),
        ("/c.css", "gzip", "plain", None),
    ] {
        let reply = accepting(&mut client, path, accepted);
        assert_eq!(reply.text(), text, "{path} with {accepted}");
        assert_eq!(reply.field("content-encoding"), coding);
        assert_eq!(reply.field("vary"), Some("accept-encoding"));
        assert_eq!(reply.field("content-type"), Some("text/css; charset=utf-8"));
    }
    let tag = |client: &mut Client, accepted| {
        let reply = accepting(client, "/a.css", accepted);
        reply.field("etag").unwrap().to_owned()
    };
    let (plain, gzip) = (tag(&mut client, "identity"), tag(&mut client, "gzip"));
    assert_ne!(plain, gzip);
    client.send(format!(
        "GET /a.css HTTP/1.1\r\nhost: a\r\naccept-encoding: gzip\r\nif-none-match: {gzip}\r\n\r\n"
    ));
    let reply = client.reply();
    assert_eq!(
        (reply.status, reply.field("vary")),
        (304, Some("accept-encoding"))
    );
    assert_eq!(accepting(&mut client, "/only.css", "gzip").status, 404);
    // As a file of its own it is what it is.
    let reply = client.get("/a.css.gz");
    assert_eq!(reply.field("content-type"), Some("application/gzip"));
    assert_eq!(reply.field("content-encoding"), None);
}

/// A range that is put behind a part of the other representation would be garbage.
#[test]
fn a_range_is_not_taken_from_the_other_sibling_because_of_its_date() {
    let folder = folder(&[("a.css", b"0123456789"), ("a.css.gz", b"abcdefghij")]);
    for name in ["a.css", "a.css.gz"] {
        let file = File::options().append(true).open(folder.path(name));
        let then = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        file.unwrap().set_modified(then).unwrap();
    }
    let ask = |client: &mut Client, accepted: &str, fits: &str| {
        let fields = format!("accept-encoding: {accepted}\r\nrange: bytes=5-\r\n{fits}");
        client.send(format!("GET /a.css HTTP/1.1\r\nhost: a\r\n{fields}\r\n"));
        client.reply()
    };
    let by_date = "if-range: Sun, 09 Sep 2001 01:46:40 GMT\r\n";
    let alone = site(&folder.path(""), |files| files);
    let reply = ask(&mut alone.connect(), "gzip", by_date);
    assert_eq!((reply.status, reply.text()), (206, "56789"));

    let served = site(&folder.path(""), |files| files.precompressed(true));
    let mut client = served.connect();
    for (accepted, whole, rest) in [
        ("identity", "0123456789", "56789"),
        ("gzip", "abcdefghij", "fghij"),
    ] {
        let reply = ask(&mut client, accepted, by_date);
        assert_eq!((reply.status, reply.text()), (200, whole), "{accepted}");
        let tag = reply.field("etag").unwrap();
        for fits in [format!("if-range: {tag}\r\n"), String::new()] {
            let reply = ask(&mut client, accepted, &fits);
            assert_eq!((reply.status, reply.text()), (206, rest), "{accepted}");
        }
    }
}

#[test]
fn a_page_of_what_is_there() {
    let folder = folder(&[
        ("b.txt", b"12345"),
        ("a.txt", b""),
        ("zoo/x", b""),
        ("docs/index.html", b"docs"),
        (".env", b"hidden"),
        ("<script>alert(1)&\".txt", b"x"),
        ("q?#%.txt", b"x"),
    ]);
    symlink("/etc/passwd", folder.path("link")).unwrap();
    let served = site(&folder.path(""), |files| files.listing(true));
    let mut client = served.connect();
    let reply = client.get("/");
    assert_eq!(
        reply.field("content-type"),
        Some("text/html; charset=utf-8")
    );
    let page = reply.text();
    let rows = [
        "<a href=\"./docs/\">docs/</a></td><td></td>",
        "<a href=\"./zoo/\">zoo/</a></td><td></td>",
        "<a href=\"./%3Cscript%3Ealert%281%29%26%22.txt\">&lt;script&gt;alert(1)&amp;&quot;.txt<",
        "<a href=\"./a.txt\">a.txt</a></td><td>0</td>",
        "<a href=\"./b.txt\">b.txt</a></td><td>5</td>",
        "<a href=\"./q%3F%23%25.txt\">q?#%.txt</a></td><td>1</td>",
    ];
    let places: Vec<usize> = rows
        .iter()
        .map(|row| {
            page.find(row)
                .unwrap_or_else(|| panic!("no {row} in {page}"))
        })
        .collect();
    assert!(places.is_sorted(), "{page}");
    assert!(!page.contains(".env") && !page.contains("link") && !page.contains("<script"));
    assert!(!page.contains("../"), "there is nothing above: {page}");
    assert!(
        client
            .get("/zoo/")
            .text()
            .contains("<a href=\"../\">../</a>")
    );
    assert_eq!(client.get("/zoo").field("location"), Some("/zoo/"));
    assert_eq!(client.get("/docs/").text(), "docs");
    assert_eq!(client.get("/q%3F%23%25.txt").text(), "x");

    let shown = site(&folder.path(""), |files| {
        files
            .listing(true)
            .hidden_files(true)
            .symlinks(Symlinks::InsideRoot)
    });
    let page = shown.connect().get("/");
    assert!(page.text().contains(">.env</a>") && page.text().contains(">link</a>"));
}

#[test]
fn an_application_in_one_page() {
    let folder = folder(&[("app.html", b"app"), ("a.js", b"js"), (".env", b"hidden")]);
    let served = site(&folder.path(""), |files| {
        let files = files
            .fallback("app.html")
            .cache_control("max-age=60")
            .unwrap();
        files.content_type("js", "text/x-mine").unwrap()
    });
    let mut client = served.connect();
    for path in ["/", "/users", "/users/7", "/users/7/", "/v1.2/users"] {
        let reply = client.get(path);
        assert_eq!((reply.status, reply.text()), (200, "app"), "{path}");
        assert_eq!(reply.field("cache-control"), Some("max-age=60"));
    }
    for path in ["/b.js", "/.env", "/..", "/users/%2e%2e/7", "/users//7"] {
        assert_eq!(client.get(path).status, 404, "{path}");
    }
    assert_eq!(
        client.get("/a.js").field("content-type"),
        Some("text/x-mine")
    );
}

#[test]
fn a_directory_must_be_one_and_may_be_replaced() {
    let folder = folder(&[("one/a", b"one"), ("two/a", b"two"), ("file", b"")]);
    assert!(StaticFiles::new(folder.path("file")).is_err());
    assert!(StaticFiles::new(folder.path("missing")).is_err());
    symlink("one", folder.path("current")).unwrap();
    let served = site(&folder.path("current"), |files| files);
    let mut client = served.connect();
    assert_eq!(client.get("/a").text(), "one");
    symlink("two", folder.path("next")).unwrap();
    std::fs::rename(folder.path("next"), folder.path("current")).unwrap();
    assert_eq!(client.get("/a").text(), "two");
    std::fs::remove_file(folder.path("current")).unwrap();
    assert_eq!(client.get("/a").status, 404);
}

/// The page of a large directory is made by the pool: the loop has others to serve.
#[test]
fn a_page_is_not_made_on_the_loop() {
    let folder = folder(&[]);
    for number in 0..2000 {
        let name = format!("{}{number}", "é".repeat(110));
        std::fs::write(folder.path(&name), "").unwrap();
    }
    let files = StaticFiles::new(folder.path("")).unwrap().listing(true);
    // By what was computed, not by the clock: what else the machine does is none of it.
    let spent = Rc::new(Cell::new((Duration::ZERO, Duration::ZERO)));
    let told = Rc::clone(&spent);
    let mut client = TestClient::new(async move |request: Request| {
        let (on_the_loop, in_all) = (thread_cpu_time(), cpu_time());
        let response = files.handle(request).await;
        told.set((thread_cpu_time() - on_the_loop, cpu_time() - in_all));
        response
    });
    assert_eq!(client.get("/").text().matches("<tr>").count(), 2000);
    let (on_the_loop, in_all) = spent.get();
    assert!(on_the_loop * 4 < in_all, "{on_the_loop:?} of {in_all:?}");
}
