//! The heavy work: about a second of it, in one piece.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

/// Short enough that some pieces are not interrupted on a busy machine, and long enough for the
/// clock. All of them take about 100 ms.
const PIECE_MS: f64 = 1.0;
const PIECES: usize = 70;

/// How much work one heavy request is.
#[derive(Clone, Copy)]
pub(super) enum Heavy {
    Compute { rounds: u64 },
    Sleep { ms: f64 },
}

/// Keeps its thread for about a second. Nothing in it can be awaited: the thread does nothing else
/// meanwhile, whether it computes or sleeps.
pub(super) fn heavy_sync_operation(heavy: Heavy) -> u64 {
    match heavy {
        Heavy::Compute { rounds } => hash(rounds),
        Heavy::Sleep { ms } => {
            thread::sleep(Duration::from_secs_f64(ms / 1000.0));
            0
        }
    }
}

/// Each round needs the one before it, so there is no shortcut for compiler or processor.
fn hash(rounds: u64) -> u64 {
    (0..black_box(rounds)).fold(0x243F_6A88_85A3_08D3, |hash: u64, round| {
        (hash ^ round)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .rotate_left(29)
    })
}

/// As many rounds as take `ms` on this machine while nothing else wants the processor.
pub(super) fn calibrated(ms: f64) -> Heavy {
    let mut rounds = 1 << 12;
    let mut took = time(rounds);
    while took < PIECE_MS {
        rounds *= 2;
        took = time(rounds);
    }
    // Others make many pieces longer, and the first of all are shorter than the processor can keep
    // up for a second: neither the median nor the minimum is true on every machine.
    let mut pieces: Vec<f64> = (0..PIECES).map(|_| time(rounds)).collect();
    pieces.sort_by(f64::total_cmp);
    Heavy::Compute {
        rounds: (rounds as f64 * ms / pieces[PIECES / 10]) as u64,
    }
}

fn time(rounds: u64) -> f64 {
    let began = Instant::now();
    black_box(hash(rounds));
    began.elapsed().as_secs_f64() * 1000.0
}
