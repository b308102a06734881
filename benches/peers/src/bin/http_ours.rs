//! tourbillon's server with the limits and timeouts that it has by default, and no access log.
//!
//! `routes` starts a router of a hundred routes instead of the plain handler.

use tourbillon::Runtime;
use tourbillon::server::{AccessLog, BodyError, Config, Handler, Request, Response, Server};
use tourbillon::server::{IntoResponse, Status};
use tourbillon::web::Router;

fn main() {
    let config = Config {
        address: ([127, 0, 0, 1], 0).into(),
        access_log: AccessLog::off(),
        // Who ends the process does it at once.
        signals: false,
        ..Config::default()
    };
    if std::env::args().any(|arg| arg == "routes") {
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
            Response::typed("text/plain", body)
        }
        "/big" => Response::typed("text/plain", &peers::BIG[..]),
        _ => Status::NOT_FOUND.into_response(),
    })
}
