//! Pages of other origins (CORS; WHATWG Fetch, 3.2).

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use super::next::{Middleware, Next};
use crate::http::{HeaderError, Headers};
use crate::server::{IntoResponse, Method, Request, Response, Status};

const ALL_METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// Fields that a page may send anyway.
const SAFE_FIELDS: [&str; 4] = [
    "accept",
    "accept-language",
    "content-language",
    "content-type",
];

/// Whether an origin is good.
type IsGood = dyn Fn(&str) -> bool;

/// Tells browsers which other origins' pages may use this application.
///
/// To begin with: no origin, GET, no fields beyond the harmless, no
/// credentials, and an answer that browsers keep for 600 s. A preflight is
/// answered here, 200 if all it asks for is allowed and else 400 with what
/// is not; every other request goes on, and its response says what the page
/// may see. It must be around the router, so that it meets OPTIONS.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tourbillon::web::Router;
/// use tourbillon::web::middleware::Cors;
///
/// let cors = Cors::new()
///     .allow_origins(["https://app.example.org"])
///     .allow_origin_if(|origin| origin.ends_with(".preview.example.org"))
///     .allow_methods(["GET", "POST"])
///     .allow_headers(["x-csrf-token"])
///     .expose_headers(["x-request-id"])
///     .allow_credentials(true)
///     .allow_private_network(false)
///     .max_age(Duration::from_secs(3600));
/// let app = Router::new().get("/", async |_| "Hello!").layer(cors);
/// # let _ = app;
/// ```
#[derive(Clone)]
pub struct Cors {
    origins: Vec<String>,
    origin_if: Option<Rc<IsGood>>,
    methods: Vec<String>,
    headers: Vec<String>,
    exposed: Vec<String>,
    credentials: bool,
    private_network: bool,
    max_age: Duration,
}

impl Cors {
    /// Nothing allowed yet.
    pub fn new() -> Self {
        Cors {
            origins: Vec::new(),
            origin_if: None,
            methods: vec!["GET".to_owned()],
            headers: Vec::new(),
            exposed: Vec::new(),
            credentials: false,
            private_network: false,
            max_age: Duration::from_secs(600),
        }
    }

    /// Sets the origins whose pages may come, such as
    /// `https://app.example.org`; `*` is all.
    #[must_use]
    pub fn allow_origins<T: Into<String>>(mut self, origins: impl IntoIterator<Item = T>) -> Self {
        self.origins = owned(origins);
        self
    }

    /// Allows, beside the list, the origins that this says are good.
    #[must_use]
    pub fn allow_origin_if(mut self, is_good: impl Fn(&str) -> bool + 'static) -> Self {
        self.origin_if = Some(Rc::new(is_good));
        self
    }

    /// Sets the methods; `*` is all the usual ones.
    #[must_use]
    pub fn allow_methods<T: Into<String>>(mut self, methods: impl IntoIterator<Item = T>) -> Self {
        self.methods = owned(methods);
        if self.methods.iter().any(|method| method == "*") {
            self.methods = owned(ALL_METHODS);
        }
        self
    }

    /// Sets the header fields that pages may send, beside the harmless;
    /// `*` is whichever they ask for.
    #[must_use]
    pub fn allow_headers<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.headers = owned(names);
        self
    }

    /// Sets the header fields that pages may read, beside the harmless.
    #[must_use]
    pub fn expose_headers<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.exposed = owned(names);
        self
    }

    /// Sets whether pages may come with cookies and passwords. With all
    /// origins allowed that trusts every page there is.
    #[must_use]
    pub fn allow_credentials(mut self, allow: bool) -> Self {
        self.credentials = allow;
        self
    }

    /// Sets whether pages of public sites may reach this private one.
    #[must_use]
    pub fn allow_private_network(mut self, allow: bool) -> Self {
        self.private_network = allow;
        self
    }

    /// Sets for how long browsers keep the answer to a preflight.
    #[must_use]
    pub fn max_age(mut self, time: Duration) -> Self {
        self.max_age = time;
        self
    }

    fn allows_all(&self) -> bool {
        self.origins.iter().any(|origin| origin == "*")
    }

    fn allows(&self, origin: &str) -> bool {
        self.allows_all()
            || self.origins.iter().any(|known| known == origin)
            || self
                .origin_if
                .as_ref()
                .is_some_and(|is_good| is_good(origin))
    }

    /// What of it depends on the origin of the request.
    fn write_origin(&self, origin: Option<&str>, headers: &mut Headers) -> Result<(), HeaderError> {
        if self.allows_all() && !self.credentials {
            // To all, or else with `vary`: a cache may give to a page what it
            // got for an image (Fetch, 3.2.5).
            return headers.insert("access-control-allow-origin", "*");
        }
        add_vary(headers, "origin")?;
        if let Some(origin) = origin.filter(|origin| self.allows(origin)) {
            headers.insert("access-control-allow-origin", origin)?;
            if self.credentials {
                headers.insert("access-control-allow-credentials", "true")?;
            }
        }
        Ok(())
    }

    fn preflight(&self, request: &Request, origin: &str) -> Result<Response, HeaderError> {
        let ask = |name: &str| request.headers().get(name);
        let mut faults = Vec::new();
        let mut response = Response::new(Status::OK);
        let headers = response.headers_mut();
        self.write_origin(Some(origin), headers)?;
        if !self.allows(origin) {
            faults.push("origin");
        }
        let method = ask("access-control-request-method").unwrap_or_default();
        if !self.methods.iter().any(|known| known == method) {
            faults.push("method");
        }
        headers.insert("access-control-allow-methods", self.methods.join(", "))?;
        headers.insert("access-control-max-age", self.max_age.as_secs().to_string())?;

        let wanted = ask("access-control-request-headers");
        let names = wanted.unwrap_or_default().split(',').map(str::trim);
        if self.headers.iter().any(|name| name == "*") {
            if let Some(wanted) = wanted {
                headers.insert("access-control-allow-headers", wanted)?;
            }
        } else {
            let own = self.headers.iter().map(String::as_str);
            let allowed: Vec<&str> = SAFE_FIELDS.into_iter().chain(own).collect();
            let is_known = |name: &str| allowed.iter().any(|own| own.eq_ignore_ascii_case(name));
            if !names.filter(|name| !name.is_empty()).all(is_known) {
                faults.push("headers");
            }
            headers.insert("access-control-allow-headers", allowed.join(", "))?;
        }
        if ask("access-control-request-private-network").is_some() {
            match self.private_network {
                true => headers.insert("access-control-allow-private-network", "true")?,
                false => faults.push("private-network"),
            }
        }
        if faults.is_empty() {
            return Ok(response);
        }
        let text = format!("Disallowed CORS {}", faults.join(", "));
        response
            .headers_mut()
            .insert("content-type", "text/plain; charset=utf-8")?;
        Ok(response
            .with_status(Status::BAD_REQUEST)
            .with_body(text.into_bytes()))
    }
}

impl Default for Cors {
    fn default() -> Self {
        Cors::new()
    }
}

impl Middleware for Cors {
    async fn handle(&self, request: Request, next: Next) -> Response {
        let origin = request.headers().get("origin").map(str::to_owned);
        let asks = request.headers().contains("access-control-request-method");
        if let Some(origin) = &origin
            && asks
            && request.method() == Method::Options
        {
            return self.preflight(&request, origin).into_response();
        }
        let mut response = next.run(request).await;
        let headers = response.headers_mut();
        let mut written = self.write_origin(origin.as_deref(), headers);
        let is_for_all = self.allows_all() && !self.credentials;
        if (origin.is_some() || is_for_all) && !self.exposed.is_empty() {
            let names = self.exposed.join(", ");
            written = written.and_then(|()| headers.insert("access-control-expose-headers", names));
        }
        match written {
            Ok(()) => response,
            Err(error) => error.into_response(),
        }
    }
}

fn owned<T: Into<String>>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    items.into_iter().map(Into::into).collect()
}

/// Says that the response would be another one with another value of this
/// field (RFC 9110, 12.5.5).
pub(in crate::web) fn add_vary(headers: &mut Headers, name: &str) -> Result<(), HeaderError> {
    if headers.has_token("vary", name) || headers.has_token("vary", "*") {
        return Ok(());
    }
    headers.append("vary", name)
}

impl fmt::Debug for Cors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cors")
            .field("origins", &self.origins)
            .field("methods", &self.methods)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}
