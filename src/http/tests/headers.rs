//! The header list: order, case, checks, and what replacing and removing leave behind.

use super::super::{BodyLength, HeaderError, Headers, ResponseHead, Status, http_date};
use super::{Dice, requested};

/// What would stand on the wire for this list.
fn wire(headers: &Headers) -> String {
    let (mut protocol, _) = requested("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = ResponseHead {
        status: Status::NO_CONTENT,
        headers: headers.clone(),
    };
    let mut out = Vec::new();
    protocol
        .send_head(&head, BodyLength::Known(0), &http_date(0), &mut out)
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines = text.split_once("GMT\r\n").unwrap().1;
    lines.strip_suffix("\r\n").unwrap().to_owned()
}

#[test]
fn names_are_blind_to_case_and_values_keep_their_order() {
    let mut headers = Headers::new();
    headers.append("Set-Cookie", "a=1").unwrap();
    headers.append("Content-Type", "text/html").unwrap();
    headers.append("set-cookie", "b=2").unwrap();
    assert_eq!(headers.get("SET-COOKIE"), Some("a=1"));
    assert_eq!(
        headers.get_all("Set-cookie").collect::<Vec<_>>(),
        [b"a=1", b"b=2"]
    );
    assert!(headers.contains("content-type") && !headers.contains("content-typ"));
    assert_eq!((headers.len(), headers.is_empty()), (3, false));
    assert_eq!(
        wire(&headers),
        "Set-Cookie: a=1\r\nContent-Type: text/html\r\nset-cookie: b=2\r\n"
    );
    assert!(format!("{headers:?}").contains("\"Set-Cookie\": \"a=1\""));
}

#[test]
fn insert_replaces_and_remove_removes_all() {
    let mut headers = Headers::new();
    for (name, value) in [("a", "1"), ("b", "2"), ("A", "3"), ("c", ""), ("a", "4")] {
        headers.append(name, value).unwrap();
    }
    headers.insert("a", "5").unwrap();
    assert_eq!(wire(&headers), "b: 2\r\nc: \r\na: 5\r\n");
    assert!(headers.remove("B") && !headers.remove("B"));
    assert_eq!(wire(&headers), "c: \r\na: 5\r\n");
    assert_eq!(headers.get("c"), Some(""));
    assert!(headers.remove("a") && headers.remove("c"));
    assert!(headers.is_empty());
    headers.append("d", "6").unwrap();
    headers.clear();
    assert_eq!(wire(&headers), "");
}

#[test]
fn nothing_can_be_injected() {
    let mut headers = Headers::new();
    headers.insert("x", "kept").unwrap();
    for name in [
        "", " ", "a b", "a:", "a\r", "a\n", "a\0", "é", "a\t", "(a)", "\u{7f}",
    ] {
        assert_eq!(
            headers.append(name, "v"),
            Err(HeaderError::Name),
            "{name:?}"
        );
        assert_eq!(
            headers.insert(name, "v"),
            Err(HeaderError::Name),
            "{name:?}"
        );
    }
    for value in [
        "a\r\nb: c",
        "a\rb",
        "a\nb",
        "\r\n",
        "a\0b",
        "a\x0bb",
        "\x7f",
        "\x1b[0m",
        "a\n",
    ] {
        assert_eq!(
            headers.append("x", value),
            Err(HeaderError::Value),
            "{value:?}"
        );
        assert_eq!(
            headers.insert("x", value),
            Err(HeaderError::Value),
            "{value:?}"
        );
    }
    assert_eq!(
        wire(&headers),
        "x: kept\r\n",
        "a refusal leaves the list as it was"
    );
}

#[test]
fn values_are_trimmed_and_may_hold_tabs_and_any_high_byte() {
    let mut headers = Headers::new();
    headers.append("a", " \t x\ty \t").unwrap();
    headers.append("b", b"caf\xe9").unwrap();
    headers.append("c", String::from("é")).unwrap();
    assert_eq!(headers.get("a"), Some("x\ty"));
    assert_eq!(
        (headers.get("b"), headers.get_bytes("b")),
        (None, Some(&b"caf\xe9"[..]))
    );
    assert_eq!(headers.get("c"), Some("é"));
}

#[test]
fn tokens_are_found_in_all_fields_of_a_name() {
    let mut headers = Headers::new();
    headers.append("Upgrade", "h2c,  WebSocket ,").unwrap();
    headers.append("upgrade", "foo").unwrap();
    for token in ["websocket", "H2C", "foo"] {
        assert!(headers.has_token("upgrade", token), "{token}");
    }
    for token in ["web", "socket", "h2c, websocket"] {
        assert!(!headers.has_token("upgrade", token), "{token}");
    }
}

#[test]
fn any_mix_of_changes_agrees_with_a_plain_list() {
    for seed in 0..200 {
        let mut dice = Dice::new(seed);
        let mut headers = Headers::new();
        let mut model: Vec<(String, String)> = Vec::new();
        for _ in 0..40 {
            let name = ["date", "A", "a", "x-long-name", "Content-Length"][dice.below(5)];
            let value = "v".repeat(dice.below(4));
            let is_name = |field: &(String, String)| field.0.eq_ignore_ascii_case(name);
            match dice.below(4) {
                0 => {
                    assert_eq!(headers.remove(name), model.iter().any(is_name));
                    model.retain(|field| !is_name(field));
                }
                1 => {
                    headers.insert(name, &value).unwrap();
                    model.retain(|field| !is_name(field));
                    model.push((name.to_owned(), value));
                }
                _ => {
                    headers.append(name, &value).unwrap();
                    model.push((name.to_owned(), value));
                }
            }
            let listed: Vec<_> = headers
                .iter()
                .map(|(name, value)| (name.to_owned(), str::from_utf8(value).unwrap().to_owned()))
                .collect();
            assert_eq!(listed, model, "seed {seed}");
        }
    }
}
