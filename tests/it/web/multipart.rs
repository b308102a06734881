//! Forms with files, over the wire and onto the disk.

use std::fs;

use tourbillon::web::extract::{Multipart, extract};
use tourbillon::web::middleware::body_limit;
use tourbillon::web::{HttpError, Router, around};

use crate::server_support::{MIB, Served, pattern, serve};

fn app() -> Router {
    let show = async |form: Multipart| -> Result<String, HttpError> {
        let mut told = String::new();
        for (name, value) in form.fields().iter() {
            told += &format!("{name}={} ", value.len());
        }
        for file in form.into_files() {
            let bytes = file.read().await.unwrap();
            assert_eq!(bytes.len() as u64, file.size());
            let is_pattern = bytes == pattern(bytes.len());
            let (field, name, kind) = (file.field(), file.name(), file.content_type());
            told += &format!("{field}:{name}:{kind:?}:{}:{is_pattern} ", bytes.len());
        }
        Ok(told)
    };
    let keep = async |form: Multipart| {
        let mut kept = form.into_files();
        let folder = std::env::temp_dir().join(format!("tourbillon-keep-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut told = String::new();
        for (at, file) in kept.iter_mut().enumerate() {
            let path = folder.join(at.to_string());
            file.persist(&path).await.unwrap();
            file.persist(folder.join("again")).await.unwrap();
            assert_eq!(
                fs::read(&path).unwrap(),
                fs::read(folder.join("again")).unwrap()
            );
            assert_eq!(fs::read(&path).unwrap(), file.read().await.unwrap());
            told += &format!("{} ", file.size());
        }
        drop(kept);
        let is_there = folder.join("0").exists() && folder.join("1").exists();
        fs::remove_dir_all(&folder).unwrap();
        told + &is_there.to_string()
    };
    let field = async |form: Multipart| -> Result<String, HttpError> {
        Ok(form.fields().required::<u8>("n")?.to_string())
    };
    Router::new()
        .post("/small", extract(show))
        .post("/large", around(extract(show), body_limit(20 * MIB as u64)))
        .post("/keep", around(extract(keep), body_limit(20 * MIB as u64)))
        .post("/field", extract(field))
}

fn field(name: &str, value: &str) -> Vec<u8> {
    let head = format!("--XX\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n");
    [head.as_bytes(), value.as_bytes(), b"\r\n"].concat()
}

fn file(name: &str, bytes: &[u8]) -> Vec<u8> {
    let head = format!(
        "--XX\r\nContent-Disposition: form-data; name=\"up\"; filename=\"{name}\"\r\n\
         Content-Type: image/png\r\n\r\n"
    );
    [head.as_bytes(), bytes, b"\r\n"].concat()
}

fn post(served: &Served, path: &str, parts: &[Vec<u8>]) -> (u16, String) {
    let body = [&parts.concat()[..], b"--XX--\r\n"].concat();
    post_as(served, path, "multipart/form-data; boundary=XX", &body)
}

fn post_as(served: &Served, path: &str, media_type: &str, body: &[u8]) -> (u16, String) {
    let mut client = served.connect();
    let length = body.len();
    client.send(format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: {media_type}\r\n\
         content-length: {length}\r\n\r\n"
    ));
    // One that refuses early may close before it has all.
    let _ = std::io::Write::write_all(&mut client.stream, body);
    let reply = client.reply();
    (reply.status, reply.text().to_owned())
}

#[test]
fn fields_and_files_are_told_apart() {
    let served = serve(app);
    let parts = [
        field("a", "é"),
        file("x.png", &pattern(1000)),
        field("a", ""),
        file("../../etc/passwd", b""),
    ];
    let told = "a=2 a=0 up:x.png:Some(\"image/png\"):1000:true \
                up:../../etc/passwd:Some(\"image/png\"):0:true ";
    assert_eq!(post(&served, "/small", &parts), (200, told.to_owned()));
    assert_eq!(post(&served, "/small", &[]), (200, String::new()));
    assert_eq!(
        post(&served, "/field", &[field("n", "7")]),
        (200, "7".to_owned())
    );
    let (status, text) = post(&served, "/field", &[field("n", "x")]);
    assert_eq!(status, 422);
    assert!(text.contains(r#""loc":["body","n"]"#), "{text}");
}

#[test]
fn a_large_file_goes_through_the_disk_and_leaves_nothing_there() {
    let served = serve(app);
    let sizes = [MIB, MIB + 1, 5 * MIB + 17];
    let parts = sizes.map(|size| file("f", &pattern(size)));
    let (status, text) = post(&served, "/large", &parts);
    assert_eq!(status, 200);
    for size in sizes {
        assert!(text.contains(&format!(":{size}:true")), "{text}");
    }
    let kept = post(
        &served,
        "/keep",
        &[file("s", b"small"), file("l", &pattern(2 * MIB))],
    );
    assert_eq!(kept, (200, format!("5 {} true", 2 * MIB)));
    drop(served);
}

#[test]
fn too_much_and_too_odd_is_refused() {
    let served = serve(app);
    let many = |count, part: fn() -> Vec<u8>| (0..count).map(|_| part()).collect::<Vec<_>>();
    let one_field = || field("a", "1");
    let one_file = || file("a", b"1");
    assert_eq!(post(&served, "/small", &many(1000, one_field)).0, 200);
    assert_eq!(post(&served, "/small", &many(1001, one_field)).0, 400);
    assert_eq!(post(&served, "/small", &many(1000, one_file)).0, 200);
    assert_eq!(post(&served, "/small", &many(1001, one_file)).0, 400);
    let long = "x".repeat(MIB);
    assert_eq!(post(&served, "/small", &[field("a", &long)]).0, 200);
    assert_eq!(
        post(&served, "/small", &[field("a", &(long.clone() + "x"))]).0,
        400
    );
    assert_eq!(
        post(&served, "/small", &[file("a", &pattern(2 * MIB))]).0,
        413
    );
    let all = "multipart/form-data; boundary=XX";
    for (media_type, body, status) in [
        ("multipart/form-data", &b"--XX--"[..], 400),
        ("multipart/mixed; boundary=XX", b"--XX--", 415),
        ("text/plain", b"--XX--", 415),
        (all, b"", 400),
        (all, b"--XX\r\n", 400),
        (all, b"--XX\r\nx\r\n\r\n\r\n--XX--", 400),
        (all, b"--YY--", 400),
        (all, b"--XX--", 200),
        (all, b"--XX-- and more", 200),
    ] {
        let found = post_as(&served, "/small", media_type, body).0;
        assert_eq!(found, status, "{media_type} {body:?}");
    }
}
