//! Values out of a request, and all that is wrong with them.

use std::net::IpAddr;

use tourbillon::server::{Request, Status};
use tourbillon::web::extract::{
    Cookie, Cookies, Extract, Fields, FromFields, Header, Path, Query, RequestExt, all, extract,
};
use tourbillon::web::{Fault, Faults, Html, HttpError, Redirect, Router, SetCookie};

use crate::server_support::{Client, serve};

struct Search {
    words: String,
    page: Option<u32>,
    tags: Vec<u8>,
    exact: bool,
}

impl FromFields for Search {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults> {
        let (words, page, tags, exact) = all((
            fields.required("words"),
            fields.optional("page"),
            fields.list("tag"),
            fields.optional("exact"),
        ))?;
        if page == Some(0) {
            let fault = Fault::new("greater_than", "must be more than 0").context("gt", 0);
            return Err(fields.fault("page", fault));
        }
        let exact = exact.unwrap_or(false);
        Ok(Search {
            words,
            page,
            tags,
            exact,
        })
    }
}

struct Only;

impl FromFields for Only {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults> {
        fields.only(&["a", "b"]).map(|()| Only)
    }
}

struct Agent(String, Vec<String>);

impl FromFields for Agent {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults> {
        let (agent, marks) = all((fields.required("user_agent"), fields.list("x-mark")))?;
        Ok(Agent(agent, marks))
    }
}

struct Session(u64);

impl FromFields for Session {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults> {
        Ok(Session(fields.required("session")?))
    }
}

struct Denied;

impl Extract for Denied {
    async fn extract(_: &mut Request) -> Result<Self, HttpError> {
        Err(HttpError::new(Status::FORBIDDEN))
    }
}

fn app() -> Router {
    type Three = (Path<u32>, Query<Search>, Cookie<Session>);
    let three = async |(Path(id), Query(search), Cookie(session)): Three| {
        let Search {
            words,
            page,
            tags,
            exact,
        } = search;
        format!("{id} {words:?} {page:?} {tags:?} {exact} {}", session.0)
    };
    let denied = async |_: (Path<u32>, Denied)| "never";
    let manual = async |mut request: Request| -> Result<String, HttpError> {
        let (Path(address), cookies) = request.extract::<(Path<IpAddr>, Cookies)>().await?;
        Ok(format!("{address} {:?}", cookies.get("a")))
    };
    let header = async |Header(Agent(agent, marks)): Header<Agent>| format!("{agent} {marks:?}");
    let tried = async |id: Result<Path<u8>, HttpError>| format!("{}", id.is_ok());
    Router::new()
        .get("/three/{id}", extract(three))
        .get(
            "/pair/{a}/{b}",
            extract(async |Path((a, b)): Path<(u8, String)>| format!("{a} {b}")),
        )
        .get("/denied/{id}", extract(denied))
        .get("/manual/{address}", manual)
        .get("/header", extract(header))
        .get("/only", extract(async |_: Query<Only>| "only"))
        .get("/tried/{id}", extract(tried))
}

fn get_with(client: &mut Client, path: &str, fields: &str) -> (u16, String) {
    client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n{fields}\r\n"));
    let reply = client.reply();
    (reply.status, reply.text().to_owned())
}

#[test]
fn values_come_out_as_their_types() {
    let served = serve(app);
    let mut client = served.connect();
    let cookie = "cookie: a=b; session=9\r\n";
    for (path, fields, answer) in [
        (
            "/three/7?words=a+b%26&tag=1&tag=2&exact=on",
            cookie,
            "7 \"a b&\" None [1, 2] true 9",
        ),
        (
            "/three/7?words=x&words=y&page=3",
            cookie,
            "7 \"y\" Some(3) [] false 9",
        ),
        ("/pair/255/a%20b", "", "255 a b"),
        ("/manual/::1", cookie, "::1 Some(\"b\")"),
        (
            "/header",
            "User-Agent: me\r\nX-Mark: 1\r\nx-mark: 2\r\n",
            "me [\"1\", \"2\"]",
        ),
        ("/only?a=1&b=2&a=3", "", "only"),
        ("/tried/1", "", "true"),
        ("/tried/x", "", "false"),
    ] {
        let found = get_with(&mut client, path, fields);
        assert_eq!(found, (200, answer.to_owned()), "{path}");
    }
}

#[test]
fn all_faults_of_all_places_are_told_at_once() {
    let served = serve(app);
    let mut client = served.connect();
    let path = "/three/x?tag=1&tag=999&tag=y&exact=maybe";
    let (status, text) = get_with(&mut client, path, "");
    assert_eq!(status, 422);
    let wanted = concat!(
        r#"{"detail":["#,
        r#"{"type":"int_parsing","loc":["path","id"],"msg":"is no integer","input":"x"},"#,
        r#"{"type":"missing","loc":["query","words"],"msg":"a value is required here","#,
        r#""input":null},"#,
        r#"{"type":"less_than_equal","loc":["query","tag",1],"msg":"must be 255 or less","#,
        r#""input":"999","ctx":{"le":255}},"#,
        r#"{"type":"int_parsing","loc":["query","tag",2],"msg":"is no integer","input":"y"},"#,
        r#"{"type":"bool_parsing","loc":["query","exact"],"msg":"is neither true nor false","#,
        r#""input":"maybe"},"#,
        r#"{"type":"missing","loc":["cookie","session"],"msg":"a value is required here","#,
        r#""input":null}"#,
        r#"]}"#,
    );
    assert_eq!(text, wanted);

    let (_, text) = get_with(
        &mut client,
        "/three/1?words=&page=0",
        "cookie: session=1\r\n",
    );
    let rule = concat!(
        r#"{"detail":[{"type":"greater_than","loc":["query","page"],"#,
        r#""msg":"must be more than 0","input":"0","ctx":{"gt":0}}]}"#
    );
    assert_eq!(text, rule);
    let (_, text) = get_with(&mut client, "/only?a=1&c=%22%0A&d", "");
    assert!(text.contains(r#""loc":["query","c"]"#) && text.contains(r#""input":"\"\n""#));
    assert!(
        text.contains(r#""type":"extra_forbidden","loc":["query","d"]"#),
        "{text}"
    );
    let (status, text) = get_with(&mut client, "/header", "");
    assert_eq!(status, 422);
    assert!(text.contains(r#""loc":["header","user_agent"]"#), "{text}");
}

#[test]
fn an_error_that_is_no_fault_ends_it_at_once() {
    let served = serve(app);
    let mut client = served.connect();
    let (status, text) = get_with(&mut client, "/denied/x", "");
    assert_eq!((status, &*text), (403, r#"{"detail":"Forbidden"}"#));
    let (status, _) = get_with(&mut client, "/manual/x", "");
    assert_eq!(status, 422);
}

#[test]
fn what_is_hostile_is_told_back_harmlessly() {
    let served = serve(app);
    let mut client = served.connect();
    let long = "x".repeat(5000);
    let (status, text) = get_with(&mut client, &format!("/three/{long}?words=a"), "");
    assert_eq!(status, 422);
    assert!(text.len() < 2000, "{} bytes", text.len());
    let path = format!("/three/{}?words=a", "%E2%82%AC".repeat(500));
    let (status, text) = get_with(&mut client, &path, "");
    assert_eq!(status, 422);
    assert_eq!(text.matches('€').count(), 341, "cut between characters");
    let query = "a=b&".repeat(2000);
    let (status, _) = get_with(&mut client, &format!("/only?{query}"), "");
    assert_eq!(status, 200);
    let (_, text) = get_with(
        &mut client,
        "/three/%FF%00%22%5C?words=a",
        "cookie: session=1\r\n",
    );
    assert!(
        text.contains("\"input\":\"\u{fffd}\\u0000\\\"\\\\\""),
        "{text}"
    );
}

/// A form or a query may hold very many wrong fields, and long names.
#[test]
fn no_more_than_a_hundred_faults_are_told() {
    let served = serve(app);
    let mut client = served.connect();
    let query = "x=1&".repeat(2000);
    let (status, text) = get_with(&mut client, &format!("/only?{query}"), "");
    assert_eq!(status, 422);
    assert_eq!(text.matches("\"type\":").count(), 100, "{text}");
    let query = format!("{}=1", "x".repeat(5000));
    let (status, text) = get_with(&mut client, &format!("/only?{query}"), "");
    assert_eq!(status, 422);
    assert!(text.len() < 2000, "{} bytes", text.len());
}

#[test]
fn pages_redirects_and_cookies_are_answers() {
    let served = serve(|| {
        let go =
            async |request: Request| Redirect::to(&format!("/to/{}", request.param("to").unwrap()));
        let cookie = async |request: Request| {
            let value = request.param("value").unwrap().to_owned();
            (SetCookie::new("c", value).http_only(true), Html("<p>"))
        };
        Router::new()
            .get("/go/{to}", go)
            .get("/cookie/{value}", cookie)
    });
    let mut client = served.connect();
    let reply = client.get("/go/a%0D%0Aset-cookie:%20b%5C%C3%A9");
    assert_eq!(reply.status, 307);
    let location = "/to/a%0D%0Aset-cookie:%20b%5C%C3%A9";
    assert_eq!(reply.field("location"), Some(location));
    let reply = client.get("/cookie/v");
    assert_eq!(
        reply.field("set-cookie"),
        Some("c=v; Path=/; SameSite=Lax; HttpOnly")
    );
    assert_eq!(
        reply.field("content-type"),
        Some("text/html; charset=utf-8")
    );
    for value in ["a%0D%0Ax:%20y", "a;b", "a%20b"] {
        let reply = client.get(&format!("/cookie/{value}"));
        assert_eq!(
            (reply.status, reply.field("set-cookie")),
            (500, None),
            "{value}"
        );
    }
}

/// A proxy that clears `x-real-ip` lets `x_real_ip` pass.
#[test]
fn a_field_with_underscores_is_another_field() {
    struct Real(Option<String>, Vec<String>);
    impl FromFields for Real {
        fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults> {
            let (last, list) = all((fields.optional("x_real_ip"), fields.list("X-Real-IP")))?;
            Ok(Real(last, list))
        }
    }
    let served = serve(|| {
        let show = async |Header(Real(last, list)): Header<Real>| format!("{last:?} {list:?}");
        Router::new().get("/", extract(show))
    });
    let mut client = served.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\nx-real-ip: 1.2.3.4\r\nX_Real_IP: 6.6.6.6\r\n\r\n");
    assert_eq!(client.reply().text(), "Some(\"1.2.3.4\") [\"1.2.3.4\"]");
}
