//! What must be true of a world, at every step and in the end.

use tourbillon::http::CloseReason as HttpReason;
use tourbillon::server::CloseReason;

use super::client::{Ending, Fate, Parting};
use super::script::{After, Content, Exchange, HEAD_BYTES_MAX, Why};
use super::world::{
    HALF_CLOSE_TIMEOUT, HEAD_TIMEOUT, KEEP_ALIVE, LINGER_TIMEOUT, Pair, WRITE_TIMEOUT, World,
};

/// What a server may have read of requests that nobody has begun to answer: one read while it
/// waits for a head, behind the piece of a head.
const HEADS_UNREAD_MAX: usize = 64 * 1024 + HEAD_BYTES_MAX;

/// One read in a body may bring as much as the loop's own buffer holds.
const BODIES_UNREAD_MAX: usize = 256 * 1024 + HEAD_BYTES_MAX;

/// What may wait between the maker of a body and the network: a full buffer and a piece with the
/// writer, the same with the connection, and some for what is in between.
const MADE_AHEAD_MAX: usize = 3 * 64 * 1024 + 2 * 20_000;

/// Whether the server closes in stages wherever its client may still be sending: first its writing
/// side, and the rest when the client has ended or some time has passed. Where it does not, a
/// request on its way turns the close into a reset, which destroys answers on theirs.
const CLOSES_IN_STAGES: bool = true;

/// How late the simulated clock may notice a deadline, in milliseconds.
const LATE_MAX: u64 = 1_100;

/// Checks what holds at every step: nothing is kept beyond its bound.
pub(super) fn watch(world: &World) {
    let visits = world.ledger.visits.borrow();
    let made = world.ledger.made.borrow();
    for (id, pair) in world.pairs.iter().enumerate() {
        let past = pair.client.wire.borrow().past;
        let begun = visits[id].last().map_or(0, |last| last + 1);
        let script = &pair.client.script;
        let answered: usize = script[..begun].iter().map(|e| e.bytes.len()).sum();
        let has_bodies = script.iter().any(|e| e.bytes.len() > e.body_at);
        let most = if has_bodies {
            BODIES_UNREAD_MAX
        } else {
            HEADS_UNREAD_MAX
        };
        let kept = past.read.saturating_sub(answered);
        let is_bounded = kept <= most || pair.client.wire.borrow().server_has_ended();
        assert!(is_bounded, "client {id} made the server keep {kept} bytes");
        let ahead = made[id].saturating_sub(past.written);
        let is_bounded = ahead <= MADE_AHEAD_MAX;
        assert!(is_bounded, "a body for client {id} is {ahead} bytes ahead");
    }
}

/// Checks what holds in the end.
pub(super) fn judge(world: &World) {
    for (id, pair) in world.pairs.iter().enumerate() {
        judge_visits(world, id, pair);
        judge_answers(world, id, pair);
        match pair.reason.get() {
            Some(reason) => {
                judge_reason(world, id, pair, reason);
                judge_time(id, pair, reason);
                judge_stop(world, id, pair, reason);
            }
            None => assert!(pair.was_aborted, "connection {id} ended without a reason"),
        }
    }
    judge_rest(world);
}

/// Nothing is left of anything.
fn judge_rest(world: &World) {
    let state = &world.state;
    assert_eq!(state.connections_open(), 0, "connections are open");
    assert_eq!(state.requests_running(), 0, "requests are running");
    assert_eq!(state.connections_total() as usize, world.pairs.len());
    assert_eq!(state.requests_total() as usize, world.ledger.total());
    assert_eq!(state.handler_panics(), world.ledger.panics.get());
    let alive = world.ledger.alive();
    assert_eq!(alive, 0, "handlers, bodies or their tasks are left");
    let stats = world.runtime.stats();
    assert_eq!(stats.tasks_alive, 0, "tasks are left");
    assert_eq!(stats.timers_waiting, 0, "timers are left");
    assert_eq!(stats.panics, 0, "the loop caught panics");
    let events = world.scene.events();
    let polls = stats.polls;
    assert!(
        polls <= 3 * events + 2000,
        "{polls} polls for {events} events"
    );
    if let Some((_, due, done)) = world.stopped() {
        let is_fit = done >= due && done <= due + LATE_MAX;
        assert!(is_fit, "the server had stopped at {done} ms, not at {due}");
    }
}

/// The number of the first exchange that ends its connection.
fn natural_end(script: &[Exchange]) -> usize {
    let ends = |exchange: &Exchange| matches!(exchange.after, After::Closes(_) | After::Cut);
    script.iter().position(ends).unwrap_or(script.len())
}

/// The application sees each request once and in order, and none behind a close.
fn judge_visits(world: &World, id: usize, pair: &Pair) {
    let visits = &world.ledger.visits.borrow()[id];
    let is_in_order = visits.iter().copied().eq(0..visits.len());
    assert!(is_in_order, "client {id}'s requests came as {visits:?}");
    let script = &pair.client.script;
    let end = natural_end(script);
    let most = match script.get(end) {
        Some(exchange) if exchange.is_served => end + 1,
        _ => end,
    };
    let count = visits.len();
    assert!(
        count <= most,
        "client {id}: {count} requests, a close at {end}"
    );
    let answers = pair.client.answers.done();
    let announced = answers
        .iter()
        .position(|answer| answer.field("connection") == Some("close"));
    let last = announced.unwrap_or(usize::MAX - 1);
    assert!(count <= last + 1, "client {id}: more after the last answer");
    assert!(
        answers.len() <= last + 1,
        "client {id}: answers after a close"
    );
}

/// Whoever reads on hears all that the server has understood.
fn judge_answers(world: &World, id: usize, pair: &Pair) {
    let client = &pair.client;
    let answers = client.answers.done();
    if let Some(current) = client.answers.current() {
        let number = answers.len();
        let exchange = &client.script[number];
        if let Content::Bytes(bytes) = &exchange.content
            && exchange.status == current.status
            && !matches!(exchange.after, After::Never)
        {
            let is_prefix = bytes.starts_with(&current.body);
            assert!(is_prefix, "client {id}: answer {number} begins wrong");
        }
    }
    let end = natural_end(&client.script);
    let ends_by_length = client
        .script
        .get(end)
        .is_some_and(|exchange| exchange.after != After::Cut);
    let until_end = end + usize::from(ends_by_length);
    let mut owed = client.exchange.min(until_end);
    let is_out_of_time = pair.reason.get() == Some(CloseReason::HalfCloseTimeout);
    let is_cut_off = pair.reason.get() == Some(CloseReason::CutOff);
    if !pair.reads_on() || is_out_of_time || is_cut_off || may_lose(pair) {
        return;
    }
    let announced = |answer: Option<&super::answers::Answer>| {
        answer.is_some_and(|answer| answer.field("connection") == Some("close"))
    };
    if world.scene.is_draining() {
        // The requests that the server has read, unless it had announced its close before.
        owed = owed.min(read_whole(pair));
        if announced(answers.last()) {
            owed = owed.min(answers.len());
        }
    }
    let stopped_early = answers.len() < owed
        && !answers.is_empty()
        && client.script[answers.len() - 1].after == After::Either;
    let (count, reason) = (answers.len(), pair.reason.get());
    assert!(
        count >= owed || stopped_early,
        "client {id} has {count} answers of {owed}: {:?}, {reason:?}, {:?}",
        client.fate,
        client.end,
    );
    let is_fair = client.answers.is_between()
        || client.cut() == Some(count)
        || client
            .script
            .get(count)
            .is_some_and(|exchange| exchange.after == After::Cut);
    assert!(is_fair, "client {id}: answer {count} was broken off");
}

/// Whether answers may have been destroyed on their way: the client went on after it had asked
/// for the close, only a reset could tell it that an answer was cut off, or the server does not
/// close in stages.
fn may_lose(pair: &Pair) -> bool {
    use HttpReason::{ClientAsked, EndsBody, RequestUnread, ResponseUnfinished, ServerAsked};
    let is_reset = pair.client.end == Some(Ending::Reset);
    is_reset
        && match pair.reason.get() {
            // An idle connection is closed at once, so that it holds up no drain.
            Some(CloseReason::Http(ClientAsked) | CloseReason::Draining) => true,
            Some(CloseReason::Http(ResponseUnfinished)) if ends_by_reset(pair) => true,
            Some(CloseReason::Http(ServerAsked | EndsBody | RequestUnread))
            | Some(CloseReason::Http(ResponseUnfinished)) => !CLOSES_IN_STAGES,
            _ => false,
        }
}

/// Whether the answer at which it ends is one whose end is the close.
fn ends_by_reset(pair: &Pair) -> bool {
    let script = &pair.client.script;
    script
        .get(natural_end(script))
        .is_some_and(|end| end.is_old)
}

/// How many requests of its client the server has read to their end.
fn read_whole(pair: &Pair) -> usize {
    let past = pair.client.wire.borrow().past;
    // A server that drains decides by a read that found nothing, if only for a hiccup; and what
    // it reads after its end, it drops.
    let mut left = match pair.reason.get() {
        Some(CloseReason::Draining) => past.read_at_hiccup.unwrap_or(past.read),
        _ => past.read,
    };
    left = left.min(past.read_at_end.unwrap_or(past.read));
    let script = &pair.client.script;
    let mut lengths = script.iter().map(|exchange| exchange.bytes.len());
    lengths
        .position(|length| match left.checked_sub(length) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        })
        .unwrap_or(script.len())
}

/// The reason why a connection ended fits what happened to it.
fn judge_reason(world: &World, id: usize, pair: &Pair, reason: CloseReason) {
    let client = &pair.client;
    let draining = world.scene.is_draining();
    let own = match reason {
        CloseReason::Http(reason) => Some(fits_script(pair, reason, draining)),
        CloseReason::Draining => Some(draining),
        CloseReason::CutOff => Some(world.cut_off_at().is_some()),
        _ => None,
    };
    let is_truncated = client.cut().is_some();
    let is_fit = own.unwrap_or_else(|| match client.fate {
        Fate::Leaves(_) => match client.end {
            Some(Ending::Own) if !client.pauses => reason == CloseReason::ClientLeft,
            Some(Ending::Own) => {
                matches!(reason, CloseReason::ClientLeft | CloseReason::IdleTimeout)
            }
            _ => reason == CloseReason::IdleTimeout,
        },
        Fate::Stays => reason == CloseReason::IdleTimeout,
        Fate::Ends(_) if reason == CloseReason::HalfCloseTimeout => true,
        // An empty line before a request is no part of it.
        Fate::Ends(_) if client.cut_at() > 2 => reason == CloseReason::ClientGone,
        Fate::Ends(_) if is_truncated => {
            matches!(reason, CloseReason::ClientGone | CloseReason::ClientLeft)
        }
        Fate::Ends(_) => reason == CloseReason::ClientLeft,
        Fate::Freezes(at) => match reason {
            CloseReason::HeadTimeout => is_truncated || at == 0,
            CloseReason::IdleTimeout => at > 0,
            _ => false,
        },
        Fate::Deafens(_) => match reason {
            CloseReason::WriteTimeout | CloseReason::IdleTimeout => true,
            CloseReason::HeadTimeout => is_truncated,
            _ => false,
        },
        Fate::Quits(_) => matches!(
            reason,
            CloseReason::ClientLeft | CloseReason::ClientGone | CloseReason::Broken(_)
        ),
        Fate::Resets(_) => matches!(
            reason,
            CloseReason::ClientLeft | CloseReason::ClientGone | CloseReason::Broken(_)
        ),
        Fate::Abandons(parting, _) => fits_parting(parting, reason),
        Fate::IsAborted(_) => reason == CloseReason::IdleTimeout,
    });
    let fate = client.fate;
    assert!(
        is_fit,
        "connection {id} ended by {reason:?}, its client {fate:?}"
    );
}

fn fits_parting(parting: Parting, reason: CloseReason) -> bool {
    match (parting, reason) {
        (Parting::Ends, reason) => reason == CloseReason::HalfCloseTimeout,
        (_, CloseReason::Broken(_) | CloseReason::ClientGone) => true,
        (Parting::Quits, reason) => reason == CloseReason::HalfCloseTimeout,
        (Parting::Resets, _) => false,
    }
}

/// Whether the exchange at which it ended wanted that.
fn fits_script(pair: &Pair, reason: HttpReason, draining: bool) -> bool {
    let client = &pair.client;
    let end = natural_end(&client.script);
    let wanted = client.script.get(end).map(|exchange| exchange.after);
    let is_wanted = match reason {
        HttpReason::ClientAsked => wanted == Some(After::Closes(Why::ClientAsked)),
        HttpReason::ServerAsked => wanted == Some(After::Closes(Why::ServerAsked)),
        HttpReason::EndsBody => wanted == Some(After::Closes(Why::EndsBody)),
        HttpReason::RequestUnread => wanted == Some(After::Closes(Why::RequestUnread)),
        HttpReason::ResponseUnfinished => wanted == Some(After::Cut),
        HttpReason::Refused(_) => wanted == Some(After::Closes(Why::Refused)),
        _ => false,
    };
    let has_either = client.script.iter().any(|e| e.after == After::Either);
    let by_either =
        has_either && matches!(reason, HttpReason::ServerAsked | HttpReason::RequestUnread);
    let by_drain = draining && reason == HttpReason::ServerAsked;
    // A body that does not come to its end ends its exchange one way or the other.
    let is_broken_off = match client.fate {
        Fate::Leaves(_) | Fate::Stays => false,
        Fate::Quits(_) | Fate::Resets(_) | Fate::Deafens(_) => true,
        Fate::Abandons(parting, _) => parting != Parting::Ends,
        _ => client.cut().is_some(),
    };
    let by_cut = is_broken_off
        && matches!(
            reason,
            HttpReason::ResponseUnfinished | HttpReason::RequestUnread | HttpReason::ServerAsked
        );
    is_wanted || by_either || by_drain || by_cut
}

/// Timeouts strike when they are due: not earlier, and not much later.
fn judge_time(id: usize, pair: &Pair, reason: CloseReason) {
    let past = pair.client.wire.borrow().past;
    let closed_at = past.closed_at.unwrap_or_default();
    let last = past.last_read_at.max(past.last_write_at);
    let script = &pair.client.script;
    let (since, least, most) = match reason {
        CloseReason::IdleTimeout => (last, KEEP_ALIVE, KEEP_ALIVE),
        CloseReason::WriteTimeout => {
            // A handler that waits for its body behind answers that do not go out is told that
            // its client is gone; what it answers then is waited for once more.
            let has_bodies = script.iter().any(|e| e.bytes.len() > e.body_at);
            let most = WRITE_TIMEOUT * (1 + u64::from(has_bodies));
            (past.last_write_at, WRITE_TIMEOUT, most)
        }
        // It began with the first byte of the head, which may have dripped.
        CloseReason::HeadTimeout => (
            past.last_read_at,
            HEAD_TIMEOUT - 6_000,
            HEAD_TIMEOUT + LINGER_TIMEOUT,
        ),
        CloseReason::HalfCloseTimeout => {
            let since = past.half_closed_at.unwrap_or(u64::MAX);
            (since, HALF_CLOSE_TIMEOUT, HALF_CLOSE_TIMEOUT)
        }
        _ => return,
    };
    let took = closed_at.saturating_sub(since);
    // Who pauses in reading is told late.
    let may_be_late = pair.client.pauses && !matches!(reason, CloseReason::WriteTimeout);
    let is_fit = took >= least && (took <= most + LATE_MAX || may_be_late);
    assert!(is_fit, "connection {id}: {reason:?} after {took} ms");
}

/// An idle connection ends when the server is told to stop, and not when its time would be up.
fn judge_stop(world: &World, id: usize, pair: &Pair, reason: CloseReason) {
    let Some((asked, ..)) = world.stopped() else {
        return;
    };
    let past = pair.client.wire.borrow().past;
    let since = match reason {
        CloseReason::IdleTimeout => asked,
        CloseReason::Draining => asked.max(past.last_read_at).max(past.last_write_at),
        CloseReason::CutOff => {
            let due = world.cut_off_at().unwrap_or_default();
            let closed_at = past.closed_at.unwrap_or_default();
            assert!(
                closed_at >= due,
                "connection {id} is cut off at {closed_at} ms"
            );
            due
        }
        _ => return,
    };
    let late = past.closed_at.unwrap_or_default().saturating_sub(since);
    assert!(
        late <= LATE_MAX,
        "connection {id}: {reason:?} {late} ms late"
    );
}

/// What a connection may end by, in the order of their bits in a tally.
pub(super) const REASONS: [&str; 16] = [
    "ClientLeft",
    "ClientGone",
    "IdleTimeout",
    "HeadTimeout",
    "WriteTimeout",
    "HalfCloseTimeout",
    "Draining",
    "Broken",
    "ClientAsked",
    "ServerAsked",
    "EndsBody",
    "RequestUnread",
    "ResponseUnfinished",
    "Refused",
    "CutOff",
    "an abort",
];

/// The bit of the reason by which a connection ended.
pub(super) fn bit(pair: &Pair) -> u32 {
    let Some(reason) = pair.reason.get() else {
        return 1 << (REASONS.len() - 1);
    };
    let text = match reason {
        CloseReason::Http(reason) => format!("{reason:?}"),
        reason => format!("{reason:?}"),
    };
    let is_it = |name: &&str| text.starts_with(*name);
    let index = REASONS.iter().position(is_it);
    1 << index.unwrap_or_else(|| panic!("{text} is a new reason"))
}
