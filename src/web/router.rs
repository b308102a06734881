//! Finds the handler for a host, a path and a method.
//!
//! Routes form a tree by path segment. At each step a segment that is
//! spelled out goes before one in braces, and a narrow kind before a wide
//! one, so `/users/me`, `/users/{id:int}` and `/users/{name}` live together,
//! whichever was added first.

use std::collections::btree_map::Entry;
use std::fmt;
use std::future::Future;
use std::rc::Rc;

use super::endpoint::{Endpoint, Target, joined};
use super::host::HostPattern;
use super::middleware::{BoxHandler, Middleware, Next, Step};
use super::pattern::{Pattern, UrlError};
use super::routes::{Drained, Fallback};
use super::table::{Table, TrailingSlash};
use crate::server::{Handler, Method, Request, Response};

/// Routes by host, path and method. It is a [`Handler`] itself.
///
/// A path with no route is 404; one with routes for other methods is 405,
/// with the `allow` field that names them. HEAD goes to the handler for GET
/// unless it has one of its own, and its body is left out. OPTIONS without
/// a handler is 204 with `allow`, for `*` too.
///
/// A segment in braces matches one segment that is not empty, and gives it
/// decoded to [`Request::param`]. A decoded value may hold anything, slashes
/// and dots too. After a colon stands what it may be, or else the route does
/// not match:
///
/// | pattern | matches |
/// |---|---|
/// | `{id:int}` | digits |
/// | `{x:float}` | digits, with a fraction or without |
/// | `{u:uuid}` | 32 hex digits, with the four dashes or without |
/// | `{name}`, `{name:str}` | any one segment but an empty one |
/// | `{rest:path}` | all that is left, slashes too, and be it nothing |
///
/// # Examples
///
/// ```
/// use tourbillon::server::{Request, Status};
/// use tourbillon::web::Router;
///
/// let users = Router::new()
///     .get("/", async |_| "all users")
///     .post("/", async |_| Status::CREATED)
///     .get("/{id:int}", async |request: Request| {
///         format!("user {}", request.param("id").unwrap_or_default())
///     })
///     .name("user")
///     .put("/{id:int}", async |_| Status::NO_CONTENT)
///     .patch("/{id:int}", async |_| Status::NO_CONTENT)
///     .delete("/{id:int}", async |_| Status::NO_CONTENT);
///
/// let app = Router::new()
///     .get("/", async |_| "Hello!")
///     .any("/echo", async |request: Request| request.method_text().to_owned())
///     .nest("/users", users)
///     .host("{team}.example.org", Router::new().get("/", async |_| "a team"))
///     .fallback(async |_| (Status::NOT_FOUND, "nothing here"));
///
/// assert_eq!(app.url_for("user", &[("id", "7")])?, "/users/7");
/// # Ok::<(), tourbillon::web::UrlError>(())
/// ```
pub struct Router {
    routes: Rc<Table>,
    /// Around everything: what changes the request first, then the layers
    /// from the outermost on.
    steps: Rc<[Step]>,
    /// The route that was added last, for its name.
    last: Option<Pattern>,
}

impl Router {
    /// No routes.
    pub fn new() -> Self {
        Router {
            routes: Rc::default(),
            steps: Rc::new([]),
            last: None,
        }
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

    /// Adds a route for all methods that have none of their own there.
    #[must_use]
    #[track_caller]
    pub fn any(self, path: &str, handler: impl Handler) -> Self {
        self.add(None, path, handler)
    }

    /// Adds a route for any one method.
    ///
    /// # Panics
    ///
    /// When `path` is no pattern, has this route already, or names a segment
    /// in braces otherwise than the same route for another method does. A
    /// program that starts has none of these faults.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::server::{Method, Status};
    /// use tourbillon::web::Router;
    ///
    /// let app = Router::new().route(Method::Head, "/", async |_| Status::OK);
    /// # let _ = app;
    /// ```
    #[must_use]
    #[track_caller]
    pub fn route(self, method: Method, path: &str, handler: impl Handler) -> Self {
        self.add(Some(method), path, handler)
    }

    #[track_caller]
    fn add(mut self, method: Option<Method>, path: &str, handler: impl Handler) -> Self {
        let pattern = Pattern::parse(path);
        self.last = Some(pattern.clone());
        let target = Target {
            method,
            handler: Rc::new(handler),
            steps: Rc::new([]),
        };
        self.table().tree.insert(Endpoint::new(pattern, target));
        self
    }

    /// Gives the route that was added last a name, for
    /// [`url_for`](Self::url_for).
    ///
    /// # Panics
    ///
    /// When no route was added before, or another one has the name.
    #[must_use]
    #[track_caller]
    pub fn name(mut self, name: &str) -> Self {
        let Some(pattern) = self.last.clone() else {
            panic!("{name:?} names the route before it, and there is none");
        };
        self.add_name(name.to_owned(), pattern);
        self
    }

    #[track_caller]
    fn add_name(&mut self, name: String, pattern: Pattern) {
        let names = Rc::get_mut(&mut self.table().names);
        let names = names.expect("no request holds names that are being given");
        match names.0.entry(name) {
            Entry::Vacant(place) => place.insert(pattern),
            Entry::Occupied(taken) => panic!("two routes are called {:?}", taken.key()),
        };
    }

    /// Adds the routes of another router below a prefix, which may have
    /// params of its own. Its `/` is the prefix itself, without a slash.
    ///
    /// Its layers and its state stay around its own routes, and around
    /// everything else below the prefix. Its fallback answers there; without
    /// one, this router's does. Its names are kept, and this router's policy
    /// for trailing slashes holds.
    ///
    /// # Panics
    ///
    /// When a route or a name is there already, a param of the prefix is one
    /// of the route too, or the router has hosts.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::server::Request;
    /// use tourbillon::web::Router;
    ///
    /// let books = Router::new().get("/books/{book}", async |request: Request| {
    ///     format!("{:?} of {:?}", request.param("book"), request.param("user"))
    /// });
    /// let app = Router::new().nest("/users/{user}", books);
    /// # let _ = app;
    /// ```
    #[must_use]
    #[track_caller]
    pub fn nest(mut self, prefix: &str, router: Router) -> Self {
        let prefix = Pattern::parse(
            prefix
                .strip_suffix('/')
                .filter(|p| !p.is_empty())
                .unwrap_or(prefix),
        );
        let inner = Rc::into_inner(router.routes);
        let mut inner = inner.expect("no request holds a router that is being built");
        assert!(
            inner.hosts.is_empty(),
            "hosts belong to the outermost router, not into a nest"
        );
        let mut all = Drained::default();
        inner.tree.drain(&mut all);
        let tree = &mut self.table().tree;
        for endpoint in all.endpoints {
            tree.insert(endpoint.nested(&prefix, &router.steps));
        }
        let mut owns_prefix = false;
        for (segments, fallback) in all.fallbacks {
            let is_own = segments.is_empty();
            owns_prefix |= is_own;
            let inner = Pattern {
                segments,
                names: Vec::new(),
            };
            let bare = Pattern {
                segments: prefix.segments.clone(),
                names: Vec::new(),
            };
            let place = if is_own { bare } else { inner.below(&bare) };
            let steps = joined(&router.steps, &fallback.steps);
            let place = Some(&place).filter(|place| !place.is_root());
            tree.set_fallback(place, Fallback { steps, ..fallback });
        }
        if !owns_prefix && !router.steps.is_empty() && !prefix.is_root() {
            let steps = router.steps;
            tree.set_fallback(
                Some(&prefix),
                Fallback {
                    handler: None,
                    steps,
                },
            );
        }
        let names = Rc::into_inner(inner.names);
        let names = names.expect("no request holds names that are being given");
        for (name, pattern) in names.0 {
            self.add_name(name, pattern.below(&prefix));
        }
        self.last = None;
        self
    }

    /// Has another router answer all requests for a host, such as
    /// `{sub}.example.org`: whatever the port, whatever the case. Of several
    /// hosts that match, the one with fewer braces answers.
    ///
    /// This router's layers are around it too; its fallback is not.
    ///
    /// # Panics
    ///
    /// When the host is no pattern.
    #[must_use]
    #[track_caller]
    pub fn host(mut self, host: &str, router: Router) -> Self {
        let pattern = HostPattern::parse(host);
        for (name, pattern) in &router.routes.names.0 {
            self.add_name(name.clone(), pattern.clone());
        }
        let hosts = &mut self.table().hosts;
        let open = pattern.open_labels();
        let at = hosts.partition_point(|(known, ..)| known.open_labels() <= open);
        let routes = format!("{router:?}");
        hosts.insert(at, (pattern, Rc::new(router), routes));
        self.last = None;
        self
    }

    /// Sets what answers where no route does. Without, it is 404.
    ///
    /// # Panics
    ///
    /// When there is one already.
    #[must_use]
    #[track_caller]
    pub fn fallback(mut self, handler: impl Handler) -> Self {
        let fallback = Fallback {
            handler: Some(Rc::new(handler)),
            steps: Rc::new([]),
        };
        self.table().tree.set_fallback(None, fallback);
        self
    }

    /// Sets what becomes of a path with a slash too many, or too few.
    #[must_use]
    pub fn trailing_slash(mut self, policy: TrailingSlash) -> Self {
        self.table().trailing_slash = policy;
        self
    }

    /// Puts a middleware around the whole router: its routes, whether added
    /// before or after, and its own answers such as 404 and 405. The one
    /// added last is outermost.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::web::Router;
    /// use tourbillon::web::middleware::{catch_panic, request_id};
    ///
    /// // A request meets request_id first, then catch_panic.
    /// let app = Router::new()
    ///     .get("/", async |_| "Hello!")
    ///     .layer(catch_panic())
    ///     .layer(request_id());
    /// # let _ = app;
    /// ```
    #[must_use]
    pub fn layer(mut self, middleware: impl Middleware) -> Self {
        let setups = self.setups();
        let step = Step::Around(Rc::new(middleware));
        self.insert_step(setups, step);
        self
    }

    /// Gives its routes a value, for
    /// [`State`](crate::web::extract::State) to find. There is one of a type
    /// at most; a nest's own goes before that of the router around it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use tourbillon::web::Router;
    /// use tourbillon::web::extract::{State, extract};
    ///
    /// struct Greeting(&'static str);
    ///
    /// let app = Router::new()
    ///     .get("/", extract(async |State(greeting): State<Greeting>| greeting.0))
    ///     .with_state(Rc::new(Greeting("Hello!")));
    /// # let _ = app;
    /// ```
    #[must_use]
    pub fn with_state<T: 'static>(mut self, state: Rc<T>) -> Self {
        let setups = self.setups();
        let step = Step::Setup(Rc::new(move |request| {
            request.extensions_mut().insert(Rc::clone(&state));
        }));
        self.insert_step(setups, step);
        self
    }

    fn setups(&self) -> usize {
        let is_setup = |step: &Step| matches!(step, Step::Setup(_));
        self.steps.iter().take_while(|step| is_setup(step)).count()
    }

    fn insert_step(&mut self, at: usize, step: Step) {
        let mut steps = self.steps.to_vec();
        steps.insert(at, step);
        self.steps = steps.into();
    }

    /// The path of a named route, with these values in the place of its
    /// braces, percent-encoded.
    ///
    /// # Errors
    ///
    /// When there is no such route, a param is missing or is none of it, or
    /// a value is none that the route would match. `.` and `..` are refused
    /// as well: clients take them for steps in the tree.
    pub fn url_for(&self, name: &str, params: &[(&str, &str)]) -> Result<String, UrlError> {
        self.routes.names.url_for(name, params)
    }

    fn table(&mut self) -> &mut Table {
        Rc::get_mut(&mut self.routes).expect("no request holds a router that is being built")
    }
}

impl Default for Router {
    fn default() -> Self {
        Router::new()
    }
}

impl Handler for Router {
    /// Not an `async fn`: that would be a larger future around the boxed one.
    fn handle(&self, request: Request) -> impl Future<Output = Response> {
        if self.steps.is_empty() {
            return self.routes.begin(request);
        }
        let last: Rc<dyn BoxHandler> = self.routes.clone();
        Next::new(&self.steps, last).begin(request)
    }
}

/// The routes, one after the other.
impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut routes = f.debug_list();
        self.routes.tree.visit(&mut |endpoint| {
            for target in &endpoint.targets {
                let method = target
                    .method
                    .map_or("*", |method| method.text().unwrap_or("?"));
                routes.entry(&format_args!("{method} {}", endpoint.text));
            }
        });
        for (host, _, inner) in &self.routes.hosts {
            routes.entry(&format_args!("{host} {inner}"));
        }
        routes.finish()
    }
}
