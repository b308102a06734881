//! The process's input. Each test starts its own binary with an input made for it.

use std::fs::File;
use std::future::Future;
use std::io::{ErrorKind, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::Stdio;
use std::task::{Context, Waker};
use std::time::Duration;

use tourbillon::{Runtime, stdin, timeout};

use super::support::{OnDrop, this_test, within};

/// Runs `body` in a process whose input is `input`, and `feed` meanwhile in this one. `feed` gets
/// what the child prints.
fn scene(
    name: &'static str,
    input: impl Into<Stdio>,
    feed: impl FnOnce(&mut dyn Read) + Send + 'static,
    body: impl AsyncFnOnce(),
) {
    let Some(mut command) = this_test(name) else {
        return Runtime::new().unwrap().block_on(body());
    };
    command.stdin(input).stdout(Stdio::piped());
    within(move || {
        let mut child = command.spawn().unwrap();
        drop(command);
        let mut out = child.stdout.take().unwrap();
        let pid = child.id();
        let killer = OnDrop(|| {
            if std::thread::panicking() {
                eprintln!("process {pid} has failed, or is left");
            }
        });
        feed(&mut out);
        let mut text = String::new();
        out.read_to_string(&mut text).unwrap();
        assert!(child.wait().unwrap().success(), "{text}");
        drop(killer);
    });
}

/// A pipe to be a child's input, and its other end.
fn pipe() -> (Stdio, PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    (OwnedFd::from(reader).into(), writer)
}

/// Reads what the child prints until `word` comes.
fn await_word(out: &mut dyn Read, word: &str) {
    let mut text = String::new();
    let mut byte = [0];
    while !text.contains(word) {
        assert_eq!(out.read(&mut byte).unwrap(), 1, "no {word:?} in {text:?}");
        text.push(char::from(byte[0]));
    }
}

/// Polls once, and gives up.
fn give_up<T>(future: impl Future<Output = T>) {
    let mut future = Box::pin(future);
    assert!(
        future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
}

#[test]
fn lines_come_as_they_are_written() {
    let (input, mut writer) = pipe();
    let feed = move |out: &mut dyn Read| {
        writer.write_all(b"one\ntw").unwrap();
        await_word(out, "got one");
        writer.write_all(b"o\r\n\nfour\r").unwrap();
    };
    scene(
        "stdin::lines_come_as_they_are_written",
        input,
        feed,
        async || {
            let mut stdin = stdin().unwrap();
            assert_eq!(stdin.next_line().await.unwrap().unwrap(), "one");
            println!("got one");
            assert_eq!(stdin.next_line().await.unwrap().unwrap(), "two");
            assert_eq!(stdin.next_line().await.unwrap().unwrap(), "");
            assert_eq!(stdin.next_line().await.unwrap().unwrap(), "four\r");
            assert_eq!(stdin.next_line().await.unwrap(), None);
            assert_eq!(stdin.read(&mut [0; 8]).await.unwrap(), 0);
        },
    );
}

#[test]
fn a_read_that_waits_does_not_hold_the_end_of_the_process() {
    let (input, writer) = pipe();
    let feed = move |out: &mut dyn Read| {
        // The input stays open until the child has ended.
        out.read_to_string(&mut String::new()).unwrap();
        drop(writer);
    };
    let name = "stdin::a_read_that_waits_does_not_hold_the_end_of_the_process";
    scene(name, input, feed, async || {
        let mut stdin = stdin().unwrap();
        let read = timeout(Duration::from_millis(20), stdin.read(&mut [0; 8])).await;
        assert!(read.is_err());
    });
}

#[test]
fn a_read_that_is_dropped_loses_no_byte() {
    let (input, mut writer) = pipe();
    let feed = move |out: &mut dyn Read| {
        await_word(out, "gave up");
        writer.write_all(b"tick\nta").unwrap();
        await_word(out, "half a line");
        writer.write_all(b"ck\n").unwrap();
    };
    scene(
        "stdin::a_read_that_is_dropped_loses_no_byte",
        input,
        feed,
        async || {
            let mut first = stdin().unwrap();
            give_up(first.read(&mut [0; 8]));
            assert_eq!(stdin().unwrap_err().kind(), ErrorKind::ResourceBusy);
            drop(first);
            println!("gave up");
            let mut second = stdin().unwrap();
            let mut buf = [0; 2];
            assert_eq!(second.read(&mut buf).await.unwrap(), 2);
            assert_eq!(&buf, b"ti");
            assert_eq!(second.next_line().await.unwrap().unwrap(), "ck");
            give_up(second.next_line());
            drop(second);
            println!("half a line");
            let mut third = stdin().unwrap();
            assert_eq!(third.next_line().await.unwrap().unwrap(), "tack");
        },
    );
}

#[test]
fn a_file_is_read_to_its_end() {
    let path = std::env::temp_dir().join(format!("tourbillon-stdin-{}", std::process::id()));
    let bytes: Vec<u8> = (0..100_000_u32).map(|at| (at / 9) as u8).collect();
    if this_test("stdin::a_file_is_read_to_its_end").is_some() {
        std::fs::write(&path, &bytes).unwrap();
    }
    let input = File::open(&path).map_or(Stdio::null(), Stdio::from);
    scene(
        "stdin::a_file_is_read_to_its_end",
        input,
        |_| {},
        async move || {
            let mut got = Vec::new();
            assert_eq!(
                stdin().unwrap().read_to_end(&mut got).await.unwrap(),
                bytes.len()
            );
            assert!(got == bytes);
        },
    );
    let _ = std::fs::remove_file(&path);
}

#[test]
fn no_input_is_an_end() {
    scene(
        "stdin::no_input_is_an_end",
        Stdio::null(),
        |_| {},
        async || {
            let mut stdin = stdin().unwrap();
            assert_eq!(stdin.read(&mut []).await.unwrap(), 0);
            assert_eq!(stdin.next_line().await.unwrap(), None);
            assert_eq!(stdin.read(&mut [0; 8]).await.unwrap(), 0);
        },
    );
}

#[test]
fn what_nobody_asked_for_is_left_to_others() {
    let (input, mut writer) = pipe();
    let feed = move |_: &mut dyn Read| {
        writer.write_all(b"for cat").unwrap();
    };
    scene(
        "stdin::what_nobody_asked_for_is_left_to_others",
        input,
        feed,
        async || {
            let _stdin = stdin().unwrap();
            let mut command = tourbillon::process::Command::new("cat");
            let output = command.stdin(Stdio::inherit()).output().await.unwrap();
            assert_eq!(output.stdout, b"for cat");
        },
    );
}

#[test]
fn a_line_that_is_none_is_left_to_read() {
    let (input, mut writer) = pipe();
    let feed = move |_: &mut dyn Read| {
        writer.write_all(b"\xff\n").unwrap();
        writer.write_all(&vec![b'x'; 3 << 20]).unwrap();
    };
    scene(
        "stdin::a_line_that_is_none_is_left_to_read",
        input,
        feed,
        async || {
            let mut stdin = stdin().unwrap();
            for _ in 0..2 {
                let error = stdin.next_line().await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidData);
                assert!(error.to_string().ends_with("is not UTF-8"), "{error}");
            }
            let mut two = [0; 2];
            assert_eq!(stdin.read(&mut two).await.unwrap(), 2);
            assert_eq!(two, *b"\xff\n");
            let error = stdin.next_line().await.unwrap_err();
            assert!(error.to_string().ends_with("longer than 1 MiB"), "{error}");
            let mut rest = Vec::new();
            assert_eq!(stdin.read_to_end(&mut rest).await.unwrap(), 3 << 20);
        },
    );
}

#[test]
#[allow(unsafe_code)]
fn input_that_others_made_non_blocking_is_waited_for() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    // SAFETY: numbers are passed. The flag is the open file's, which the child will share.
    unsafe {
        let flags = libc::fcntl(reader.as_raw_fd(), libc::F_GETFL);
        libc::fcntl(reader.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK);
    }
    let feed = move |out: &mut dyn Read| {
        await_word(out, "waits");
        writer.write_all(b"tick").unwrap();
    };
    let name = "stdin::input_that_others_made_non_blocking_is_waited_for";
    scene(name, OwnedFd::from(reader), feed, async || {
        let mut stdin = stdin().unwrap();
        let read = timeout(Duration::from_millis(20), stdin.read(&mut [0; 8])).await;
        assert!(read.is_err());
        println!("waits");
        let mut buf = [0; 8];
        assert_eq!(stdin.read(&mut buf).await.unwrap(), 4);
        assert_eq!(stdin.read(&mut buf).await.unwrap(), 0);
    });
}

#[test]
fn a_terminal_gives_lines_and_an_end_that_is_not_the_last() {
    let (master, slave) = terminal();
    let feed = move |out: &mut dyn Read| {
        let mut master = File::from(master);
        await_word(out, "reads");
        master.write_all(b"tick\n").unwrap();
        await_word(out, "got tick");
        // Ctrl-D.
        master.write_all(b"\x04").unwrap();
        await_word(out, "got an end");
        master.write_all(b"tack\n").unwrap();
        await_word(out, "leaves");
        out.read_to_string(&mut String::new()).unwrap();
        drop(master);
    };
    let name = "stdin::a_terminal_gives_lines_and_an_end_that_is_not_the_last";
    scene(name, slave, feed, async || {
        let mut stdin = stdin().unwrap();
        give_up(stdin.next_line());
        println!("reads");
        assert_eq!(stdin.next_line().await.unwrap().unwrap(), "tick");
        println!("got tick");
        assert_eq!(stdin.next_line().await.unwrap(), None);
        println!("got an end");
        assert_eq!(stdin.next_line().await.unwrap().unwrap(), "tack");
        give_up(stdin.next_line());
        println!("leaves");
    });
}

/// Both ends of a pseudo-terminal.
#[allow(unsafe_code)]
fn terminal() -> (OwnedFd, OwnedFd) {
    let (mut master, mut slave) = (0, 0);
    // SAFETY: two live ints are passed, and null for what is not wanted; the descriptors are new.
    unsafe {
        let null = std::ptr::null_mut();
        let made = libc::openpty(&mut master, &mut slave, null, null.cast(), null.cast());
        assert_eq!(made, 0);
        let ends = (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave));
        // The child must not hold the master.
        libc::fcntl(master, libc::F_SETFD, libc::FD_CLOEXEC);
        ends
    }
}
