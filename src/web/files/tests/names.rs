//! Names: of files in paths, of types, of codings, of what is stored.

use std::path::Path;

use super::super::codings::{self, Coding};
use super::super::content_type;
use super::super::disposition::attachment;
use super::super::paths::{clean, raw_tail, with_slash};
use super::fields;

#[test]
fn clean_paths() {
    for (raw, path, is_directory) in [
        ("", "", true),
        ("a", "a", false),
        ("a/", "a", true),
        ("a/b.txt", "a/b.txt", false),
        ("a%20b/%C3%A9", "a b/é", false),
        ("%41", "A", false),
        ("a..b/c...", "a..b/c...", false),
        ("ab:c", "ab:c", false),
        ("a+b", "a+b", false),
        ("%25", "%", false),
    ] {
        let found = clean(raw, false).unwrap_or_else(|| panic!("{raw:?} is refused"));
        assert_eq!(found.path, Path::new(path), "{raw:?}");
        assert_eq!(found.is_directory, is_directory, "{raw:?}");
    }
    assert_eq!(clean(".env", true).unwrap().path, Path::new(".env"));
    assert_eq!(clean("a/...", true).unwrap().path, Path::new("a/..."));
}

#[test]
fn paths_that_lead_elsewhere_are_refused() {
    for raw in [
        ".",
        "..",
        "../a",
        "a/..",
        "a/../b",
        "./a",
        "a/./b",
        "/a",
        "//a",
        "a//b",
        "a//",
        "/",
        "%2e",
        "%2e%2e",
        "%2E%2e/a",
        ".%2e/a",
        "%2e./a",
        "..%2fa",
        "a%2fb",
        "%2fetc",
        "a%5cb",
        "..\\a",
        "..%5ca",
        "\\",
        "a\\..\\b",
        "a%00",
        "a%00.txt",
        "%00",
        "a%0a",
        "a%7f",
        "c:",
        "C:/a",
        "c:\\a",
        "a/c:/b",
        "%63:/a",
        "%",
        "%2",
        "%zz",
        "a%2",
        "%+1",
        ".env",
        ".git/config",
        "a/.b",
        "%2egit",
        "...",
        "..../a",
    ] {
        assert_eq!(clean(raw, false), None, "{raw:?}");
    }
    for raw in [".", "..", "a/../b", "%2e%2e/a", ".%2e"] {
        assert_eq!(clean(raw, true), None, "{raw:?}, with hidden names");
    }
}

#[test]
fn the_raw_end_of_a_path_is_found() {
    for (path, decoded, tail) in [
        ("/files/a/b", "a/b", Some("a/b")),
        ("/files/a%2fb", "a/b", Some("a%2fb")),
        ("/a/a", "a", Some("a")),
        ("/files/", "", Some("")),
        ("/files/%252e", "%2e", Some("%252e")),
        ("/files/x", "y", None),
        ("/files/a%2Fb%zz", "a/b%zz", Some("a%2Fb%zz")),
        ("/files/%FF", "\u{fffd}", Some("%FF")),
        ("/files", "", None),
    ] {
        assert_eq!(raw_tail(path, decoded), tail, "{path}");
    }
    // In one pass: one decoding a slash would take minutes.
    let slashes = "/".repeat(100_000);
    let begin = std::time::Instant::now();
    assert_eq!(raw_tail(&format!("{slashes}a%FF"), "b\u{fffd}"), None);
    let long = format!("x{slashes}a");
    assert_eq!(raw_tail(&format!("/{long}"), &long), Some(&*long));
    let took = begin.elapsed();
    assert!(took.as_secs() < 5, "{took:?}");
}

#[test]
fn a_redirect_stays_on_its_host() {
    for (path, query, location) in [
        ("/a", None, "/a/"),
        ("/a%20b", Some("x=1&y"), "/a%20b/?x=1&y"),
        ("//evil.example", None, "/evil.example/"),
        ("/\\evil.example", None, "/evil.example/"),
        ("/a", Some(""), "/a/?"),
    ] {
        assert_eq!(with_slash(path, query), location);
    }
}

#[test]
fn types_by_the_end_of_a_name() {
    for (name, media_type) in [
        ("index.html", "text/html; charset=utf-8"),
        ("INDEX.HTML", "text/html; charset=utf-8"),
        ("a.tar.gz", "application/gzip"),
        ("7.7z", "application/x-7z-compressed"),
        ("a.zst", "application/zstd"),
        ("module.wasm", "application/wasm"),
        ("html", "application/octet-stream"),
        (".html", "application/octet-stream"),
        ("a.", "application/octet-stream"),
        ("a.exe", "application/octet-stream"),
        ("", "application/octet-stream"),
    ] {
        assert_eq!(content_type::of_name(name), media_type, "{name}");
    }
    content_type::assert_sorted();
}

#[test]
fn names_to_store_under() {
    for (name, field) in [
        ("a.pdf", "attachment; filename=\"a.pdf\""),
        ("a b.pdf", "attachment; filename=\"a b.pdf\""),
        ("", "attachment"),
        ("../../etc/passwd", "attachment; filename=\"passwd\""),
        ("c:\\windows\\x.exe", "attachment; filename=\"x.exe\""),
        ("a\r\nb", "attachment; filename=\"a__b\""),
        (
            "a\"b",
            "attachment; filename=\"a\\\"b\"; filename*=UTF-8''a%22b",
        ),
        (
            "50%.txt",
            "attachment; filename=\"50%.txt\"; filename*=UTF-8''50%25.txt",
        ),
        (
            "é.txt",
            "attachment; filename=\"_.txt\"; filename*=UTF-8''%C3%A9.txt",
        ),
        (
            "€ (1).txt",
            "attachment; filename=\"_ (1).txt\"; filename*=UTF-8''%E2%82%AC%20%281%29.txt",
        ),
    ] {
        assert_eq!(attachment(name), field, "{name:?}");
    }
}

#[test]
fn codings_by_weight() {
    use Coding::{Brotli, Gzip, Zstd};
    for (value, expected) in [
        ("gzip", &[Gzip][..]),
        ("x-gzip", &[Gzip]),
        ("gzip, deflate, br, zstd", &[Brotli, Zstd, Gzip]),
        ("GZIP;Q=0.5 , br ; q=0.4", &[Gzip, Brotli]),
        ("br;q=0, *", &[Zstd, Gzip]),
        ("*", &[Brotli, Zstd, Gzip]),
        ("*;q=0", &[]),
        ("gzip;q=0", &[]),
        ("gzip;q=0.000", &[]),
        ("gzip;q=0.001", &[Gzip]),
        ("gzip;q=0.5, identity", &[]),
        ("gzip;q=0.5, identity;q=0.2", &[Gzip]),
        ("gzip, identity;q=0", &[Gzip]),
        ("gzip;q=2", &[]),
        ("gzip;q=1.001", &[]),
        ("gzip;q=0.1234", &[]),
        ("gzip;q=x", &[]),
        ("gzip;level=9", &[]),
        ("", &[]),
        ("identity", &[]),
    ] {
        let found = codings::accepted(&fields(&[("accept-encoding", value)]));
        assert_eq!(found, expected, "{value:?}");
    }
    assert_eq!(codings::accepted(&fields(&[])), []);
}
