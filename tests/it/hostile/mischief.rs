//! What hostile code does, drawn from a seed, and where.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use std::time::Duration;

use tourbillon::net::TcpStream;
use tourbillon::{
    CancelOnDrop, Job, JobHandle, JoinHandle, Sleep, Timer, call_later, call_soon, offload, sleep,
    spawn, spawn_blocking,
};

use crate::support::{Dice, Foreign};

/// Where mischief is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Poll,
    FutureDrop,
    Callback,
    CallbackDrop,
    Timer,
    Completion,
    WakerWake,
    WakerDrop,
    Root,
    End,
}

impl Place {
    pub(super) const COUNT: usize = 10;
    pub(super) const ALL: [Place; Self::COUNT] = [
        Place::Poll,
        Place::FutureDrop,
        Place::Callback,
        Place::CallbackDrop,
        Place::Timer,
        Place::Completion,
        Place::WakerWake,
        Place::WakerDrop,
        Place::Root,
        Place::End,
    ];
}

/// What mischief may touch: taken out for each act, so that acts nest.
#[derive(Default)]
pub(super) struct Kit {
    handles: Vec<JoinHandle<()>>,
    tied: Vec<CancelOnDrop<()>>,
    timers: Vec<Timer>,
    jobs: Vec<Job>,
    job_handles: Vec<JobHandle<()>>,
    naps: Vec<Sleep>,
    wakers: Vec<Waker>,
    sockets: Vec<(TcpStream, std::net::TcpStream)>,
}

thread_local! {
    static KIT: RefCell<Kit> = RefCell::default();
    static DICE: RefCell<Dice> = RefCell::new(Dice::new(1));
    /// Acts left to do; mischief ends with them.
    static LEFT: Cell<u32> = const { Cell::new(0) };
    static ENDING: Cell<bool> = const { Cell::new(false) };
    static ENDING_SPAWNS: Cell<bool> = const { Cell::new(false) };
    static ALIVE: Cell<i64> = const { Cell::new(0) };
    static DONE: Cell<u64> = const { Cell::new(0) };
    static VISITED: RefCell<[usize; Place::COUNT]> = const { RefCell::new([0; Place::COUNT]) };
}

impl Kit {
    pub(super) fn begin(seed: u64, acts: u32) {
        DICE.set(Dice::new(seed + 1));
        LEFT.set(acts);
        ENDING.set(false);
        VISITED.set([0; Place::COUNT]);
    }

    pub(super) fn refill(acts: u32) {
        LEFT.set(acts);
    }

    /// The runtime is about to end: acts go on, and spawn only if `spawns`.
    pub(super) fn at_the_end(spawns: bool) {
        LEFT.set(200);
        ENDING.set(true);
        ENDING_SPAWNS.set(spawns);
    }

    /// Empties the kit; everything hostile must be gone then. Says what was visited.
    pub(super) fn end() -> Vec<(Place, usize)> {
        LEFT.set(0);
        drop(KIT.take());
        assert_eq!(ALIVE.get(), 0, "something hostile was leaked");
        let visited = VISITED.take();
        Place::ALL
            .iter()
            .map(|&place| (place, visited[place as usize]))
            .collect()
    }

    /// Counts a completion that is about to misbehave.
    pub(super) fn count_then(act: impl FnOnce()) {
        DONE.set(DONE.get() + 1);
        act();
    }

    pub(super) fn done() -> u64 {
        DONE.get()
    }
}

fn draw(end: u64) -> u64 {
    DICE.with_borrow_mut(|dice| dice.below(end))
}

/// Takes something out of the kit.
fn take<T>(from: impl FnOnce(&mut Kit) -> &mut Vec<T>) -> Option<T> {
    let at = draw(64) as usize;
    KIT.with_borrow_mut(|kit| {
        let list = from(kit);
        (!list.is_empty()).then(|| list.swap_remove(at % list.len()))
    })
}

fn keep<T>(thing: T, to: impl FnOnce(&mut Kit) -> &mut Vec<T>) {
    KIT.with_borrow_mut(|kit| to(kit).push(thing));
}

/// A guard, and a future, that does mischief whenever it runs.
pub(super) struct Hostile {
    dropped_in: Place,
}

impl Hostile {
    pub(super) fn new(place: Place) -> Self {
        ALIVE.set(ALIVE.get() + 1);
        let dropped_in = if place == Place::Poll {
            Place::FutureDrop
        } else {
            place
        };
        Hostile { dropped_in }
    }

    pub(super) fn visit(&self, place: Place) {
        act(place);
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        ALIVE.set(ALIVE.get() - 1);
        act(self.dropped_in);
    }
}

impl Future for Hostile {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        keep(cx.waker().clone(), |kit| &mut kit.wakers);
        act(Place::Poll);
        match draw(4) {
            0 => Poll::Ready(()),
            1 => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            _ => Poll::Pending,
        }
    }
}

fn hostile_waker() -> Waker {
    Foreign::waker(|| act(Place::WakerWake), || act(Place::WakerDrop))
}

/// Up to three acts, and now and then a panic.
fn act(place: Place) {
    let Some(left) = LEFT.get().checked_sub(1) else {
        return;
    };
    LEFT.set(left);
    let here = if ENDING.get() { Place::End } else { place };
    VISITED.with_borrow_mut(|visited| {
        visited[place as usize] += 1;
        visited[here as usize] += usize::from(here != place);
    });
    for _ in 0..=draw(3) {
        one_act();
    }
    if draw(25) == 0 && !std::thread::panicking() && !ENDING.get() {
        panic!("mischief in {place:?}");
    }
}

fn one_act() {
    match draw(18) {
        0..=2 if !ENDING.get() || ENDING_SPAWNS.get() => {
            let handle = spawn(Hostile::new(Place::Poll));
            match draw(3) {
                0 => handle.detach(),
                1 => keep(handle, |kit| &mut kit.handles),
                _ => keep(handle.cancel_on_drop(), |kit| &mut kit.tied),
            }
        }
        3 => drop(take(|kit| &mut kit.tied)),
        4 => drop(take(|kit| &mut kit.handles)),
        5 => take(|kit| &mut kit.handles).into_iter().for_each(|handle| {
            handle.abort();
            keep(handle, |kit| &mut kit.handles);
        }),
        6 => take(|kit| &mut kit.handles)
            .into_iter()
            .for_each(|mut handle| {
                if !handle.is_finished() {
                    let _ = Pin::new(&mut handle).poll(&mut Context::from_waker(&hostile_waker()));
                    keep(handle, |kit| &mut kit.handles);
                }
            }),
        7 => take(|kit| &mut kit.wakers)
            .into_iter()
            .for_each(Waker::wake),
        8 => {
            let guard = Hostile::new(Place::CallbackDrop);
            let delay = Duration::from_micros(draw(2500));
            let timer = call_later(delay, move || guard.visit(Place::Timer));
            keep(timer, |kit| &mut kit.timers);
        }
        9 => take(|kit| &mut kit.timers).into_iter().for_each(|timer| {
            timer.cancel();
        }),
        10 => {
            let guard = Hostile::new(Place::CallbackDrop);
            call_soon(move || guard.visit(Place::Callback));
        }
        11 => {
            let guard = Hostile::new(Place::Completion);
            let job = offload(|| (), move |_| guard.visit(Place::Completion));
            keep(job, |kit| &mut kit.jobs);
        }
        12 => take(|kit| &mut kit.jobs).into_iter().for_each(|job| {
            job.cancel();
        }),
        13 => {
            let mut job = spawn_blocking(|| ());
            let _ = Pin::new(&mut job).poll(&mut Context::from_waker(&hostile_waker()));
            keep(job, |kit| &mut kit.job_handles);
        }
        14 => drop(take(|kit| &mut kit.job_handles)),
        15 => {
            let mut nap = take(|kit| &mut kit.naps)
                .unwrap_or_else(|| sleep(Duration::from_micros(draw(2500))));
            if Pin::new(&mut nap)
                .poll(&mut Context::from_waker(&hostile_waker()))
                .is_pending()
            {
                keep(nap, |kit| &mut kit.naps);
            }
        }
        16 => take(|kit| &mut kit.naps).into_iter().for_each(drop),
        _ => use_socket(),
    }
}

/// A socket that waits with a hostile waker, and a peer that wakes it.
fn use_socket() {
    let Some((mut stream, mut peer)) = take(|kit| &mut kit.sockets) else {
        return;
    };
    let mut buf = [0; 16];
    let _ = stream.poll_read(&mut Context::from_waker(&hostile_waker()), &mut buf);
    if draw(2) == 0 {
        peer.write_all(b"x").unwrap();
    }
    keep((stream, peer), |kit| &mut kit.sockets);
}

/// Puts a connection into the kit. A runtime must be entered.
pub(super) fn socket_pair() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let stream = TcpStream::from_std(listener.accept().unwrap().0).unwrap();
    keep((stream, peer), |kit| &mut kit.sockets);
}

/// A hand-made waker: calls `act` each time it is cloned.
#[allow(unsafe_code)]
pub(super) fn waker_that_calls_on_clone(act: fn()) -> Waker {
    static TABLE: RawWakerVTable = RawWakerVTable::new(clone, ignore, ignore, ignore);
    fn clone(word: *const ()) -> RawWaker {
        // SAFETY: the word is only ever made from a `fn()`, below.
        let act = unsafe { std::mem::transmute::<*const (), fn()>(word) };
        act();
        RawWaker::new(word, &TABLE)
    }
    fn ignore(_: *const ()) {}
    // SAFETY: the word is a plain function that owns nothing and may be called anywhere.
    unsafe { Waker::from_raw(RawWaker::new(act as *const (), &TABLE)) }
}
