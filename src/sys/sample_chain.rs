//! Whether stacks can be sampled here: a chain of three calls that a sample has to find.

use std::fmt;
use std::hint::black_box;

/// What the test at the start has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SelfTest {
    /// The signal came.
    pub(crate) answers: bool,
    /// Of a chain of three calls, how many each walk has found; and all its frames.
    pub(crate) framed: (usize, usize),
    pub(crate) unwound: (usize, usize),
    /// Why the unwinder is not used.
    pub(crate) refusal: Option<&'static str>,
}

impl fmt::Display for SelfTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.answers {
            return f.write_str("no stacks: the signal does not come through");
        }
        let framed = self.framed.1;
        match self.refusal {
            None => {
                let all = self.unwound.1;
                write!(
                    f,
                    "stacks by unwinder (frame pointers: {framed} of {all} frames)"
                )
            }
            Some(why) => write!(f, "stacks by frame pointers: {framed} frames ({why})"),
        }
    }
}

/// One of the chain: it passes on what is called at its end.
type Call = fn(&dyn Fn() -> bool, u32) -> u32;

/// Calls `send` at the end of a chain of three, which sends the signal to this very thread.
pub(super) fn call_chain(send: impl Fn() -> bool) {
    black_box(outer(&send, 1));
}

// Each does something of its own, so that no linker folds them into one, and something after the
// call, so that none is a jump.

#[inline(never)]
fn outer(send: &dyn Fn() -> bool, depth: u32) -> u32 {
    black_box(middle(send, black_box(depth + 1)) ^ 1)
}

#[inline(never)]
fn middle(send: &dyn Fn() -> bool, depth: u32) -> u32 {
    black_box(inner(send, black_box(depth + 2)) + 3)
}

#[inline(never)]
fn inner(send: &dyn Fn() -> bool, depth: u32) -> u32 {
    let sent = send();
    black_box(depth * 5 + u32::from(sent))
}

/// How many of the three are among these addresses.
pub(super) fn chain_found(pcs: &[usize]) -> usize {
    /// None of them is longer.
    const BYTES_MAX: usize = 2048;
    let starts = [
        outer as Call as usize,
        middle as Call as usize,
        inner as Call as usize,
    ];
    let holder = |pc: usize| {
        let before = starts.into_iter().filter(|&start| start < pc);
        before.max().filter(|start| pc - start < BYTES_MAX)
    };
    let found = |start: &&usize| pcs.iter().any(|&pc| holder(pc) == Some(**start));
    starts.iter().filter(found).count()
}
