//! The heavy work: about a second of it, in one piece.

use std::hint::black_box;
use std::io::{self, PipeReader, Read, Write};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Short enough that some pieces are not interrupted on a busy machine, and long enough for the
/// clock. All of them take about 100 ms.
const PIECE_MS: f64 = 1.0;
const PIECES: usize = 70;

/// How the work keeps its thread, and for how long.
#[derive(Clone, Copy)]
pub(super) enum Heavy {
    Compute { rounds: u64 },
    Sleep { ms: f64 },
    Lock { ms: f64 },
    File { ms: f64 },
}

/// What there is to do: the same in both runs.
static WORK: Mutex<Heavy> = Mutex::new(Heavy::Sleep { ms: 0.0 });

/// When and where the work was done, and what came out.
pub(super) struct Done {
    pub(super) began: Instant,
    pub(super) ended: Instant,
    pub(super) thread: Thread,
    pub(super) digest: u64,
}

/// Keeps its thread for about a second. Nothing in it can be awaited: the thread does nothing else
/// meanwhile, whether it computes, sleeps, or waits for somebody.
#[inline(never)]
pub(super) fn heavy_sync_operation() -> Done {
    let work = *lock();
    let began = Instant::now();
    let mut digest = 0x243F_6A88_85A3_08D3;
    match work {
        Heavy::Compute { rounds } => {
            let mut round = 0;
            // Each round needs the one before it: no shortcut for compiler or processor.
            while round < black_box(rounds) {
                digest = (digest ^ round).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                digest = digest.rotate_left(29);
                round += 1;
            }
        }
        Heavy::Sleep { ms } => thread::sleep(duration(ms)),
        Heavy::Lock { ms } => drop(held_elsewhere(ms).lock()),
        Heavy::File { ms } => drop(slow_file(ms).read(&mut [0])),
    }
    Done {
        began,
        ended: Instant::now(),
        thread: thread::current(),
        digest,
    }
}

/// Says what there is to do.
pub(super) fn prepare(work: Heavy) {
    *lock() = work;
}

/// Has other work done while `run` runs.
pub(super) fn instead<T>(work: Heavy, run: impl FnOnce() -> T) -> T {
    let usual = mem::replace(&mut *lock(), work);
    let result = run();
    prepare(usual);
    result
}

fn lock() -> MutexGuard<'static, Heavy> {
    WORK.lock().unwrap_or_else(PoisonError::into_inner)
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
    prepare(Heavy::Compute { rounds });
    let done = black_box(heavy_sync_operation());
    (done.ended - done.began).as_secs_f64() * 1000.0
}

/// A lock that somebody else holds for as long.
fn held_elsewhere(ms: f64) -> Arc<Mutex<()>> {
    let lock = Arc::new(Mutex::new(()));
    let (tell, told) = mpsc::channel();
    let theirs = Arc::clone(&lock);
    thread::spawn(move || {
        let _held = theirs.lock();
        let _ = tell.send(());
        thread::sleep(duration(ms));
    });
    told.recv().expect("the other thread does not panic");
    lock
}

/// A file whose one byte comes after as long. It is a pipe; a disk that must wake up is no faster.
fn slow_file(ms: f64) -> PipeReader {
    let (file, mut disk) = io::pipe().expect("there are descriptors left");
    thread::spawn(move || {
        thread::sleep(duration(ms));
        disk.write_all(b"!")
    });
    file
}

fn duration(ms: f64) -> Duration {
    Duration::from_secs_f64(ms / 1000.0)
}
