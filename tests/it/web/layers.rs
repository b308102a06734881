//! What goes around handlers, one by one and together.

use std::sync::mpsc;
use std::time::Duration;

use tourbillon::server::{Body, IntoResponse, Request, Response};
use tourbillon::web::middleware::{
    RequestId, SecurityHeaders, body_limit, catch_panic, https_redirect, proxy_headers, request_id,
    timeout, trusted_hosts,
};
use tourbillon::web::{HttpError, Next, Router, around};

use crate::server_support::{DEADLINE, DropGuard, serve};

#[test]
fn the_last_layer_is_outermost_and_may_answer_alone() {
    let served = serve(|| {
        let add = |name: &'static str| {
            async move |request: Request, next: Next| {
                let mut response = next.run(request).await;
                response.headers_mut().append("x-mark", name).unwrap();
                response
            }
        };
        let gate = async |request: Request, next: Next| match request.query() {
            Some("stop") => Err("stopped"),
            _ => Ok(next.run(request).await),
        };
        Router::new()
            .get(
                "/",
                around(around(async |_| "hello", add("route")), add("around")),
            )
            .layer(add("first"))
            .layer(gate)
            .layer(add("last"))
    });
    let mut client = served.connect();
    let mut marks = |path| {
        let reply = client.get(path);
        let all = reply.fields.iter().filter(|(name, _)| name == "x-mark");
        let all: Vec<&str> = all.map(|(_, value)| value.as_str()).collect();
        (reply.text().to_owned(), all.join(" "))
    };
    assert_eq!(
        marks("/"),
        ("hello".to_owned(), "route around first last".to_owned())
    );
    assert_eq!(marks("/?stop"), ("stopped".to_owned(), "last".to_owned()));
}

#[test]
fn a_request_has_an_id_that_it_brought_or_got() {
    let served = serve(|| {
        let show = async |request: Request| {
            request
                .extensions()
                .get::<RequestId>()
                .map(ToString::to_string)
        };
        let see = async |request: Request, next: Next| {
            let response = next.run(request).await;
            assert!(response.extensions().get::<RequestId>().is_some());
            response
        };
        Router::new().get("/", show).layer(request_id()).layer(see)
    });
    let mut client = served.connect();
    let mut ids = Vec::new();
    for (field, is_kept) in [
        ("x-request-id: abc-123\r\n", true),
        ("", false),
        ("x-request-id: a b\r\n", false),
        ("x-request-id:\r\n", false),
        ("x-request-id: \"quoted\"\r\n", false),
    ] {
        client.send(format!("GET / HTTP/1.1\r\nhost: a\r\n{field}\r\n"));
        let reply = client.reply();
        let id = reply.field("x-request-id").unwrap().to_owned();
        assert_eq!(reply.text(), id);
        assert_eq!(id == "abc-123", is_kept, "{field:?}");
        ids.push(id);
    }
    client.send("GET /none HTTP/1.1\r\nhost: a\r\n\r\n");
    ids.push(client.reply().field("x-request-id").unwrap().to_owned());
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6);
}

#[test]
fn a_handler_that_takes_too_long_is_dropped_and_503() {
    let (dropped, drops) = mpsc::channel();
    let served = serve(move || {
        let slow = async move |request: Request| {
            let _guard = DropGuard(dropped.clone());
            let long = request.query() == Some("long");
            tourbillon::sleep(Duration::from_secs(if long { 3600 } else { 0 })).await;
            "done"
        };
        Router::new()
            .get("/", slow)
            .layer(timeout(Duration::from_millis(20)))
    });
    let mut client = served.connect();
    let reply = client.get("/?long");
    let detail = r#"{"detail":"the answer took too long"}"#;
    assert_eq!((reply.status, reply.text()), (503, detail));
    assert!(!reply.closes());
    drops
        .recv_timeout(DEADLINE)
        .expect("the handler is dropped");
    assert_eq!(client.get("/").text(), "done");
}

#[test]
fn a_body_beyond_the_limit_is_413_declared_or_found() {
    let served = serve(|| {
        let read = async |request: Request| request.into_body().collect(usize::MAX).await;
        Router::new()
            .post("/small", around(read, body_limit(10)))
            .post("/none", around(read, body_limit(0)))
            .post("/wider", around(read, body_limit(1000)))
            .layer(body_limit(100))
    });
    let post = |path: &str, head: &str, body: &str| {
        let mut client = served.connect();
        client.send(format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\n{head}\r\n\r\n{body}"
        ));
        let reply = client.reply();
        (reply.status, reply.body.len())
    };
    assert_eq!(
        post("/small", "content-length: 10", "0123456789"),
        (200, 10)
    );
    assert_eq!(post("/small", "content-length: 11", "").0, 413);
    assert_eq!(post("/small", "content-length: 101", "").0, 413);
    assert_eq!(post("/small", "content-length: 99999999999999", "").0, 413);
    let chunked = "transfer-encoding: chunked";
    assert_eq!(
        post("/small", chunked, "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"),
        (200, 10)
    );
    assert_eq!(
        post("/small", chunked, "5\r\n01234\r\n6\r\n56789x\r\n").0,
        413
    );
    // The smallest counts, whether or not a length is declared.
    let long = "x".repeat(101);
    assert_eq!(post("/wider", "content-length: 101", &long).0, 413);
    let in_chunks = format!("65\r\n{long}\r\n0\r\n\r\n");
    assert_eq!(post("/wider", chunked, &in_chunks).0, 413);
    assert_eq!(post("/none", "content-length: 0", ""), (200, 0));
    assert_eq!(post("/none", chunked, "1\r\nx\r\n").0, 413);
}

#[test]
fn a_panic_is_500_on_a_connection_that_stays_and_the_hook_hears_it() {
    let (heard, hears) = mpsc::channel();
    let served = serve(move || {
        let late = async |_: Request| {
            tourbillon::yield_now().await;
            if true {
                panic!("late {}", 7);
            }
            ""
        };
        let early = async |request: Request| match request.query() {
            Some(_) => "fine",
            None => panic!("early"),
        };
        let hook = catch_panic().hook(move |panic| {
            let line = format!("{} {} {}", panic.method(), panic.path(), panic.text());
            heard.send(line).unwrap();
        });
        Router::new()
            .get("/early", early)
            .post("/late/{x}", late)
            .layer(hook)
    });
    let mut client = served.connect();
    let reply = client.get("/early");
    assert_eq!((reply.status, reply.closes()), (500, false));
    assert_eq!(reply.text(), r#"{"detail":"Internal Server Error"}"#);
    client.send("POST /late/1 HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(client.reply().status, 500);
    assert_eq!(client.get("/early?x").text(), "fine");
    let lines: Vec<String> = hears.try_iter().collect();
    assert_eq!(lines, ["GET /early early", "POST /late/1 late 7"]);
    assert_eq!(served.counts().panics, 0, "the server saw none");
}

#[test]
fn a_strange_host_is_refused() {
    let served = serve(|| {
        let hosts = ["example.org", "*.example.org"];
        Router::new()
            .get("/", async |_| "ok")
            .layer(trusted_hosts(hosts))
    });
    let mut client = served.connect();
    for (target, host, status) in [
        ("/", "example.org:80", 200),
        ("/", "A.EXAMPLE.org", 200),
        ("/", "evil.example", 400),
        ("/none", "evil.example", 400),
        ("http://a.example.org/", "a.example.org", 200),
    ] {
        client.send(format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n"));
        assert_eq!(client.reply().status, status, "{target} at {host}");
    }
}

#[test]
fn security_headers_are_added_and_do_not_replace() {
    let served = serve(|| {
        let own =
            async |_: Request| Response::text("own").with_header("x-frame-options", "SAMEORIGIN");
        let careful = SecurityHeaders::new()
            .content_security_policy("default-src 'self'")
            .unwrap();
        Router::new()
            .get("/", async |_| "")
            .get("/own", own)
            .layer(careful)
            .layer(proxy_headers(["127.0.0.1"]).unwrap())
    });
    let mut client = served.connect();
    let reply = client.get("/none");
    assert_eq!(reply.field("x-content-type-options"), Some("nosniff"));
    assert_eq!(reply.field("x-frame-options"), Some("DENY"));
    assert_eq!(
        reply.field("referrer-policy"),
        Some("strict-origin-when-cross-origin")
    );
    assert_eq!(
        reply.field("content-security-policy"),
        Some("default-src 'self'")
    );
    assert_eq!(reply.field("strict-transport-security"), None);
    assert_eq!(
        client.get("/own").field("x-frame-options"),
        Some("SAMEORIGIN")
    );
    client.send("GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-proto: https\r\n\r\n");
    let hsts = client.reply();
    let hsts = hsts.field("strict-transport-security").unwrap();
    assert!(hsts.starts_with("max-age=31536000"));
    assert!(SecurityHeaders::new().frame_options("a\r\nb: c").is_err());
}

#[test]
fn http_is_sent_to_https() {
    let served = serve(|| {
        Router::new()
            .get("/a", async |_| "secret")
            .layer(https_redirect())
            .layer(proxy_headers(["127.0.0.1"]).unwrap())
    });
    let mut client = served.connect();
    client.send("GET /a?b=c HTTP/1.1\r\nhost: example.org:8000\r\n\r\n");
    let reply = client.reply();
    let location = reply.field("location");
    assert_eq!(
        (reply.status, location),
        (307, Some("https://example.org/a?b=c"))
    );
    client.send("GET /a HTTP/1.1\r\nhost: a\r\nx-forwarded-proto: https\r\n\r\n");
    assert_eq!(client.reply().text(), "secret");
    client.send("OPTIONS * HTTP/1.1\r\nhost: example.org\r\n\r\n");
    assert_eq!(
        client.reply().field("location"),
        Some("https://example.org")
    );
}

#[test]
fn a_streamed_body_goes_through_all_layers_untouched() {
    let served = serve(|| {
        let stream = async |_: Request| {
            Body::stream(async |mut writer| {
                for _ in 0..100 {
                    writer.write(vec![b'x'; 10_000]).await?;
                }
                Ok(())
            })
        };
        Router::new()
            .get("/", stream)
            .layer(catch_panic())
            .layer(timeout(Duration::from_secs(20)))
            .layer(request_id())
            .layer(SecurityHeaders::new())
    });
    assert_eq!(served.connect().get("/").body.len(), 1_000_000);
}

#[test]
fn an_error_is_json_and_keeps_its_fields() {
    let served = serve(|| {
        let error = async |_: Request| -> Result<&'static str, HttpError> {
            let error = HttpError::new(tourbillon::server::Status::UNAUTHORIZED);
            Err(error
                .detail("who \"are\" you?\n")
                .header("www-authenticate", "Bearer")
                .unwrap())
        };
        let gone = async |_: Request| {
            HttpError::new(tourbillon::server::Status::NO_CONTENT).into_response()
        };
        Router::new().get("/", error).get("/gone", gone)
    });
    let mut client = served.connect();
    let reply = client.get("/");
    assert_eq!(reply.status, 401);
    assert_eq!(reply.text(), r#"{"detail":"who \"are\" you?\n"}"#);
    assert_eq!(reply.field("content-type"), Some("application/json"));
    assert_eq!(reply.field("www-authenticate"), Some("Bearer"));
    assert_eq!(client.get("/gone").status, 204);
}
