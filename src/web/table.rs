//! What a router knows, and how it finds who answers.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::{Future, ready};
use std::rc::Rc;

use super::endpoint::allow;
use super::host::HostPattern;
use super::middleware::{BoxHandler, Next, ResponseFuture, Step};
use super::pattern::{Pattern, UrlError};
use super::percent;
use super::routes::Routes;
use crate::server::{Handler, IntoResponse, Method, Request, Response, Status};

/// Everything that a router knows, below its layers.
#[derive(Default)]
pub(super) struct Table {
    pub(super) tree: Routes,
    pub(super) hosts: Vec<(HostPattern, Rc<dyn BoxHandler>, String)>,
    pub(super) names: Rc<Names>,
    pub(super) trailing_slash: TrailingSlash,
}

/// Routes by their names.
#[derive(Default)]
pub(super) struct Names(pub(super) BTreeMap<String, Pattern>);

/// What becomes of a path that would have a route if it ended in a slash, or
/// if it did not.
///
/// # Examples
///
/// ```
/// use tourbillon::web::{Router, TrailingSlash};
///
/// let app = Router::new()
///     .trailing_slash(TrailingSlash::Redirect)
///     .get("/users/", async |_| "all users");
/// # let _ = app;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrailingSlash {
    /// It is another path, and without a route 404.
    #[default]
    Strict,
    /// The client is sent to the path that has a route, with its query: by
    /// 308 for GET and HEAD, and by 307 for the rest, which keep their
    /// method and body too.
    Redirect,
    /// It is the same path.
    Ignore,
}

impl Names {
    pub(super) fn url_for(&self, name: &str, params: &[(&str, &str)]) -> Result<String, UrlError> {
        match self.0.get(name) {
            Some(pattern) => pattern.fill(params),
            None => Err(UrlError::UnknownName(name.to_owned())),
        }
    }
}

/// Who answers a request.
enum Found {
    Handler(Rc<dyn BoxHandler>),
    Layered(Rc<[Step]>, Rc<dyn BoxHandler>),
    Answer(Response),
}

impl Found {
    fn new(steps: &Rc<[Step]>, handler: Rc<dyn BoxHandler>) -> Self {
        if steps.is_empty() {
            return Found::Handler(handler);
        }
        Found::Layered(Rc::clone(steps), handler)
    }
}

impl Table {
    fn find(&self, request: &mut Request) -> Found {
        if !self.hosts.is_empty()
            && let Some(handler) = self.find_host(request)
        {
            return Found::Handler(handler);
        }
        let method = request.method();
        let Some(path) = request.path().strip_prefix('/') else {
            return self.about_server(request);
        };
        let mut values = Vec::new();
        let mut endpoint = self.tree.find(Some(path), &mut values);
        if endpoint.is_none() && self.trailing_slash == TrailingSlash::Ignore {
            values.clear();
            endpoint = match path.strip_suffix('/') {
                Some(path) => self.tree.find(Some(path), &mut values),
                None => None,
            };
        }
        let other;
        if endpoint.is_none()
            && self.trailing_slash == TrailingSlash::Ignore
            && !path.ends_with('/')
        {
            other = format!("{path}/");
            values.clear();
            endpoint = self.tree.find(Some(&other), &mut values);
        }
        let Some(endpoint) = endpoint else {
            return self.find_none(request);
        };
        if !values.is_empty() {
            let names = endpoint.pattern.names.iter();
            let decoded = values
                .iter()
                .map(|value| percent::decode(value).into_owned());
            let own = names.cloned().zip(decoded).collect::<Vec<_>>();
            let params = request.params().iter().cloned().chain(own).collect();
            request.set_params(params);
        }
        let endpoint = Rc::clone(endpoint);
        request.set_route(Rc::clone(&endpoint.text));
        request.set_router(Rc::clone(&self.names) as Rc<dyn Any>);
        match endpoint.target(method) {
            Some(target) => Found::new(&target.steps, Rc::clone(&target.handler)),
            None if endpoint.steps.is_empty() => Found::Answer(endpoint.answer(method)),
            None => Found::Layered(Rc::clone(&endpoint.steps), endpoint),
        }
    }

    fn find_host(&self, request: &mut Request) -> Option<Rc<dyn BoxHandler>> {
        let mut params = Vec::new();
        let host = request.head().host()?;
        let mut hosts = self.hosts.iter();
        let (_, handler, _) = hosts.find(|(host_is, ..)| host_is.matches(host, &mut params))?;
        if !params.is_empty() {
            request.set_params(params);
        }
        Some(Rc::clone(handler))
    }

    /// `OPTIONS *` asks what there is anywhere (RFC 9110, 9.3.7).
    fn about_server(&self, request: &Request) -> Found {
        if request.method() != Method::Options {
            return Found::Answer(Status::NOT_FOUND.into_response());
        }
        let mut allowed = Vec::new();
        self.tree
            .visit(&mut |endpoint| endpoint.add_allowed(&mut allowed));
        Found::Answer(allow(Method::Options, allowed))
    }

    fn find_none(&self, request: &Request) -> Found {
        if self.trailing_slash == TrailingSlash::Redirect
            && let Some(response) = self.redirect(request)
        {
            return Found::Answer(response);
        }
        let path = request.path().strip_prefix('/');
        let Some(fallback) = self.tree.fallback(path) else {
            return Found::Answer(Status::NOT_FOUND.into_response());
        };
        let not_found = || Rc::new(async |_: Request| Status::NOT_FOUND) as Rc<dyn BoxHandler>;
        let handler = fallback.handler.unwrap_or_else(not_found);
        Found::new(&fallback.steps, handler)
    }

    /// The way to the same path with a slash more or less, if it has a
    /// route. Never to `//host`, which would be another server.
    fn redirect(&self, request: &Request) -> Option<Response> {
        let path = request.path();
        if path[1..].starts_with(['/', '\\']) {
            return None;
        }
        let mut location = match path.strip_suffix('/') {
            Some(shorter) => shorter.to_owned(),
            None => format!("{path}/"),
        };
        self.tree
            .find(Some(location.strip_prefix('/')?), &mut Vec::new())?;
        if let Some(query) = request.query() {
            location.push('?');
            location.push_str(query);
        }
        let status = match request.method() {
            Method::Get | Method::Head => Status::PERMANENT_REDIRECT,
            _ => Status::TEMPORARY_REDIRECT,
        };
        Response::new(status).with_header("location", location).ok()
    }
}

impl Table {
    /// Finds who answers, and has it begin.
    pub(super) fn begin(&self, mut request: Request) -> ResponseFuture {
        match self.find(&mut request) {
            Found::Handler(handler) => handler.call(request),
            Found::Layered(steps, last) => Next::new(&steps, last).begin(request),
            Found::Answer(response) => Box::pin(ready(response)),
        }
    }
}

impl Handler for Table {
    fn handle(&self, request: Request) -> impl Future<Output = Response> {
        self.begin(request)
    }
}
