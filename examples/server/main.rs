//! The reference server: what load, conformance and fault tests talk to.
//!
//! Run:    cargo run --release --example server -- --port 8000
//! Shows:  every limit as an option, a route for each kind of work, and a small typed interface.
//! Next:   src/server/mod.rs, or examples/blocking_vs_offloaded.

mod api;
mod logging;
mod options;
mod talk;
mod work;

use std::env;
use std::process::ExitCode;

use tourbillon::server::{Request, Response, Status, blocking, serve};
use tourbillon::web::{Router, StaticFiles, metrics};

fn main() -> ExitCode {
    logging::start();
    let (config, files) = match options::parse(env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{}", options::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{error}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    match serve(app(files), config) {
        Ok(()) => ExitCode::SUCCESS,
        // The server has logged why.
        Err(error) => error.into(),
    }
}

fn app(files: Option<StaticFiles>) -> Router {
    let app = Router::new()
        .get("/", async |_| {
            Response::typed("text/plain", b"Hello, World!")
        })
        .get("/json", async |_| {
            Response::typed("application/json", br#"{"message":"Hello, World!"}"#)
        })
        .get("/ping", async |_| "pong")
        .post("/echo", work::echo)
        .get("/slow", work::slow)
        .get("/bytes", work::bytes)
        .get("/panic", async |_| -> &str { panic!("asked to") })
        .get("/bad-practice", async |_| work::heavy_work())
        .get("/good-practice", blocking(|_| work::heavy_work()))
        .get("/target", talk::target)
        .post("/length", talk::length)
        .post("/ignore", async |_| "ignored")
        .get("/status", talk::status)
        .post("/field", talk::field)
        .get("/hints", talk::hints)
        .get("/trailers", talk::trailers)
        .get("/upgrade", talk::upgrade)
        .post("/upgrade", talk::upgrade)
        .get("/events", work::events)
        .nest("/api", api::api())
        .get("/healthz", healthz)
        .get("/metrics", metrics);
    match files {
        Some(files) => app.get("/files/{rest:path}", files),
        None => app,
    }
}

/// Whether a load balancer should send requests: not while the server stops.
async fn healthz(request: Request) -> (Status, &'static str) {
    if request.server().is_ready() {
        (Status::OK, "ready")
    } else {
        (Status::SERVICE_UNAVAILABLE, "not ready")
    }
}
