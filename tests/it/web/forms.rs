//! Bodies: forms, text, and what is too much of them.

use tourbillon::web::extract::{Fields, Form, FromFields, Path, all, extract};
use tourbillon::web::middleware::body_limit;
use tourbillon::web::{Faults, Router, around};

use crate::server_support::{Served, serve};

struct Login(String, u32);

impl FromFields for Login {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults> {
        let (name, pin) = all((fields.required("name"), fields.required("pin")))?;
        Ok(Login(name, pin))
    }
}

fn app() -> Router {
    let login = extract(async |Form(Login(name, pin)): Form<Login>| format!("{name} {pin}"));
    let short = extract(async |Form(Login(name, _)): Form<Login>| name);
    let both = async |(_, _): (Path<u8>, Form<Login>)| "both";
    Router::new()
        .post("/", login)
        .post("/short", around(short, body_limit(20)))
        .post("/both/{id}", extract(both))
        .post(
            "/text",
            extract(async |text: String| text.len().to_string()),
        )
        .post("/bytes", extract(async |bytes: Vec<u8>| bytes))
}

fn post(served: &Served, path: &str, media_type: &str, body: &[u8]) -> (u16, String) {
    let mut client = served.connect();
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n");
    let field = match media_type {
        "" => String::new(),
        _ => format!("content-type: {media_type}\r\n"),
    };
    // One that refuses early may close before it has all.
    let _ = std::io::Write::write_all(
        &mut client.stream,
        &[(head + &field + "\r\n").as_bytes(), body].concat(),
    );
    let reply = client.reply();
    (
        reply.status,
        String::from_utf8_lossy(&reply.body).into_owned(),
    )
}

const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn a_form_is_read_and_judged() {
    let served = serve(app);
    let is_good = (200, "J. Ö & x 7".to_owned());
    let body = b"name=J.+%C3%96+%26+x&pin=7&more=1";
    assert_eq!(post(&served, "/", FORM, body), is_good);
    let odd = "Application/X-WWW-Form-Urlencoded ; charset=utf-8";
    assert_eq!(post(&served, "/", odd, body), is_good);
    for (media_type, body, status) in [
        ("", &b""[..], 422),
        (FORM, b"", 422),
        (FORM, b"&&=&%", 422),
        (FORM, b"name=\xff\xfe&pin=1", 200),
        ("", b"name=a&pin=1", 415),
        ("application/json", b"{}", 415),
        ("multipart/form-data; boundary=x", b"", 415),
    ] {
        assert_eq!(
            post(&served, "/", media_type, body).0,
            status,
            "{media_type} {body:?}"
        );
    }
    let (status, text) = post(&served, "/both/x", FORM, b"pin=-1");
    assert_eq!(status, 422);
    for place in [
        r#"["path","id"]"#,
        r#"["body","name"]"#,
        r#"["body","pin"]"#,
    ] {
        assert!(text.contains(place), "{place} in {text}");
    }
}

#[test]
fn too_much_of_a_form_is_refused() {
    let served = serve(app);
    let fields = |count: usize| ["name=a&pin=1".to_owned(), "&x=y".repeat(count)].concat();
    assert_eq!(post(&served, "/", FORM, fields(998).as_bytes()).0, 200);
    assert_eq!(post(&served, "/", FORM, fields(999).as_bytes()).0, 400);
    assert_eq!(post(&served, "/", FORM, fields(10_000).as_bytes()).0, 400);
    let long = format!("pin=1&name={}", "x".repeat(2 * 1024 * 1024));
    assert_eq!(post(&served, "/", FORM, long.as_bytes()).0, 413);
    assert_eq!(post(&served, "/short", FORM, b"pin=1&name=12345").0, 200);
    assert_eq!(
        post(&served, "/short", FORM, b"pin=1&name=12345678901").0,
        413
    );
}

#[test]
fn a_body_is_text_or_bytes() {
    let served = serve(app);
    assert_eq!(
        post(&served, "/text", "", "é".as_bytes()),
        (200, "2".to_owned())
    );
    let (status, text) = post(&served, "/text", "", b"\xff");
    assert_eq!(status, 422);
    assert!(
        text.contains(r#""type":"string_unicode","loc":["body"]"#),
        "{text}"
    );
    assert_eq!(post(&served, "/bytes", "", b"abc"), (200, "abc".to_owned()));
    let most = vec![b'x'; 2 * 1024 * 1024];
    assert_eq!(post(&served, "/bytes", "", &most).0, 200);
    assert_eq!(
        post(&served, "/bytes", "", &[&most[..], b"x"].concat()).0,
        413
    );
}
