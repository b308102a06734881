//! JSON in and out, and where in it something is wrong.

use serde::{Deserialize, Serialize};
use tourbillon::web::extract::{Path, extract};
use tourbillon::web::{Json, Router};

use crate::server_support::{Served, serve};

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Order {
    name: String,
    lines: Vec<Line>,
    note: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct Line {
    item: u32,
    weight: f64,
    gift: bool,
}

fn app() -> Router {
    let mirror = extract(async |Json(order): Json<Order>| Json(order));
    let both = extract(async |(Path(_), Json(_)): (Path<u8>, Json<Order>)| "both");
    let bad = async |_| Json(std::collections::BTreeMap::from([((1, 2), 3)]));
    Router::new()
        .post("/", mirror)
        .post("/both/{id}", both)
        .get("/bad", bad)
}

fn post(served: &Served, path: &str, media_type: &str, body: &[u8]) -> (u16, String) {
    let mut client = served.connect();
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n");
    client.send(head + media_type + "\r\n");
    // One that refuses early may close before it has all.
    let _ = std::io::Write::write_all(&mut client.stream, body);
    let reply = client.reply();
    (
        reply.status,
        String::from_utf8_lossy(&reply.body).into_owned(),
    )
}

const JSON: &str = "content-type: application/json\r\n";

#[test]
fn json_comes_in_and_goes_out() {
    let served = serve(app);
    let order = r#"{"name":"é","lines":[{"item":1,"weight":0.5,"gift":true}],"note":null}"#;
    for (media_type, status) in [
        (JSON, 200),
        ("content-type: Application/JSON; charset=utf-8\r\n", 200),
        ("content-type: application/vnd.api+json\r\n", 200),
        ("content-type: text/plain\r\n", 415),
        ("content-type: application/jsonp\r\n", 415),
        ("content-type: image/x+json\r\n", 415),
        ("", 415),
    ] {
        let (found, text) = post(&served, "/", media_type, order.as_bytes());
        assert_eq!(found, status, "{media_type}");
        assert!(status != 200 || text == order, "{text}");
    }
    assert_eq!(served.connect().get("/bad").status, 500);
    let long = vec![b' '; 2 * 1024 * 1024 + 1];
    assert_eq!(post(&served, "/", JSON, &long).0, 413);
}

#[test]
fn what_is_wrong_in_json_is_told_with_its_place() {
    let served = serve(app);
    for (body, kind, place) in [
        ("", "json_invalid", r#"["body",0]"#),
        (
            "{\"name\": \"a\",\n \"lines\": [}",
            "json_invalid",
            r#"["body",25]"#,
        ),
        ("{} x", "missing", r#"["body","name"]"#),
        ("[]x", "missing", r#""#),
        (
            "{\"name\": 7, \"lines\": []}",
            "string_type",
            r#"["body","name"]"#,
        ),
        ("{\"name\": \"a\"}", "missing", r#"["body","lines"]"#),
        (
            "{\"name\": \"a\", \"lines\": 7}",
            "list_type",
            r#"["body","lines"]"#,
        ),
        (
            concat!(
                "{\"name\": \"a\", \"lines\": [\n",
                "{\"item\": 1, \"weight\": 1, \"gift\": true},\n{\"item\": \"x\"}]}"
            ),
            "int_type",
            r#"["body","lines",1,"item"]"#,
        ),
        (
            "{\"lines\": [{\"item\": 1.5}]}",
            "int_from_float",
            r#"["body","lines",0,"item"]"#,
        ),
        (
            "{\"lines\": [{\"item\": -1}]}",
            "int_parsing_size",
            r#"["body","lines",0,"item"]"#,
        ),
        (
            "{\"lines\": [{\"weight\": []}]}",
            "float_type",
            r#"["body","lines",0,"weight"]"#,
        ),
        (
            "{\"lines\": [{\"gift\": \"no\"}]}",
            "bool_type",
            r#"["body","lines",0,"gift"]"#,
        ),
        (
            "{\"lines\": [{\"item\": 1}]}",
            "missing",
            r#"["body","lines",0,"weight"]"#,
        ),
        (
            "{\"lines\": [7]}",
            "model_attributes_type",
            r#"["body","lines",0]"#,
        ),
        ("{\"other\": 1}", "extra_forbidden", r#"["body","other"]"#),
        ("7", "model_attributes_type", r#"["body"]"#),
    ] {
        let (status, text) = post(&served, "/", JSON, body.as_bytes());
        assert_eq!(status, 422, "{body}");
        let wanted = [format!(r#""type":"{kind}""#), format!(r#""loc":{place}"#)];
        let is_there = wanted.iter().all(|part| text.contains(part));
        assert!(is_there || place.is_empty(), "{body} gives {text}");
    }
    let (status, text) = post(&served, "/both/x", JSON, b"{\"name\":1}");
    assert_eq!(status, 422);
    assert!(
        text.contains(r#"["path","id"]"#) && text.contains(r#"["body","name"]"#),
        "{text}"
    );
}

#[test]
fn hostile_json_is_refused() {
    let served = serve(app);
    for body in [
        "[".repeat(100_000).into_bytes(),
        "{\"name\":".repeat(100_000).into_bytes(),
        b"{\"name\": \"\xff\", \"lines\": []}".to_vec(),
        b"{\"name\": \"\\ud800\", \"lines\": []}".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"{\"lines\": [{\"weight\": 1e999999}]}".to_vec(),
        [&b"{\"name\": \""[..], &b"x".repeat(1_000_000)].concat(),
    ] {
        let (status, text) = post(&served, "/", JSON, &body);
        assert_eq!(status, 422, "{text}");
        assert!(text.len() < 2000);
    }
}

/// What a client sent comes back in part, and does not choose the fault.
#[test]
fn a_fault_is_short_and_of_its_own_kind() {
    let served = serve(app);
    let value = format!("expected a string{}", "é".repeat(100_000));
    let body = format!(r#"{{"name":"a","lines":[{{"item":"{value}","weight":1,"gift":true}}]}}"#);
    let (status, text) = post(&served, "/", JSON, body.as_bytes());
    assert_eq!(status, 422);
    assert!(text.contains(r#""type":"int_type""#), "{:.200}", text);
    assert!(text.len() < 8 * 1024, "{} bytes", text.len());
}
