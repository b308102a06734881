//! Children: their end, their pipes, signals to them, and what can go wrong.
//!
//! Whatever has to do with a child's end is tested by pidfd and by SIGCHLD.

use std::future::Future;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tourbillon::fs::raw_os_error;
use tourbillon::process::{Child, Command, Stdio};
use tourbillon::signal::Signal;
use tourbillon::{Runtime, sleep, spawn, timeout};

use super::support::{DEADLINE, block_on, limit_descriptors, until, well_in_child, within};

mod ends;
mod hearing;

/// A command for the shell.
fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    command
}

/// The same, heard by a pidfd or by SIGCHLD, with its output in a pipe.
fn heard(pidfd: bool, script: &str) -> Command {
    let mut command = shell(script);
    command
        .pidfd(pidfd)
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Reads one line of a child, which says so that it is ready.
async fn line(child: &mut Child) -> String {
    let stdout = child.stdout.as_mut().unwrap();
    let mut text = Vec::new();
    while !text.ends_with(b"\n") {
        let mut byte = [0];
        assert_eq!(
            stdout.read(&mut byte).await.unwrap(),
            1,
            "the child has ended"
        );
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

/// Whether there is no process of this number: a zombie is one.
#[allow(unsafe_code)]
fn is_gone(pid: u32) -> bool {
    // SAFETY: two numbers are passed; signal 0 is none.
    let answer = unsafe { libc::kill(pid as libc::pid_t, 0) };
    answer == -1 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}

#[test]
fn a_program_that_is_not_there_is_named() {
    block_on(|| async {
        let error = Command::new("no-such-program").spawn().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(raw_os_error(&error), Some(libc::ENOENT));
        let text = error.to_string();
        assert!(
            text.starts_with("starting no-such-program: No such file"),
            "{text}"
        );

        let mut command = Command::new("/bin/sh");
        let error = command.current_dir("/no/such/folder").spawn().unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("starting /bin/sh in /no/such/folder: "),
            "{text}"
        );

        let error = Command::new("/etc/passwd").status().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    });
}

#[test]
fn a_child_is_started_as_the_command_says() {
    block_on(|| async {
        let mut command = shell("echo $A-$HOME-$0; pwd; exit 3");
        command
            .arg("zero")
            .env("HOME", "h")
            .env_clear()
            .env("A", "a");
        command
            .current_dir("/usr")
            .envs([("B", "b")])
            .env_remove("B");
        for _ in 0..2 {
            let output = command.output().await.unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), "a--zero\n/usr\n");
            assert_eq!(output.status.code(), Some(3));
        }
        // Its input is empty unless it was set.
        assert_eq!(Command::new("cat").output().await.unwrap().stdout, b"");

        let mut child = heard(true, "echo; read x")
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn();
        let child = child.as_mut().unwrap();
        line(child).await;
        assert_eq!(group_of(child.id().unwrap()), child.id().unwrap());
        assert!(
            !child.wait().await.unwrap().success(),
            "its input has ended"
        );
    });
}

#[allow(unsafe_code)]
fn group_of(pid: u32) -> u32 {
    // SAFETY: a number is passed.
    u32::try_from(unsafe { libc::getpgid(pid as libc::pid_t) }).unwrap()
}

#[test]
#[allow(unsafe_code)]
fn a_child_may_be_another_user() {
    // SAFETY: it has no arguments.
    if unsafe { libc::geteuid() } != 0 {
        return;
    }
    block_on(|| async {
        let output = shell("id -u; id -g")
            .gid(65_533)
            .uid(65_534)
            .output()
            .await
            .unwrap();
        assert_eq!(output.stdout, b"65534\n65533\n");
    });
}

#[test]
fn bytes_go_through_a_child() {
    block_on(|| async {
        let sent: Vec<u8> = (0..1_000_000_u32).map(|at| (at / 7) as u8).collect();
        let mut command = Command::new("cat");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let copy = sent.clone();
        let writer = spawn(async move { stdin.write_all(&copy).await });
        let mut got = Vec::new();
        let mut stdout = child.stdout.take().unwrap();
        assert_eq!(stdout.read_to_end(&mut got).await.unwrap(), sent.len());
        assert!(got == sent);
        writer.await.unwrap().unwrap();
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn output_takes_both_streams_whichever_is_full_first() {
    block_on(|| async {
        let script = "head -c 300000 /dev/zero >&2; head -c 200000 /dev/zero; \
                      head -c 100000 /dev/zero >&2";
        let output = shell(script).output().await.unwrap();
        assert!(output.status.success());
        assert_eq!(
            (output.stdout.len(), output.stderr.len()),
            (200_000, 400_000)
        );
    });
}

#[test]
fn a_pipe_may_be_another_childs_input() {
    block_on(|| async {
        let mut first = heard(true, "echo tick").spawn().unwrap();
        let pipe = first.stdout.take().unwrap().into_stdio().unwrap();
        let output = Command::new("cat").stdin(pipe).output().await.unwrap();
        assert_eq!(output.stdout, b"tick\n");
        assert!(first.wait().await.unwrap().success());
    });
}

#[test]
fn a_read_that_is_dropped_loses_no_byte() {
    block_on(|| async {
        let mut child = heard(true, "read x; echo $x")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.as_mut().unwrap();
        let mut buf = [0; 16];
        let mut read = Box::pin(stdout.read(&mut buf));
        assert!(
            read.as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        drop(read);
        child
            .stdin
            .as_mut()
            .unwrap()
            .write_all(b"tick\n")
            .await
            .unwrap();
        assert_eq!(line(&mut child).await, "tick\n");
        child.wait().await.unwrap();
    });
}

#[test]
fn writing_to_a_child_that_does_not_read_is_an_error() {
    block_on(|| async {
        let script = "exec 0<&-; echo closed; exec sleep 600";
        let mut child = heard(true, script).stdin(Stdio::piped()).spawn().unwrap();
        line(&mut child).await;
        let began = Instant::now();
        let error = loop {
            // A child of another test has the other end, too, until it executes its program.
            match child.stdin.as_mut().unwrap().write(b"tick").await {
                Err(error) => break error,
                Ok(_) => assert!(began.elapsed() < DEADLINE, "somebody could read it"),
            }
            sleep(Duration::from_millis(1)).await;
        };
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        child.kill().await.unwrap();
    });
}

#[test]
fn a_write_that_waits_hears_of_the_childs_end() {
    block_on(|| async {
        let mut child = shell("exec sleep 600")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut write = pin!(stdin.write_all(&[0; 1_000_000]));
        let waits = timeout(Duration::from_millis(1), &mut write).await;
        assert!(waits.is_err(), "a pipe holds no megabyte");
        child.kill().await.unwrap();
        assert_eq!(write.await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_full_table_of_descriptors_is_an_error_and_costs_none() {
    well_in_child(
        "process::a_full_table_of_descriptors_is_an_error_and_costs_none",
        || {
            let mut rt = Runtime::new().unwrap();
            rt.block_on(async {
                let open = || std::fs::read_dir("/dev/fd").unwrap().count();
                let mut command = shell("exit 4");
                command
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped());
                let mut filler = Vec::new();
                let before = open();
                limit_descriptors(64);
                while let Ok(file) = std::fs::File::open("/dev/null") {
                    filler.push(file);
                }
                let error = command.spawn().unwrap_err();
                assert_eq!(raw_os_error(&error), Some(libc::EMFILE), "{error}");
                let text = error.to_string();
                assert!(text.starts_with("starting /bin/sh: "), "{text}");
                assert!(
                    text.ends_with("or start fewer children at a time"),
                    "{text}"
                );

                // Neither a pidfd nor a pipe for SIGCHLD can be had: the child is not lost.
                filler.truncate(filler.len() - 3);
                let mut child = shell("exit 5").spawn().unwrap();
                while let Ok(file) = std::fs::File::open("/dev/null") {
                    filler.push(file);
                }
                match child.wait().await {
                    Ok(status) => assert_eq!(status.code(), Some(5), "it ended at once"),
                    Err(error) => {
                        assert_eq!(raw_os_error(&error), Some(libc::EMFILE), "{error}");
                    }
                }
                filler.clear();
                assert_eq!(child.wait().await.unwrap().code(), Some(5));
                assert_eq!(command.status().await.unwrap().code(), Some(4));
                // The pipe of SIGCHLD and the bell of the thread that hears it may stay.
                assert!(open() <= before + 4, "{} then {}", before, open());
            });
        },
    );
}
