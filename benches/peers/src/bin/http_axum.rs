//! axum, as `axum::serve` runs it: no time limits, since it gives hyper no timer; answers to
//! pipelined requests are written one by one.

use std::io;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::header::CONTENT_TYPE;
use axum::routing::{get, post};
use axum::serve::ListenerExt;

fn plain() -> Router {
    // The default limit of a body is 2 MiB, so that a MiB comes through.
    Router::new()
        .route(
            "/",
            get(async || ([(CONTENT_TYPE, "text/plain; charset=utf-8")], peers::HELLO)),
        )
        .route("/echo", post(async |body: Bytes| body))
        .route("/big", get(async || &peers::BIG[..]))
}

fn routes() -> Router {
    (0..100).fold(Router::new(), |router, number| {
        let answer = move |Path(name): Path<String>| async move { format!("{number} {name}") };
        router.route(&format!("/route{number}/{{name}}"), get(answer))
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let is_routes = std::env::args().any(|word| word == "routes");
    let app = if is_routes { routes() } else { plain() };
    let listener = tokio::net::TcpListener::from_std(peers::listen()?)?;
    let listener = listener.tap_io(|stream| {
        // Fails only where the client is gone already: the first read will tell.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, app).await
}
