//! Who asks, behind a proxy.

use tourbillon::server::Request;
use tourbillon::web::Router;
use tourbillon::web::middleware::proxy_headers;

use crate::server_support::{Served, serve};

fn app(trusted: &'static str, is_standard: bool) -> Served {
    serve(move || {
        let show = async |request: Request| {
            let client = request.client().map(|client| client.to_string());
            let is_peer = request.client() == request.peer();
            let client = client
                .filter(|_| !is_peer)
                .unwrap_or_else(|| "peer".to_owned());
            format!("{client} {}", request.scheme())
        };
        let proxies = proxy_headers([trusted]).unwrap();
        let proxies = proxies.forwarded(is_standard);
        Router::new().get("/", show).layer(proxies)
    })
}

#[test]
fn the_word_of_a_trusted_peer_counts_and_no_other() {
    let told = "x-forwarded-for: 6.6.6.6, 1.2.3.4\r\nx-forwarded-proto: https\r\n";
    let standard = "forwarded: for=\"[2001:db8::1]:80\";proto=https\r\n";
    for (trusted, fields, answer) in [
        ("127.0.0.1", told, "1.2.3.4:0 https"),
        ("127.0.0.0/8", told, "1.2.3.4:0 https"),
        ("*", told, "6.6.6.6:0 https"),
        ("10.0.0.0/8", told, "peer http"),
        ("unix", told, "peer http"),
        // Another's field is what the client made up.
        ("127.0.0.1", standard, "peer http"),
        ("127.0.0.1", "x-forwarded-for: unknown\r\n", "peer http"),
        ("127.0.0.1", "x-forwarded-proto: gopher\r\n", "peer http"),
        ("127.0.0.1", "", "peer http"),
    ] {
        let served = app(trusted, false);
        let mut client = served.connect();
        client.send(format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n"));
        assert_eq!(client.reply().text(), answer, "{trusted}: {fields}");
        // The next request on the connection begins anew.
        assert_eq!(client.get("/").text(), "peer http");
    }
}

#[test]
fn the_standard_field_counts_if_that_was_said() {
    let served = app("127.0.0.1", true);
    let mut client = served.connect();
    for (fields, status, answer) in [
        (
            "forwarded: for=\"[2001:db8::1]:80\";proto=https\r\nx-forwarded-for: 6.6.6.6\r\n",
            200,
            "[2001:db8::1]:80 https",
        ),
        ("x-forwarded-for: 6.6.6.6\r\n", 200, "peer http"),
        (
            "forwarded: for=6.6.6.6;x=\", for=1.2.3.4\r\n",
            400,
            "{\"detail\":\"invalid forwarded header\"}",
        ),
    ] {
        client.send(format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n"));
        let reply = client.reply();
        assert_eq!((reply.status, reply.text()), (status, answer), "{fields}");
    }
}
