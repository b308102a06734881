//! What stands at the end of a path: its handlers, by method.

use std::rc::Rc;

use super::middleware::{BoxHandler, Step};
use super::pattern::Pattern;
use crate::server::{Handler, IntoResponse, Method, Request, Response, Status};

pub(super) struct Endpoint {
    pub(super) pattern: Pattern,
    /// The pattern as it is written, for who labels by it.
    pub(super) text: Rc<str>,
    pub(super) targets: Vec<Target>,
    /// Around the answers that no handler makes: 405, and to OPTIONS.
    pub(super) steps: Rc<[Step]>,
}

/// A handler, and what is around it.
pub(super) struct Target {
    /// `None` stands for every method.
    pub(super) method: Option<Method>,
    pub(super) handler: Rc<dyn BoxHandler>,
    pub(super) steps: Rc<[Step]>,
}

impl Endpoint {
    pub(super) fn new(pattern: Pattern, target: Target) -> Self {
        Endpoint {
            text: pattern.to_string().into(),
            pattern,
            targets: vec![target],
            steps: Rc::new([]),
        }
    }

    /// This endpoint in a nest: below a prefix, and inside the nest's layers.
    #[track_caller]
    pub(super) fn nested(mut self, prefix: &Pattern, outer: &Rc<[Step]>) -> Self {
        self.pattern = self.pattern.below(prefix);
        self.text = self.pattern.to_string().into();
        for target in &mut self.targets {
            target.steps = joined(outer, &target.steps);
        }
        self.steps = joined(outer, &self.steps);
        self
    }

    #[track_caller]
    pub(super) fn merge(&mut self, other: Endpoint) {
        let (path, known) = (&other.text, &self.text);
        assert!(
            self.pattern.names == other.pattern.names,
            "{path:?} and {known:?} are one route: use one name"
        );
        for target in other.targets {
            let method = target.method;
            let is_taken = self.targets.iter().any(|known| known.method == method);
            let method = method.map_or("any method", |method| method.text().unwrap_or("other"));
            assert!(!is_taken, "{method} {known} has a handler already");
            self.targets.push(target);
        }
    }

    /// The handler for a method: its own, for HEAD that for GET, or the one
    /// for all.
    pub(super) fn target(&self, method: Method) -> Option<&Target> {
        let of = |wanted| self.targets.iter().find(|target| target.method == wanted);
        of(Some(method))
            .or_else(|| of(Some(Method::Get)).filter(|_| method == Method::Head))
            .or_else(|| of(None))
    }

    /// The methods that are answered, into a list without doubles.
    pub(super) fn add_allowed(&self, allowed: &mut Vec<&'static str>) {
        let own = self.targets.iter().filter_map(|target| target.method);
        for method in own.filter_map(Method::text) {
            if !allowed.contains(&method) {
                allowed.push(method);
            }
            if method == "GET" && !allowed.contains(&"HEAD") {
                allowed.push("HEAD");
            }
        }
    }

    /// The answer where no handler makes one.
    pub(super) fn answer(&self, method: Method) -> Response {
        let mut allowed = Vec::new();
        self.add_allowed(&mut allowed);
        allow(method, allowed)
    }
}

/// 204 to OPTIONS and 405 to the rest, with the methods that there are
/// (RFC 9110, 9.3.7 and 15.5.6).
pub(super) fn allow(method: Method, mut allowed: Vec<&'static str>) -> Response {
    if !allowed.contains(&"OPTIONS") {
        allowed.push("OPTIONS");
    }
    let response = match method {
        Method::Options => Response::new(Status::NO_CONTENT),
        _ => Status::METHOD_NOT_ALLOWED.into_response(),
    };
    match response.with_header("allow", allowed.join(", ")) {
        Ok(response) => response,
        Err(error) => unreachable!("methods are tokens: {error}"),
    }
}

impl Handler for Endpoint {
    async fn handle(&self, request: Request) -> Response {
        self.answer(request.method())
    }
}

/// Steps, the outer ones first. What has none on one side stays shared.
pub(super) fn joined(outer: &Rc<[Step]>, inner: &Rc<[Step]>) -> Rc<[Step]> {
    if inner.is_empty() {
        return Rc::clone(outer);
    }
    outer.iter().chain(inner.iter()).cloned().collect()
}
