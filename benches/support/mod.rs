//! What a bench needs besides its question: sizes, rounds, medians, a table.
//!
//! The sides of a row take turns, so that whatever slows the machine down
//! slows all of them. What is kept is the median of the ratios of each round;
//! a time of its own says little about another day.

use std::env;
use std::fs;
use std::time::Instant;

/// One side of a row: does `ops` operations, with `width` things at once. Says
/// what one of them takes in each unit of the row, or nothing if it never ends.
pub(crate) type Side = fn(ops: usize, width: usize) -> Vec<f64>;

/// The same work for each peer, by name.
pub(crate) type Sides = Vec<(&'static str, Side)>;

/// One figure to take. The first side is ours.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// In the full mode, and in the small one.
    pub(crate) ops: (usize, usize),
    pub(crate) width: usize,
    /// What its sides measure. Less is better.
    pub(crate) units: &'static [&'static str],
    /// How many times the best of the others should take of what we take.
    pub(crate) goal: Option<f64>,
    /// What it needs to say anything.
    pub(crate) cores: usize,
    pub(crate) rounds: usize,
    pub(crate) sides: Sides,
}

/// How many rounds a row has that is not long.
pub(crate) const ROUNDS: usize = 7;

/// What the command line asks for.
pub(crate) struct Plan {
    /// Tiny sizes, which only show that the bench still works.
    is_small: bool,
    /// Only the side of this name, in one round: for a profiler.
    only: Option<String>,
    rounds_max: usize,
    filters: Vec<String>,
}

impl Plan {
    pub(crate) fn from_args(is_small: impl Fn(&[String]) -> bool) -> Self {
        let args: Vec<String> = env::args().skip(1).collect();
        let is_small = is_small(&args);
        let only = args.iter().find_map(|arg| arg.strip_prefix("--only="));
        let only = only.map(String::from);
        Plan {
            is_small,
            rounds_max: if is_small || only.is_some() {
                1
            } else {
                ROUNDS
            },
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
        println!("{} round(s), {cores} core(s), load {load}", self.rounds_max);
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
        let rounds = row.rounds.min(self.rounds_max);
        let mut taken = vec![Some(Vec::new()); row.sides.len()];
        // Round zero warms up: allocator, caches, frequency.
        let warm_up = usize::from(rounds > 1);
        for round in 0..rounds + warm_up {
            for ((_, side), taken) in row.sides.iter().zip(&mut taken) {
                let Some(before) = taken else { continue };
                let figures = side(ops, width);
                if figures.is_empty() {
                    *taken = None;
                } else if round >= warm_up {
                    before.push(figures);
                }
            }
        }
        Measured {
            row,
            ops,
            width,
            taken,
        }
    }
}

/// A row and its figures: by side, by round, by unit. None if it never ends.
struct Measured {
    row: Row,
    ops: usize,
    width: usize,
    taken: Vec<Option<Vec<Vec<f64>>>>,
}

impl Measured {
    /// What a side took: one figure a round.
    fn figures(&self, side: usize, unit: usize) -> Option<Vec<f64>> {
        let rounds = self.taken[side].as_ref()?.iter();
        Some(rounds.map(|figures| figures[unit]).collect())
    }

    /// How many times of what we took a side took: one figure a round.
    fn ratios(&self, side: usize, unit: usize) -> Option<Vec<f64>> {
        let ours = self.figures(0, unit)?;
        let rounds = self.figures(side, unit)?.into_iter().zip(ours);
        Some(rounds.map(|(theirs, ours)| theirs / ours).collect())
    }

    fn print(&self) {
        let Measured { ops, width, .. } = self;
        println!("\n{} (ops {ops}, width {width})", self.row.name);
        for (unit, unit_name) in self.row.units.iter().enumerate() {
            for (side, (name, _)) in self.row.sides.iter().enumerate() {
                let Some(figures) = self.figures(side, unit) else {
                    println!("  {name:<12} never");
                    continue;
                };
                let (figure, spread) = median(&figures);
                print!("  {name:<12} {figure:>11.1} {unit_name} ±{spread:.0}%");
                if let Some(ratios) = self.ratios(side, unit).filter(|_| side > 0) {
                    let (ratio, spread) = median(&ratios);
                    print!("  {ratio:>6.2} x ours ±{spread:.0}%");
                }
                println!();
            }
        }
    }

    /// Whether the goal is met beside the best of the others.
    fn verdict(&self, unit: usize) -> String {
        let others = (1..self.row.sides.len()).filter_map(|side| {
            let (ratio, spread) = median(&self.ratios(side, unit)?);
            Some((ratio, spread, self.row.sides[side].0))
        });
        let best = others.min_by(|(a, ..), (b, ..)| a.total_cmp(b));
        let (Some(goal), Some((ratio, spread, name))) = (self.row.goal, best) else {
            return String::from("      -");
        };
        let reached = if ratio >= goal {
            String::from("reached")
        } else if ratio * (1.0 + spread / 100.0) >= goal {
            format!("missed, within the spread: {name}")
        } else {
            format!("missed: {name}")
        };
        format!("{goal:>6.1}x {reached}")
    }

    fn cell(&self, side: usize, unit: usize) -> String {
        let figures = self.figures(side, unit).map(|of| median(&of).0);
        let ratios = self.ratios(side, unit).map(|of| median(&of).0);
        match (figures, ratios) {
            (Some(figure), Some(ratio)) => format!("{figure:.1} ({ratio:.2}x)"),
            _ => String::from("never"),
        }
    }
}

fn print_table(results: &[Measured]) {
    let Some(widest) = results.iter().max_by_key(|result| result.row.sides.len()) else {
        return;
    };
    print!("\n{:<46} {:>9}", "an operation (ratio to ours)", "ours");
    for (name, _) in &widest.row.sides[1..] {
        print!(" {name:>17}");
    }
    println!("    goal");
    for result in results {
        for (unit, unit_name) in result.row.units.iter().enumerate() {
            let label = format!("{}, {unit_name}", result.row.name);
            let ours = result.figures(0, unit).map(|of| median(&of).0);
            print!("{label:<46} {:>9.1}", ours.unwrap_or(f64::NAN));
            for (name, _) in &widest.row.sides[1..] {
                let own = result.row.sides.iter().position(|(own, _)| own == name);
                let cell = own.map_or(String::from("-"), |side| result.cell(side, unit));
                print!(" {cell:>17}");
            }
            println!(" {}", result.verdict(unit));
        }
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
