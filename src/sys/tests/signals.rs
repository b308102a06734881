//! Signals as readiness. Each test runs in its own process.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::*;

fn raise(signal: Signal) {
    // SAFETY: raise(3) takes a number; the tests raise only signals that have a harmless handler,
    // or mean to end their own process.
    assert_eq!(unsafe { libc::raise(signal.number()) }, 0);
}

fn kill_self(signal: Signal) {
    // SAFETY: kill(2) takes two numbers; as above.
    assert_eq!(unsafe { libc::kill(libc::getpid(), signal.number()) }, 0);
}

fn all(pipe: &SignalPipe) -> Vec<Signal> {
    std::iter::from_fn(|| pipe.read().unwrap()).collect()
}

static COUNTED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_: libc::c_int) {
    COUNTED.fetch_add(1, Ordering::SeqCst);
}

fn install_counter(signal: Signal) {
    let handler = count as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // SAFETY: the handler only adds to an atomic.
    unsafe { libc::signal(signal.number(), handler) };
}

#[test]
fn a_signal_makes_the_descriptor_readable_and_is_read_once() {
    alone(|| {
        let pipe = SignalPipe::new(&[Signal::Terminate, Signal::Interrupt]).unwrap();
        assert!(!readable(&pipe, 0));
        assert_eq!(pipe.read().unwrap(), None);
        for signal in [Signal::Terminate, Signal::Interrupt] {
            raise(signal);
            assert!(readable(&pipe, 1000));
            assert_eq!(pipe.read().unwrap(), Some(signal));
            assert_eq!(pipe.read().unwrap(), None);
            assert!(!readable(&pipe, 0));
        }
    });
}

#[test]
fn every_signal_arrives_under_its_own_name() {
    alone(|| {
        let known = [
            (Signal::Interrupt, "SIGINT"),
            (Signal::Terminate, "SIGTERM"),
            (Signal::Hangup, "SIGHUP"),
            (Signal::Quit, "SIGQUIT"),
            (Signal::User1, "SIGUSR1"),
            (Signal::User2, "SIGUSR2"),
            (Signal::Child, "SIGCHLD"),
            (Signal::WindowChange, "SIGWINCH"),
            (Signal::Pipe, "SIGPIPE"),
            (Signal::Alarm, "SIGALRM"),
        ];
        let pipe = SignalPipe::new(&known.map(|(signal, _)| signal)).unwrap();
        for (signal, name) in known {
            raise(signal);
            assert_eq!(all(&pipe), [signal]);
            assert_eq!((signal.name(), signal.to_string()), (name, name.to_owned()));
        }
        known.iter().for_each(|&(signal, _)| raise(signal));
        let together: HashSet<_> = all(&pipe).into_iter().collect();
        assert_eq!(together, known.map(|(signal, _)| signal).into());
    });
}

#[test]
fn signals_that_come_together_do_not_run_over_the_end_of_a_small_stack() {
    alone(|| {
        let pipe = SignalPipe::new(&Signal::ALL).unwrap();
        for _ in 0..100 {
            // SAFETY: a signal set is plain numbers, which sigfillset(3) writes; pthread_sigmask(3)
            // reads one set and writes one. Unblocked, all are delivered at once: each handler
            // would begin on top of the one before.
            unsafe {
                let (mut every, mut before) = std::mem::zeroed();
                libc::sigfillset(&raw mut every);
                libc::pthread_sigmask(libc::SIG_BLOCK, &raw const every, &raw mut before);
                Signal::ALL.iter().for_each(|&signal| raise(signal));
                libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
            }
            assert_eq!(all(&pipe).len(), Signal::ALL.len());
        }
    });
}

#[test]
fn each_listener_gets_every_signal_it_asked_for_and_no_other() {
    alone(|| {
        let both = SignalPipe::new(&[Signal::User1, Signal::User2]).unwrap();
        let one = SignalPipe::new(&[Signal::User2]).unwrap();
        raise(Signal::User1);
        assert!(!readable(&one, 0));
        assert_eq!((all(&both), all(&one)), (vec![Signal::User1], vec![]));
        raise(Signal::User2);
        assert_eq!(
            (all(&both), all(&one)),
            (vec![Signal::User2], vec![Signal::User2])
        );
        drop(both);
        raise(Signal::User2);
        assert_eq!(all(&one), [Signal::User2]);
    });
}

#[test]
fn a_burst_from_several_threads_neither_blocks_nor_hides_another_signal() {
    alone(|| {
        let pipe = SignalPipe::new(&[Signal::User1, Signal::Terminate]).unwrap();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..25_000).for_each(|_| kill_self(Signal::User1)));
            }
        });
        raise(Signal::Terminate);
        assert!(readable(&pipe, 1000));
        let mut bytes: libc::c_int = 0;
        // SAFETY: FIONREAD writes one int through a pointer to one that lives here.
        unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
        assert_eq!(
            bytes, 2,
            "one byte for each kind of signal, however many came"
        );
        assert!(all(&pipe).contains(&Signal::Terminate));
        // One that was sent last may still be on its way, and would end the process.
        std::mem::forget(pipe);
    });
}

#[test]
fn no_signal_is_lost_between_a_reader_that_waits_and_a_thread_that_raises() {
    alone(|| {
        let there = SignalPipe::new(&[Signal::User1]).unwrap();
        let back = SignalPipe::new(&[Signal::User2]).unwrap();
        const ROUNDS: usize = 20_000;
        // A pause of another length each time lets signals arrive at every point of a read.
        let expect = |pipe: &SignalPipe, signal, round: usize| {
            (0..round * 37 % 1000).for_each(|_| std::hint::spin_loop());
            while pipe.read().unwrap() != Some(signal) {
                assert!(readable(pipe, 10_000), "a signal was lost");
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                for round in 0..ROUNDS {
                    expect(&there, Signal::User1, round);
                    raise(Signal::User2);
                }
            });
            for round in 0..ROUNDS {
                raise(Signal::User1);
                expect(&back, Signal::User2, round);
            }
        });
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_pipe_does_not_block_the_handler_and_errno_survives_it() {
    alone(|| {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;

        let pipe = SignalPipe::new(&[Signal::User1]).unwrap();
        let mut writer = std::fs::OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(format!("/proc/self/fd/{}", pipe.as_raw_fd()))
            .unwrap();
        while writer.write(&[0; 4096]).is_ok() {}
        // SAFETY: the address of this thread's errno, to write and to read.
        let errno = unsafe {
            *libc::__errno_location() = 4242;
            libc::raise(libc::SIGUSR1);
            *libc::__errno_location()
        };
        assert_eq!(errno, 4242);
        assert_eq!(all(&pipe), [Signal::User1]);
        while readable(&pipe, 0) {
            assert_eq!(pipe.read().unwrap(), None);
        }
    });
}

#[test]
fn the_last_listener_of_a_signal_puts_the_handler_before_it_back() {
    alone(|| {
        install_counter(Signal::User1);
        let first = SignalPipe::new(&[Signal::User1]).unwrap();
        let last = SignalPipe::new(&[Signal::User1, Signal::User1, Signal::Hangup]).unwrap();
        raise(Signal::User1);
        drop(first);
        raise(Signal::User1);
        assert_eq!(COUNTED.load(Ordering::SeqCst), 0);
        assert_eq!(all(&last), [Signal::User1]);
        drop(last);
        raise(Signal::User1);
        assert_eq!(COUNTED.load(Ordering::SeqCst), 1);
        let again = SignalPipe::new(&[Signal::User1]).unwrap();
        raise(Signal::User1);
        assert_eq!(all(&again), [Signal::User1]);
        assert_eq!(COUNTED.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_handler_that_someone_put_over_ours_stays() {
    alone(|| {
        let pipe = SignalPipe::new(&[Signal::User1]).unwrap();
        install_counter(Signal::User1);
        drop(pipe);
        raise(Signal::User1);
        assert_eq!(COUNTED.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn without_a_listener_a_signal_ends_the_process_again() {
    let ended = in_own_process(|| {
        drop(SignalPipe::new(&[Signal::Terminate]).unwrap());
        raise(Signal::Terminate);
    });
    // The process this test runs in has not called `body`, so only its child has ended.
    assert!(std::env::var_os(ALONE).is_some() || ended == Some(libc::SIGTERM));
}

#[test]
fn a_full_table_is_an_error_and_rows_are_used_again() {
    alone(|| {
        let listen = || SignalPipe::new(&[Signal::User1]);
        let mut pipes: Vec<_> = (0..64).map(|_| listen().unwrap()).collect();
        let full = listen().unwrap_err();
        assert_eq!(full.kind(), std::io::ErrorKind::ResourceBusy);
        assert!(full.to_string().contains("64 signal listeners"));
        raise(Signal::User1);
        assert!(pipes.iter().all(|pipe| all(pipe) == [Signal::User1]));

        // What one listener left unread is not the next one's.
        raise(Signal::User1);
        let fd = pipes.remove(5).as_raw_fd();
        let next = listen().unwrap();
        assert_eq!(next.as_raw_fd(), fd);
        assert!(!readable(&next, 0));
        assert_eq!(next.read().unwrap(), None);
        assert!(listen().is_err());
    });
}

#[test]
fn listeners_come_and_go_while_signals_fly() {
    alone(|| {
        // It keeps the handlers in place, else a signal in a gap would end the process.
        let anchor = SignalPipe::new(&[Signal::User1, Signal::User2]).unwrap();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for signal in [Signal::User1, Signal::User2] {
                let stop = &stop;
                scope.spawn(move || {
                    while !stop.load(Ordering::SeqCst) {
                        kill_self(signal);
                    }
                });
            }
            assert!(readable(&anchor, 10_000), "the threads have begun");
            for round in 0..5000 {
                let signal = [Signal::User1, Signal::User2][round % 2];
                let pipe = SignalPipe::new(&[signal]).unwrap();
                let heard = pipe.read().unwrap();
                assert!(heard.is_none_or(|heard| heard == signal));
            }
            stop.store(true, Ordering::SeqCst);
        });
        assert!(!all(&anchor).is_empty());
        // A signal of a thread that has ended may still be on its way, and would end the process.
        std::mem::forget(anchor);
    });
}

#[test]
fn listening_for_nothing_is_an_error() {
    let error = SignalPipe::new(&[]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}
