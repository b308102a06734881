//! Samples of stacks: what they hold, and what they must not do to the thread that gives them.

use std::hint::black_box;
use std::panic;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::super::sample_row::Unwound;
use super::super::stack_sample::{PulseCells, SAMPLE_SIGNAL, Sampler, StackSample, StackTarget};
use super::alone;

const PATIENCE: Duration = Duration::from_secs(5);
/// Where the unwinder is known to work.
const UNWINDS: bool = cfg!(all(
    target_os = "linux",
    target_env = "gnu",
    target_arch = "x86_64"
));

#[derive(Default)]
pub(super) struct Cells {
    seq: AtomicU64,
    pub(super) no_unwind: AtomicU8,
}

impl PulseCells for Cells {
    fn seq(&self) -> &AtomicU64 {
        &self.seq
    }

    fn no_unwind(&self) -> &AtomicU8 {
        &self.no_unwind
    }
}

/// A thread that calls `work` until the end, and can be sampled.
struct Watched {
    sampler: Sampler,
    cells: Arc<Cells>,
    end: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Watched {
    fn calling(mut work: impl FnMut() + Send + 'static) -> Self {
        let (cells, end) = (Arc::new(Cells::default()), Arc::new(AtomicBool::new(false)));
        let (its_cells, its_end) = (Arc::clone(&cells), Arc::clone(&end));
        let (sender, receiver) = mpsc::channel();
        let thread = thread::spawn(move || {
            let target = StackTarget::here(its_cells, SAMPLE_SIGNAL).unwrap();
            assert!(target.test().answers, "{:?}", target.test());
            sender.send(target.sampler()).unwrap();
            while !its_end.load(Ordering::SeqCst) {
                work();
            }
        });
        Self {
            sampler: receiver.recv().unwrap(),
            cells,
            end,
            thread: Some(thread),
        }
    }

    fn sample(&self) -> StackSample {
        let seq = self.cells.seq.load(Ordering::SeqCst);
        self.sampler
            .sample(seq, PATIENCE)
            .expect("the thread answers")
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.end.store(true, Ordering::SeqCst);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || thread::panicking());
    }
}

#[inline(never)]
fn burn_a_while() {
    let mut sum = 0_u64;
    for number in 0..20_000_u64 {
        sum = black_box(sum ^ number);
    }
    black_box(sum);
}

/// Whether an address of the stack lies in the function, or not far behind its start.
fn holds(sample: &StackSample, function: fn()) -> bool {
    let start = function as usize;
    sample
        .pcs
        .iter()
        .any(|&pc| (start..start + 512).contains(&pc))
}

#[test]
fn the_test_at_the_start_finds_the_chain() {
    let target = StackTarget::here(Arc::new(Cells::default()), SAMPLE_SIGNAL).unwrap();
    let test = target.test();
    assert!(test.answers && test.framed.1 > 0, "{test:?}");
    if UNWINDS {
        assert_eq!((test.refusal, test.unwound.0), (None, 3), "{test}");
        assert!(test.unwound.1 >= 6, "{test}");
        assert!(
            test.to_string()
                .starts_with("stacks by unwinder (frame pointers: ")
        );
    }
}

#[test]
fn a_busy_thread_is_seen_at_work() {
    let watched = Watched::calling(burn_a_while);
    let seen = (0..50)
        .filter(|_| holds(&watched.sample(), burn_a_while))
        .count();
    // Between two calls it is elsewhere, now and then.
    assert!(seen > 25, "{seen} of 50");
    let sample = watched.sample();
    if UNWINDS {
        assert_eq!(sample.how, Unwound::Walked);
        assert!(sample.pcs.len() > 3, "{sample:?}");
    }
}

#[test]
fn what_has_moved_on_is_not_sampled() {
    let watched = Watched::calling(burn_a_while);
    watched.cells.seq.store(8, Ordering::SeqCst);
    let sample = watched.sampler.sample(7, PATIENCE).unwrap();
    assert!(sample.is_stale && sample.pcs.is_empty(), "{sample:?}");
    assert!(!watched.sampler.sample(8, PATIENCE).unwrap().is_stale);
}

#[test]
fn where_unwinding_is_forbidden_frame_pointers_have_to_do() {
    let watched = Watched::calling(burn_a_while);
    watched.cells.no_unwind.store(1, Ordering::SeqCst);
    let sample = watched.sample();
    if UNWINDS {
        assert_eq!(sample.how, Unwound::Forbidden);
    }
    assert!(!sample.pcs.is_empty());
    watched.cells.no_unwind.store(0, Ordering::SeqCst);
    assert_ne!(watched.sample().how, Unwound::Forbidden);
}

#[test]
fn a_thread_that_has_gone_is_not_signalled() {
    let watched = Watched::calling(burn_a_while);
    let sampler = watched.sampler;
    drop(watched);
    assert!(sampler.sample(0, PATIENCE).is_none());
    // The row's next owner is not taken for the last one.
    let _next = Watched::calling(burn_a_while);
    assert!(sampler.sample(0, PATIENCE).is_none());
}

#[test]
fn targets_come_and_go_while_they_are_sampled() {
    alone(|| {
        let (sender, receiver) = mpsc::channel();
        let samples = Arc::new(AtomicU32::new(0));
        let its_samples = Arc::clone(&samples);
        let other = thread::spawn(move || {
            while let Ok(sampler) = receiver.recv() {
                let sampler: Sampler = sampler;
                while sampler.sample(0, Duration::from_millis(20)).is_some() {
                    its_samples.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut targets = 0;
        while targets < 200 || samples.load(Ordering::SeqCst) < 50 {
            assert!(Instant::now() < deadline, "it is never sampled");
            let target = StackTarget::here(Arc::new(Cells::default()), SAMPLE_SIGNAL).unwrap();
            sender.send(target.sampler()).unwrap();
            // From none to some dozen samples long.
            (0..targets % 40).for_each(|_| burn_a_while());
            targets += 1;
        }
        drop(sender);
        other.join().unwrap();
    });
}

#[test]
fn two_targets_of_one_thread_and_some_of_others_each_get_their_own() {
    let others: Vec<_> = (0..3).map(|_| Watched::calling(burn_a_while)).collect();
    let cells = [Arc::new(Cells::default()), Arc::new(Cells::default())];
    cells[1].seq.store(5, Ordering::SeqCst);
    let targets = cells
        .each_ref()
        .map(|cells| StackTarget::here(Arc::clone(cells) as _, SAMPLE_SIGNAL).unwrap());
    let samplers = targets.each_ref().map(StackTarget::sampler);
    let asking = thread::spawn(move || {
        let seqs = [(0, 0, false), (1, 5, false), (0, 5, true), (1, 0, true)];
        for (which, seq, is_stale) in seqs {
            let sampler: Sampler = samplers[which];
            assert_eq!(sampler.sample(seq, PATIENCE).unwrap().is_stale, is_stale);
        }
    });
    asking.join().unwrap();
    for other in &others {
        assert!(!other.sample().is_stale);
    }
}

#[test]
fn a_thread_that_blocks_the_signal_does_not_answer() {
    let here = thread::spawn(|| {
        // SAFETY: the set lives here; the mask of this thread is nobody else's.
        unsafe {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, SAMPLE_SIGNAL);
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        }
        let target = StackTarget::here(Arc::new(Cells::default()), SAMPLE_SIGNAL).unwrap();
        assert!(!target.test().answers);
        let text = target.test().to_string();
        assert_eq!(text, "no stacks: the signal does not come through");
        let sampler = target.sampler();
        let begun = Instant::now();
        let asked = thread::spawn(move || sampler.sample(0, Duration::from_millis(30)).is_none());
        assert!(asked.join().unwrap());
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "it waited too long"
        );
    });
    here.join().unwrap();
}

#[test]
fn signals_that_the_processor_raises_are_refused() {
    for signal in [libc::SIGSEGV, libc::SIGKILL, 0, -1, 65, 1000] {
        let refused = StackTarget::here(Arc::new(Cells::default()), signal);
        assert!(refused.is_err(), "signal {signal}");
    }
}

static HEARD: AtomicU32 = AtomicU32::new(0);

extern "C" fn hear(_: libc::c_int) {
    HEARD.fetch_add(1, Ordering::SeqCst);
}

extern "C" fn hear_with_info(
    number: libc::c_int,
    info: *mut libc::siginfo_t,
    _: *mut libc::c_void,
) {
    // SAFETY: the kernel passes the signal's own information.
    let told = unsafe { (*info).si_signo };
    HEARD.fetch_add(if told == number { 1 } else { 1000 }, Ordering::SeqCst);
}

fn handle_by(handler: usize, flags: libc::c_int) {
    // SAFETY: a zeroed sigaction is valid, and the handlers above only add to an atomic.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        assert_eq!(
            libc::sigaction(SAMPLE_SIGNAL, &raw const action, std::ptr::null_mut()),
            0
        );
    }
}

fn raise() {
    // SAFETY: it takes a number.
    unsafe { libc::raise(SAMPLE_SIGNAL) };
}

#[test]
fn a_signal_that_nobody_asked_for_goes_to_who_was_there_before() {
    alone(|| {
        let handlers = [
            (
                hear as extern "C" fn(libc::c_int) as usize,
                libc::SA_ONSTACK,
            ),
            (
                hear_with_info
                    as extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void)
                    as usize,
                libc::SA_SIGINFO,
            ),
        ];
        for (handler, flags) in handlers {
            HEARD.store(0, Ordering::SeqCst);
            handle_by(handler, flags);
            let watched = Watched::calling(burn_a_while);
            for expected in 1..=20 {
                assert!(!watched.sample().is_stale);
                raise();
                assert_eq!(
                    HEARD.load(Ordering::SeqCst),
                    expected,
                    "samples are ours alone"
                );
            }
            drop(watched);
            raise();
            assert_eq!(HEARD.load(Ordering::SeqCst), 21, "it was put back");
        }
    });
}

#[test]
fn a_handler_that_was_put_over_ours_is_left_and_works_on() {
    alone(|| {
        let first = Watched::calling(burn_a_while);
        handle_by(hear as extern "C" fn(libc::c_int) as usize, 0);
        assert!(
            first.sampler.sample(0, Duration::from_millis(30)).is_none(),
            "it has no signal"
        );
        drop(first);
        HEARD.store(0, Ordering::SeqCst);
        raise();
        assert_eq!(HEARD.load(Ordering::SeqCst), 1, "theirs is still there");
        // Whether it calls ours is not known; if not, the test at the start says so.
        let target = StackTarget::here(Arc::new(Cells::default()), SAMPLE_SIGNAL).unwrap();
        assert!(!target.test().answers);
        drop(target);
        handle_by(libc::SIG_DFL, 0);
        assert!(
            !Watched::calling(burn_a_while).sample().is_stale,
            "there is room again"
        );
    });
}

#[test]
fn a_signal_that_comes_after_all_is_over_does_no_harm() {
    alone(|| {
        drop(Watched::calling(burn_a_while));
        raise();
        // One for whose answer nobody waits any more.
        let target = StackTarget::here(Arc::new(Cells::default()), SAMPLE_SIGNAL).unwrap();
        let sampler = target.sampler();
        let late = thread::spawn(move || sampler.sample(0, Duration::ZERO).is_some());
        late.join().unwrap();
        raise();
        drop(target);
        raise();
    });
}

/// Twenty calls deep, then a panic that is caught at the top.
#[inline(never)]
fn panic_deep(depth: u32) -> u32 {
    if depth == 0 {
        panic::resume_unwind(Box::new(1_u8));
    }
    let text = black_box(format!("{depth}"));
    let below = panic_deep(black_box(depth - 1));
    below + text.len() as u32
}

/// Has itself sampled when it is dropped.
struct SampledAtItsEnd(Sampler, mpsc::Sender<StackSample>);

impl Drop for SampledAtItsEnd {
    fn drop(&mut self) {
        let sampler = self.0;
        let sampling = thread::spawn(move || sampler.sample(0, PATIENCE).unwrap());
        // The signal comes while this waits.
        self.1.send(sampling.join().unwrap()).unwrap();
    }
}

#[test]
fn what_a_panic_drops_is_not_unwound() {
    let target = StackTarget::here(Arc::new(Cells::default()), SAMPLE_SIGNAL).unwrap();
    let (sender, samples) = mpsc::channel();
    let at_end = || SampledAtItsEnd(target.sampler(), sender.clone());
    drop(at_end());
    let caught = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        let _at_end = at_end();
        panic::resume_unwind(Box::new(1_u8));
    }));
    assert!(caught.is_err());
    let hows: Vec<Unwound> = samples.try_iter().map(|sample| sample.how).collect();
    if UNWINDS {
        assert_eq!(hows, [Unwound::Walked, Unwound::Panicking]);
    }
}

/// Seconds to torment for: two, or `TOURBILLON_TORTURE_SECONDS`.
fn torture_time() -> Duration {
    let seconds = std::env::var("TOURBILLON_TORTURE_SECONDS");
    Duration::from_secs(seconds.ok().and_then(|text| text.parse().ok()).unwrap_or(2))
}

fn torment(work: impl FnMut() + Send + 'static) -> (u32, u32) {
    let watched = Watched::calling(work);
    let end = Instant::now() + torture_time();
    let (mut taken, mut walked) = (0, 0);
    while Instant::now() < end {
        let sample = watched.sampler.sample(0, Duration::from_millis(100));
        taken += u32::from(sample.is_some());
        walked += u32::from(sample.is_some_and(|sample| sample.how == Unwound::Walked));
        // About 1 kHz, and more where the machine lets it.
        thread::sleep(Duration::from_micros(300));
    }
    (taken, walked)
}

#[test]
fn panics_and_their_catches_survive_being_sampled() {
    alone(|| {
        expect_it_to_last();
        let (taken, walked) = torment(|| {
            let caught = panic::catch_unwind(|| panic_deep(20));
            assert!(caught.is_err());
        });
        assert!(
            taken > 100 && (walked > 10 || !UNWINDS),
            "{taken} taken, {walked} walked"
        );
        println!("{taken} taken, {walked} by the unwinder");
    });
}

#[test]
fn memory_backtraces_and_formatting_survive_being_sampled() {
    alone(|| {
        expect_it_to_last();
        let (taken, walked) = torment(|| {
            let words: Vec<String> = (0..50).map(|number| format!("{number:?}")).collect();
            black_box(words);
            drop(black_box(std::backtrace::Backtrace::force_capture()));
        });
        assert!(
            taken > 100 && (walked > 10 || !UNWINDS),
            "{taken} taken, {walked} walked"
        );
    });
}

/// Puts the alarm that ends a test which hangs far enough away.
fn expect_it_to_last() {
    // SAFETY: alarm(2) takes a number.
    unsafe { libc::alarm(60 + torture_time().as_secs() as u32) };
}
