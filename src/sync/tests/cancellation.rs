//! Cancellation tokens against a tree that forgets nothing: every node that ever was, and which of
//! them has to be kept.

use std::rc::{Rc, Weak};

use super::super::CancellationToken;
use super::super::family::Node;
use super::*;

#[derive(Default)]
struct Tree(Vec<Being>);

/// A node as the model sees it. Its parent comes before it.
struct Being {
    node: Weak<Node>,
    parent: Option<usize>,
    is_cancelled: bool,
    /// Tokens, and futures that own one.
    held_by: usize,
    /// Futures that stand in its line.
    waiting: usize,
}

impl Tree {
    fn bear(&mut self, token: &CancellationToken, parent: Option<usize>) -> usize {
        self.0.push(Being {
            node: Rc::downgrade(token.node()),
            parent,
            is_cancelled: parent.is_some_and(|parent| self.0[parent].is_cancelled),
            held_by: 1,
            waiting: 0,
        });
        self.0.len() - 1
    }

    /// Ends a node and all below; says which.
    fn cancel(&mut self, at: usize) -> Vec<usize> {
        let mut ended = Vec::new();
        for each in at..self.0.len() {
            let above = self.0[each].parent;
            let ends = each == at || above.is_some_and(|above| ended.contains(&above));
            if ends && !self.0[each].is_cancelled {
                let being = &mut self.0[each];
                (being.is_cancelled, being.waiting) = (true, 0);
                ended.push(each);
            }
        }
        ended
    }

    /// Which nodes have to be there: those that are held, and forks.
    fn kept(&self) -> Vec<bool> {
        let mut branches = vec![0; self.0.len()];
        let mut kept = vec![false; self.0.len()];
        for (at, being) in self.0.iter().enumerate().rev() {
            kept[at] = being.held_by > 0 || branches[at] > 1;
            let grows = kept[at] || branches[at] > 0;
            if let Some(parent) = being.parent.filter(|_| grows && !being.is_cancelled) {
                branches[parent] += 1;
            }
        }
        kept
    }

    /// Exactly those are there, and each hangs below the nearest above it.
    fn check(&self, seed: u64) {
        let kept = self.kept();
        let mut above: Vec<Option<usize>> = Vec::new();
        let mut children = vec![0; self.0.len()];
        for (at, being) in self.0.iter().enumerate() {
            let parent = being.parent.filter(|_| !being.is_cancelled);
            above.push(parent.and_then(|up| if kept[up] { Some(up) } else { above[up] }));
            if let Some(up) = above[at].filter(|_| kept[at]) {
                children[up] += 1;
            }
        }
        for (at, being) in self.0.iter().enumerate() {
            let node = being.node.upgrade();
            assert_eq!(node.is_some(), kept[at], "seed {seed}: node {at}");
            let Some(node) = node else { continue };
            let parent = node.parent().map(|node| Rc::downgrade(&node));
            let expected = above[at].map(|up| &self.0[up].node);
            let agree = match (&parent, expected) {
                (Some(parent), Some(expected)) => parent.ptr_eq(expected),
                (parent, expected) => parent.is_none() && expected.is_none(),
            };
            assert!(agree, "seed {seed}: the parent of node {at}");
            assert_eq!(node.children(), children[at], "seed {seed}: node {at}");
            assert_eq!(node.is_cancelled(), being.is_cancelled, "seed {seed}");
            assert_eq!(node.waiters.held(), being.waiting, "seed {seed}");
        }
    }
}

/// A future that owns a token, and where it hangs.
struct Waits {
    task: Task<'static, ()>,
    at: usize,
    stands: bool,
    released: bool,
}

/// The tokens and futures of one seed.
#[derive(Default)]
struct World {
    tree: Tree,
    tokens: Vec<(CancellationToken, usize)>,
    waits: Vec<Waits>,
}

impl World {
    /// Makes a root, a child or a clone, and now and then lets the parent go.
    fn make(&mut self, dice: &mut Dice) {
        let from = any(&mut self.tokens, dice).filter(|_| dice.below(12) > 0);
        let made = match from {
            None => {
                let token = CancellationToken::new();
                let at = self.tree.bear(&token, None);
                (token, at)
            }
            Some(from) if dice.below(4) == 0 => {
                let (token, at) = self.tokens[from].clone();
                self.tree.0[at].held_by += 1;
                (token, at)
            }
            Some(from) => {
                let (parent, up) = &self.tokens[from];
                let token = parent.child_token();
                let at = self.tree.bear(&token, Some(*up));
                (token, at)
            }
        };
        self.tokens.push(made);
        if let Some(from) = from.filter(|_| dice.below(3) == 0) {
            self.drop_token(from);
        }
    }

    fn drop_token(&mut self, which: usize) {
        let (_, at) = self.tokens.swap_remove(which);
        self.tree.0[at].held_by -= 1;
    }

    fn drop_wait(&mut self, which: usize) {
        let wait = self.waits.swap_remove(which);
        let being = &mut self.tree.0[wait.at];
        being.held_by -= 1;
        being.waiting -= usize::from(wait.stands);
    }

    fn cancel(&mut self, which: usize) {
        let (token, at) = &self.tokens[which];
        token.cancel();
        let ended = self.tree.cancel(*at);
        for wait in &mut self.waits {
            if wait.stands && ended.contains(&wait.at) {
                (wait.stands, wait.released) = (false, true);
            }
        }
    }

    fn wait(&mut self, which: usize) {
        let (token, at) = &self.tokens[which];
        let future = token.clone().cancelled_owned();
        self.tree.0[*at].held_by += 1;
        self.waits.push(Waits {
            task: Task::new(0, future),
            at: *at,
            stands: false,
            released: false,
        });
    }

    fn poll(&mut self, which: usize, dice: &mut Dice, seed: u64) {
        let wait = &mut self.waits[which];
        let being = &mut self.tree.0[wait.at];
        let polled = wait.task.poll(dice);
        assert_eq!(polled.is_ready(), being.is_cancelled, "seed {seed}");
        if polled.is_ready() {
            wait.released = false;
            self.drop_wait(which);
        } else if !wait.stands {
            wait.stands = true;
            being.waiting += 1;
        }
    }

    fn step(&mut self, dice: &mut Dice, seed: u64) {
        let what = dice.below(20);
        let which = any(&mut self.tokens, dice);
        let wait = any(&mut self.waits, dice);
        match (what, which, wait) {
            (0..6, ..) if self.tokens.len() < 16 => self.make(dice),
            (6..10, Some(which), _) => self.drop_token(which),
            (10, Some(which), _) => self.cancel(which),
            (11..14, Some(which), _) if self.waits.len() < 12 => self.wait(which),
            (14..19, _, Some(wait)) => self.poll(wait, dice, seed),
            (19, _, Some(wait)) => self.drop_wait(wait),
            _ => {}
        }
    }

    fn check(&self, seed: u64) {
        self.tree.check(seed);
        for wait in &self.waits {
            assert_eq!(wait.task.is_woken(), wait.released, "seed {seed}");
        }
    }
}

#[test]
fn tokens_do_what_the_model_does() {
    let (mut forks, mut depth) = (0, 0);
    // A step looks at every node that ever was.
    for seed in 0..SEEDS / 4 {
        let mut dice = Dice::new(seed);
        let mut world = World::default();
        for _ in 0..STEPS {
            world.step(&mut dice, seed);
            world.check(seed);
            let beings = &world.tree.0;
            let alive = beings.iter().filter(|being| being.node.strong_count() > 0);
            forks += alive.filter(|being| being.held_by == 0).count();
        }
        while !world.tokens.is_empty() {
            let which = dice.below(world.tokens.len());
            world.drop_token(which);
            world.check(seed);
        }
        while !world.waits.is_empty() {
            let which = dice.below(world.waits.len());
            world.drop_wait(which);
            world.check(seed);
        }
        let beings = &world.tree.0;
        assert!(beings.iter().all(|being| being.node.strong_count() == 0));
        let up = |at: &usize| beings[*at].parent;
        let depths = (0..beings.len()).map(|at| std::iter::successors(Some(at), up).count());
        depth = depth.max(depths.max().unwrap_or(0));
    }
    assert!(forks > 1000 && depth > 10, "{forks} forks, {depth} deep");
}

/// A token that makes its own successor again and again leaves none behind.
#[test]
fn a_line_of_successors_keeps_one_ancestor() {
    let root = CancellationToken::new();
    let mut token = root.child_token();
    for _ in 0..1000 {
        token = token.child_token();
        assert_eq!((root.node().children(), token.node().children()), (1, 0));
        let parent = token.node().parent().unwrap();
        assert!(Rc::ptr_eq(&parent, root.node()));
    }
    root.cancel();
    assert!(token.is_cancelled() && root.node().children() == 0);
}
