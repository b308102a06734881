//! Tables of what proxies tell, and of what clients make up.

#![allow(clippy::unwrap_used)]

use super::*;

fn told(fields: &[(&str, &str)], trusted: &[&str]) -> (String, &'static str) {
    let mut headers = Headers::new();
    for (name, value) in fields {
        headers.append(name, value).unwrap();
    }
    let trusted = TrustedPeers::new(trusted).unwrap();
    let told = match headers.contains("forwarded") {
        true => read_forwarded(&headers, &trusted).unwrap_or_default(),
        false => read(&headers, &trusted),
    };
    let client = told.client.map(|client| client.to_string());
    (client.unwrap_or_default(), told.scheme.unwrap_or_default())
}

#[test]
fn a_list_is_read_from_the_right() {
    let trusted = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"];
    for (list, client) in [
        ("1.2.3.4", "1.2.3.4:0"),
        ("1.2.3.4:56", "1.2.3.4:56"),
        ("6.6.6.6, 1.2.3.4", "1.2.3.4:0"),
        ("6.6.6.6, 1.2.3.4, 10.0.0.1", "1.2.3.4:0"),
        ("6.6.6.6,1.2.3.4 ,10.0.0.1,\t10.0.0.2", "1.2.3.4:0"),
        ("10.0.0.1, 10.0.0.2", "10.0.0.1:0"),
        ("6.6.6.6, unknown, 10.0.0.1", ""),
        ("6.6.6.6, _hidden, 10.0.0.1", ""),
        ("6.6.6.6, , 10.0.0.1", ""),
        ("6.6.6.6, rubbish", ""),
        ("2001:db8::1", "[2001:db8::1]:0"),
        ("[2001:db8::1]", "[2001:db8::1]:0"),
        ("[2001:db8::1]:80, fd00::1", "[2001:db8::1]:80"),
        ("1.2.3.4:99999", ""),
        ("1.2.3.4:_port", "1.2.3.4:0"),
        ("256.1.1.1", ""),
        ("", ""),
        (",,,", ""),
    ] {
        let (found, _) = told(&[("x-forwarded-for", list)], &trusted);
        assert_eq!(found, client, "{list}");
    }
    let two = [
        ("X-Forwarded-For", "6.6.6.6"),
        ("x-forwarded-for", "1.2.3.4, 10.0.0.1"),
    ];
    assert_eq!(told(&two, &trusted).0, "1.2.3.4:0");
    let all = [("x-forwarded-for", "6.6.6.6, 1.2.3.4")];
    assert_eq!(told(&all, &["*"]).0, "6.6.6.6:0");
    assert_eq!(told(&[], &["*"]), (String::new(), ""));
    let long = "6.6.6.6, ".repeat(10_000) + "1.2.3.4, 10.0.0.1";
    assert_eq!(told(&[("x-forwarded-for", &long)], &trusted).0, "1.2.3.4:0");
}

#[test]
fn a_scheme_is_one_of_two() {
    for (proto, scheme) in [
        ("https", "https"),
        ("HTTP", "http"),
        ("wss", "https"),
        ("ws", "http"),
        ("http, https", "https"),
        ("https, http", "http"),
        ("javascript", ""),
        ("", ""),
    ] {
        let (_, found) = told(&[("x-forwarded-proto", proto)], &["*"]);
        assert_eq!(found, scheme, "{proto}");
    }
    // As long as the other list: the word of whom the client came to.
    let fields = [
        ("x-forwarded-for", "1.2.3.4, 10.0.0.1"),
        ("x-forwarded-proto", "https, http"),
    ];
    assert_eq!(told(&fields, &["10.0.0.0/8"]).1, "https");
}

#[test]
fn the_standard_field_is_read_by_its_grammar() {
    let trusted = ["10.0.0.0/8"];
    for (list, client, scheme) in [
        ("for=1.2.3.4", "1.2.3.4:0", ""),
        ("For=\"1.2.3.4:5\";Proto=https", "1.2.3.4:5", "https"),
        (
            "for=\"[2001:db8::1]:80\"; by=10.0.0.9",
            "[2001:db8::1]:80",
            "",
        ),
        ("for=\"[2001:db8::1]\"", "[2001:db8::1]:0", ""),
        (
            "for=6.6.6.6;proto=http, for=1.2.3.4;proto=https",
            "1.2.3.4:0",
            "https",
        ),
        (
            "for=6.6.6.6, for=1.2.3.4;proto=https, for=10.0.0.1;proto=http",
            "1.2.3.4:0",
            "https",
        ),
        ("for=_hidden, for=10.0.0.1", "", ""),
        ("for=unknown;proto=https", "", "https"),
        ("for=6.6.6.6, proto=https", "", "https"),
        ("for=\"6.6.6.6, for=1.2.3.4\"", "", ""),
        ("host=\"a,b;for=6.6.6.6\";for=1.2.3.4", "1.2.3.4:0", ""),
        ("for=\"1.2.3\\.4\"", "1.2.3.4:0", ""),
        ("for=\"", "", ""),
        ("for", "", ""),
        (";;,=,", "", ""),
    ] {
        let found = told(&[("forwarded", list)], &trusted);
        assert_eq!(found, (client.to_owned(), scheme), "{list}");
    }
}

/// A quote that a client left open must not swallow what a proxy added.
#[test]
fn nobody_is_hidden_in_quotes() {
    let trusted = TrustedPeers::new(["10.0.0.0/8"]).unwrap();
    for list in [
        "for=6.6.6.6;x=\", for=1.2.3.4",
        "for=6.6.6.6;x=\", for=\"[2001:db8::1]\";proto=https",
        "for=6.6.6.6;x=\"\\, for=1.2.3.4",
        "for=6.6.6.6;x=\"a\"b",
        "for=6.6.6.6;x=a\"b\"",
        "for=6.6.6.6;\"x\"=b",
        "for=6.6.6.6;x=\"\\\"",
    ] {
        let mut headers = Headers::new();
        headers.append("forwarded", list).unwrap();
        assert_eq!(read_forwarded(&headers, &trusted), None, "{list}");
    }
    let long = "for=6.6.6.6, ".repeat(10_000) + "for=1.2.3.4, for=10.0.0.1";
    assert_eq!(
        told(&[("forwarded", &long)], &["10.0.0.0/8"]).0,
        "1.2.3.4:0"
    );
}
