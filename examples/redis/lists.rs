//! Commands on lists. A list without items is no key.

use std::collections::VecDeque;

use super::commands::{Call, allow, wrong_arity};
use super::reply::{NOT_AN_INTEGER, Outcome, Refusal, WRONG_TYPE};
use super::request::integer;
use super::store::Value;

type List = VecDeque<Box<[u8]>>;

const NOT_POSITIVE: &str = "ERR value is out of range, must be positive";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// The list of a key, if there is one.
fn list_of(value: Option<&mut Value>) -> Result<Option<&mut List>, Refusal> {
    match value {
        Some(Value::List(list)) => Ok(Some(list)),
        Some(_) => Err(WRONG_TYPE),
        None => Ok(None),
    }
}

pub(super) fn lpush(call: &mut Call<'_>) -> Outcome {
    push(call, Side::Left)
}

pub(super) fn rpush(call: &mut Call<'_>) -> Outcome {
    push(call, Side::Right)
}

fn push(call: &mut Call<'_>, side: Side) -> Outcome {
    let value = call
        .store
        .get_or(call.words.at(1), || Value::List(List::new()));
    let Value::List(list) = value else {
        return Err(WRONG_TYPE);
    };
    for item in call.words.from(2) {
        match side {
            Side::Left => list.push_front(Box::from(item)),
            Side::Right => list.push_back(Box::from(item)),
        }
    }
    call.out.count(list.len());
    Ok(())
}

pub(super) fn lpop(call: &mut Call<'_>) -> Outcome {
    pop(call, Side::Left, "lpop")
}

pub(super) fn rpop(call: &mut Call<'_>) -> Outcome {
    pop(call, Side::Right, "rpop")
}

fn pop(call: &mut Call<'_>, side: Side, name: &str) -> Outcome {
    let words = call.words;
    let count = match words.len() {
        2 => None,
        3 => {
            let count = integer(words.at(2)).and_then(|count| usize::try_from(count).ok());
            Some(count.ok_or(Refusal(NOT_POSITIVE.into()))?)
        }
        _ => return Err(wrong_arity(name)),
    };
    let Some(list) = list_of(call.store.get(words.at(1)))? else {
        match count {
            None => call.out.null(),
            Some(_) => call.out.null_array(),
        }
        return Ok(());
    };
    let taken = count.unwrap_or(1).min(list.len());
    if count.is_some() {
        call.out.array(taken);
    }
    for _ in 0..taken {
        let item = match side {
            Side::Left => list.pop_front(),
            Side::Right => list.pop_back(),
        };
        call.out
            .bulk(&item.expect("no more are taken than there are"));
    }
    if list.is_empty() {
        call.store.remove(words.at(1));
    }
    Ok(())
}

pub(super) fn llen(call: &mut Call<'_>) -> Outcome {
    let list = list_of(call.store.get(call.words.at(1)))?;
    call.out.count(list.map_or(0, |list| list.len()));
    Ok(())
}

pub(super) fn lrange(call: &mut Call<'_>) -> Outcome {
    let words = call.words;
    let first = integer(words.at(2)).ok_or(NOT_AN_INTEGER)?;
    let last = integer(words.at(3)).ok_or(NOT_AN_INTEGER)?;
    let Some(list) = list_of(call.store.get(words.at(1)))? else {
        call.out.array(0);
        return Ok(());
    };
    // Negative numbers count from the end; both ends belong to the range.
    let len = list.len() as i64;
    let from_start = |index: i64| {
        if index < 0 {
            index.saturating_add(len)
        } else {
            index
        }
    };
    let first = from_start(first).clamp(0, len) as usize;
    let end = from_start(last).saturating_add(1).clamp(0, len) as usize;
    let range = first..end.max(first);
    allow(list.range(range.clone()).map(|item| item.len()).sum())?;
    call.out.array(range.len());
    list.range(range).for_each(|item| call.out.bulk(item));
    Ok(())
}
