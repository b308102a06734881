//! Routes over the wire, and handlers that run in the blocking pool.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use tourbillon::Runtime;
use tourbillon::server::{Config, Request, Status, blocking};
use tourbillon::web::Router;

use super::server_support::{DEADLINE, Served, config, serve, serve_on, server_of};

fn app() -> Router {
    let show = async |r: Request| format!("user {}", r.param("id").unwrap());
    Router::new()
        .get("/users/{id}", show)
        .get("/users/me", async |_| "me")
        .delete("/users/{id}", async |_| ())
        .get("/users/{id}/books/{book}", async |r: Request| {
            format!("{} of {}", r.param("book").unwrap(), r.param("id").unwrap())
        })
        .get("/users/me/films", async |_| "films")
        .post("/only/post", async |_| Status::CREATED)
        .get("/", async |r: Request| {
            r.query().unwrap_or("none").to_owned()
        })
        .get("/ping", async |_| "pong")
}

#[test]
fn a_path_leads_to_its_handler() {
    let served = serve(app);
    let mut client = served.connect();
    for (path, answer) in [
        ("/", "none"),
        ("/?a=1&b=%20", "a=1&b=%20"),
        ("http://a/?c", "c"),
        ("/users/7", "user 7"),
        ("/users/7?x=/y/z", "user 7"),
        ("/users/a%20b%2Fc", "user a b/c"),
        ("/users/caf%C3%A9", "user café"),
        ("/users/%", "user %"),
        ("/users/%4", "user %4"),
        ("/users/%zz%41", "user %zzA"),
        ("/users/%FF", "user \u{fffd}"),
        ("/users/me", "me"),
        ("/users/men", "user men"),
        ("/users/me/books/1", "1 of me"),
        ("/users/me/films", "films"),
        ("/users/1/books/2", "2 of 1"),
    ] {
        let reply = client.get(path);
        assert_eq!((reply.status, reply.text()), (200, answer), "{path}");
    }
}

#[test]
fn a_path_without_a_route_is_not_found() {
    let served = serve(app);
    let mut client = served.connect();
    for path in [
        "/user",
        "/users",
        "/users/",
        "/users/7/",
        "/users/7/books",
        "/users/7/books/",
        "/users/7/films",
        "//",
        "/ping/",
        "/Ping",
    ] {
        let reply = client.get(path);
        assert_eq!((reply.status, reply.text()), (404, "Not Found"), "{path}");
    }
}

#[test]
fn a_method_without_a_route_is_told_which_are_allowed() {
    let served = serve(app);
    let mut client = served.connect();
    for (method, path, allowed) in [
        ("PUT", "/users/7", "DELETE, GET, HEAD, OPTIONS"),
        ("GET", "/only/post", "OPTIONS, POST"),
        ("HEAD", "/only/post", "OPTIONS, POST"),
        ("PURGE", "/ping", "GET, HEAD, OPTIONS"),
        ("get", "/ping", "GET, HEAD, OPTIONS"),
    ] {
        client.send(format!("{method} {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
        let reply = client.reply_to(method);
        assert_eq!(reply.status, 405, "{method} {path}");
        let mut allow: Vec<&str> = reply.field("allow").unwrap().split(", ").collect();
        allow.sort_unstable();
        assert_eq!(allow.join(", "), allowed, "{method} {path}");
    }
    client.send("OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(client.reply().status, 204);
}

#[test]
fn a_head_route_of_its_own_goes_before_the_one_for_get() {
    let served = serve(|| {
        let head = async |_| Status::ACCEPTED;
        let method = tourbillon::server::Method::Head;
        Router::new()
            .get("/", async |_| "get")
            .route(method, "/", head)
    });
    let mut client = served.connect();
    client.send("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(client.reply_to("HEAD").status, 202);
    assert_eq!(client.get("/").text(), "get");
}

#[test]
fn a_blocking_handler_leaves_the_loop_free() {
    let (enter, entered) = mpsc::channel();
    let (leave, left) = mpsc::channel::<()>();
    // What is shared with the pool must be `Sync`.
    let left = Mutex::new(left);
    let served = serve(move || {
        let slow = blocking(move |head| {
            enter.send(thread::current().id()).unwrap();
            left.lock().unwrap().recv_timeout(DEADLINE).unwrap();
            format!("{} {:?}", head.path(), head.query())
        });
        let thread = async |_| format!("{:?}", thread::current().id());
        let router = Router::new().get("/ping", async |_| "pong");
        router.get("/thread", thread).get("/slow", slow)
    });
    let mut client = served.connect();
    client.send("GET /slow?x HTTP/1.1\r\nhost: a\r\n\r\n");
    let worker = entered.recv_timeout(DEADLINE).unwrap();
    let mut other = served.connect();
    other.settle();
    assert_ne!(other.get("/thread").text(), format!("{worker:?}"));
    client.assert_silent();
    leave.send(()).unwrap();
    assert_eq!(client.reply().text(), "/slow Some(\"x\")");
}

#[test]
fn a_blocking_handler_that_panics_costs_one_answer() {
    let served = serve(|| {
        Router::new().get(
            "/{n}",
            blocking(|head| match head.path() {
                "/panic" => panic!("planned"),
                path => path.to_owned(),
            }),
        )
    });
    let mut client = served.connect();
    for _ in 0..10 {
        assert_eq!(client.get("/panic").status, 500);
        assert_eq!(client.get("/fine").text(), "/fine");
    }
}

/// A pool of one worker with room for one job to wait.
fn serve_narrowly(left: mpsc::Receiver<()>, ran: Arc<AtomicUsize>) -> Served {
    let runtime = || {
        let builder = Runtime::builder().blocking_workers_max(1);
        builder.blocking_queue_max(1).build().unwrap()
    };
    let left = Mutex::new(left);
    let make = move || {
        let slow = blocking(move |_| {
            ran.fetch_add(1, Ordering::Relaxed);
            left.lock().unwrap().recv_timeout(DEADLINE).unwrap();
            "done"
        });
        let app = Router::new().get("/ping", async |_| "pong");
        let config: Config = config();
        server_of(app.get("/slow", slow), config)
    };
    serve_on(runtime, make).unwrap()
}

#[test]
fn a_full_pool_is_503_and_what_was_taken_in_still_runs() {
    let (leave, left) = mpsc::channel();
    let ran = Arc::new(AtomicUsize::new(0));
    let served = serve_narrowly(left, Arc::clone(&ran));
    let mut other = served.connect();
    let mut clients = Vec::new();
    for place in 0..5 {
        let mut client = served.connect();
        client.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
        // To accept it, to read and to hand in the job take a turn each, and an answer to another
        // client shows one at least: after these the jobs are in the order of their clients.
        for _ in 0..10 {
            other.settle();
        }
        // The first has left the queue before the second enters it.
        while place == 0 && ran.load(Ordering::Relaxed) == 0 {
            thread::yield_now();
        }
        clients.push(client);
    }
    for client in &mut clients[2..] {
        assert_eq!(client.reply().status, 503);
        assert_eq!(client.get("/ping").text(), "pong");
    }
    for client in &mut clients[..2] {
        client.assert_silent();
        leave.send(()).unwrap();
        assert_eq!(client.reply().text(), "done");
    }
    assert_eq!(ran.load(Ordering::Relaxed), 2);
}
