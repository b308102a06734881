//! The tree of routes: one node a segment, and what stands at its end.
//!
//! A node of the tree lies at one depth and is looked at once a request at
//! most, so the longest of paths costs no more than the tree is large.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::endpoint::Endpoint;
use super::middleware::{BoxHandler, Step};
use super::pattern::{Kind, Pattern, Segment};
use super::percent;

#[derive(Default)]
pub(super) struct Routes {
    texts: BTreeMap<Box<str>, Routes>,
    /// The narrower kinds first.
    params: Vec<(Kind, Routes)>,
    endpoint: Option<Rc<Endpoint>>,
    fallback: Option<Fallback>,
}

/// What answers where nothing else does, here and below.
#[derive(Clone)]
pub(super) struct Fallback {
    /// Without one of its own, the one above answers.
    pub(super) handler: Option<Rc<dyn BoxHandler>>,
    pub(super) steps: Rc<[Step]>,
}

impl Routes {
    fn node(&mut self, pattern: &Pattern) -> &mut Routes {
        let mut node = self;
        for segment in &pattern.segments {
            node = match segment {
                Segment::Text(text) => node.texts.entry(text.clone()).or_default(),
                Segment::Param(kind) => node.param(*kind),
            };
        }
        node
    }

    fn param(&mut self, kind: Kind) -> &mut Routes {
        let at = match self.params.binary_search_by_key(&kind, |(kind, _)| *kind) {
            Ok(at) => at,
            Err(at) => {
                self.params.insert(at, (kind, Routes::default()));
                at
            }
        };
        &mut self.params[at].1
    }

    /// # Panics
    ///
    /// When one of its methods is there already, or its params have other
    /// names there.
    #[track_caller]
    pub(super) fn insert(&mut self, endpoint: Endpoint) {
        let node = self.node(&endpoint.pattern);
        match node.endpoint.as_mut() {
            Some(known) => Rc::get_mut(known)
                .expect("no request holds a route that is being built")
                .merge(endpoint),
            None => node.endpoint = Some(Rc::new(endpoint)),
        }
    }

    /// Sets what answers below a prefix; `None` is everywhere.
    #[track_caller]
    pub(super) fn set_fallback(&mut self, prefix: Option<&Pattern>, fallback: Fallback) {
        let node = match prefix {
            Some(prefix) => self.node(prefix),
            None => self,
        };
        assert!(
            node.fallback.is_none(),
            "there is a fallback for this prefix already"
        );
        node.fallback = Some(fallback);
    }

    /// Takes all that was inserted out again, with the prefixes of the
    /// fallbacks.
    pub(super) fn drain(&mut self, all: &mut Drained) {
        let endpoint = self.endpoint.take().map(|endpoint| {
            Rc::into_inner(endpoint).expect("no request holds a route that is being built")
        });
        all.endpoints.extend(endpoint);
        if let Some(fallback) = self.fallback.take() {
            all.fallbacks.push((all.prefix.clone(), fallback));
        }
        for (text, node) in &mut self.texts {
            all.prefix.push(Segment::Text(text.clone()));
            node.drain(all);
            all.prefix.pop();
        }
        for (kind, node) in &mut self.params {
            all.prefix.push(Segment::Param(*kind));
            node.drain(all);
            all.prefix.pop();
        }
    }

    pub(super) fn visit<'r>(&'r self, visitor: &mut impl FnMut(&'r Endpoint)) {
        self.endpoint.iter().for_each(|endpoint| visitor(endpoint));
        let nodes = self.texts.values();
        for node in nodes.chain(self.params.iter().map(|(_, node)| node)) {
            node.visit(visitor);
        }
    }

    /// Finds what stands at the end of a path, and puts what its braces
    /// match into `values`, still encoded. `None` for the path is its end.
    pub(super) fn find<'r, 'p>(
        &'r self,
        path: Option<&'p str>,
        values: &mut Vec<&'p str>,
    ) -> Option<&'r Rc<Endpoint>> {
        let Some(path) = path else {
            return self.endpoint.as_ref();
        };
        let (segment, rest) = split(path);
        if self.texts.is_empty() && self.params.is_empty() {
            return None;
        }
        let decoded = percent::decode(segment);
        if let Some(node) = self.texts.get(&*decoded)
            && let Some(found) = node.find(rest, values)
        {
            return Some(found);
        }
        let depth = values.len();
        for (kind, node) in &self.params {
            let (value, rest) = match kind {
                Kind::Path => (path, None),
                _ if kind.fits(&decoded) => (segment, rest),
                _ => continue,
            };
            values.push(value);
            let found = node.find(rest, values);
            if found.is_some() {
                return found;
            }
            values.truncate(depth);
        }
        None
    }

    /// Finds the deepest fallback above a path that has no route.
    pub(super) fn fallback(&self, path: Option<&str>) -> Option<Fallback> {
        let mut deepest = (0, None);
        self.look_for_fallback(path, 1, None, &mut deepest);
        deepest.1
    }

    fn look_for_fallback(
        &self,
        path: Option<&str>,
        depth: usize,
        above: Option<&Rc<dyn BoxHandler>>,
        deepest: &mut (usize, Option<Fallback>),
    ) {
        let own = self.fallback.as_ref();
        let handler = own.and_then(|fallback| fallback.handler.as_ref()).or(above);
        if let Some(own) = own.filter(|_| depth > deepest.0) {
            let fallback = Fallback {
                handler: handler.cloned(),
                steps: Rc::clone(&own.steps),
            };
            *deepest = (depth, Some(fallback));
        }
        let Some(path) = path else { return };
        let (segment, rest) = split(path);
        let decoded = percent::decode(segment);
        if let Some(node) = self.texts.get(&*decoded) {
            node.look_for_fallback(rest, depth + 1, handler, deepest);
        }
        for (kind, node) in &self.params {
            if *kind != Kind::Path && kind.fits(&decoded) {
                node.look_for_fallback(rest, depth + 1, handler, deepest);
            }
        }
    }
}

/// What was in a tree.
#[derive(Default)]
pub(super) struct Drained {
    prefix: Vec<Segment>,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) fallbacks: Vec<(Vec<Segment>, Fallback)>,
}

fn split(path: &str) -> (&str, Option<&str>) {
    match path.split_once('/') {
        Some((segment, rest)) => (segment, Some(rest)),
        None => (path, None),
    }
}
