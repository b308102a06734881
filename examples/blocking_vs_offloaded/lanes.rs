//! Two timelines on one axis: a lane per request, and one for the loop.

use super::facts::{Facts, HeavyFact, LightFact, Run, WAITED_MS};
use super::look::{Ink, Look};

/// From here on there is room for remarks beside the lanes.
const WIDE: usize = 72;
const LABEL: usize = 9;
/// A gap, and digits for a quarter of an hour.
const LATENCY: usize = 10;
/// How far the axis' last number may reach into that gap.
const OVERHANG: usize = 2;
/// Two gaps and "(17 more like it)".
const REMARK: usize = 19;
/// Of lanes that are alike, so many are drawn.
const ALIKE_SHOWN: usize = 3;
/// Past the last answer, so that it does not stick to the edge.
const MARGIN_MS: f64 = 100.0;

#[derive(Clone, Copy, PartialEq)]
enum Cell {
    Nothing,
    OnLoop,
    OnWorker,
    Waiting,
    Answered,
}

impl Cell {
    fn glyph(self, look: &Look) -> char {
        let glyphs = match self {
            Cell::Nothing => ['.', '·'],
            Cell::OnLoop => ['#', '█'],
            Cell::OnWorker => ['%', '▒'],
            Cell::Waiting => ['-', '░'],
            Cell::Answered => ['|', '│'],
        };
        glyphs[usize::from(!look.ascii)]
    }

    fn ink(self) -> Ink {
        match self {
            Cell::Nothing => Ink::Faint,
            Cell::OnLoop => Ink::Harm,
            Cell::OnWorker => Ink::Good,
            Cell::Waiting => Ink::Waiting,
            Cell::Answered => Ink::Strong,
        }
    }
}

/// Both runs, and what the glyphs mean.
pub(super) fn timelines(facts: &Facts, look: &Look) -> String {
    let axis = Axis::new(facts, look);
    let (bad, good) = match look.width >= WIDE {
        true => (
            "heavy_sync_operation(), called on the loop",
            "spawn_blocking(heavy_sync_operation).await",
        ),
        false => (
            "heavy_sync_operation()",
            "spawn_blocking(heavy_sync_operation)",
        ),
    };
    let a = axis.panel("A. GET /bad-practice", bad, &facts.a, look);
    let b = axis.panel("B. GET /good-practice", good, &facts.b, look);
    format!("{a}\n{b}\n{}", legend(facts, look))
}

/// The same for every lane of both runs: it is there to compare them.
struct Axis {
    span: f64,
    cells: usize,
}

impl Axis {
    fn new(facts: &Facts, look: &Look) -> Self {
        let last = [&facts.a, &facts.b].into_iter().flat_map(|run| {
            let light = run.light.iter().map(|light| light.answered);
            light.chain(run.heavy.iter().map(|heavy| heavy.answered))
        });
        let plan = facts.plan.light_at(facts.plan.light + 1);
        let last = last.fold(plan, f64::max);
        let remark = if look.width >= WIDE { REMARK } else { 0 };
        Axis {
            span: last + MARGIN_MS,
            cells: look.width - LABEL - LATENCY - remark,
        }
    }

    fn cell(&self, ms: f64) -> usize {
        let cell = (ms / self.span * self.cells as f64) as usize;
        cell.min(self.cells - 1)
    }

    /// The line above the lanes.
    fn head(&self, look: &Look) -> String {
        let steps = [100.0, 200.0, 250.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0];
        let apart = |step: &f64| self.cells as f64 * step / self.span >= 6.0;
        let step = steps.into_iter().find(apart).unwrap_or(20_000.0);
        let mut head = format!("{:LABEL$}0 ms", "");
        let mut at = step;
        while at < self.span {
            let (column, number) = (LABEL + self.cell(at), format!("{at:.0}"));
            if column + number.len() > LABEL + self.cells + OVERHANG {
                break;
            }
            head = format!("{head:column$}{number}");
            at += step;
        }
        let end = LABEL + self.cells + LATENCY;
        if look.width >= WIDE {
            let column = end - "latency".len();
            format!("{head:column$}latency, ms")
        } else {
            let column = end - "ms".len();
            format!("{head:column$}ms")
        }
    }

    fn panel(&self, route: &str, call: &str, run: &Run, look: &Look) -> String {
        let title = match look.width >= WIDE {
            true => format!("{route:24}{call}"),
            false => format!("{route}\n   {call}"),
        };
        let mut text = look.paint(Ink::Strong, &title) + "\n";
        text += &(look.paint(Ink::Faint, &self.head(look)) + "\n");
        for (index, heavy) in run.heavy.iter().enumerate() {
            let label = match run.heavy.len() {
                1 => "heavy".to_owned(),
                _ => format!("heavy {:>2}", index + 1),
            };
            let remark = format!("on {}", heavy.thread);
            text += &self.line(&label, &self.heavy(heavy), heavy.latency(), &remark, look);
        }
        text += &self.lights(&run.light, look);
        text + &self.line("loop", &self.stuck(run), run.stuck, "longest stuck", look)
    }

    /// The light requests. Of several in a row that waited, or did not, some are left out and
    /// counted.
    fn lights(&self, light: &[LightFact], look: &Look) -> String {
        let is_quiet = |light: &LightFact| light.latency() <= WAITED_MS;
        let mut text = String::new();
        let mut number = 0;
        for alike in light.chunk_by(|one, other| is_quiet(one) == is_quiet(other)) {
            // A remark in place of one lane saves nothing.
            let is_long = alike.len() > ALIKE_SHOWN + 1;
            let shown = if is_long { ALIKE_SHOWN } else { alike.len() };
            for (index, light) in alike[..shown].iter().enumerate() {
                let label = format!("light {:>2}", number + index + 1);
                let remark = match alike.len() - shown {
                    more if is_quiet(light) && more > 0 && index + 1 == shown => {
                        format!("({more} more like it)")
                    }
                    _ => String::new(),
                };
                text += &self.line(&label, &self.light(light), light.latency(), &remark, look);
            }
            if is_long && !is_quiet(&alike[0]) {
                text += &(look.paint(Ink::Faint, &more_waited(&alike[shown - 1..])) + "\n");
            }
            number += alike.len();
        }
        text
    }

    fn light(&self, light: &LightFact) -> Vec<Cell> {
        let mut lane = vec![Cell::Nothing; self.cells];
        self.wait(&mut lane, light.scheduled, light.handled);
        lane[self.cell(light.answered)] = Cell::Answered;
        lane
    }

    fn heavy(&self, heavy: &HeavyFact) -> Vec<Cell> {
        let work = if heavy.on_loop {
            Cell::OnLoop
        } else {
            Cell::OnWorker
        };
        let mut lane = vec![Cell::Nothing; self.cells];
        self.wait(&mut lane, heavy.start, heavy.began);
        self.fill(&mut lane, heavy.began, heavy.ended, work);
        lane[self.cell(heavy.answered)] = Cell::Answered;
        lane
    }

    /// Where the loop's thread ran heavy work.
    fn stuck(&self, run: &Run) -> Vec<Cell> {
        let mut lane = vec![Cell::Nothing; self.cells];
        for heavy in run.heavy.iter().filter(|heavy| heavy.on_loop) {
            self.fill(&mut lane, heavy.began, heavy.ended, Cell::OnLoop);
        }
        lane
    }

    /// A wait too short to count would still show where it crosses from one cell into the next.
    fn wait(&self, lane: &mut [Cell], from: f64, to: f64) {
        if to - from > WAITED_MS {
            self.fill(lane, from, to, Cell::Waiting);
        }
    }

    fn fill(&self, lane: &mut [Cell], from: f64, to: f64, cell: Cell) {
        lane[self.cell(from)..=self.cell(to)].fill(cell);
    }

    fn line(&self, label: &str, lane: &[Cell], ms: f64, remark: &str, look: &Look) -> String {
        let drawn: String = lane
            .chunk_by(|one, other| one == other)
            .map(|alike| {
                let glyphs: String = alike.iter().map(|cell| cell.glyph(look)).collect();
                look.paint(alike[0].ink(), &glyphs)
            })
            .collect();
        let mut line = format!("{label:LABEL$}{drawn}{ms:>LATENCY$.1}");
        if !remark.is_empty() {
            line += &match look.width >= WIDE {
                true => format!("  {remark}"),
                false => format!("\n{:LABEL$}{remark}", ""),
            };
        }
        line + "\n"
    }
}

/// What stands for the lanes after the first of these.
fn more_waited(waited: &[LightFact]) -> String {
    let [first, others @ ..] = waited else {
        return String::new();
    };
    // One that is sent later waits as much less, if all of them wait for the same.
    let is_same = |light: &LightFact| (light.answered - first.answered).abs() < WAITED_MS;
    let step = others
        .first()
        .map_or(0.0, |next| next.scheduled - first.scheduled);
    let less = match others.iter().all(is_same) {
        true => format!(", each {step:.0} ms less"),
        false => String::new(),
    };
    format!("{:LABEL$}{} more wait{less}", "   ...", others.len())
}

fn legend(facts: &Facts, look: &Look) -> String {
    let has_waited = |heavy: &HeavyFact| heavy.began - heavy.start > WAITED_MS;
    let waiting = if facts.b.heavy.iter().any(has_waited) {
        "waiting for the loop or a worker"
    } else {
        "waiting for the loop"
    };
    let entries = [
        (Cell::OnLoop, "running on the loop"),
        (Cell::OnWorker, "running on a worker"),
        (Cell::Waiting, waiting),
        (Cell::Answered, "answered"),
    ];
    let mut text = String::new();
    let mut column = 0;
    for (cell, meaning) in entries {
        // A gap, the glyph, a space.
        let length = 2 + 2 + meaning.len();
        if column + length > look.width + 2 {
            text.push('\n');
            column = 0;
        } else if column > 0 {
            text += "  ";
        }
        let glyph = look.paint(cell.ink(), &cell.glyph(look).to_string());
        text += &format!("{glyph} {meaning}");
        column += length;
    }
    text + "\n"
}
