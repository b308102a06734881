//! What server and loop count, as text for Prometheus.

use std::fmt::{self, Write};

use crate::runtime::{Stats, stats};
use crate::server::{Request, Response, ServerState};

/// Answers with all counters of the server and of its loop, in Prometheus's
/// text format 0.0.4.
///
/// A counter only grows; the names of those end in `_total`. Whoever may read
/// it learns how busy the server is, and nothing of its clients.
///
/// # Cancellation
///
/// It never waits, so there is nothing to lose.
///
/// # Examples
///
/// ```
/// use tourbillon::web::{Router, metrics};
///
/// let app = Router::new()
///     .get("/", async |_| "Hello!")
///     .get("/metrics", metrics);
/// # let _ = app;
/// ```
pub async fn metrics(request: Request) -> Response {
    let mut text = String::with_capacity(4096);
    // Writing to a string does not fail.
    let _ = write_server(&mut text, &request.server());
    let _ = write_loop(&mut text, &stats());
    Response::typed(
        "text/plain; version=0.0.4; charset=utf-8",
        text.into_bytes(),
    )
}

/// One metric without labels.
fn write_one(out: &mut String, name: &str, help: &str, value: u64) -> fmt::Result {
    write_head(out, name, help)?;
    writeln!(out, "{name} {value}")
}

fn write_head(out: &mut String, name: &str, help: &str) -> fmt::Result {
    let kind = if name.ends_with("_total") {
        "counter"
    } else {
        "gauge"
    };
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

fn write_server(out: &mut String, state: &ServerState) -> fmt::Result {
    let (open, running) = (state.connections_open(), state.requests_running());
    for (name, help, value) in [
        (
            "connections_open",
            "Connections that are open now.",
            open as u64,
        ),
        (
            "connections_total",
            "Connections accepted.",
            state.connections_total(),
        ),
        (
            "requests_in_flight",
            "Requests being answered now.",
            running as u64,
        ),
        (
            "requests_total",
            "Requests given to the handler.",
            state.requests_total(),
        ),
        (
            "requests_refused_total",
            "Requests refused.",
            state.requests_refused(),
        ),
        (
            "handler_panics_total",
            "Handlers that panicked.",
            state.handler_panics(),
        ),
        (
            "response_body_bytes_total",
            "Bytes of bodies sent.",
            state.body_bytes_sent(),
        ),
        (
            "responses_cut_off_total",
            "Responses cut off.",
            state.responses_cut_off(),
        ),
    ] {
        write_one(out, &format!("http_{name}"), help, value)?;
    }
    let name = "http_responses_total";
    write_head(out, name, "Responses by the class of their status.")?;
    for class in 1..=5 {
        writeln!(
            out,
            "{name}{{class=\"{class}xx\"}} {}",
            state.responses(class)
        )?;
    }
    write_durations(out, state)
}

fn write_durations(out: &mut String, state: &ServerState) -> fmt::Result {
    let name = "http_request_duration_seconds";
    writeln!(
        out,
        "# HELP {name} From a request's head to the last byte of its response."
    )?;
    writeln!(out, "# TYPE {name} histogram")?;
    let mut count = 0;
    for (bound, within) in state.durations() {
        count += within;
        match bound {
            Some(bound) => {
                let bound = bound.as_secs_f64();
                writeln!(out, "{name}_bucket{{le=\"{bound}\"}} {count}")?;
            }
            None => writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {count}")?,
        }
    }
    let sum = state.durations_sum().as_secs_f64();
    writeln!(out, "{name}_sum {sum:.6}\n{name}_count {count}")
}

fn write_loop(out: &mut String, stats: &Stats) -> fmt::Result {
    for (name, help, value) in [
        ("loop_turns_total", "Turns of the loop.", stats.turns),
        (
            "loop_parks_total",
            "Times the kernel was asked.",
            stats.parks,
        ),
        ("loop_polls_total", "Polls of tasks.", stats.polls),
        (
            "loop_wakes_total",
            "Wakes that found their task.",
            stats.wakes,
        ),
        ("loop_callbacks_total", "Callbacks called.", stats.callbacks),
        ("loop_tasks_total", "Tasks spawned.", stats.tasks_spawned),
        (
            "loop_tasks_alive",
            "Tasks that live now.",
            stats.tasks_alive as u64,
        ),
        (
            "loop_timers_fired_total",
            "Timers that came due.",
            stats.timers_fired,
        ),
        (
            "loop_timers_waiting",
            "Timers that wait.",
            stats.timers_waiting as u64,
        ),
        (
            "loop_sources",
            "Sockets and other sources.",
            stats.sources as u64,
        ),
        ("loop_panics_total", "Panics caught.", stats.panics),
        (
            "pool_jobs_total",
            "Jobs given to the blocking pool.",
            stats.jobs,
        ),
        (
            "pool_jobs_queued",
            "Jobs that wait for a worker.",
            stats.jobs_queued as u64,
        ),
        (
            "pool_jobs_running",
            "Jobs that run.",
            stats.jobs_running as u64,
        ),
        ("pool_workers", "Threads of the pool.", stats.workers as u64),
        (
            "pool_workers_max",
            "Threads it may have.",
            stats.workers_max as u64,
        ),
    ] {
        write_one(out, name, help, value)?;
    }
    Ok(())
}
