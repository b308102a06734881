//! Trees of tokens that are too deep to recurse into.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use tourbillon::sync::CancellationToken;

use crate::support::{Dice, Foreign, within};

const GENERATIONS: usize = 100_000;

/// A line, and a comb: each generation has a sibling that has no children.
fn deep(
    comb: bool,
) -> (
    CancellationToken,
    Vec<CancellationToken>,
    Vec<CancellationToken>,
) {
    let root = CancellationToken::new();
    let (mut spine, mut teeth) = (vec![root.child_token()], Vec::new());
    for at in 0..GENERATIONS {
        let next = spine[at].child_token();
        spine.push(next);
        if comb {
            teeth.push(spine[at].child_token());
        }
    }
    (root, spine, teeth)
}

#[test]
fn a_hundred_thousand_generations_end_without_recursion() {
    within(|| {
        for comb in [false, true] {
            // All of them held.
            let (root, spine, teeth) = deep(comb);
            let waits = spine.last().unwrap().clone();
            let woken = Foreign::counting();
            let mut wait = pin!(waits.cancelled());
            let waker = Waker::from(Arc::clone(&woken));
            assert!(
                wait.as_mut()
                    .poll(&mut Context::from_waker(&waker))
                    .is_pending()
            );
            root.cancel();
            assert!(spine.iter().all(CancellationToken::is_cancelled));
            assert!(teeth.iter().all(CancellationToken::is_cancelled));
            assert_eq!(woken.count(), 1);

            // Only the leaves held: what is between them is forks, or nothing.
            let (root, mut spine, teeth) = deep(comb);
            let last = spine.pop().unwrap();
            drop(spine);
            root.cancel();
            assert!(last.is_cancelled() && teeth.iter().all(CancellationToken::is_cancelled));
        }
    });
}

#[test]
fn a_hundred_thousand_generations_go_in_any_order() {
    within(|| {
        let mut dice = Dice::new(5);
        for comb in [false, true] {
            for order in 0..3 {
                let (root, spine, teeth) = deep(comb);
                let last = spine.last().unwrap().clone();
                let mut all: Vec<_> = spine.into_iter().chain(teeth).collect();
                match order {
                    0 => {}
                    1 => all.reverse(),
                    _ => (1..all.len()).rev().for_each(|at| {
                        all.swap(at, dice.below(at as u64 + 1) as usize);
                    }),
                }
                all.into_iter().for_each(drop);
                assert!(!last.is_cancelled());
                root.cancel();
                assert!(last.is_cancelled());

                // And with nobody above.
                let (root, spine, teeth) = deep(comb);
                drop(root);
                let last = spine.last().unwrap().clone();
                drop((teeth, spine));
                assert!(!last.is_cancelled());
            }
        }
    });
}
