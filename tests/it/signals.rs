//! Signals as futures. They belong to the process, so each test has one of its own.

use std::future::Future;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use tourbillon::process::Command;
use tourbillon::signal::{Signal, Signals, ctrl_c};
use tourbillon::{Runtime, spawn, timeout};

use super::support::{in_child, kill_self, well_in_child, within};

#[test]
fn every_listener_in_every_runtime_hears_a_signal() {
    well_in_child(
        "signals::every_listener_in_every_runtime_hears_a_signal",
        || {
            within(|| {
                let (ready, is_ready) = mpsc::channel();
                let (heard, hearing) = mpsc::channel();
                let threads: Vec<_> = (0..4)
                    .map(|_| {
                        let (ready, heard) = (ready.clone(), heard.clone());
                        thread::spawn(move || {
                            let mut rt = Runtime::new().unwrap();
                            rt.block_on(async {
                                let listen = || Signals::new(&[Signal::User1]).unwrap();
                                let (mut one, mut two) = (listen(), listen());
                                ready.send(()).unwrap();
                                for _ in 0..20 {
                                    assert_eq!(one.recv().await.unwrap(), Signal::User1);
                                    assert_eq!(two.recv().await.unwrap(), Signal::User1);
                                    heard.send(()).unwrap();
                                }
                            });
                        })
                    })
                    .collect();
                (0..4).for_each(|_| is_ready.recv().unwrap());
                for _ in 0..20 {
                    kill_self(Signal::User1);
                    // The next before all have heard this one could be the same to some.
                    (0..4).for_each(|_| hearing.recv().unwrap());
                }
                threads
                    .into_iter()
                    .for_each(|thread| thread.join().unwrap());
            });
        },
    );
}

#[test]
fn each_kind_is_heard_under_its_name() {
    well_in_child("signals::each_kind_is_heard_under_its_name", || {
        Runtime::new().unwrap().block_on(async {
            let all = [
                Signal::Interrupt,
                Signal::Terminate,
                Signal::Hangup,
                Signal::Quit,
                Signal::User1,
                Signal::User2,
                Signal::Child,
                Signal::WindowChange,
                Signal::Pipe,
                Signal::Alarm,
            ];
            let mut signals = Signals::new(&all).unwrap();
            for signal in all {
                kill_self(signal);
                assert_eq!(signals.recv().await.unwrap(), signal);
            }
        });
    });
}

#[test]
fn a_recv_that_is_dropped_loses_no_signal() {
    well_in_child("signals::a_recv_that_is_dropped_loses_no_signal", || {
        Runtime::new().unwrap().block_on(async {
            let mut signals = Signals::new(&[Signal::User1]).unwrap();
            for _ in 0..3 {
                let mut recv = Box::pin(signals.recv());
                assert!(
                    recv.as_mut()
                        .poll(&mut Context::from_waker(Waker::noop()))
                        .is_pending()
                );
                kill_self(Signal::User1);
                drop(recv);
                assert_eq!(signals.recv().await.unwrap(), Signal::User1);
            }
        });
    });
}

#[test]
fn a_listener_that_is_dropped_makes_place_for_the_next() {
    well_in_child(
        "signals::a_listener_that_is_dropped_makes_place_for_the_next",
        || {
            Runtime::new().unwrap().block_on(async {
                for _ in 0..200 {
                    let mut signals = Signals::new(&[Signal::User1]).unwrap();
                    kill_self(Signal::User1);
                    assert_eq!(signals.recv().await.unwrap(), Signal::User1);
                }
                let mut many: Vec<_> = (0..64)
                    .map(|_| Signals::new(&[Signal::User1]).unwrap())
                    .collect();
                let error = Signals::new(&[Signal::User1]).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ResourceBusy);
                kill_self(Signal::User1);
                for signals in &mut many {
                    assert_eq!(signals.recv().await.unwrap(), Signal::User1);
                }
            });
        },
    );
}

#[test]
fn ctrl_c_is_heard_and_ends_the_process_when_nobody_listens() {
    let ended = in_child(
        "signals::ctrl_c_is_heard_and_ends_the_process_when_nobody_listens",
        || {
            Runtime::new().unwrap().block_on(async {
                let heard = spawn(ctrl_c());
                let gave_up = timeout(Duration::from_millis(1), ctrl_c()).await;
                assert!(gave_up.is_err());
                kill_self(Signal::Interrupt);
                heard.await.unwrap().unwrap();
                eprintln!("heard once");
            });
            kill_self(Signal::Interrupt);
            // The signal is on its way to some thread of this process.
            thread::sleep(super::support::DEADLINE);
        },
    );
    if let Some((status, output)) = ended {
        assert!(output.contains("heard once"), "{output}");
        assert_eq!(status.signal(), Some(libc::SIGINT), "{output}");
    }
}

#[test]
fn a_listener_for_children_and_a_child_hear_the_same_signal() {
    let name = "signals::a_listener_for_children_and_a_child_hear_the_same_signal";
    well_in_child(name, || {
        Runtime::new().unwrap().block_on(async {
            let mut signals = Signals::new(&[Signal::Child]).unwrap();
            for _ in 0..5 {
                let status = Command::new("true").pidfd(false).status().await;
                assert!(status.unwrap().success());
                assert_eq!(signals.recv().await.unwrap(), Signal::Child);
            }
        });
    });
}
