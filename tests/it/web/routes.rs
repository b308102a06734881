//! Patterns, precedence, slashes, hosts, names.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tourbillon::server::{Request, Status};
use tourbillon::web::extract::RequestExt;
use tourbillon::web::{Router, TrailingSlash, UrlError};

use crate::server_support::{Client, serve};

/// Says which route it is, and what its braces match.
fn show(request: Request) -> String {
    let params = request.params().iter();
    let params: String = params
        .map(|(name, value)| format!(" {name}={value}"))
        .collect();
    format!("{}{params}", request.route().unwrap_or_default())
}

fn typed() -> Router {
    let mut router = Router::new();
    // Widest first: the order of adding must not matter.
    for path in [
        "/v/{rest:path}",
        "/v/{name}",
        "/v/{x:float}",
        "/v/{n:int}",
        "/v/{u:uuid}",
        "/v/7",
        "/v/{n:int}/edit",
        "/v/{name}/show",
        "/f/{rest:path}",
        "/café/{x}",
    ] {
        router = router.get(path, async |request| show(request));
    }
    router
}

#[test]
fn the_narrower_pattern_goes_first() {
    let served = serve(typed);
    let mut client = served.connect();
    let uuid = "123e4567-e89b-12d3-a456-426614174000";
    let bare = uuid.replace('-', "");
    for (path, found) in [
        ("/v/7", "/v/7"),
        ("/v/%37", "/v/7"),
        ("/v/8", "/v/{n:int} n=8"),
        ("/v/0012", "/v/{n:int} n=0012"),
        ("/v/-8", "/v/{name} name=-8"),
        ("/v/8.5", "/v/{x:float} x=8.5"),
        ("/v/8.", "/v/{name} name=8."),
        ("/v/.5", "/v/{name} name=.5"),
        ("/v/1e5", "/v/{name} name=1e5"),
        ("/v/%38", "/v/{n:int} n=8"),
        (&format!("/v/{uuid}"), &format!("/v/{{u:uuid}} u={uuid}")),
        (&format!("/v/{bare}"), &format!("/v/{{u:uuid}} u={bare}")),
        ("/v/123e4567-e89b", "/v/{name} name=123e4567-e89b"),
        ("/v/", "/v/{rest:path} rest="),
        ("/v/a/b", "/v/{rest:path} rest=a/b"),
        ("/v/7/edit", "/v/{n:int}/edit n=7"),
        ("/v/7/show", "/v/{name}/show name=7"),
        ("/v/x/edit", "/v/{rest:path} rest=x/edit"),
        ("/v/a%2Fb", "/v/{name} name=a/b"),
        ("/f/..%2f/../x//", "/f/{rest:path} rest=..//../x//"),
        ("/f//", "/f/{rest:path} rest=/"),
        ("/v/%2e%2e", "/v/{name} name=.."),
        ("/v/%FF", "/v/{name} name=\u{fffd}"),
        ("/caf%C3%A9/1", "/café/{x} x=1"),
        ("/caf%c3%a9/%E2%82%AC", "/café/{x} x=€"),
    ] {
        let reply = client.get(path);
        assert_eq!((reply.status, reply.text()), (200, found), "{path}");
    }
    for path in [
        "/v",
        "/f",
        "/V/7",
        "/caf%C3/1",
        "/cafe/1",
        "//v/7",
        "/%2Fv/7",
        "/v%2F7",
    ] {
        assert_eq!(client.get(path).status, 404, "{path}");
    }
}

#[test]
fn a_long_path_costs_no_more_than_the_tree() {
    let served = serve(|| {
        let mut router = Router::new().get("/{rest:path}", async |request| show(request));
        for depth in 1..12 {
            let path = "/{a}".repeat(depth).replace("{a}", "{x");
            let path: String = path
                .split('{')
                .enumerate()
                .map(|(at, part)| match at {
                    0 => part.to_owned(),
                    _ => format!("{{{}{at}}}{}", &part[..1], &part[1..]),
                })
                .collect();
            router = router.get(&format!("{path}/end"), async |_| "end");
        }
        router
    });
    let mut client = served.connect();
    assert_eq!(
        client.get(&format!("{}/end", "/a".repeat(11))).text(),
        "end"
    );
    // As long as a head may be.
    let path = "/a".repeat(3000);
    assert_eq!(
        client.get(&path).text().len(),
        "/{rest:path} rest=".len() + path.len() - 1
    );
    let path = format!("/{}", "%41".repeat(2000));
    assert_eq!(
        client.get(&path).text(),
        format!("/{{rest:path}} rest={}", "A".repeat(2000))
    );
    client.send(format!(
        "GET /{} HTTP/1.1\r\nhost: a\r\n\r\n",
        "a".repeat(100_000)
    ));
    assert!([414, 431].contains(&client.reply().status));
}

#[test]
fn options_are_told_by_path_and_for_the_server() {
    let served = serve(|| {
        let own = async |_| "own options";
        Router::new()
            .get("/a", async |_| "a")
            .post("/a", async |_| "a")
            .delete("/b", async |_| "b")
            .route(tourbillon::server::Method::Options, "/c", own)
            .any("/any", async |request: Request| {
                request.method_text().to_owned()
            })
            .get("/any", async |_| "get")
    });
    let mut client = served.connect();
    let mut ask = |method: &str, target: &str| {
        client.send(format!("{method} {target} HTTP/1.1\r\nhost: a\r\n\r\n"));
        let reply = client.reply_to(method);
        (
            reply.status,
            reply.field("allow").map(str::to_owned),
            reply.text().to_owned(),
        )
    };
    let allow = |list: &str| (204, Some(list.to_owned()), String::new());
    assert_eq!(ask("OPTIONS", "/a"), allow("GET, HEAD, POST, OPTIONS"));
    assert_eq!(ask("OPTIONS", "/b"), allow("DELETE, OPTIONS"));
    assert_eq!(ask("OPTIONS", "/c"), (200, None, "own options".to_owned()));
    assert_eq!(ask("OPTIONS", "/none").0, 404);
    assert_eq!(
        ask("OPTIONS", "*"),
        allow("GET, HEAD, POST, DELETE, OPTIONS")
    );
    assert_eq!(ask("PUT", "/b").0, 405);
    assert_eq!(ask("PURGE", "/any"), (200, None, "PURGE".to_owned()));
    assert_eq!(ask("GET", "/any").2, "get");
    assert_eq!(ask("OPTIONS", "/any").2, "OPTIONS");
    assert_eq!(ask("HEAD", "/any").0, 200);
}

fn with_slashes(policy: TrailingSlash) -> Router {
    let one = Router::new()
        .get("/with/", async |request| show(request))
        .get("/without", async |request| show(request))
        .post("/without", async |request| show(request))
        .get("/both", async |_| "bare")
        .get("/both/", async |_| "slash")
        .get("/{a}/{b}/{c}/", async |request| show(request));
    one.trailing_slash(policy)
}

#[test]
fn a_slash_too_many_or_too_few_is_redirected() {
    let served = serve(|| with_slashes(TrailingSlash::Redirect));
    let mut client = served.connect();
    for (method, target, status, location) in [
        ("GET", "/with", 308, "/with/"),
        ("GET", "/without/", 308, "/without"),
        ("HEAD", "/without/", 308, "/without"),
        ("POST", "/without/", 307, "/without"),
        (
            "GET",
            "/with?a=1&b=%0D%0A//x",
            308,
            "/with/?a=1&b=%0D%0A//x",
        ),
        ("GET", "/with?", 308, "/with/?"),
        ("GET", "http://a/with", 308, "/with/"),
        ("GET", "/a%2F/b/c", 308, "/a%2F/b/c/"),
        ("GET", "/with//", 308, "/with/"),
        ("GET", "//evil.example/with", 404, ""),
        ("GET", "//evil.example/b/c", 404, ""),
        ("GET", "///b/c", 404, ""),
        ("GET", "/none/", 404, ""),
        ("GET", "/", 404, ""),
    ] {
        client.send(format!("{method} {target} HTTP/1.1\r\nhost: a\r\n\r\n"));
        let reply = client.reply_to(method);
        let found = reply.field("location").unwrap_or_default();
        assert_eq!(
            (reply.status, found),
            (status, location),
            "{method} {target}"
        );
    }
    assert_eq!(client.get("/both").text(), "bare");
    assert_eq!(client.get("/both/").text(), "slash");
}

#[test]
fn a_slash_is_ignored_or_minded_as_was_said() {
    let served = serve(|| with_slashes(TrailingSlash::Ignore));
    let mut client = served.connect();
    assert_eq!(client.get("/with").text(), "/with/");
    assert_eq!(client.get("/without/").text(), "/without");
    assert_eq!(client.get("/both/").text(), "slash");
    assert_eq!(client.get("/x/y/z").text(), "/{a}/{b}/{c}/ a=x b=y c=z");
    assert_eq!(client.get("/without//").status, 404);
    let served = serve(|| with_slashes(TrailingSlash::Strict));
    let mut client = served.connect();
    assert_eq!(client.get("/with").status, 404);
    assert_eq!(client.get("/without/").status, 404);
}

fn get_from(client: &mut Client, host: &str, path: &str) -> (u16, String) {
    client.send(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n"));
    let reply = client.reply();
    (reply.status, reply.text().to_owned())
}

#[test]
fn a_host_has_routes_of_its_own() {
    let served = serve(|| {
        let of = |text: &'static str| {
            Router::new()
                .get("/", async move |request| {
                    format!("{text}: {}", show(request))
                })
                .get("/{x}", async move |request| {
                    format!("{text}: {}", show(request))
                })
        };
        Router::new()
            .get("/", async |_| "main")
            .host("{sub}.example.org", of("sub").fallback(async |_| "lost"))
            .host("www.example.org", of("www"))
    });
    let mut client = served.connect();
    for (host, path, answer) in [
        ("example.org", "/", (200, "main")),
        ("www.example.org", "/", (200, "www: /")),
        ("WWW.Example.Org:8000", "/", (200, "www: /")),
        ("api.example.org", "/", (200, "sub: / sub=api")),
        ("API.example.org.", "/7", (200, "sub: /{x} sub=api x=7")),
        ("api.example.org", "/7/8", (200, "lost")),
        ("www.example.org", "/7/8", (404, "Not Found")),
        ("a.b.example.org", "/", (200, "main")),
        ("api.example.org.evil.example", "/", (200, "main")),
    ] {
        let (status, text) = get_from(&mut client, host, path);
        assert_eq!((status, &*text), answer, "{host}{path}");
    }
    let (_, text) = get_from(&mut client, "api.example.org", "http://api.example.org/");
    assert_eq!(text, "sub: / sub=api");
}

#[test]
fn an_address_is_made_by_name() {
    let users = Router::new()
        .get("/{id:int}", async |_| "user")
        .name("user")
        .get("/{id:int}/files/{rest:path}", async |_| "file")
        .name("file");
    let app = Router::new()
        .get("/", async |_| "root")
        .name("root")
        .get("/café/{a}/{b}", async |_| "")
        .name("two")
        .get("/{all:path}", async |_| "")
        .name("all")
        .nest("/teams/{team}/users", users);
    let file = |rest| app.url_for("file", &[("team", "a b"), ("id", "7"), ("rest", rest)]);
    assert_eq!(app.url_for("root", &[]).unwrap(), "/");
    let two = app.url_for("two", &[("b", "?#&/%"), ("a", "é")]).unwrap();
    assert_eq!(two, "/caf%C3%A9/%C3%A9/%3F%23%26%2F%25");
    assert_eq!(
        file("x/ y//z").unwrap(),
        "/teams/a%20b/users/7/files/x/%20y//z"
    );
    assert_eq!(file("").unwrap(), "/teams/a%20b/users/7/files/");
    assert_eq!(
        app.url_for("all", &[("all", "/evil.example")]).unwrap(),
        "/%2Fevil.example"
    );

    let bad = |name: &str| Err(UrlError::BadParam(name.to_owned()));
    assert_eq!(file("a/../b"), bad("rest"));
    assert_eq!(app.url_for("two", &[("a", ".."), ("b", "x")]), bad("a"));
    assert_eq!(app.url_for("two", &[("a", ""), ("b", "x")]), bad("a"));
    assert_eq!(
        app.url_for("user", &[("team", "a"), ("id", "x")]),
        bad("id")
    );
    let missing = Err(UrlError::MissingParam("id".to_owned()));
    assert_eq!(app.url_for("user", &[("team", "a")]), missing);
    let unknown = Err(UrlError::UnknownParam("x".to_owned()));
    assert_eq!(app.url_for("root", &[("x", "")]), unknown);
    assert_eq!(
        app.url_for("no", &[]),
        Err(UrlError::UnknownName("no".to_owned()))
    );
}

#[test]
fn a_handler_makes_addresses_of_its_router() {
    let served = serve(|| {
        let link = async |request: Request| match request.url_for("user", &[("id", "7")]) {
            Ok(url) => url,
            Err(error) => error.to_string(),
        };
        let users = Router::new().get("/{id}", async |_| "").name("user");
        Router::new().get("/link", link).nest("/users", users)
    });
    assert_eq!(served.connect().get("/link").text(), "/users/7");
    let served = serve(|| {
        async |request: Request| match request.url_for("user", &[]) {
            Ok(_) => Status::OK,
            Err(_) => Status::NOT_FOUND,
        }
    });
    assert_eq!(served.connect().get("/").status, 404);
}

#[test]
fn a_route_that_cannot_be_is_a_panic_when_it_is_added() {
    let ok = async |_: Request| "";
    type Build = Box<dyn Fn() -> Router>;
    let builds: Vec<(&str, Build)> = vec![
        (
            "begin with a slash",
            Box::new(move || Router::new().get("a", ok)),
        ),
        (
            "begin with a slash",
            Box::new(move || Router::new().get("", ok)),
        ),
        (
            "has no name",
            Box::new(move || Router::new().get("/{}", ok)),
        ),
        (
            "has no name",
            Box::new(move || Router::new().get("/{:int}", ok)),
        ),
        (
            "none of int",
            Box::new(move || Router::new().get("/{a:text}", ok)),
        ),
        (
            "a whole segment",
            Box::new(move || Router::new().get("/a{b}", ok)),
        ),
        (
            "a whole segment",
            Box::new(move || Router::new().get("/{a", ok)),
        ),
        (
            "a whole segment",
            Box::new(move || Router::new().get("/a?b", ok)),
        ),
        (
            "two segments called {a}",
            Box::new(move || Router::new().get("/{a}/{a}", ok)),
        ),
        (
            "must be the last",
            Box::new(move || Router::new().get("/{a:path}/b", ok)),
        ),
        (
            "GET /a has a handler",
            Box::new(move || Router::new().get("/a", ok).get("/a", ok)),
        ),
        (
            "use one name",
            Box::new(move || Router::new().get("/{a}", ok).post("/{b}", ok)),
        ),
        (
            "two routes are called \"n\"",
            Box::new(move || Router::new().get("/", ok).name("n").post("/", ok).name("n")),
        ),
        ("there is none", Box::new(|| Router::new().name("n"))),
        (
            "two segments called {a}",
            Box::new(move || Router::new().nest("/{a}", Router::new().get("/{a}", ok))),
        ),
        (
            "has a handler",
            Box::new(move || {
                Router::new()
                    .get("/a/b", ok)
                    .nest("/a", Router::new().get("/b", ok))
            }),
        ),
        (
            "outermost router",
            Box::new(|| Router::new().nest("/a", Router::new().host("b", Router::new()))),
        ),
        (
            "a fallback for this prefix",
            Box::new(move || Router::new().fallback(ok).fallback(ok)),
        ),
    ];
    for (message, build) in builds {
        let panic = catch_unwind(AssertUnwindSafe(|| drop(build()))).expect_err(message);
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        assert!(
            text.as_ref().unwrap().contains(message),
            "{text:?} for {message:?}"
        );
    }
}

#[test]
fn a_router_prints_its_routes() {
    let ok = async |_: Request| "";
    let app = Router::new()
        .get("/", ok)
        .any("/any/{rest:path}", ok)
        .nest("/api", Router::new().post("/{id:int}", ok).get("/", ok))
        .host("{a}.b", Router::new().get("/h", ok));
    let printed = format!("{app:?}");
    let wanted = "[GET /, * /any/{rest:path}, GET /api, POST /api/{id:int}, {a}.b [GET /h]]";
    assert_eq!(printed, wanted);
}
