//! A finished program that is opened from outside: by the environment, and by a signal.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use tourbillon::signal::{Signal, dump_on_quit};
use tourbillon::{Runtime, sleep, spawn, spawn_blocking, spawn_named, yield_now};

use crate::support::{in_child, kill_self, lines_of, page, this_test, until};

/// Starts a child that ends when its input does, and listens to what it says of itself.
fn heard(mut command: Command) -> (Child, Receiver<String>) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = lines_of(child.stderr.take().unwrap());
    (child, lines)
}

/// What a child of this test binary writes to standard error, with these variables, and the first
/// frame of its page that says what is `wanted`.
fn opened(name: &str, wanted: &str, variables: &[(&str, &str)]) -> Option<(SocketAddr, String)> {
    let mut command = this_test(name)?;
    command.envs(variables.iter().copied());
    let (mut child, lines) = heard(command);
    let mut said = Vec::new();
    let address = loop {
        let line = lines.recv().expect("it says where its page is");
        let address = page::address(&line);
        said.push(line);
        if let Some(address) = address {
            break address;
        }
    };
    let mut frame = String::new();
    until(|| {
        frame = page::get(address, "/snapshot.json");
        frame.contains(wanted)
    });
    said.push(frame);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success(), "{said:?}");
    said.extend(lines.iter());
    Some((address, said.join("\n")))
}

/// A program that knows nothing of being watched, and ends when its input does.
fn program() {
    let mut rt = Runtime::new().unwrap();
    rt.block_on(async {
        spawn_named("a task of the program", std::future::pending::<()>()).detach();
        let mut input = tourbillon::stdin().unwrap();
        while input.read(&mut [0; 16]).await.unwrap() > 0 {}
    });
}

#[test]
fn debug_opens_a_program_that_knows_nothing_of_it() {
    let name = "opened::debug_opens_a_program_that_knows_nothing_of_it";
    match opened(name, "a task of the program", &[("TOURBILLON_DEBUG", "1")]) {
        None => program(),
        Some((address, said)) => {
            assert!(address.ip().is_loopback());
            assert!(said.contains(r#""level":"lean""#), "{said}");
            assert!(
                said.contains(r#""allowed":false"#),
                "no gate by default: {said}"
            );
            assert_eq!(said.matches("watch this loop at").count(), 1, "{said}");
        }
    }
}

#[test]
fn what_the_environment_says_wrongly_is_told_and_left_out() {
    let name = "opened::what_the_environment_says_wrongly_is_told_and_left_out";
    let variables = [
        ("TOURBILLON_DIAL", "127.0.0.1:0"),
        ("TOURBILLON_RECORD", "loud\u{1b}"),
        ("TOURBILLON_WATCHDOG", "off"),
    ];
    match opened(name, r#""level":"off""#, &variables) {
        None => program(),
        Some((_, said)) => {
            let line = r"TOURBILLON_RECORD=loud\u{1b} is left out: it is lean or full";
            assert!(said.contains(line), "{said}");
        }
    }
}

#[test]
fn a_result_that_nobody_reads_is_told_of_in_debug_mode_alone() {
    let name = "opened::a_result_that_nobody_reads_is_told_of_in_debug_mode_alone";
    let run = || {
        struct Says;
        impl log::Log for Says {
            fn enabled(&self, _: &log::Metadata<'_>) -> bool {
                true
            }
            fn log(&self, record: &log::Record<'_>) {
                println!("{}", record.args());
            }
            fn flush(&self) {}
        }
        log::set_boxed_logger(Box::new(Says)).unwrap();
        log::set_max_level(log::LevelFilter::Warn);
        Runtime::new().unwrap().block_on(async {
            let unread = spawn(async { 7_u16 });
            let (read, nothing, detached) = (
                spawn(async { 1_u32 }),
                spawn(async {}),
                spawn(async { 2_u64 }),
            );
            yield_now().await;
            yield_now().await;
            drop((unread, nothing));
            detached.detach();
            read.await.unwrap();
        });
    };
    let Some((status, output)) = in_child(name, run) else {
        return;
    };
    assert!(
        status.success() && !output.contains("never read"),
        "{output}"
    );
    let mut again = Command::new(std::env::current_exe().unwrap());
    again
        .args([name, "--exact", "--nocapture"])
        .env("TOURBILLON_TEST_CHILD", name);
    again
        .env("TOURBILLON_DEBUG", "1")
        .env("TOURBILLON_DIAL", "off");
    let output = again.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text.matches("was never read").count(), 1, "{text}");
    assert!(text.contains("a u16, was never read"), "{text}");
}

#[test]
fn ctrl_backslash_dumps_a_loop_that_is_stuck_and_does_not_end_it() {
    let name = "opened::ctrl_backslash_dumps_a_loop_that_is_stuck_and_does_not_end_it";
    let Some(command) = this_test(name) else {
        let mut rt = Runtime::builder().watch(true).build().unwrap();
        let dumps = dump_on_quit(rt.watcher().unwrap()).unwrap();
        rt.block_on(async {
            spawn_named("waits in the child", sleep(Duration::from_secs(600))).detach();
            yield_now().await;
            kill_self(Signal::Quit);
            // Holds the loop until the parent has seen the dump.
            std::io::stdin().read_line(&mut String::new()).unwrap();
        });
        return drop(dumps);
    };
    let (mut child, lines) = heard(command);
    let said = one_dump(&lines);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success(), "{said:?}");
    let said = said.join("\n");
    assert!(said.contains("tourbillon dump: turn "), "{said}");
    assert!(said.contains("waits in the child: waits for"), "{said}");
    assert!(said.contains("main: running for"), "{said}");
}

async fn sleeps_in_the_child() {
    sleep(Duration::from_secs(600)).await;
}

#[test]
fn ctrl_backslash_says_where_the_tasks_of_a_loop_that_turns_wait() {
    let name = "opened::ctrl_backslash_says_where_the_tasks_of_a_loop_that_turns_wait";
    let Some(command) = this_test(name) else {
        let mut rt = Runtime::builder().watch(true).build().unwrap();
        let dumps = dump_on_quit(rt.watcher().unwrap()).unwrap();
        rt.block_on(async {
            spawn_named("waits in the child", sleeps_in_the_child()).detach();
            yield_now().await;
            kill_self(Signal::Quit);
            let parent = spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
            parent.await.unwrap().unwrap();
        });
        return drop(dumps);
    };
    let (mut child, lines) = heard(command);
    let said = one_dump(&lines);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success(), "{said:?}");
    let waits = said
        .iter()
        .position(|line| line.contains("waits in the child: waits for"));
    let stack = &said[waits.expect("it is in the dump") + 1];
    assert!(
        stack.starts_with("      at ") && stack.contains("tests/it/opened.rs:"),
        "{said:#?}"
    );
}

/// All lines up to the last of a dump.
fn one_dump(lines: &Receiver<String>) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    while !said.iter().any(|line| line.starts_with("  timers ")) {
        said.push(lines.recv().expect("it dumps"));
    }
    said
}

#[test]
fn a_dump_of_many_tasks_is_cut() {
    let mut rt = Runtime::new().unwrap();
    for _ in 0..600 {
        rt.spawn(std::future::pending::<()>()).detach();
    }
    rt.run_until_stalled().unwrap();
    let dump = rt.dump();
    assert_eq!(dump.tasks.len(), 600);
    assert!(dump.to_string().contains("  and 100 more\n"));
}
