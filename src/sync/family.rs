//! The tree that cancellation tokens hang in.
//!
//! A node that no token holds any more stays only while several children need it to hear of the
//! same ancestors. An only child takes its place; without a child it goes. So every leaf is held,
//! nodes that are not are fewer than the leaves, and what is dropped is gone in constant time.
//!
//! The links are counted references in circles: what leaves the tree has all of its own taken. No
//! waker is touched while a link is half made; and nothing here recurses, however deep the tree.

use std::cell::Cell;
use std::rc::Rc;
use std::task::Waker;

use super::waiters::Waiters;

/// What clones of a token share.
#[derive(Default)]
pub(super) struct Node {
    /// Who waits for the end of this one.
    pub(super) waiters: Waiters,
    is_cancelled: Cell<bool>,
    /// How many tokens hold it.
    tokens: Cell<usize>,
    parent: Link,
    elder: Link,
    younger: Link,
    /// Its first child and its last.
    eldest: Link,
    youngest: Link,
}

#[derive(Default)]
struct Link(Cell<Option<Rc<Node>>>);

impl Link {
    #[cfg(test)]
    fn get(&self) -> Option<Rc<Node>> {
        let node = self.0.take();
        self.0.set(node.clone());
        node
    }

    fn set(&self, node: Option<Rc<Node>>) {
        self.0.set(node);
    }

    fn take(&self) -> Option<Rc<Node>> {
        self.0.take()
    }
}

impl Node {
    pub(super) fn is_cancelled(&self) -> bool {
        self.is_cancelled.get()
    }

    /// Counts one token more.
    pub(super) fn hold(&self) {
        self.tokens.set(self.tokens.get() + 1);
    }

    /// Counts one token less. Whoever calls this has a reference of its own,
    /// to be dropped after.
    pub(super) fn let_go(&self) {
        self.tokens.set(self.tokens.get() - 1);
        self.retire();
    }

    /// Makes a node that ends with this one: at once, if this one has.
    pub(super) fn child(self: &Rc<Self>) -> Rc<Node> {
        let child = Rc::new(Node::default());
        if self.is_cancelled() {
            child.is_cancelled.set(true);
            return child;
        }
        let elder = self.youngest.take();
        match &elder {
            Some(elder) => elder.younger.set(Some(Rc::clone(&child))),
            None => self.eldest.set(Some(Rc::clone(&child))),
        }
        self.youngest.set(Some(Rc::clone(&child)));
        child.elder.set(elder);
        child.parent.set(Some(Rc::clone(self)));
        child
    }

    /// Ends this node and all below it, and takes them apart. Returns who
    /// waited: generation after generation, each in the order of birth; and
    /// the parent, which may have to [retire](Self::retire) when they are
    /// woken.
    pub(super) fn cancel(self: &Rc<Self>) -> (Vec<Waker>, Option<Rc<Node>>) {
        let mut wakers = Vec::new();
        let parent = self.give_place_to(None);
        let mut family = vec![Rc::clone(self)];
        let mut at = 0;
        while let Some(node) = family.get(at).cloned() {
            node.is_cancelled.set(true);
            node.waiters.release_into(&mut wakers);
            node.youngest.take();
            let mut next = node.eldest.take();
            while let Some(child) = next {
                child.parent.take();
                child.elder.take();
                next = child.younger.take();
                family.push(child);
            }
            at += 1;
        }
        (wakers, parent)
    }

    /// Leaves the tree, if no token holds it and no two children need it.
    ///
    /// This may drop nodes, and with them the wakers of futures that were
    /// forgotten: they may use any token, and panic.
    pub(super) fn retire(&self) {
        if self.tokens.get() > 0 {
            return;
        }
        let (eldest, youngest) = (self.eldest.take(), self.youngest.take());
        if let (Some(first), Some(last)) = (&eldest, &youngest)
            && !Rc::ptr_eq(first, last)
        {
            self.eldest.set(eldest);
            self.youngest.set(youngest);
            return;
        }
        let is_childless = eldest.is_none();
        let parent = self.give_place_to(eldest);
        if let Some(parent) = parent
            && is_childless
        {
            // It had two children at least if it is held by none. So one is
            // left to take its place, and this goes no further up.
            parent.retire();
        }
    }

    /// Leaves its place among its siblings, to its heir if there is one.
    /// Returns the parent, which may have to retire.
    fn give_place_to(&self, heir: Option<Rc<Node>>) -> Option<Rc<Node>> {
        let parent = self.parent.take();
        let (elder, younger) = (self.elder.take(), self.younger.take());
        let after = heir.clone().or_else(|| younger.clone());
        let before = heir.clone().or_else(|| elder.clone());
        match (&elder, &parent) {
            (Some(elder), _) => elder.younger.set(after),
            (None, Some(parent)) => parent.eldest.set(after),
            (None, None) => {}
        }
        match (&younger, &parent) {
            (Some(younger), _) => younger.elder.set(before),
            (None, Some(parent)) => parent.youngest.set(before),
            (None, None) => {}
        }
        if let Some(heir) = heir {
            heir.parent.set(parent.clone());
            heir.elder.set(elder);
            heir.younger.set(younger);
        }
        parent
    }

    /// How many children it has.
    #[cfg(test)]
    pub(super) fn children(&self) -> usize {
        std::iter::successors(self.eldest.get(), |child| child.younger.get()).count()
    }

    /// The parent, unless it is the root of its tree.
    #[cfg(test)]
    pub(super) fn parent(&self) -> Option<Rc<Node>> {
        self.parent.get()
    }
}
