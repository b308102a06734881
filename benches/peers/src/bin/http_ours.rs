//! tourbillon's server with the limits and timeouts that it has by default, and no access log.
//!
//! `routes` starts a router of a hundred routes instead of the plain handler. `idle` lets
//! connections be idle for ten minutes. `shared` shares its port with others, and a number after it
//! is that port.

use std::time::Duration;

use tourbillon::server::{AccessLog, BodyError, Config, Handler, Request, Response, Server};
use tourbillon::server::{IntoResponse, Status};
use tourbillon::web::Router;
use tourbillon::{Runtime, spawn_blocking};

fn main() {
    let has = |word: &str| std::env::args().any(|arg| arg == word);
    let port = std::env::args().find_map(|arg| arg.parse::<u16>().ok());
    let mut config = Config {
        address: ([127, 0, 0, 1], port.unwrap_or(0)).into(),
        reuse_port: has("shared"),
        access_log: AccessLog::off(),
        // Who ends the process does it at once.
        signals: false,
        ..Config::default()
    };
    if has("idle") {
        config.keep_alive = Duration::from_secs(600);
    }
    if has("routes") {
        let router = (0..100).fold(Router::new(), |router, number| {
            router.get(
                &format!("/route{number}/{{name}}"),
                async move |request: Request| {
                    let name = request.param("name").unwrap_or_default();
                    format!("{number} {name}")
                },
            )
        });
        run(router, config);
    } else {
        run(plain, config);
    }
}

fn run(app: impl Handler, config: Config) {
    let mut rt = Runtime::new().expect("a runtime can be made");
    rt.block_on(async {
        let mut server = Server::new(app, config);
        server.startup().await.expect("a port is free");
        let address = server.local_addr().expect("it listens");
        peers::announce(address).expect("somebody reads where");
        server.main_loop().await;
    });
}

async fn plain(request: Request) -> Result<Response, BodyError> {
    Ok(match request.path() {
        "/" => Response::text(peers::HELLO),
        "/echo" => {
            let body = request.into_body().collect(4 << 20).await?;
            Response::typed("text/plain; charset=utf-8", body)
        }
        "/heavy" => {
            let computed = spawn_blocking(peers::compute).await;
            computed.expect("there is nothing in it to panic");
            Response::text(peers::HELLO)
        }
        "/big" => Response::typed("text/plain; charset=utf-8", &peers::BIG[..]),
        _ => Status::NOT_FOUND.into_response(),
    })
}
