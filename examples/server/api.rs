//! A small interface of the kind that most servers have: typed parameters, faults that say where,
//! and what goes around all of it.

use std::time::Duration;

use tourbillon::server::{Request, Status};
use tourbillon::web::extract::{Fields, FromFields, Path, Query, all, extract};
use tourbillon::web::middleware::{Cors, SecurityHeaders, request_id, timeout};
use tourbillon::web::{Faults, HttpError, Router};

pub(crate) fn api() -> Router {
    Router::new()
        .get("/users/{id:int}", extract(user))
        .name("user")
        .get("/users", extract(users))
        .get("/whoami", whoami)
        .layer(timeout(Duration::from_secs(10)))
        .layer(Cors::new().allow_origins(["https://example.org"]))
        .layer(SecurityHeaders::new())
        .layer(request_id())
}

/// `/api/users/7`; another path than a number is not found.
async fn user(Path(id): Path<u64>) -> Result<String, HttpError> {
    match id {
        1..=1000 => Ok(format!("user {id}")),
        _ => Err(HttpError::new(Status::NOT_FOUND).detail("there are users 1 to 1000")),
    }
}

/// Which part of a list is wanted.
struct Page {
    number: u64,
    size: u64,
}

impl FromFields for Page {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults> {
        let (number, size) = all((fields.required("page"), fields.optional("size")))?;
        let size = size.unwrap_or(10).min(100);
        Ok(Page { number, size })
    }
}

/// `/api/users?page=2&size=5`; anything but numbers is a 422 that names each fault.
async fn users(Query(page): Query<Page>) -> String {
    let first = page.number.saturating_mul(page.size) + 1;
    let ids = (first..first + page.size).take_while(|id| *id <= 1000);
    let lines: Vec<String> = ids.map(|id| format!("user {id}")).collect();
    lines.join("\n")
}

async fn whoami(request: Request) -> String {
    match request.client() {
        Some(client) => client.to_string(),
        None => "somebody over a Unix socket".to_owned(),
    }
}
