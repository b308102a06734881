//! How a server stops: six steps, each logged.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::process;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::handler::Handler;
use super::lifespan::Running;
use super::serve_error::ServeError;
use super::server::Server;
use super::state::Open;
use crate::executor::panic_text;
use crate::runtime::{current, sleep, yield_now};

/// How long the last connections and requests, that are in the kernel but
/// not known here yet, have to show themselves.
const LAST_LOOK: Duration = Duration::from_millis(1);

/// How many of those that are cut off are named.
const NAMED_MAX: usize = 100;

/// Runs the six steps.
pub(super) async fn shutdown<H: Handler>(server: &mut Server<H>) -> Result<(), ServeError> {
    let counts = server.state();
    counts.serving.set(false);
    serve_on(server).await;
    server
        .shared
        .say(format_args!("Shutting down: 1. no new connections"));
    accept_the_last(server).await;
    drop(server.listeners.take());

    server.shared.say(format_args!(
        "Shutting down: 2. idle connections end, busy ones after their response"
    ));
    counts.drain.set();
    server.shared.wake_connections();
    // Woken in the next turn; the idle ones are gone in the one after.
    yield_now().await;
    yield_now().await;

    if counts.connections_open() > 0 {
        server.shared.say(format_args!(
            "Shutting down: 3. waiting for {} connections (Ctrl-C again to force)",
            counts.connections_open()
        ));
    }
    let was_forced = wait_for_connections(server).await;

    if counts.connections_open() > 0 {
        abort_connections(server, was_forced);
        wait_until_aborted(server).await;
    }
    if server.hooks.is_some() && !was_forced {
        server.shared.say(format_args!(
            "Shutting down: 5. waiting for application shutdown"
        ));
    }
    let ended = if was_forced {
        Ok(())
    } else {
        end_lifespan(server).await
    };
    server.shared.say(format_args!(
        "Shutting down: 6. Finished server process [{}]",
        process::id()
    ));
    ended
}

/// Serves on for a while, when whoever sends the requests can know already
/// that it should not. A second request to stop cuts that short.
async fn serve_on<H: Handler>(server: &mut Server<H>) {
    let delay = server.shared.config.shutdown_delay;
    if delay.is_zero() {
        return;
    }
    server.shared.say(format_args!(
        "Shutting down: not ready any more, stopping in {delay:?} (shutdown_delay)"
    ));
    let handle = server.handle();
    let mut asked_again = pin!(handle.asked(2));
    let mut over = sleep(delay);
    poll_fn(|cx| {
        server.poll_signals(cx);
        if asked_again.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        server.poll_accept(cx);
        Pin::new(&mut over).poll(cx)
    })
    .await;
}

/// A client whose connection the kernel has completed would be reset by
/// closing the listener, and one whose request has arrived should be answered.
async fn accept_the_last<H: Handler>(server: &mut Server<H>) {
    let mut look = sleep(LAST_LOOK);
    poll_fn(|cx| {
        server.poll_accept(cx);
        Pin::new(&mut look).poll(cx)
    })
    .await;
}

/// Waits for the last connection and for the lifespan's drain, but not for
/// ever, and returns whether a second request to stop cut it short.
async fn wait_for_connections<H: Handler>(server: &mut Server<H>) -> bool {
    let handle = server.handle();
    let mut asked_again = pin!(handle.asked(2));
    let mut deadline = sleep(server.shared.config.graceful_timeout);
    let mut hook = begin_drain_hook(server);
    let was_forced = poll_fn(|cx| {
        poll_drain_hook(&mut hook, cx);
        if hook.is_none() && server.shared.counts.connections_open() == 0 {
            return Poll::Ready(false);
        }
        server.shared.note_watcher(cx);
        server.poll_signals(cx);
        if asked_again.as_mut().poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        Pin::new(&mut deadline).poll(cx).map(|()| false)
    })
    .await;
    if hook.is_some() {
        log::warn!("The application's drain was not waited for any longer");
        drop_drain_hook(hook);
    }
    was_forced
}

fn begin_drain_hook<H: Handler>(server: &mut Server<H>) -> Option<Running<()>> {
    let hook = server.hooks.as_mut()?.drain.take()?;
    let state = server.shared.lifespan_state.borrow().clone()?;
    Some(hook(state))
}

/// Polls the hook, and takes it away when it has ended. A panic ends it, and
/// nothing else: there are connections to be waited for, and a shutdown hook.
fn poll_drain_hook(hook: &mut Option<Running<()>>, cx: &mut Context<'_>) {
    let Some(running) = hook else {
        return;
    };
    match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(cx))) {
        Ok(Poll::Pending) => return,
        Ok(Poll::Ready(Ok(()))) => {}
        Ok(Poll::Ready(Err(error))) => log::error!("The application's drain failed: {error}"),
        Err(payload) => note_drain_panic(payload),
    }
    drop_drain_hook(hook.take());
}

/// What it holds is the application's too.
fn drop_drain_hook(hook: Option<Running<()>>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(hook))) {
        note_drain_panic(payload);
    }
}

fn note_drain_panic(payload: Box<dyn Any + Send>) {
    log::error!(
        "The application's drain panicked: {}",
        panic_text(&*payload)
    );
    // It may panic when it is dropped.
    mem::forget(payload);
}

/// Says what is left, and aborts it.
fn abort_connections<H: Handler>(server: &Server<H>, was_forced: bool) {
    let why = if was_forced {
        "asked twice"
    } else {
        "graceful_timeout has passed"
    };
    let parts = current();
    let now = parts.now();
    let dump = (!was_forced).then(|| parts.dump());
    let connections = server.shared.connections.borrow();
    let count = connections.len();
    let named = connections.iter().take(NAMED_MAX);
    let named: Vec<String> = named.map(|(_, open)| name(open, now)).collect();
    for (_, open) in connections.iter() {
        if let Some(task) = open.task.get() {
            task.abort();
        }
    }
    drop(connections);
    log::warn!("Shutting down: 4. {why}, {count} connections are cut off");
    for name in &named {
        log::warn!("  {name}");
    }
    if count > NAMED_MAX {
        log::warn!("  and {} more", count - NAMED_MAX);
    }
    if let Some(dump) = dump {
        log::warn!("{dump}");
    }
    server.shared.is_cut_off.set(true);
    server.shared.wake_connections();
}

/// Who it is, what it asked for and since when.
fn name(open: &Open, now: Instant) -> String {
    let since = |then| now.saturating_duration_since(then);
    let peer = open
        .peer
        .get()
        .map_or_else(|| "unknown peer".to_owned(), |peer| peer.to_string());
    let link = open.link();
    let link = link.as_deref();
    let state = match link.and_then(|link| Some((link, link.since.get()?))) {
        Some((link, begun)) => format!("{} for {:.1?}", link.line.borrow(), since(begun)),
        None => "idle".to_owned(),
    };
    let requests = link.map_or(open.requests.get(), |link| link.requests.get());
    let age = since(open.since);
    format!("{peer}: {state}, request {requests}, open for {age:.1?}")
}

/// Aborted tasks are dropped by the loop's next turn.
async fn wait_until_aborted<H: Handler>(server: &Server<H>) {
    let is_ours = |server: &Server<H>| {
        let connections = server.shared.connections.borrow();
        connections
            .iter()
            .any(|(_, open)| open.task.get().is_some())
    };
    poll_fn(|cx| {
        if !is_ours(server) {
            return Poll::Ready(());
        }
        server.shared.note_watcher(cx);
        Poll::Pending
    })
    .await;
}

/// Runs the lifespan's shutdown, if its startup ran.
pub(super) async fn end_lifespan<H: Handler>(server: &mut Server<H>) -> Result<(), ServeError> {
    let state = server.shared.lifespan_state.borrow_mut().take();
    let shutdown = server.hooks.take().and_then(|hooks| hooks.shutdown);
    let (Some(state), Some(shutdown)) = (state, shutdown) else {
        return Ok(());
    };
    let handle = server.handle();
    let mut asked_again = pin!(handle.asked(2));
    let mut shutdown = shutdown(state);
    let ended = poll_fn(|cx| {
        if let Poll::Ready(ended) = shutdown.as_mut().poll(cx) {
            return Poll::Ready(Some(ended));
        }
        server.poll_signals(cx);
        asked_again.as_mut().poll(cx).map(|()| None)
    })
    .await;
    match ended {
        Some(Ok(())) => server
            .shared
            .say(format_args!("Application shutdown complete.")),
        Some(Err(error)) => {
            log::error!("Application shutdown failed: {error}");
            return Err(ServeError::Shutdown(error));
        }
        None => log::warn!("Application shutdown was not waited for: asked twice to stop"),
    }
    Ok(())
}
