//! What was measured, as tables.

use crate::modes::Mode;

/// One run of a server in a mode.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    /// Processor time of the server, microseconds a request.
    pub(crate) cpu: f64,
    /// Which part of it was in user space.
    pub(crate) user: f64,
    pub(crate) each_second: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Which part of its core each side has used.
    pub(crate) server_busy: f64,
    pub(crate) load_busy: f64,
    /// Which part of a core was used by others meanwhile.
    pub(crate) foreign: f64,
}

/// A server in a mode: what each round gave, if it gave anything.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) rounds: Vec<Option<Sample>>,
}

/// Prints the servers that have figures, the cheapest first.
pub(crate) fn print(mode: &Mode, rows: &[Row]) {
    println!("\n{}: {}\n", mode.name, mode.about);
    print!("| server | CPU us/request | quartiles | user | sys |");
    mode.bases
        .iter()
        .for_each(|base| print!(" x {base} | quartiles |"));
    println!(" req/s | p50 us | p99 us | server busy | load busy | rounds |");
    println!("|---|{}", "--:|".repeat(10 + 2 * mode.bases.len()));
    let mut order: Vec<&Row> = rows.iter().filter(|row| row.cpu().is_some()).collect();
    order.sort_by(|a, b| a.cpu().partial_cmp(&b.cpu()).expect("times are numbers"));
    for row in order {
        let cpu = row.spread(|sample| sample.cpu);
        let user = cpu.median * row.user();
        print!(
            "| {} | {:.2} | {:.2}..{:.2} ",
            row.name, cpu.median, cpu.low, cpu.high
        );
        print!("| {:.2} | {:.2} |", user, cpu.median - user);
        for base in mode.bases {
            let base = rows.iter().find(|row| row.name == *base);
            match base.and_then(|base| row.ratios(base)) {
                Some(ratio) => print!(
                    " {:.3} | {:.3}..{:.3} |",
                    ratio.median, ratio.low, ratio.high
                ),
                None => print!(" - | - |"),
            }
        }
        let rounds = row.rounds.iter().flatten().count();
        println!(
            " {:.0} | {:.0} | {:.0} | {:.0} % | {:.0} % | {rounds} |",
            row.spread(|sample| sample.each_second).median,
            row.spread(|sample| sample.p50).median,
            row.spread(|sample| sample.p99).median,
            row.spread(|sample| sample.server_busy * 100.0).median,
            row.spread(|sample| sample.load_busy * 100.0).median,
        );
    }
}

impl Row {
    fn cpu(&self) -> Option<f64> {
        Spread::of(self.rounds.iter().flatten().map(|sample| sample.cpu)).map(|all| all.median)
    }

    /// The part in user space. Ticks are too coarse to have a median of single rounds.
    fn user(&self) -> f64 {
        let all: Vec<f64> = self
            .rounds
            .iter()
            .flatten()
            .map(|sample| sample.user)
            .collect();
        all.iter().sum::<f64>() / all.len() as f64
    }

    fn spread(&self, figure: impl Fn(&Sample) -> f64) -> Spread {
        let all = Spread::of(self.rounds.iter().flatten().map(figure));
        all.expect("only rows with figures are printed")
    }

    /// Of the rounds in which both have a figure: what slows one down slows the other.
    fn ratios(&self, base: &Row) -> Option<Spread> {
        let pairs = self.rounds.iter().zip(&base.rounds);
        Spread::of(pairs.filter_map(|(own, base)| Some(own.as_ref()?.cpu / base.as_ref()?.cpu)))
    }
}

pub(crate) struct Spread {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Spread {
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        // Between two values where the place is not a whole number.
        let at = |part: f64| {
            let (low, rest) = ((last as f64 * part) as usize, (last as f64 * part).fract());
            values[low] + (values[(low + 1).min(last)] - values[low]) * rest
        };
        Some(Spread {
            low: at(0.25),
            median: at(0.5),
            high: at(0.75),
        })
    }
}

#[test]
fn quartiles_lie_between_values() {
    let all = Spread::of([4.0, 1.0, 3.0, 2.0].into_iter()).expect("there are values");
    assert_eq!((all.low, all.median, all.high), (1.75, 2.5, 3.25));
    assert!(Spread::of(std::iter::empty()).is_none());
}
