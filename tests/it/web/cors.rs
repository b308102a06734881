//! Pages of other origins, request by request.

use tourbillon::web::Router;
use tourbillon::web::middleware::Cors;

use crate::server_support::{Reply, serve};

fn ask(cors: fn() -> Cors, method: &str, fields: &str) -> Reply {
    let served = serve(move || {
        let app = Router::new()
            .get("/", async |_| "page")
            .post("/", async |_| "posted");
        app.layer(cors())
    });
    let mut client = served.connect();
    client.send(format!("{method} / HTTP/1.1\r\nhost: a\r\n{fields}\r\n"));
    client.reply()
}

fn strict() -> Cors {
    Cors::new()
        .allow_origins(["https://good.example"])
        .allow_origin_if(|origin| origin.ends_with(".good.example"))
        .allow_methods(["GET", "POST"])
        .allow_headers(["X-Token"])
        .expose_headers(["x-request-id", "etag"])
        .allow_credentials(true)
}

#[test]
fn a_page_of_a_known_origin_may_read() {
    for (origin, is_known) in [
        ("https://good.example", true),
        ("https://a.good.example", true),
        ("https://evil.example", false),
        ("http://good.example", false),
        ("https://good.example.evil.example", false),
        ("null", false),
    ] {
        let reply = ask(strict, "GET", &format!("origin: {origin}\r\n"));
        let allowed = reply.field("access-control-allow-origin");
        assert_eq!(allowed, is_known.then_some(origin), "{origin}");
        let credentials = reply.field("access-control-allow-credentials");
        assert_eq!(credentials, is_known.then_some("true"));
        assert_eq!(reply.field("vary"), Some("origin"));
        assert_eq!(
            reply.field("access-control-expose-headers"),
            Some("x-request-id, etag")
        );
        assert_eq!(reply.text(), "page");
    }
    let reply = ask(strict, "GET", "");
    assert_eq!(reply.field("vary"), Some("origin"), "caches must know");
    assert_eq!(reply.field("access-control-allow-origin"), None);
}

#[test]
fn a_preflight_is_told_what_is_not_allowed() {
    let good = "origin: https://good.example\r\n";
    let evil = "origin: https://evil.example\r\n";
    let get = "access-control-request-method: GET\r\n";
    let put = "access-control-request-method: PUT\r\n";
    let token = "access-control-request-headers: x-token, Content-Type\r\n";
    let other = "access-control-request-headers: x-token,x-other\r\n";
    let private = "access-control-request-private-network: true\r\n";
    for (fields, status, text) in [
        ([good, get, ""], 200, ""),
        ([good, get, token], 200, ""),
        ([evil, get, ""], 400, "Disallowed CORS origin"),
        ([good, put, ""], 400, "Disallowed CORS method"),
        ([good, get, other], 400, "Disallowed CORS headers"),
        ([good, get, private], 400, "Disallowed CORS private-network"),
        (
            [evil, put, other],
            400,
            "Disallowed CORS origin, method, headers",
        ),
    ] {
        let reply = ask(strict, "OPTIONS", &fields.concat());
        assert_eq!((reply.status, reply.text()), (status, text), "{fields:?}");
        let allowed = reply.field("access-control-allow-origin");
        assert_eq!(allowed.is_some(), fields[0] == good);
        assert_eq!(reply.field("access-control-max-age"), Some("600"));
        assert_eq!(
            reply.field("access-control-allow-methods"),
            Some("GET, POST")
        );
        assert_eq!(reply.field("vary"), Some("origin"));
    }
    // OPTIONS that is no preflight goes on.
    let reply = ask(strict, "OPTIONS", good);
    assert_eq!(
        (reply.status, reply.field("allow")),
        (204, Some("GET, HEAD, POST, OPTIONS"))
    );
    assert_eq!(ask(strict, "OPTIONS", get).status, 204);
}

#[test]
fn all_origins_are_a_star_unless_credentials_go_along() {
    let open = || {
        Cors::new()
            .allow_origins(["*"])
            .allow_methods(["*"])
            .allow_headers(["*"])
    };
    let origin = "origin: https://any.example\r\n";
    let reply = ask(open, "GET", origin);
    assert_eq!(reply.field("access-control-allow-origin"), Some("*"));
    assert_eq!(reply.field("vary"), None);
    // To all, as a cache may give a page what it has from an image's request
    // (Fetch, 3.2.5).
    assert_eq!(
        ask(open, "GET", "").field("access-control-allow-origin"),
        Some("*")
    );
    let wants = "access-control-request-method: DELETE\r\n\
                 access-control-request-headers: x-any, x-thing\r\n";
    let reply = ask(open, "OPTIONS", &format!("{origin}{wants}"));
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.field("access-control-allow-headers"),
        Some("x-any, x-thing")
    );

    let both = || Cors::new().allow_origins(["*"]).allow_credentials(true);
    let reply = ask(both, "GET", origin);
    let allowed = reply.field("access-control-allow-origin");
    assert_eq!(allowed, Some("https://any.example"));
    assert_eq!(reply.field("vary"), Some("origin"));
    let none = ask(Cors::new, "GET", origin);
    assert_eq!(none.field("access-control-allow-origin"), None);
}
