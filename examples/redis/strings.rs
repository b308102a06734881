//! Commands on texts, which may hold any bytes, and on texts that are numbers.

use super::commands::{Call, allow, wrong_arity};
use super::reply::{NOT_AN_INTEGER, Outcome, Refusal, SYNTAX, WRONG_TYPE, decimal};
use super::request::integer;
use super::store::{Life, Value, deadline_in};

const OVERFLOW: &str = "ERR increment or decrement would overflow";
const TOO_LONG: &str = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";

/// The text of a key, if there is one.
#[inline]
fn text_of(value: Option<&mut Value>) -> Result<Option<&mut Vec<u8>>, Refusal> {
    match value {
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(_) => Err(WRONG_TYPE),
        None => Ok(None),
    }
}

/// Writes the text of a key, or that it has none.
#[inline]
fn write_text(call: &mut Call<'_>, key: &[u8]) -> Outcome {
    match text_of(call.store.get(key))? {
        Some(text) => call.out.bulk(text),
        None => call.out.null(),
    }
    Ok(())
}

pub(super) fn get(call: &mut Call<'_>) -> Outcome {
    write_text(call, call.words.at(1))
}

pub(super) fn strlen(call: &mut Call<'_>) -> Outcome {
    let text = text_of(call.store.get(call.words.at(1)))?;
    call.out.count(text.map_or(0, |text| text.len()));
    Ok(())
}

/// What SET may be told besides.
struct SetOptions {
    life: Life,
    only_if_new: bool,
    only_if_there: bool,
    gives_old: bool,
}

impl SetOptions {
    fn read(call: &Call<'_>) -> Result<Self, Refusal> {
        let mut options = SetOptions {
            life: Life::ForEver,
            only_if_new: false,
            only_if_there: false,
            gives_old: false,
        };
        // The number, and its unit.
        let mut time: Option<(&[u8], i64)> = None;
        let mut words = call.words.from(3);
        while let Some(word) = words.next() {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            let is_kept = options.life == Life::AsBefore;
            let has_no_time_but_in = |unit| !is_kept && time.is_none_or(|(_, other)| other == unit);
            if is("NX") && !options.only_if_there {
                options.only_if_new = true;
            } else if is("XX") && !options.only_if_new {
                options.only_if_there = true;
            } else if is("GET") {
                options.gives_old = true;
            } else if is("KEEPTTL") && time.is_none() {
                options.life = Life::AsBefore;
            } else if is("EX") && has_no_time_but_in(1000) {
                time = Some((words.next().ok_or(SYNTAX)?, 1000));
            } else if is("PX") && has_no_time_but_in(1) {
                time = Some((words.next().ok_or(SYNTAX)?, 1));
            } else {
                return Err(SYNTAX);
            }
        }
        if let Some((word, unit)) = time {
            options.life = life("set", word, unit)?;
        }
        Ok(options)
    }
}

/// A life of so many seconds (`unit` is 1000) or milliseconds from now on.
fn life(command: &str, word: &[u8], unit: i64) -> Result<Life, Refusal> {
    let count = integer(word).ok_or(NOT_AN_INTEGER)?;
    let deadline = deadline_in(count, unit).flatten();
    let wrong = || Refusal(format!("ERR invalid expire time in '{command}' command").into());
    deadline.map(Life::Until).ok_or_else(wrong)
}

pub(super) fn set(call: &mut Call<'_>) -> Outcome {
    let (key, text) = (call.words.at(1), call.words.at(2));
    if call.words.len() == 3 {
        call.store.set(key, text, Life::ForEver);
        call.out.ok();
        return Ok(());
    }
    let options = SetOptions::read(call)?;
    let is_there = if options.gives_old {
        write_text(call, key)?;
        call.store.get(key).is_some()
    } else if options.only_if_new || options.only_if_there {
        call.store.get(key).is_some()
    } else {
        false
    };
    let is_wanted = match is_there {
        true => !options.only_if_new,
        false => !options.only_if_there,
    };
    if is_wanted {
        call.store.set(key, text, options.life);
    }
    match (options.gives_old, is_wanted) {
        (true, _) => {}
        (false, true) => call.out.ok(),
        (false, false) => call.out.null(),
    }
    Ok(())
}

pub(super) fn setex(call: &mut Call<'_>) -> Outcome {
    let life = life("setex", call.words.at(2), 1000)?;
    call.store.set(call.words.at(1), call.words.at(3), life);
    call.out.ok();
    Ok(())
}

pub(super) fn mget(call: &mut Call<'_>) -> Outcome {
    let mut bytes = 0;
    for key in call.words.from(1) {
        if let Some(Value::Text(text)) = call.store.get(key) {
            bytes += text.len();
        }
    }
    allow(bytes)?;
    call.out.array(call.words.len() - 1);
    for key in call.words.from(1) {
        match call.store.get(key) {
            Some(Value::Text(text)) => call.out.bulk(text),
            // A list has no text; for this command that is no error.
            Some(_) | None => call.out.null(),
        }
    }
    Ok(())
}

pub(super) fn mset(call: &mut Call<'_>) -> Outcome {
    if call.words.len().is_multiple_of(2) {
        return Err(wrong_arity("mset"));
    }
    let mut words = call.words.from(1);
    while let (Some(key), Some(text)) = (words.next(), words.next()) {
        call.store.set(key, text, Life::ForEver);
    }
    call.out.ok();
    Ok(())
}

pub(super) fn append(call: &mut Call<'_>) -> Outcome {
    let more = call.words.at(2);
    let value = call
        .store
        .get_or(call.words.at(1), || Value::Text(Vec::new()));
    let Value::Text(text) = value else {
        return Err(WRONG_TYPE);
    };
    if text.len() + more.len() > call.hub.limits.bulk_max {
        return Err(Refusal(TOO_LONG.into()));
    }
    text.extend_from_slice(more);
    call.out.count(text.len());
    Ok(())
}

pub(super) fn incr(call: &mut Call<'_>) -> Outcome {
    add(call, 1)
}

pub(super) fn decr(call: &mut Call<'_>) -> Outcome {
    add(call, -1)
}

pub(super) fn incrby(call: &mut Call<'_>) -> Outcome {
    let by = integer(call.words.at(2)).ok_or(NOT_AN_INTEGER)?;
    add(call, by)
}

pub(super) fn decrby(call: &mut Call<'_>) -> Outcome {
    let by = integer(call.words.at(2)).ok_or(NOT_AN_INTEGER)?;
    // The least number has no opposite.
    let by = by
        .checked_neg()
        .ok_or(Refusal("ERR decrement would overflow".into()))?;
    add(call, by)
}

/// A number is a text that reads as one; it is written anew each time, where it is.
fn add(call: &mut Call<'_>, by: i64) -> Outcome {
    let key = call.words.at(1);
    let mut digits = [0; 20];
    let sum = match text_of(call.store.get(key))? {
        Some(text) => {
            let old = integer(text).ok_or(NOT_AN_INTEGER)?;
            let sum = old.checked_add(by).ok_or(Refusal(OVERFLOW.into()))?;
            text.clear();
            text.extend_from_slice(decimal(sum, &mut digits));
            sum
        }
        None => {
            call.store.set(key, decimal(by, &mut digits), Life::ForEver);
            by
        }
    };
    call.out.integer(sum);
    Ok(())
}
