//! Finds the handler for a path and a method.
//!
//! Routes form a tree by path segment. At each step a segment that is
//! spelled out goes before one in braces, so `/users/me` and `/users/{id}`
//! live together, whichever was added first.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use crate::server::{Handler, IntoResponse, Method, Request, Response, Status};

/// Routes by path and method. It is a [`Handler`] itself.
///
/// A path with no route is 404; one with routes for other methods is 405,
/// with the `allow` field that names them. HEAD goes to the handler for GET
/// unless it has one of its own, and its body is left out.
///
/// # Examples
///
/// ```
/// use tourbillon::server::Request;
/// use tourbillon::web::Router;
///
/// let app = Router::new()
///     .get("/", async |_| "Hello!")
///     .get("/users/{id}", async |request: Request| {
///         format!("user {}", request.param("id").unwrap_or_default())
///     });
/// # let _ = app;
/// ```
#[derive(Default)]
pub struct Router {
    root: Node,
}

#[derive(Default)]
struct Node {
    spelled_out: BTreeMap<Box<str>, Node>,
    param: Option<(Rc<str>, Box<Node>)>,
    handlers: Vec<(Method, Box<dyn BoxHandler>)>,
}

type ResponseFuture = Pin<Box<dyn Future<Output = Response>>>;

/// A [`Handler`] behind a pointer: the one allocation of a routed request.
trait BoxHandler {
    fn handle_boxed(&self, request: Request) -> ResponseFuture;
}

impl<H: Handler> BoxHandler for Rc<H> {
    fn handle_boxed(&self, request: Request) -> ResponseFuture {
        let handler = Rc::clone(self);
        Box::pin(async move { handler.handle(request).await })
    }
}

impl Router {
    /// No routes.
    pub fn new() -> Self {
        Router::default()
    }

    /// Adds a route for GET, and so for HEAD.
    #[must_use]
    #[track_caller]
    pub fn get(self, path: &str, handler: impl Handler) -> Self {
        self.route(Method::Get, path, handler)
    }

    /// Adds a route for POST.
    #[must_use]
    #[track_caller]
    pub fn post(self, path: &str, handler: impl Handler) -> Self {
        self.route(Method::Post, path, handler)
    }

    /// Adds a route for PUT.
    #[must_use]
    #[track_caller]
    pub fn put(self, path: &str, handler: impl Handler) -> Self {
        self.route(Method::Put, path, handler)
    }

    /// Adds a route for PATCH.
    #[must_use]
    #[track_caller]
    pub fn patch(self, path: &str, handler: impl Handler) -> Self {
        self.route(Method::Patch, path, handler)
    }

    /// Adds a route for DELETE.
    #[must_use]
    #[track_caller]
    pub fn delete(self, path: &str, handler: impl Handler) -> Self {
        self.route(Method::Delete, path, handler)
    }

    /// Adds a route. A segment in braces matches any one segment that is not
    /// empty, and gives it to [`Request::param`].
    ///
    /// # Panics
    ///
    /// When `path` does not begin with a slash, has this route already, or
    /// names a segment in braces otherwise than a route beside it does. A
    /// program that starts has none of these faults.
    #[must_use]
    #[track_caller]
    pub fn route(mut self, method: Method, path: &str, handler: impl Handler) -> Self {
        assert!(
            path.starts_with('/'),
            "the path {path:?} must begin with a slash"
        );
        let mut node = &mut self.root;
        for segment in path[1..].split('/') {
            node = match segment
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'))
            {
                Some(name) => node.param_child(name, path),
                None => node.spelled_out.entry(Box::from(segment)).or_default(),
            };
        }
        let is_taken = node.handlers.iter().any(|(taken, _)| *taken == method);
        assert!(!is_taken, "{method:?} {path} has a handler already");
        node.handlers.push((method, Box::new(Rc::new(handler))));
        self
    }

    fn find<'r>(&'r self, path: &str, params: &mut Vec<(Rc<str>, String)>) -> Option<&'r Node> {
        self.root.find(path.strip_prefix('/')?, params)
    }
}

impl Node {
    #[track_caller]
    fn param_child(&mut self, name: &str, path: &str) -> &mut Node {
        assert!(
            !name.is_empty(),
            "a segment in braces of {path:?} has no name"
        );
        let (known, child) = self
            .param
            .get_or_insert_with(|| (Rc::from(name), Box::default()));
        assert!(
            &**known == name,
            "{path:?} calls {{{name}}} what another route calls {{{known}}}: use one name"
        );
        child
    }

    /// Walks down by segment. What a dead end had put into `params` is taken
    /// out again.
    fn find<'n>(&'n self, rest: &str, params: &mut Vec<(Rc<str>, String)>) -> Option<&'n Node> {
        let (segment, rest) = match rest.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (rest, None),
        };
        let descend = |child: &'n Node, params: &mut Vec<(Rc<str>, String)>| match rest {
            Some(rest) => child.find(rest, params),
            None => (!child.handlers.is_empty()).then_some(child),
        };
        if let Some(child) = self.spelled_out.get(segment)
            && let Some(found) = descend(child, params)
        {
            return Some(found);
        }
        let (name, child) = self.param.as_ref().filter(|_| !segment.is_empty())?;
        let depth = params.len();
        params.push((Rc::clone(name), decode(segment)));
        let found = descend(child, params);
        if found.is_none() {
            params.truncate(depth);
        }
        found
    }

    fn handler(&self, method: Method) -> Option<&dyn BoxHandler> {
        let of = |wanted| self.handlers.iter().find(|(method, _)| *method == wanted);
        let found = of(method).or_else(|| of(Method::Get).filter(|_| method == Method::Head));
        found.map(|(_, handler)| &**handler)
    }

    fn not_allowed(&self) -> Response {
        let mut allowed: Vec<&str> = self
            .handlers
            .iter()
            .filter_map(|(method, _)| method.text())
            .collect();
        if allowed.contains(&"GET") && !allowed.contains(&"HEAD") {
            allowed.push("HEAD");
        }
        let response = Status::METHOD_NOT_ALLOWED.into_response();
        match response.with_header("allow", allowed.join(", ")) {
            Ok(response) => response,
            Err(error) => unreachable!("methods are tokens: {error}"),
        }
    }
}

/// Decodes `%41` and its like. What is no valid escape stays as it is, and
/// what is no UTF-8 becomes replacement characters.
fn decode(segment: &str) -> String {
    if !segment.contains('%') {
        return segment.to_owned();
    }
    let bytes = segment.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let escape = (bytes[index] == b'%')
            .then(|| segment.get(index + 1..index + 3))
            .flatten();
        let byte = escape
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(byte.unwrap_or(bytes[index]));
        index += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

impl Handler for Router {
    async fn handle(&self, mut request: Request) -> Response {
        let mut params = Vec::new();
        let Some(node) = self.find(request.path(), &mut params) else {
            return Status::NOT_FOUND.into_response();
        };
        let Some(handler) = node.handler(request.method()) else {
            return node.not_allowed();
        };
        request.set_params(params);
        handler.handle_boxed(request).await
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn list(node: &Node, path: &str, f: &mut fmt::DebugList<'_, '_>) {
            for (method, _) in &node.handlers {
                f.entry(&format_args!("{method:?} {path}"));
            }
            for (segment, child) in &node.spelled_out {
                list(child, &format!("{path}/{segment}"), f);
            }
            if let Some((name, child)) = &node.param {
                list(child, &format!("{path}/{{{name}}}"), f);
            }
        }
        let mut routes = f.debug_list();
        list(&self.root, "", &mut routes);
        routes.finish()
    }
}
