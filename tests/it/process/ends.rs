//! How a child ends, and that no zombie stays.

use super::*;

#[test]
fn a_childs_end_is_heard_and_its_status_kept() {
    block_on(|| async {
        for pidfd in [true, false] {
            let mut child = heard(pidfd, "read x; exit 7")
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            let pid = child.id().unwrap();
            assert!(child.try_wait().unwrap().is_none());
            assert!(!is_gone(pid));
            let status = child.wait().await.unwrap();
            assert_eq!(status.code(), Some(7));
            assert!(is_gone(pid), "a zombie");
            assert_eq!(child.id(), None);
            assert_eq!(child.wait().await.unwrap(), status);
            assert_eq!(child.try_wait().unwrap(), Some(status));
            assert!(child.terminate().is_ok(), "nobody is left to be sent it");
        }
    });
}

#[test]
fn a_wait_that_is_dropped_loses_nothing() {
    block_on(|| async {
        for pidfd in [true, false] {
            let mut child = heard(pidfd, "read x; exit 7")
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            let stdin = child.stdin.take();
            for _ in 0..3 {
                let waits = timeout(Duration::from_millis(1), child.wait()).await;
                assert!(waits.is_err(), "it waits for its input");
            }
            drop(stdin);
            assert_eq!(child.wait().await.unwrap().code(), Some(7));
        }
    });
}

#[test]
fn a_child_that_ignores_sigterm_is_killed_after_its_grace() {
    block_on(|| async {
        for pidfd in [true, false] {
            let script = "trap '' TERM; echo ready; exec sleep 600";
            let mut child = heard(pidfd, script).spawn().unwrap();
            line(&mut child).await;
            child.terminate().unwrap();
            let grace = Duration::from_millis(50);
            assert!(
                timeout(grace, child.wait()).await.is_err(),
                "it has refused"
            );
            child.start_kill().unwrap();
            assert_eq!(child.wait().await.unwrap().signal(), Some(libc::SIGKILL));
        }
    });
}

#[test]
fn signals_reach_a_child() {
    block_on(|| async {
        for pidfd in [true, false] {
            let mut child = heard(pidfd, "echo ready; exec sleep 600").spawn().unwrap();
            line(&mut child).await;
            child.signal(libc::SIGSTOP).unwrap();
            let waits = timeout(Duration::from_millis(5), child.wait()).await;
            assert!(waits.is_err(), "a child that has stopped has not ended");
            child.signal(libc::SIGCONT).unwrap();
            child.signal(Signal::User1).unwrap();
            assert_eq!(child.wait().await.unwrap().signal(), Some(libc::SIGUSR1));
        }
        let mut child = heard(true, "exec sleep 600").spawn().unwrap();
        let error = child.signal(4711).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("sending signal 4711 to process "),
            "{error}"
        );
        child.kill().await.unwrap();
    });
}

#[test]
fn a_child_that_is_dropped_runs_on_and_leaves_no_zombie() {
    within(|| {
        for pidfd in [true, false] {
            let mut rt = Runtime::new().unwrap();
            let start = || {
                let mut command = heard(pidfd, "echo ready; read x");
                command
                    .kill_on_drop(false)
                    .stdin(Stdio::piped())
                    .spawn()
                    .unwrap()
            };
            let mut child = rt.block_on(async { start() });
            let (stdin, pid) = (child.stdin.take(), child.id().unwrap());
            rt.block_on(line(&mut child));
            drop(child);
            assert!(!is_gone(pid));
            drop(stdin);
            until(|| is_gone(pid));

            // It may outlive the runtime, and a task that owns it may be dropped.
            let mut child = rt.block_on(async { start() });
            let (stdin, pid) = (child.stdin.take(), child.id().unwrap());
            // Else it might write where nobody reads any more, and die of that.
            rt.block_on(line(&mut child));
            rt.spawn(async move { child.wait().await }).detach();
            rt.turn(Some(Duration::ZERO)).unwrap();
            drop(rt);
            assert!(!is_gone(pid));
            drop(stdin);
            until(|| is_gone(pid));
        }
    });
}

#[test]
fn kill_on_drop_kills_and_leaves_no_zombie() {
    block_on(|| async {
        for pidfd in [true, false] {
            let mut child = heard(pidfd, "echo ready; exec sleep 600").spawn().unwrap();
            let pid = child.id().unwrap();
            line(&mut child).await;
            drop(child);
            until(|| is_gone(pid));
            // A child that has ended is reaped by the drop itself.
            let child = heard(pidfd, "").spawn().unwrap();
            let pid = child.id().unwrap();
            until(|| has_ended(pid));
            drop(child);
            assert!(is_gone(pid));
        }
        // What drops the future drops the child.
        let mut command = shell("exec sleep 600");
        command.kill_on_drop(true);
        assert!(
            timeout(Duration::from_millis(20), command.output())
                .await
                .is_err()
        );
    });
}

/// Whether a child has ended, zombie or not; it stays to be waited for.
#[allow(unsafe_code)]
fn has_ended(pid: u32) -> bool {
    // SAFETY: siginfo_t is plain numbers, for which zero is a value, and the call fills it.
    unsafe {
        let mut info = std::mem::zeroed::<libc::siginfo_t>();
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        assert_eq!(libc::waitid(libc::P_PID, pid, &mut info, options), 0);
        info.si_signo == libc::SIGCHLD
    }
}

#[test]
fn a_status_that_somebody_else_took_is_an_error_that_says_so() {
    block_on(|| async {
        for pidfd in [true, false] {
            let mut child = heard(pidfd, "read x")
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            let pid = child.id().unwrap();
            let stdin = child.stdin.take();
            assert!(
                timeout(Duration::from_millis(1), child.wait())
                    .await
                    .is_err()
            );
            drop(stdin);
            take_status(pid);
            let error = child.wait().await.unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains(&format!("the status of process {pid} was taken")),
                "{text}"
            );
            assert!(child.wait().await.is_err());
            assert!(child.start_kill().is_err(), "the number may be another's");
            assert_eq!(child.id(), None);
        }
    });
}

#[allow(unsafe_code)]
fn take_status(pid: u32) {
    let mut status = 0;
    // SAFETY: one live int is passed.
    assert!(unsafe { libc::waitpid(pid as libc::pid_t, &mut status, 0) } > 0);
}
