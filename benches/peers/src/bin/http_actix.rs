//! actix-web with one worker, which has a thread of its own beside the one that accepts. Its limits
//! stay on: 5 s for a request's head, 5 s of keep-alive.

use std::io;

use actix_web::web::{self, Bytes, ServiceConfig};
use actix_web::{App, HttpResponse, HttpServer};

fn plain(app: &mut ServiceConfig) {
    let hello = async || {
        HttpResponse::Ok()
            .content_type("text/plain; charset=utf-8")
            .body(peers::HELLO)
    };
    // The default limit of a body is 256 KiB.
    app.app_data(web::PayloadConfig::new(2 << 20))
        .route("/", web::get().to(hello))
        .route("/echo", web::post().to(async |body: Bytes| body))
        .route(
            "/big",
            web::get().to(async || Bytes::from_static(&peers::BIG)),
        );
}

fn routes(app: &mut ServiceConfig) {
    for number in 0..100 {
        let answer =
            move |name: web::Path<String>| async move { format!("{number} {}", name.as_str()) };
        app.route(&format!("/route{number}/{{name}}"), web::get().to(answer));
    }
}

fn main() -> io::Result<()> {
    let is_routes = std::env::args().any(|word| word == "routes");
    let configure = if is_routes { routes } else { plain };
    actix_web::rt::System::new().block_on(async {
        HttpServer::new(move || App::new().configure(configure))
            .workers(1)
            .tcp_nodelay(true)
            .listen(peers::listen()?)?
            .run()
            .await
    })
}
