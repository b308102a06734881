//! Many children and several runtimes hear of each end, and of no other.

use super::*;

use std::thread;

#[test]
fn each_of_many_children_is_heard() {
    block_on(|| async {
        for pidfd in [true, false] {
            let mut waits = Vec::new();
            for code in 0..40 {
                let script = format!("read x; exit {code}");
                let mut child = heard(pidfd, &script).stdin(Stdio::piped()).spawn().unwrap();
                let stdin = child.stdin.take();
                waits.push((code, stdin, spawn(async move { child.wait().await })));
            }
            // In an order of their own, and the last ones together.
            let order: Vec<usize> = (0..20).map(|at| at * 7 % 20).collect();
            for at in order {
                let (code, stdin, wait) = &mut waits[at];
                drop(stdin.take());
                assert_eq!(wait.await.unwrap().unwrap().code(), Some(*code));
            }
            for (_, stdin, _) in &mut waits {
                drop(stdin.take());
            }
            for (code, _, wait) in waits.into_iter().skip(20) {
                assert_eq!(wait.await.unwrap().unwrap().code(), Some(code));
            }
        }
    });
}

#[test]
fn several_runtimes_hear_of_their_children() {
    within(|| {
        let threads: Vec<_> = (0..4)
            .map(|nth| {
                thread::spawn(move || {
                    let mut rt = Runtime::new().unwrap();
                    rt.block_on(async {
                        for round in 0..10 {
                            let code = nth * 10 + round;
                            let mut command = shell(&format!("exit {code}"));
                            let status = command.pidfd(false).status().await.unwrap();
                            assert_eq!(status.code(), Some(code));
                        }
                    });
                })
            })
            .collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_child_that_runs_costs_no_turn() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        rt.block_on(async {
            let mut child = heard(true, "exec sleep 600").spawn().unwrap();
            let before = tourbillon::stats().turns;
            let _ = timeout(Duration::from_millis(100), child.wait()).await;
            let turns = tourbillon::stats().turns - before;
            assert!(turns < 20, "{turns} turns while nothing happened");
            child.kill().await.unwrap();
        });
    });
}

#[test]
fn a_waker_that_is_not_the_runtimes_is_woken_by_either() {
    use crate::support::Foreign;

    within(|| {
        for pidfd in [true, false] {
            let mut rt = Runtime::new().unwrap();
            let entered = rt.enter();
            let mut child = heard(pidfd, "read x; exit 7")
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            drop(entered);
            let foreign = Foreign::counting();
            let waker = Waker::from(foreign.clone());
            let mut cx = Context::from_waker(&waker);
            assert!(child.poll_wait(&mut cx).is_pending());
            drop(child.stdin.take());
            crate::support::turn_until(&mut rt, || foreign.count() > 0);
            crate::support::turn_until(&mut rt, || match child.poll_wait(&mut cx) {
                Poll::Ready(status) => status.unwrap().code() == Some(7),
                Poll::Pending => false,
            });
        }
    });
}

#[test]
#[cfg(target_os = "linux")]
fn the_thread_that_reaps_ends_when_there_is_nothing_to_reap() {
    well_in_child(
        "process::hearing::the_thread_that_reaps_ends_when_there_is_nothing_to_reap",
        || {
            let mut rt = Runtime::new().unwrap();
            let mut command = heard(true, "read x");
            command.kill_on_drop(false).stdin(Stdio::piped());
            let mut child = rt.block_on(async { command.spawn() }).unwrap();
            let stdin = child.stdin.take();
            drop(child);
            let reaps = || {
                let tasks = std::fs::read_dir("/proc/self/task").unwrap();
                tasks.flatten().any(|task| {
                    let name = std::fs::read_to_string(task.path().join("comm"));
                    name.is_ok_and(|name| name.starts_with("tourbillon-reap"))
                })
            };
            until(reaps);
            drop(stdin);
            until(|| !reaps());
            // And starts again.
            for pidfd in [false, true] {
                let mut command = shell("exit 9");
                let status = rt.block_on(async { command.pidfd(pidfd).status().await });
                assert_eq!(status.unwrap().code(), Some(9));
            }
        },
    );
}
