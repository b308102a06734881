//! Commands on keys, whatever they hold.

use std::time::{Duration, Instant};

use super::commands::{Call, allow, quoted, wrong_arity};
use super::reply::{NOT_AN_INTEGER, Outcome, Refusal, SYNTAX};
use super::request::integer;
use super::store::deadline_in;

const BOTH_NX: &str = "ERR NX and XX, GT or LT options at the same time are not compatible";
const BOTH_WAYS: &str = "ERR GT and LT options at the same time are not compatible";

pub(super) fn del(call: &mut Call<'_>) -> Outcome {
    let gone = call.words.from(1).filter(|key| call.store.remove(key));
    let count = gone.count();
    call.out.count(count);
    Ok(())
}

pub(super) fn exists(call: &mut Call<'_>) -> Outcome {
    let there = call
        .words
        .from(1)
        .filter(|key| call.store.get(key).is_some());
    let count = there.count();
    call.out.count(count);
    Ok(())
}

pub(super) fn kind(call: &mut Call<'_>) -> Outcome {
    let value = call.store.get(call.words.at(1));
    call.out.simple(value.map_or("none", |value| value.kind()));
    Ok(())
}

pub(super) fn dbsize(call: &mut Call<'_>) -> Outcome {
    call.out.count(call.store.len());
    Ok(())
}

pub(super) fn flushall(call: &mut Call<'_>) -> Outcome {
    let is_known =
        |word: &[u8]| word.eq_ignore_ascii_case(b"SYNC") || word.eq_ignore_ascii_case(b"ASYNC");
    if call.words.len() > 2 || !call.words.from(1).all(is_known) {
        return Err(SYNTAX);
    }
    call.store.clear();
    call.out.ok();
    Ok(())
}

pub(super) fn expire(call: &mut Call<'_>) -> Outcome {
    end_in(call, "expire", 1000)
}

pub(super) fn pexpire(call: &mut Call<'_>) -> Outcome {
    end_in(call, "pexpire", 1)
}

/// When a new deadline counts.
#[derive(Default)]
struct Only {
    if_it_has_none: bool,
    if_it_has_one: bool,
    if_later: bool,
    if_sooner: bool,
}

impl Only {
    fn read(call: &Call<'_>) -> Result<Self, Refusal> {
        let mut only = Only::default();
        for word in call.words.from(3) {
            match &word.to_ascii_uppercase()[..] {
                b"NX" => only.if_it_has_none = true,
                b"XX" => only.if_it_has_one = true,
                b"GT" => only.if_later = true,
                b"LT" => only.if_sooner = true,
                _ => {
                    let word = quoted(word, 128);
                    return Err(Refusal(format!("ERR Unsupported option {word}").into()));
                }
            }
        }
        if only.if_it_has_none && (only.if_it_has_one || only.if_later || only.if_sooner) {
            return Err(Refusal(BOTH_NX.into()));
        }
        if only.if_later && only.if_sooner {
            return Err(Refusal(BOTH_WAYS.into()));
        }
        Ok(only)
    }

    /// A key without a deadline ends later than any other; a new deadline of `None` is past.
    fn allows(&self, old: Option<Instant>, new: Option<Instant>) -> bool {
        let is_later = old.is_some() && new > old;
        let is_sooner = old.is_none() || new < old;
        !(self.if_it_has_none && old.is_some()
            || self.if_it_has_one && old.is_none()
            || self.if_later && !is_later
            || self.if_sooner && !is_sooner)
    }
}

fn end_in(call: &mut Call<'_>, name: &str, unit: i64) -> Outcome {
    let only = Only::read(call)?;
    let key = call.words.at(1);
    let count = integer(call.words.at(2)).ok_or(NOT_AN_INTEGER)?;
    let wrong = || Refusal(format!("ERR invalid expire time in '{name}' command").into());
    let deadline = deadline_in(count, unit).ok_or_else(wrong)?;
    let old = call.store.deadline(key);
    let is_done = match (old.filter(|old| only.allows(*old, deadline)), deadline) {
        (None, _) => false,
        (Some(_), None) => call.store.remove(key),
        (Some(_), Some(deadline)) => call.store.end_at(key, deadline),
    };
    call.out.integer(is_done.into());
    Ok(())
}

pub(super) fn persist(call: &mut Call<'_>) -> Outcome {
    let would_have_ended = call.store.persist(call.words.at(1));
    call.out.integer(would_have_ended.into());
    Ok(())
}

pub(super) fn ttl(call: &mut Call<'_>) -> Outcome {
    // Redis rounds to the nearest second.
    time_left(call, |left| {
        (left.as_millis() as i64).saturating_add(500) / 1000
    })
}

pub(super) fn pttl(call: &mut Call<'_>) -> Outcome {
    time_left(call, |left| left.as_millis() as i64)
}

fn time_left(call: &mut Call<'_>, rounded: impl FnOnce(Duration) -> i64) -> Outcome {
    let left = match call.store.deadline(call.words.at(1)) {
        None => -2,
        Some(None) => -1,
        Some(Some(end)) => rounded(end.saturating_duration_since(Instant::now())),
    };
    call.out.integer(left);
    Ok(())
}

pub(super) fn keys(call: &mut Call<'_>) -> Outcome {
    let pattern = call.words.at(1);
    let found: Vec<&[u8]> = call
        .store
        .keys()
        .filter(|key| matches(pattern, key))
        .collect();
    allow(found.iter().map(|key| key.len()).sum())?;
    call.out.array(found.len());
    found.into_iter().for_each(|key| call.out.bulk(key));
    Ok(())
}

pub(super) fn no_more_words(call: &Call<'_>, name: &str, max: usize) -> Outcome {
    if call.words.len() > max {
        Err(wrong_arity(name))
    } else {
        Ok(())
    }
}

/// Whether a key fits a pattern: `*` any bytes, `?` one, `[a-c]` and `[^abc]` one of these or none
/// of them, and a backslash before what is meant as it stands.
///
/// When something does not fit, the last `*` takes one byte more, and no other does: so the work
/// is at most the product of the lengths. Trying every star takes ages for `*a*a*a*a*b`.
fn matches(pattern: &[u8], key: &[u8]) -> bool {
    let (mut pattern, mut key) = (pattern, key);
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', behind @ ..] = pattern {
            pattern = behind;
            star = Some((behind, key));
            continue;
        }
        match (step(pattern, key), star) {
            (Step::End, _) => return true,
            (Step::Fits(behind), _) => (pattern, key) = (behind, &key[1..]),
            (Step::Fails, Some((behind, [_, rest @ ..]))) => {
                star = Some((behind, rest));
                (pattern, key) = (behind, rest);
            }
            (Step::Fails, _) => return false,
        }
    }
}

enum Step<'a> {
    /// Both are at their end.
    End,
    /// The first byte fits; the pattern goes on here.
    Fits(&'a [u8]),
    Fails,
}

/// Compares the first byte of a key with a pattern that begins with no star.
fn step<'a>(pattern: &'a [u8], key: &[u8]) -> Step<'a> {
    let (fits, behind) = match (pattern, key) {
        ([], []) => return Step::End,
        ([], _) | (_, []) => return Step::Fails,
        ([b'?', behind @ ..], _) => (true, behind),
        ([b'[', class @ ..], [byte, ..]) => in_class(class, *byte),
        ([b'\\', wanted, behind @ ..], [byte, ..]) => (wanted == byte, behind),
        ([wanted, behind @ ..], [byte, ..]) => (wanted == byte, behind),
    };
    if fits {
        Step::Fits(behind)
    } else {
        Step::Fails
    }
}

/// Whether a byte is in the class whose `[` has just been read, and what is behind its `]`.
fn in_class(class: &[u8], byte: u8) -> (bool, &[u8]) {
    let (is_negated, mut rest) = match class {
        [b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut is_in = false;
    loop {
        rest = match rest {
            [] => break,
            [b']', behind @ ..] => {
                rest = behind;
                break;
            }
            [b'\\', one, behind @ ..] => {
                is_in |= *one == byte;
                behind
            }
            [low, b'-', high, behind @ ..] => {
                is_in |= (*low.min(high)..=*low.max(high)).contains(&byte);
                behind
            }
            [one, behind @ ..] => {
                is_in |= *one == byte;
                behind
            }
        };
    }
    (is_in != is_negated, rest)
}
