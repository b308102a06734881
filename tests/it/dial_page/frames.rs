//! Frames of a made-up server: running, stuck, paused; and the worst labels there are.

use serde_json::{Value, json};

const NOW: f64 = 19_231.4;

pub(super) const REPORT: &str = "loop stuck for 740 ms in #88 GET /bad-practice\n\
    heavy_sync_operation   examples/blocked.rs:41   <-- your code\n";

/// A loop that sleeps until the next timer, one worker busy.
pub(super) fn running() -> Value {
    let (turns, slices) = history();
    json!({
        "n": 1, "t": NOW, "up": 192.0, "name": "server", "pid": 4711, "state": "running",
        "turn": 48_400, "phase": "park", "busy": 0.31, "p99_turn_ms": 0.4, "level": "lean",
        "longest": {"ms": 1.9, "task": 7, "name": "ticker"},
        "lost": 0, "span_s": 6.1, "capacity": 65_536, "stall": null,
        "stalls": [stall_line(1, 9.2, 1000.2, true)],
        "queues": {
            "submit": 0, "submitted": 1204, "taken": 1204, "callbacks": 0, "ready": [91, 7],
            "ready_more": 0, "timers": 6, "overdue": 0, "worst_late_ms": 0, "next_ms": 38,
        },
        "kernel": {"name": "epoll", "fds": 14, "unread": 0, "accept": [0, 1024]},
        "fds": [
            [5, "listener", "r", ""], [9, "conn", "r", "r"], [10, "conn", "r", ""],
            [11, "conn", "rw", "w"], [14, "wake pipe", "r", ""],
        ],
        "tasks": tasks(), "tasks_more": 0,
        "workers": [
            ["worker-1", "idle", 0, "", 0],
            ["worker-2", "busy", 41, "heavy_sync_operation", 620],
            ["worker-3", "idle", 0, "", 0],
            ["worker-4", "idle", 0, "", 0],
        ],
        "pool": {"queued": 0, "done": 40, "max": 4},
        "turns": turns, "slices": slices,
        "requests": [
            [32, "GET /ping", NOW - 2200.0, NOW - 1900.0, 200, 91],
            [33, "GET /good-practice", NOW - 620.0, null, 0, 90],
        ],
        "gate": {"allowed": true, "paused": false, "slow_ms": 0, "paused_ms": 0},
        "same_loop": false, "source": null,
    })
}

/// A loop with more of everything than a frame shows.
pub(super) fn crowded() -> Value {
    let mut frame = running();
    frame["tasks_more"] = json!(501);
    frame["kernel"]["fds"] = json!(75);
    frame["pool"] = json!({"queued": 0, "done": 40, "max": 100, "busy": 77, "more": 36});
    frame["queues"]["ready_more"] = json!(350);
    frame["stalls_all"] = json!(1_234);
    frame
}

fn tasks() -> Value {
    let spawned = "src/server/accept.rs:88";
    json!([
        [
            1,
            "idle",
            "timer",
            "timer, due in 38 ms",
            9,
            0.1,
            "main",
            "",
            38
        ],
        [
            7,
            "ready",
            "nothing",
            "",
            1920,
            41.0,
            "ticker",
            "examples/blocked.rs:30",
            0.1
        ],
        [
            12,
            "idle",
            "readable",
            "fd 9 readable",
            14,
            0.3,
            "conn 12",
            spawned,
            1200
        ],
        [
            17,
            "idle",
            "nothing",
            "nothing will wake it",
            1,
            0.01,
            "lost",
            "src/main.rs:30",
            8100
        ],
        [
            90,
            "idle",
            "job",
            "job 41 on worker-2",
            1,
            0.06,
            "GET /good-practice",
            spawned,
            620,
            12,
            7
        ],
        [
            91,
            "ready",
            "nothing",
            "",
            1,
            0.2,
            "GET /ping",
            spawned,
            0.2
        ],
    ])
}

/// Sixty turns of the last five seconds, and what ran in each.
fn history() -> (Vec<Value>, Vec<Value>) {
    let (mut turns, mut slices) = (Vec::new(), Vec::new());
    for n in 0..60_u32 {
        let at = NOW - 5000.0 + f64::from(n) * 83.0;
        let took = [0.2, 0.3, 1.2, 4.0][(n * n % 7 % 4) as usize];
        let polls = 1 + n % 4;
        turns.push(json!([48_340 + n, at, took, polls, n % 3, n % 2, n % 2]));
        let mut begin = at + took * 0.1;
        if n % 2 == 1 {
            slices.push(json!([
                "loop",
                begin,
                took * 0.1,
                "call",
                0,
                "src/main.rs:90"
            ]));
            begin += took * 0.12;
        }
        for poll in 0..polls {
            let (task, name) =
                [(7, "ticker"), (12, "conn 12"), (91, "GET /ping")][((n + poll) % 3) as usize];
            let span = took * 0.7 / f64::from(polls);
            slices.push(json!(["loop", begin, span * 0.9, "poll", task, name]));
            begin += span;
        }
    }
    let job = json!([
        "worker-1",
        NOW - 3000.0,
        900.0,
        "job",
        40,
        "heavy_sync_operation"
    ]);
    slices.push(job);
    (turns, slices)
}

fn stall_line(id: u32, at: f64, ms: f64, over: bool) -> Value {
    json!({
        "id": id, "at": at, "ms": ms, "over": over, "task": 88, "name": "GET /bad-practice",
        "where": "heavy_sync_operation", "file": "examples/blocked.rs", "line": 41,
        "verdict": "on CPU", "report": REPORT,
    })
}

/// One poll that has not ended for 740 ms.
pub(super) fn stuck() -> Value {
    let mut frame = running();
    frame["state"] = json!("stuck");
    frame["phase"] = json!("run");
    frame["busy"] = json!(1.0);
    frame["stall"] = json!({
        "id": 2, "ms": 740, "task": 88, "name": "GET /bad-practice", "poll": 2, "kind": "cpu",
        "spawned": "src/server/accept.rs:88", "verdict": "on CPU", "cpu_ms": 736, "of_ms": 740,
        "where": [
            ["fibonacci", "/rustc/library/core/src/num.rs", 9, "std"],
            ["heavy_sync_operation", "examples/blocked.rs", 41, "yours"],
            ["bad_practice::{closure}", "examples/blocked.rs", 58, "yours"],
            ["Router::call", "src/web/router.rs", 90, "runtime"],
            ["Parts::run_tasks", "src/runtime/turn.rs", 133, "runtime"],
            ["main", "examples/blocked.rs", 12, "yours"],
        ],
        "same": [3, 3], "how": "unwinder", "report": REPORT,
        "hint": "Move it to a worker:\n  spawn_blocking(|| heavy_sync_operation()).await",
    });
    let stalls = json!([
        stall_line(1, 9.2, 1000.2, true),
        stall_line(2, (NOW - 740.0) / 1000.0, 740.0, false)
    ]);
    frame["stalls"] = stalls;
    let queues = &mut frame["queues"];
    queues["submit"] = json!(2);
    queues["overdue"] = json!(4);
    queues["worst_late_ms"] = json!(700);
    queues["next_ms"] = json!(0);
    frame["kernel"]["unread"] = json!(3);
    frame["kernel"]["accept"] = json!([4, 1024]);
    let before = |x: &Value| x[1].as_f64().unwrap() < NOW - 750.0;
    for name in ["turns", "slices"] {
        frame[name].as_array_mut().unwrap().retain(before);
    }
    let running = json!([
        88,
        "running",
        "nothing",
        "",
        2,
        740,
        "GET /bad-practice",
        "src/server/accept.rs:88",
        740
    ]);
    frame["tasks"].as_array_mut().unwrap().insert(0, running);
    frame
}

/// The same after its end.
pub(super) fn freed() -> Value {
    let mut frame = running();
    frame["turn"] = json!(48_401);
    frame["stalls"] = json!([stall_line(2, 18.4, 1000.4, true)]);
    frame
}

/// Before turn 48,400, with the source of an example.
pub(super) fn paused() -> Value {
    let mut frame = running();
    frame["state"] = json!("paused");
    frame["phase"] = json!("gate");
    frame["gate"]["paused"] = json!(true);
    frame["gate"]["paused_ms"] = json!(2310);
    frame["queues"]["overdue"] = json!(1);
    frame["queues"]["worst_late_ms"] = json!(2310);
    frame["source"] = json!({
        "file": "examples/07_echo.rs", "first": 31, "line": 33,
        "lines": [
            "async fn echo(mut stream: TcpStream) {", "    loop {",
            "        let n = stream.read(&mut buf).await?;",
            "        stream.write_all(&buf[..n]).await?;", "    }",
        ],
    });
    frame
}

/// The same after one turn, in which task 7 ran first.
pub(super) fn stepped() -> Value {
    let mut frame = paused();
    frame["turn"] = json!(48_401);
    frame["t"] = json!(NOW + 100.0);
    let turn = json!([48_400, NOW + 50.0, 0.2, 1, 0, 1, 0]);
    let poll = json!(["loop", NOW + 50.05, 0.1, "poll", 7, "ticker"]);
    frame["turns"].as_array_mut().unwrap().push(turn);
    frame["slices"].as_array_mut().unwrap().push(poll);
    frame
}

/// What strangers may call a task.
pub(super) fn evil_names() -> [String; 5] {
    [
        "<img src=x onerror=\"window.hurt=1\">".to_owned(),
        "</script><script>window.hurt=1</script>".to_owned(),
        "a\u{0}b\u{7}c\u{1b}[31md\re\nf\u{202e}g\u{2028}h".to_owned(),
        "\u{1f980}".repeat(48),
        "\u{fdfd}".repeat(48),
    ]
}

/// Every text of a frame is one of those.
pub(super) fn hostile(mut frame: Value) -> Value {
    let names = evil_names();
    let mut next = names.iter().cycle();
    let mut name = || json!(next.next().unwrap());
    let mut task = frame["tasks"][0].clone();
    for id in 100..105 {
        task[0] = json!(id);
        for place in [3, 6, 7] {
            task[place] = name();
        }
        frame["tasks"].as_array_mut().unwrap().push(task.clone());
    }
    frame["queues"]["ready"] = json!([100, 101, 102, 103, 104]);
    frame["name"] = name();
    frame["longest"]["name"] = name();
    for (list, places) in [
        ("fds", &[1, 2, 3][..]),
        ("workers", &[0, 3]),
        ("slices", &[5]),
        ("requests", &[1]),
    ] {
        for row in frame[list].as_array_mut().unwrap() {
            for &place in places {
                row[place] = name();
            }
        }
    }
    for line in frame["stalls"].as_array_mut().unwrap() {
        for key in ["name", "where", "file", "verdict", "report"] {
            line[key] = name();
        }
    }
    if frame["stall"].is_object() {
        for key in ["name", "spawned", "verdict", "hint", "report", "how"] {
            frame["stall"][key] = name();
        }
        for at in frame["stall"]["where"].as_array_mut().unwrap() {
            at[0] = name();
            at[1] = name();
        }
    }
    if frame["source"].is_object() {
        frame["source"]["file"] = name();
        frame["source"]["lines"] = json!(names);
    }
    frame
}
