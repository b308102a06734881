//! What a bench needs besides its question: sizes, rounds, medians, a table.
//!
//! The sides of a row take turns, so that whatever slows the machine down
//! slows all of them. What is kept is the median of the ratios of each round;
//! a time of its own says little about another day.

use std::env;
use std::fs;
use std::time::{Duration, Instant};

/// One side of a row: does `ops` operations, with `width` things at once, and
/// says how long they took.
pub(crate) type Side = fn(ops: usize, width: usize) -> Duration;

/// The same work for each peer, by name.
pub(crate) type Sides = Vec<(&'static str, Side)>;

/// One figure to take. The first side is ours.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// In the full mode, and in the small one.
    pub(crate) ops: (usize, usize),
    pub(crate) width: usize,
    /// How many times as fast as the best of the others we want to be.
    pub(crate) goal: Option<f64>,
    /// What it needs to say anything.
    pub(crate) cores: usize,
    pub(crate) sides: Sides,
}

/// What the command line asks for.
///
/// `cargo bench` passes `--bench`; without it, or with `--test`, the sizes are
/// tiny and only show that the bench still works.
pub(crate) struct Plan {
    is_small: bool,
    /// Only the side of this name, in one round: for a profiler.
    only: Option<String>,
    rounds: usize,
    filters: Vec<String>,
}

impl Plan {
    pub(crate) fn from_args() -> Self {
        let args: Vec<String> = env::args().skip(1).collect();
        let has = |flag: &str| args.iter().any(|arg| arg == flag);
        let is_small = has("--test") || !has("--bench");
        let only = args.iter().find_map(|arg| arg.strip_prefix("--only="));
        let only = only.map(String::from);
        Plan {
            is_small,
            rounds: if is_small || only.is_some() { 1 } else { 7 },
            only,
            filters: args
                .into_iter()
                .filter(|arg| !arg.starts_with('-'))
                .collect(),
        }
    }

    /// Takes the figures of every row that was asked for, and prints them.
    pub(crate) fn run(&self, rows: Vec<Row>) {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let load = load();
        println!("{} round(s), {cores} core(s), load {load}", self.rounds);
        if cfg!(debug_assertions) {
            println!("built without optimisation: the figures mean nothing");
        }
        let began = Instant::now();
        let mut results = Vec::new();
        for row in rows {
            let asked = |filter: &String| row.name.contains(filter.as_str());
            if !self.filters.is_empty() && !self.filters.iter().any(asked) {
                continue;
            }
            if cores < row.cores {
                println!("\n{}: left out, it needs {} cores", row.name, row.cores);
                continue;
            }
            let result = self.measure(row);
            result.print();
            results.push(result);
        }
        if self.only.is_none() {
            print_table(&results);
        }
        let took = began.elapsed().as_secs_f64();
        println!("{took:.1} s, load {load} before, {} after", self::load());
    }

    fn measure(&self, mut row: Row) -> Measured {
        if let Some(only) = &self.only {
            row.sides.retain(|(name, _)| name == only);
        }
        let (full, small) = row.ops;
        let ops = if self.is_small { small } else { full };
        let width = row.width.min(ops);
        let mut nanos = vec![Vec::new(); row.sides.len()];
        // Round zero warms up: allocator, caches, frequency.
        let warm_up = usize::from(self.rounds > 1);
        for round in 0..self.rounds + warm_up {
            for ((_, side), nanos) in row.sides.iter().zip(&mut nanos) {
                let took = side(ops, width);
                if round >= warm_up {
                    nanos.push(took.as_nanos() as f64 / ops as f64);
                }
            }
        }
        Measured {
            row,
            ops,
            width,
            nanos,
        }
    }
}

/// A row and the nanoseconds per operation: by side, by round.
struct Measured {
    row: Row,
    ops: usize,
    width: usize,
    nanos: Vec<Vec<f64>>,
}

impl Measured {
    /// How many times the time of ours a side took: one figure a round.
    fn ratios(&self, side: usize) -> Vec<f64> {
        let rounds = self.nanos[side].iter().zip(&self.nanos[0]);
        rounds.map(|(theirs, ours)| theirs / ours).collect()
    }

    fn print(&self) {
        let Measured { ops, width, .. } = self;
        println!("\n{} (ops {ops}, width {width})", self.row.name);
        for (side, (name, _)) in self.row.sides.iter().enumerate() {
            let (nanos, spread) = median(&self.nanos[side]);
            let spread = format!("±{spread:.0}%");
            print!("  {name:<12} {nanos:>9.1} ns/op {spread:>5}");
            if side > 0 {
                let (ratio, spread) = median(&self.ratios(side));
                print!("  {ratio:>6.2} x ours ±{spread:.0}%");
            }
            println!();
        }
    }

    /// Whether the goal is met beside the best of the others.
    fn verdict(&self) -> String {
        let others = (1..self.row.sides.len()).map(|side| median(&self.ratios(side)));
        let best = others.min_by(|(a, _), (b, _)| a.total_cmp(b));
        let (Some(goal), Some((ratio, spread))) = (self.row.goal, best) else {
            return String::from("      -");
        };
        let reached = if ratio >= goal {
            "reached"
        } else if ratio * (1.0 + spread / 100.0) >= goal {
            "missed, within the spread"
        } else {
            "missed"
        };
        format!("{goal:>6.1}x {reached}")
    }
}

fn print_table(results: &[Measured]) {
    let Some(widest) = results.iter().max_by_key(|result| result.row.sides.len()) else {
        return;
    };
    print!("\n{:<38} {:>9}", "ns/op (ratio to ours)", "ours");
    for (name, _) in &widest.row.sides[1..] {
        print!(" {name:>17}");
    }
    println!("    goal");
    for result in results {
        let (ours, _) = median(&result.nanos[0]);
        print!("{:<38} {ours:>9.1}", result.row.name);
        for (name, _) in &widest.row.sides[1..] {
            let mut cell = String::from("-");
            if let Some(side) = result.row.sides.iter().position(|(own, _)| own == name) {
                let (nanos, _) = median(&result.nanos[side]);
                let (ratio, _) = median(&result.ratios(side));
                cell = format!("{nanos:.1} ({ratio:.2}x)");
            }
            print!(" {cell:>17}");
        }
        println!(" {}", result.verdict());
    }
}

/// The median, and half of the range that the middle half lies in, in per
/// cent of it: one disturbed round in seven does not count.
fn median(of: &[f64]) -> (f64, f64) {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |quarter: usize| sorted[(sorted.len() - 1) * quarter / 4];
    (at(2), (at(3) - at(1)) / 2.0 / at(2) * 100.0)
}

/// The load average, where there is one to read.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    String::from(text.split(' ').next().unwrap_or_default())
}
