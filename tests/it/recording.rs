//! What the recorder notes of a run.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tourbillon::watch::{
    EndReason, Event, EventKind, IoKind, Level, PollResult, Recording, WaitKind,
};
use tourbillon::{
    Runtime, Watchdog, call_later, call_soon, sleep, spawn_blocking, spawn_named, yield_now,
};

use crate::server_support::{self, Client, server_of};
use crate::support::{DEADLINE, Folder, within};

fn recorded(level: Level, run: impl AsyncFnOnce()) -> Recording {
    let mut rt = Runtime::builder().record(level).build().unwrap();
    rt.block_on(run());
    rt.watcher().expect("it is watched").recording()
}

fn of_task<'a>(recording: &'a Recording, name: &str) -> Vec<&'a Event> {
    let number = recording.events.iter().find_map(|event| match event.kind {
        EventKind::Spawn { name: id, .. } if recording.name(id) == name => Some(event.task),
        _ => None,
    });
    let number = number.unwrap_or_else(|| panic!("{name} was never spawned"));
    let events = recording.events.iter();
    events.filter(|event| event.task == number).collect()
}

#[test]
fn the_life_of_a_task_is_told_in_order() {
    within(|| {
        let recording = recorded(Level::Lean, async || {
            spawn_named("sleeper", async {
                sleep(Duration::from_millis(2)).await;
                yield_now().await;
            })
            .await
            .unwrap();
        });
        let kinds: Vec<EventKind> = of_task(&recording, "sleeper")
            .iter()
            .map(|e| e.kind)
            .collect();
        let told: Vec<_> = kinds
            .iter()
            .map(|kind| match *kind {
                EventKind::Spawn { parent: 1, .. } => "spawned by main".to_owned(),
                EventKind::Poll {
                    number,
                    wait,
                    result,
                    ..
                } => {
                    format!("poll {number} {} {}", result.text(), wait.text())
                }
                EventKind::End {
                    polls: 3,
                    reason: EndReason::Done,
                    ..
                } => "done".to_owned(),
                other => format!("{other:?}"),
            })
            .collect();
        let mut sorted = told.clone();
        sorted.retain(|line| line != "done");
        assert!(told.contains(&"done".to_owned()), "{told:?}");
        assert_eq!(
            sorted,
            [
                "spawned by main",
                "poll 1 pending timer",
                "poll 2 pending yield",
                "poll 3 ready nothing",
            ]
        );
        let fired = recording
            .events
            .iter()
            .filter(|event| matches!(event.kind, EventKind::TimerFire { .. }));
        assert_eq!(fired.count(), 1);
        let sorted = recording.events.is_sorted_by_key(|event| event.at);
        assert!(sorted && recording.lost() == 0);
    });
}

#[test]
fn spans_of_the_loop_never_overlap() {
    within(|| {
        let recording = recorded(Level::Full, async || {
            let tasks: Vec<_> = (0..20_u64)
                .map(|ms| spawn_named("busy", sleep(Duration::from_millis(ms % 5))))
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            call_soon(|| ());
            call_later(Duration::from_millis(1), || ());
            sleep(Duration::from_millis(3)).await;
        });
        let mut end = 0;
        let mut spans = 0;
        for event in &recording.events {
            let is_inner = matches!(
                event.kind,
                EventKind::Poll { .. } | EventKind::Call { .. } | EventKind::Park { .. }
            );
            if is_inner {
                assert!(event.at >= end, "{event:?} begins before {end}");
                end = event.until();
                spans += 1;
            }
        }
        assert!(spans > 40, "{spans}");
        let wakes = recording.events.iter();
        let wakes = wakes.filter(|event| matches!(event.kind, EventKind::Wake { .. }));
        assert!(wakes.count() >= 20, "the full level notes each");
        let set = recording.events.iter();
        let set = set.filter(|event| matches!(event.kind, EventKind::TimerSet { .. }));
        assert!(
            set.count() >= 16,
            "and each deadline that is not over at once"
        );
    });
}

#[test]
fn a_job_is_told_from_its_submission_to_its_completion() {
    within(|| {
        let recording = recorded(Level::Lean, async || {
            let job = spawn_named("asks", async {
                spawn_blocking(|| std::thread::sleep(Duration::from_millis(3)))
                    .await
                    .unwrap();
            });
            job.await.unwrap();
        });
        let at = |wanted: &str| {
            let found = recording
                .events
                .iter()
                .find(|event| event.kind.name() == wanted);
            *found.unwrap_or_else(|| panic!("no {wanted}"))
        };
        let (submitted, ran, told) = (at("job_submit"), at("job_run"), at("job_callback"));
        let asks = of_task(&recording, "asks");
        assert_eq!(submitted.task, asks[0].task);
        assert!(submitted.at <= ran.at && ran.until() <= told.at);
        let EventKind::JobRun {
            job: 1,
            took,
            worker: 1,
            ..
        } = ran.kind
        else {
            panic!("{ran:?}");
        };
        assert!(took >= 3_000_000);
        let waits = |event: &&&Event| {
            matches!(
                event.kind,
                EventKind::Poll {
                    wait: WaitKind::Job,
                    ..
                }
            )
        };
        assert_eq!(asks.iter().filter(waits).count(), 1);
    });
}

#[test]
fn a_panic_an_abort_and_a_callback_leave_their_marks() {
    within(|| {
        let recording = recorded(Level::Lean, async || {
            let aborted = spawn_named("aborted", std::future::pending::<()>());
            aborted.abort();
            assert!(aborted.await.is_err());
            let panics = spawn_named("panics", async { panic!("as planned") });
            assert!(panics.await.is_err());
            tourbillon::mark("cache size", -7);
            call_soon(|| ());
            yield_now().await;
        });
        let end = |name| {
            let events = of_task(&recording, name);
            events.iter().find_map(|event| match event.kind {
                EventKind::End { reason, .. } => Some(reason),
                _ => None,
            })
        };
        assert_eq!(end("aborted"), Some(EndReason::Aborted));
        assert_eq!(end("panics"), Some(EndReason::Panicked));
        let panicked = of_task(&recording, "panics");
        assert!(panicked.iter().any(|event| {
            matches!(
                event.kind,
                EventKind::Poll {
                    result: PollResult::Panicked,
                    ..
                }
            )
        }));
        let marks = recording
            .events
            .iter()
            .filter_map(|event| match event.kind {
                EventKind::Mark { name, value } => Some((recording.name(name), value)),
                _ => None,
            });
        assert_eq!(marks.collect::<Vec<_>>(), [("cache size", -7)]);
        assert!(
            recording
                .events
                .iter()
                .any(|event| event.kind.name() == "call")
        );
    });
}

#[test]
fn the_ring_keeps_the_last_and_says_how_many_it_lost() {
    within(|| {
        let mut rt = Runtime::builder()
            .record(Level::Lean)
            .record_events_max(64)
            .build()
            .unwrap();
        rt.block_on(async {
            for _ in 0..500 {
                yield_now().await;
            }
        });
        let recording = rt.watcher().unwrap().recording();
        assert!(recording.events.len() <= 65, "{}", recording.events.len());
        assert!(recording.lost() > 500, "{}", recording.lost());
    });
}

#[test]
fn sockets_and_what_the_kernel_says_of_them_are_told() {
    within(|| {
        let recording = recorded(Level::Full, async || {
            let mut listener = tourbillon::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let client = std::thread::spawn(move || {
                let mut client = TcpStream::connect(address).unwrap();
                client.write_all(b"x").unwrap();
            });
            let (mut stream, _) = listener.accept().await.unwrap();
            // The kernel is asked, and says that there is something to read.
            sleep(Duration::from_millis(2)).await;
            assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 1);
            stream.write_all(b"abc").await.unwrap();
            drop(stream);
            client.join().unwrap();
        });
        let ops = |op: IoKind| {
            let events = recording.events.iter();
            let results = events.filter_map(move |event| match event.kind {
                EventKind::IoOp { op: of, result, .. } if of == op => Some(result),
                _ => None,
            });
            // One that would have blocked comes before.
            results.filter(|&result| result >= 0).collect::<Vec<_>>()
        };
        assert_eq!(ops(IoKind::Accept), [0]);
        assert_eq!((ops(IoKind::Read), ops(IoKind::Write)), (vec![1], vec![3]));
        let names = ["fd_add", "io_ready", "io_op", "fd_del"];
        for name in names {
            assert!(
                recording
                    .events
                    .iter()
                    .any(|event| event.kind.name() == name),
                "{name}"
            );
        }
    });
}

#[test]
fn the_flight_recorder_keeps_what_was_before_and_after_a_stall() {
    within(|| {
        let folder = Folder::new();
        let watchdog = Watchdog::new()
            .threshold(Duration::from_millis(20))
            .on_stall(|_| ());
        let builder = Runtime::builder()
            .watchdog(watchdog)
            .record_stalls(folder.path(""));
        let mut rt = builder.build().unwrap();
        let watcher = rt.watcher().unwrap();
        let path = folder.path("stall-1.json");
        rt.block_on(async {
            tourbillon::mark("before", 1);
            spawn_named("blocks", async move {
                let began = Instant::now();
                while watcher.stalls() == 0 && began.elapsed() < DEADLINE {
                    std::hint::spin_loop();
                }
            })
            .await
            .unwrap();
            tourbillon::mark("after", 2);
            let began = Instant::now();
            while !path.exists() {
                assert!(began.elapsed() < DEADLINE, "no file was written");
                sleep(Duration::from_millis(5)).await;
            }
        });
        let text = std::fs::read_to_string(&path).unwrap();
        let recording = Recording::open(&text).unwrap();
        let marks = recording
            .events
            .iter()
            .filter_map(|event| match event.kind {
                EventKind::Mark { name, .. } => Some(recording.name(name)),
                _ => None,
            });
        assert_eq!(marks.collect::<Vec<_>>(), ["before", "after"]);
        assert_eq!(recording.stalls.len(), 1);
        assert_eq!(recording.stalls[0].label, "blocks");
        assert!(recording.stalls[0].took >= Some(20_000_000));
        let stall = &recording.stalls[0];
        let poll = of_task(&recording, "blocks").into_iter();
        let mut poll = poll.filter(|event| event.kind.name() == "poll");
        let poll = poll.next().unwrap();
        let (from, took) = (stall.at.abs_diff(poll.at), stall.took.unwrap());
        // Its end is read from the clock once more than the poll's.
        assert!(
            from < 1_000 && took.abs_diff(poll.took()) < 5_000_000,
            "{stall:?}\n{poll:?}"
        );
    });
}

#[test]
fn a_poll_tells_how_many_are_in_line_behind_it() {
    within(|| {
        let recording = recorded(Level::Lean, async || {
            let tasks: Vec<_> = (0..5)
                .map(|_| spawn_named("one of five", async {}))
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        let polls = recording.events.iter().filter(|event| event.task > 1);
        let ready: Vec<u16> = polls
            .filter_map(|event| match event.kind {
                EventKind::Poll { ready, .. } => Some(ready),
                _ => None,
            })
            .collect();
        // The first wakes whoever awaits it.
        assert_eq!(ready, [5, 4, 3, 2, 1]);
    });
}

#[test]
fn each_request_is_told_by_its_own_name_however_many_end_in_one_poll() {
    within(|| {
        // The first two are one text as far as a task's label goes, and so are all that follow the
        // third: 48 bytes.
        let long = "x".repeat(43);
        let mut paths = vec![format!("/{long}"), format!("/{long}y"), format!("/{long}z")];
        paths.push(format!("/{long}"));
        paths.extend((0..40).map(|n| format!("/{}", n / 3 % 5)));
        let asked = paths.clone();
        let recording = recorded(Level::Lean, async || {
            let mut server = server_of(async |_| "hello", server_support::config());
            server.startup().await.unwrap();
            let address = server.local_addr().unwrap();
            let served = tourbillon::spawn(async move { server.main_loop().await });
            let client = spawn_blocking(move || {
                let heads = asked
                    .iter()
                    .map(|path| format!("GET {path}?q HTTP/1.1\r\nhost: a\r\n\r\n"));
                let mut client = Client::connect(address);
                client.send(heads.collect::<String>());
                asked
                    .iter()
                    .for_each(|_| assert_eq!(client.reply().text(), "hello"));
            });
            client.await.unwrap();
            drop(served);
        });
        let names: Vec<&str> = recording
            .events
            .iter()
            .filter_map(|event| match event.kind {
                EventKind::RequestBegin { name, .. } => Some(recording.name(name)),
                _ => None,
            })
            .collect();
        let wanted: Vec<String> = paths.iter().map(|path| format!("GET {path}")).collect();
        assert_eq!(names, wanted);
        let ends = recording
            .events
            .iter()
            .filter_map(|event| match event.kind {
                EventKind::RequestEnd {
                    request, status, ..
                } => Some((request, status)),
                _ => None,
            });
        assert!(
            ends.eq((1..=wanted.len() as u32).map(|request| (request, 200))),
            "each once, in order"
        );
    });
}

#[test]
fn what_the_gate_does_is_told_once() {
    within(|| {
        let mut rt = Runtime::builder().record(Level::Lean).build().unwrap();
        let watcher = rt.watcher().unwrap();
        watcher.pause();
        let student = std::thread::spawn(move || {
            let turn_after = |turn: u64| {
                let began = Instant::now();
                while watcher.dump().turn <= turn || watcher.dump().phase != "gate" {
                    assert!(began.elapsed() < DEADLINE, "no turn passed");
                    std::thread::yield_now();
                }
                watcher.dump().turn
            };
            let began = Instant::now();
            while watcher.dump().phase != "gate" {
                assert!(began.elapsed() < DEADLINE, "it never came to the gate");
            }
            let turn = watcher.dump().turn;
            watcher.step();
            turn_after(turn);
            watcher.go();
            watcher.slow(Duration::from_millis(1));
            let turn = watcher.dump().turn;
            turn_after(turn + 3);
        });
        rt.block_on(async {
            while !student.is_finished() {
                yield_now().await;
            }
        });
        student.join().unwrap();
        let recording = rt.watcher().unwrap().recording();
        let gate = recording
            .events
            .iter()
            .filter_map(|event| match event.kind {
                EventKind::Gate { what, delay_ms } => Some((what.text(), delay_ms)),
                _ => None,
            });
        let told: Vec<_> = gate.collect();
        // Whether the loop was there when it was let go is a race.
        let told: Vec<_> = told.into_iter().filter(|&(what, _)| what != "go").collect();
        assert_eq!(told, [("pause", 0), ("step", 0), ("slow", 1)]);
    });
}
