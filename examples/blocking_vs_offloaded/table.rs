//! The head of the report, the table of latencies, and the verdict.

use super::facts::{BACKEND, Facts, How, NOTICED_MS, Plan, Run, VERSION, WORKERS};
use super::look::{Ink, Look};
use super::verdict::Verdict;

/// The table with its words spelled out needs so many columns.
const WIDE: usize = 72;

/// What runs, on what.
pub(super) fn header(plan: &Plan, look: &Look) -> String {
    let name = look.paint(Ink::Strong, "tourbillon");
    let each = if plan.heavy == 1 { "" } else { "each " };
    let work = match plan.how {
        How::Cpu => "computes",
        How::Sleep => "sleeps",
        How::Lock => "waits for a lock",
        How::File => "waits for a file",
    };
    let plan = format!(
        "client: {} light, one every {:.0} ms; {} heavy at {:.0} ms, {each}{work} for {:.0} ms",
        plan.light, plan.light_every, plan.heavy, plan.heavy_at, plan.heavy_ms
    );
    format!(
        "{name} {VERSION}   {BACKEND}   {WORKERS} workers\n{}\n",
        look.wrap(&plan, 0)
    )
}

/// The latencies of the light requests, A above B.
pub(super) fn latencies(facts: &Facts, look: &Look) -> String {
    let is_wide = look.width >= WIDE;
    let head = if is_wide {
        let over = format!("over {NOTICED_MS:.0} ms");
        format!(
            "{:<19}{:>4}{:>9}{:>9}{:>9}{:>9}{over:>13}",
            "light requests, ms", "n", "p50", "p90", "p99", "max"
        )
    } else {
        let over = format!(">{NOTICED_MS:.0}");
        format!(
            "{:<2}{:>3}{:>7}{:>7}{:>7}{:>7}{over:>5}",
            "ms", "n", "p50", "p90", "p99", "max"
        )
    };
    let row = |wide: &str, narrow: &str, run: &Run| {
        let of = run.summary();
        let (n, over) = (of.n, of.over_100ms);
        let [p50, p90, p99, max] = [of.p50, of.p90, of.p99, of.max];
        if is_wide {
            format!("{wide:<19}{n:>4}{p50:>9.1}{p90:>9.1}{p99:>9.1}{max:>9.1}{over:>13}")
        } else {
            format!("{narrow:<2}{n:>3}{p50:>7.1}{p90:>7.1}{p99:>7.1}{max:>7.1}{over:>5}")
        }
    };
    format!(
        "{}\n{}\n{}\n",
        look.paint(Ink::Faint, &head),
        row("A blocking", "A", &facts.a),
        row("B offloaded", "B", &facts.b)
    )
}

/// The verdict, a line or more per sentence.
pub(super) fn verdict(verdict: &Verdict, look: &Look) -> String {
    let (word, ink) = if verdict.ok {
        ("VERDICT", Ink::Good)
    } else {
        ("NOT SHOWN", Ink::Harm)
    };
    let indent = word.len() + 2;
    let sentences: Vec<String> = verdict
        .sentences
        .iter()
        .map(|sentence| look.wrap(sentence, indent))
        .collect();
    let between = format!("\n{:indent$}", "");
    format!("{}  {}\n", look.paint(ink, word), sentences.join(&between))
}

/// Where the files are that were written.
pub(super) fn files(names: &[&str], folder: &str, look: &Look) -> String {
    let text = format!(
        "{} in {folder}; the first opens in ui.perfetto.dev",
        names.join(", ")
    );
    format!(
        "{}    {}\n",
        look.paint(Ink::Faint, "files"),
        look.wrap(&text, 9)
    )
}
