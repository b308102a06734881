//! The keys: values, and when they end.
//!
//! ```text
//!   EXPIRE k 10 ──▶ deadline of k ──call_at──▶ the loop's wheel ──▶ 10 s later: k is taken out
//!   EXPIRE k 60 ──▶ a later deadline is only stored; the timer files itself anew when it fires
//!   SET k, DEL k ──▶ the timer is cancelled
//! ```
//!
//! A timer may be late, a key may not: whoever looks finds no key whose time has passed, whether
//! its timer has fired or not.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::mem;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use tourbillon::{Timer, call_at};

/// A buffer this much larger than its text is exchanged for a smaller one.
const SLACK_MAX: usize = 1024;

/// The longest life of a key. Redis counts milliseconds from 1970 on in 63 bits; this leaves 42 of
/// them, 139 years, for what was before.
const LIFE_MILLIS_MAX: i64 = i64::MAX - (1 << 42);

/// When a life of so many units, of so many milliseconds each, is over. One that is over at once
/// has no such point in time, and one that is too long is nothing.
pub(crate) fn deadline_in(count: i64, unit: i64) -> Option<Option<Instant>> {
    let millis = count
        .checked_mul(unit)
        .filter(|&millis| millis <= LIFE_MILLIS_MAX)?;
    match u64::try_from(millis) {
        Err(_) | Ok(0) => Some(None),
        Ok(millis) => Instant::now()
            .checked_add(Duration::from_millis(millis))
            .map(Some),
    }
}

#[derive(Debug)]
pub(crate) enum Value {
    Text(Vec<u8>),
    List(VecDeque<Box<[u8]>>),
}

impl Value {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "string",
            Value::List(_) => "list",
        }
    }
}

/// How long what is set will live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    ForEver,
    Until(Instant),
    AsBefore,
}

#[derive(Debug)]
struct Entry {
    value: Value,
    /// Most keys have none, so it is not kept in their place.
    end: Option<Box<End>>,
}

impl Entry {
    #[inline]
    fn is_over(&self) -> bool {
        self.end
            .as_ref()
            .is_some_and(|end| end.deadline <= Instant::now())
    }
}

/// The end of a key. Dropping it cancels the timer.
#[derive(Debug)]
struct End {
    deadline: Instant,
    /// What the loop was told: never later than `deadline`.
    filed: Instant,
    timer: Option<Timer>,
}

impl Drop for End {
    fn drop(&mut self) {
        // One that is due may wait among a million callbacks, and to look for it there takes long.
        // It may come: it finds no end that was filed for its time.
        if let Some(timer) = self.timer.take().filter(|_| self.filed > Instant::now()) {
            timer.cancel();
        }
    }
}

/// All keys. It belongs to the loop's thread, so nothing of it needs a lock.
#[derive(Debug)]
pub(crate) struct Store {
    entries: HashMap<Box<[u8]>, Entry>,
    /// For the timers, which outlive no store.
    me: Weak<RefCell<Store>>,
    expired: u64,
}

impl Store {
    pub(crate) fn new() -> Rc<RefCell<Self>> {
        Rc::new_cyclic(|me| {
            RefCell::new(Store {
                entries: HashMap::new(),
                me: Weak::clone(me),
                expired: 0,
            })
        })
    }

    #[inline]
    fn entry(&mut self, key: &[u8]) -> Option<&mut Entry> {
        self.entries.get_mut(key).filter(|entry| !entry.is_over())
    }

    #[inline]
    pub(crate) fn get(&mut self, key: &[u8]) -> Option<&mut Value> {
        self.entry(key).map(|entry| &mut entry.value)
    }

    /// The value of a key, which is made if it is not there.
    pub(crate) fn get_or(&mut self, key: &[u8], new: impl FnOnce() -> Value) -> &mut Value {
        // Two searches for a new key, so that an old one needs no copy of its name.
        if !self.entries.contains_key(key) {
            let (value, end) = (new(), None);
            let entry = self.entries.entry(Box::from(key));
            return &mut entry.or_insert(Entry { value, end }).value;
        }
        let entry = self.entries.get_mut(key).expect("the key was just found");
        if entry.is_over() {
            entry.end = None;
            entry.value = new();
        }
        &mut entry.value
    }

    /// Sets a key to a text, whatever it was.
    pub(crate) fn set(&mut self, key: &[u8], text: &[u8], life: Life) {
        match self.entries.get_mut(key) {
            Some(entry) => {
                if life != Life::AsBefore || entry.is_over() {
                    entry.end = None;
                }
                write(&mut entry.value, text);
            }
            None => {
                let (value, end) = (Value::Text(text.to_vec()), None);
                self.entries.insert(Box::from(key), Entry { value, end });
            }
        }
        if let Life::Until(deadline) = life {
            self.end_at(key, deadline);
        }
    }

    /// Takes a key out; says whether it was there.
    pub(crate) fn remove(&mut self, key: &[u8]) -> bool {
        self.entries
            .remove(key)
            .is_some_and(|entry| !entry.is_over())
    }

    pub(crate) fn clear(&mut self) {
        // The memory goes too.
        self.entries = HashMap::new();
    }

    /// How many keys there are. One whose time has just passed may still be counted.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many keys have ended because their time had come.
    pub(crate) fn expired(&self) -> u64 {
        self.expired
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        let living = self.entries.iter().filter(|(_, entry)| !entry.is_over());
        living.map(|(key, _)| &**key)
    }

    /// When a key ends: nothing if it is not there, and nothing inside if it does not end.
    pub(crate) fn deadline(&mut self, key: &[u8]) -> Option<Option<Instant>> {
        let entry = self.entry(key)?;
        Some(entry.end.as_ref().map(|end| end.deadline))
    }

    /// Has a key live for ever; says whether it would have ended.
    pub(crate) fn persist(&mut self, key: &[u8]) -> bool {
        self.entry(key)
            .is_some_and(|entry| entry.end.take().is_some())
    }

    /// Has a key end at `deadline`; says whether it is there.
    pub(crate) fn end_at(&mut self, key: &[u8], deadline: Instant) -> bool {
        let me = Weak::clone(&self.me);
        let Some(entry) = self.entry(key) else {
            return false;
        };
        match &mut entry.end {
            // The timer finds out when it fires.
            Some(end) if end.filed <= deadline => end.deadline = deadline,
            end => {
                let timer = file(me, Box::from(key), deadline);
                *end = Some(Box::new(End {
                    deadline,
                    filed: deadline,
                    timer: Some(timer),
                }));
            }
        }
        true
    }

    /// The timer of a key has fired: the key has come to its end, or has been given more time.
    fn ring(&mut self, key: Box<[u8]>, filed: Instant) {
        let me = Weak::clone(&self.me);
        let entry = self.entries.get_mut(&key);
        let Some(end) = entry.and_then(|entry| entry.end.as_mut()) else {
            return;
        };
        if end.filed != filed {
            // A timer that was too late to be cancelled. Every newer end lies behind its time.
            return;
        }
        // It has fired, so there is nothing to cancel.
        end.timer = None;
        if end.deadline > Instant::now() {
            end.filed = end.deadline;
            end.timer = Some(file(me, key, end.deadline));
        } else {
            self.expired += 1;
            self.entries.remove(&key);
        }
    }
}

fn file(store: Weak<RefCell<Store>>, key: Box<[u8]>, deadline: Instant) -> Timer {
    call_at(deadline, move || {
        if let Some(store) = store.upgrade() {
            store.borrow_mut().ring(key, deadline);
        }
    })
}

/// Makes a value this text, in the memory it has.
#[inline]
fn write(value: &mut Value, text: &[u8]) {
    match value {
        Value::Text(old) if old.capacity() <= text.len() + SLACK_MAX => {
            old.clear();
            old.extend_from_slice(text);
        }
        other => drop(mem::replace(other, Value::Text(text.to_vec()))),
    }
}
