//! Both runs of the plan, one after the other.

use super::Fault;
use super::client::Client;
use super::facts::{Facts, Plan};
use super::server::{BAD, GOOD};
use super::tape::Tape;
use super::terminal::Progress;

/// What came of both runs.
pub(super) struct Both {
    pub(super) facts: Facts,
    pub(super) a: Tape,
    pub(super) b: Tape,
}

/// Has the client carry out the plan twice.
pub(super) fn run(client: &Client, plan: Plan, progress: Progress) -> Result<Both, Fault> {
    progress.say("A: the heavy work runs on the loop");
    let (a, tape_a) = client.run(&plan, BAD).map_err(in_run("A"))?;
    progress.say("B: the heavy work runs on a worker");
    let (b, mut tape_b) = client.run(&plan, GOOD).map_err(in_run("B"))?;
    progress.clear();
    tape_b.add_marks_of(&tape_a);
    let culprit = tape_a.culprit();
    let facts = Facts {
        plan,
        a,
        b,
        culprit,
    };
    Ok(Both {
        facts,
        a: tape_a,
        b: tape_b,
    })
}

fn in_run(name: &str) -> impl FnOnce(Fault) -> Fault {
    move |fault| format!("run {name}: {fault}").into()
}
