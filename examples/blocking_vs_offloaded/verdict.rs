//! What the facts say, in sentences; and whether they say it at all.

use super::facts::{Facts, HeavyFact, NOTICED_MS, Run, Summary, WAITED_MS};

/// Below this, the difference could be the machine's mood.
const FACTOR_MIN: f64 = 3.0;

const AGAIN: &str = "The machine may be too busy: run again when it has less to do.";

pub(super) struct Verdict {
    pub(super) ok: bool,
    /// p99 of the light requests, A by B.
    pub(super) factor: f64,
    pub(super) sentences: Vec<String>,
}

pub(super) fn judge(facts: &Facts) -> Verdict {
    let (a, b) = (facts.a.summary(), facts.b.summary());
    let factor = a.p99 / b.p99;
    let fault = fault(facts, &a, &b, factor);
    let ok = fault.is_none();
    let sentences = match fault {
        Some(fault) => vec![fault],
        None => vec![
            guilt(facts),
            harm(&a),
            format!(
                "Offloading cut their p99 by a factor of {factor:.0} ({:.1} ms / {:.1} ms).",
                a.p99, b.p99
            ),
            heavy(facts),
            median(&a, &b),
        ],
    };
    Verdict {
        ok,
        factor,
        sentences,
    }
}

/// Why the runs do not show what they should, if so, and what to do.
fn fault(facts: &Facts, a: &Summary, b: &Summary, factor: f64) -> Option<String> {
    let place = |run: &Run, on_loop| run.heavy.iter().all(|heavy| heavy.on_loop == on_loop);
    if !place(&facts.a, true) || !place(&facts.b, false) {
        let text = "The heavy work did not run where it should: on the loop in A, on a worker in \
                    B. That is a bug of tourbillon: please report it.";
        return Some(text.to_owned());
    }
    let mut digests = facts.a.heavy.iter().chain(&facts.b.heavy);
    let first = digests.next().map(|heavy| &heavy.digest);
    if digests.any(|heavy| Some(&heavy.digest) != first) {
        let text = "The heavy work gave different results in A and B, so the runs cannot be \
                    compared. Run again; if that does not help, test the machine's memory.";
        return Some(text.to_owned());
    }
    if a.over_100ms == 0 {
        return Some(format!(
            "Blocking did not show in A: no light request took longer than {NOTICED_MS:.0} ms \
             (max {:.1} ms). {AGAIN}",
            a.max
        ));
    }
    (factor < FACTOR_MIN).then(|| {
        format!(
            "Offloading did not help: p99 of the light requests was {:.1} ms in A and {:.1} ms in \
             B, a factor of {factor:.1}, and it should be {FACTOR_MIN:.0} at least. {AGAIN}",
            a.p99, b.p99
        )
    })
}

/// Who it was, in the words of the watchdog.
fn guilt(facts: &Facts) -> String {
    let stuck = format!("In A the loop was stuck for {:.0} ms", facts.a.stuck);
    let Some(culprit) = &facts.culprit else {
        return format!("{stuck}.");
    };
    let place = match culprit.place.as_str() {
        "" => String::new(),
        place => format!(" ({place})"),
    };
    format!(
        "{stuck} in {}{place}, called from task \"{}\": {}.",
        culprit.function, culprit.task, culprit.verdict
    )
}

fn harm(a: &Summary) -> String {
    let noticed = match a.over_100ms {
        over if over == a.waited => "all".to_owned(),
        over => over.to_string(),
    };
    format!(
        "{} of {} light requests had to wait, {noticed} of them for more than {NOTICED_MS:.0} ms.",
        a.waited, a.n
    )
}

fn heavy(facts: &Facts) -> String {
    if let ([a], [b]) = (&facts.a.heavy[..], &facts.b.heavy[..]) {
        let (a, b) = (a.latency(), b.latency());
        let times = format!("{a:.1} ms in A, {b:.1} ms in B");
        return if b >= a {
            format!("It did not make the heavy request itself faster ({times}): it freed the loop.")
        } else if b > 0.9 * a {
            // The processor's clock and its other users make that of the same work.
            format!("The heavy request itself took about as long ({times}): it freed the loop.")
        } else {
            format!("The heavy request itself took {times}.")
        };
    }
    let range = |run: &Run| {
        let latencies = run.heavy.iter().map(HeavyFact::latency);
        let (first, last) = latencies.fold((f64::INFINITY, 0.0), |(first, last), latency| {
            (f64::min(first, latency), f64::max(last, latency))
        });
        let mut threads: Vec<&str> = run.heavy.iter().map(|heavy| &*heavy.thread).collect();
        threads.sort_unstable();
        threads.dedup();
        let (count, s) = (threads.len(), if threads.len() == 1 { "" } else { "s" });
        format!("{first:.0} to {last:.0} ms on {count} thread{s}")
    };
    let (count, a, b) = (facts.plan.heavy, range(&facts.a), range(&facts.b));
    format!("The {count} heavy requests took {a} in A, {b} in B.")
}

fn median(a: &Summary, b: &Summary) -> String {
    let times = format!("{:.1} ms in A, {:.1} ms in B", a.p50, b.p50);
    if a.p50 <= WAITED_MS {
        format!(
            "p50 alone hides all this ({times}): {} of {} light requests found the loop free.",
            a.n - a.waited,
            a.n
        )
    } else if a.p50 >= FACTOR_MIN * b.p50 {
        format!("p50 shows it too ({times}), as more than half of the light requests waited.")
    } else {
        format!(
            "p50 says little of it here ({times}): half of the requests say nothing of the rest."
        )
    }
}
