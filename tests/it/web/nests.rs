//! Routers below a prefix: their routes, their layers, their fallbacks.

use std::rc::Rc;

use tourbillon::server::{Request, Response, Status};
use tourbillon::web::extract::{State, extract};
use tourbillon::web::{Next, Router};

use crate::server_support::serve;

/// Says in the response that it was there; the innermost says so first.
async fn mark(name: &str, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().append("x-mark", name).unwrap();
    response
}

fn app() -> Router {
    let inner = Router::new()
        .get("/", async |_| "inner root")
        .get("/{id}", async |request: Request| {
            format!("inner {:?}", request.params())
        })
        .layer(async |request: Request, next: Next| mark("inner", request, next).await);
    let own = Router::new()
        .get("/x", async |_| "x")
        .fallback(async |_| (Status::NOT_FOUND, "own fallback"));
    let outer = Router::new()
        .nest("/inner/{team}", inner)
        .post("/post", async |_| "post")
        .nest("/own", own)
        .layer(async |request: Request, next: Next| mark("outer", request, next).await);
    Router::new()
        .get("/", async |_| "root")
        .nest("/outer", outer)
        .put("/outer/post", async |_| "put")
        .fallback(async |_| (Status::NOT_FOUND, "main fallback"))
        .layer(async |request: Request, next: Next| mark("app", request, next).await)
        .get("/late", async |_| "late")
}

#[test]
fn layers_of_nests_are_around_all_below_their_prefix() {
    let served = serve(app);
    let mut client = served.connect();
    let inner = "inner [(\"team\", \"t\"), (\"id\", \"7\")]";
    for (method, path, status, text, marks) in [
        ("GET", "/", 200, "root", &["app"][..]),
        ("GET", "/late", 200, "late", &["app"]),
        ("GET", "/none", 404, "main fallback", &["app"]),
        ("GET", "/outer", 404, "main fallback", &["outer", "app"]),
        (
            "GET",
            "/outer/none",
            404,
            "main fallback",
            &["outer", "app"],
        ),
        ("GET", "/outerx", 404, "main fallback", &["app"]),
        ("POST", "/outer/post", 200, "post", &["outer", "app"]),
        ("PUT", "/outer/post", 200, "put", &["app"]),
        (
            "GET",
            "/outer/post",
            405,
            "Method Not Allowed",
            &["outer", "app"],
        ),
        ("OPTIONS", "/outer/post", 204, "", &["outer", "app"]),
        ("GET", "/outer/own/x", 200, "x", &["outer", "app"]),
        (
            "GET",
            "/outer/own/y",
            404,
            "own fallback",
            &["outer", "app"],
        ),
        (
            "GET",
            "/outer/inner/t",
            200,
            "inner root",
            &["inner", "outer", "app"],
        ),
        (
            "GET",
            "/outer/inner/t/7",
            200,
            inner,
            &["inner", "outer", "app"],
        ),
        (
            "PUT",
            "/outer/inner/t/7",
            405,
            "Method Not Allowed",
            &["inner", "outer", "app"],
        ),
        (
            "GET",
            "/outer/inner/t/7/8",
            404,
            "main fallback",
            &["inner", "outer", "app"],
        ),
        (
            "GET",
            "/outer/inner/",
            404,
            "main fallback",
            &["outer", "app"],
        ),
    ] {
        client.send(format!("{method} {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
        let reply = client.reply();
        let all = reply.fields.iter().filter(|(name, _)| name == "x-mark");
        let found: Vec<&str> = all.map(|(_, value)| value.as_str()).collect();
        let context = format!("{method} {path}");
        assert_eq!((reply.status, reply.text()), (status, text), "{context}");
        assert_eq!(found, marks, "{context}");
    }
}

#[test]
fn a_nest_at_the_root_is_merged() {
    let served = serve(|| {
        let one = Router::new()
            .get("/one", async |_| "one")
            .layer(async |request: Request, next: Next| mark("one", request, next).await)
            .fallback(async |_| "fallback of one");
        Router::new().get("/", async |_| "root").nest("/", one)
    });
    let mut client = served.connect();
    assert_eq!(client.get("/").field("x-mark"), None);
    assert_eq!(client.get("/one").field("x-mark"), Some("one"));
    assert_eq!(client.get("/two").text(), "fallback of one");
}

#[test]
fn state_goes_down_and_the_nearest_counts() {
    struct Name(&'static str);
    struct Other(u8);
    let served = serve(|| {
        let show = extract(async |(name, other): (State<Name>, State<Other>)| {
            format!("{} {}", name.0.0, other.0.0)
        });
        let nest = Router::new()
            .get("/", show)
            .with_state(Rc::new(Name("nest")));
        let main = extract(async |State(name): State<Name>| name.0);
        let none = extract(async |State(text): State<String>| text.len().to_string());
        Router::new()
            .get("/", main)
            .get("/none", none)
            .nest("/nest", nest)
            .with_state(Rc::new(Name("main")))
            .with_state(Rc::new(Other(7)))
            .layer(async |request: Request, next: Next| {
                assert!(
                    request.extensions().get::<Rc<Name>>().is_some(),
                    "state is there first"
                );
                next.run(request).await
            })
    });
    let mut client = served.connect();
    assert_eq!(client.get("/").text(), "main");
    assert_eq!(client.get("/nest").text(), "nest 7");
    assert_eq!(client.get("/none").status, 500);
}
