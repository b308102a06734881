//! A client: it says its script at its own pace, hears the answers, and may misbehave.

use std::cell::RefCell;
use std::rc::Rc;

use super::answers::{Answer, Answers};
use super::dice::Dice;
use super::scene::Scene;
use super::script::{After, Content, Exchange};
use super::wire::{Found, Wire};

/// What a client does sooner or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Leaves this many milliseconds after its last answer.
    Leaves(u64),
    /// Waits for the server to end it.
    Stays,
    /// Sends no more after so many bytes, says so, and reads on.
    Ends(usize),
    /// Sends no more after so many bytes, says nothing, and reads on.
    Freezes(usize),
    /// Reads no more after so many bytes.
    Deafens(usize),
    /// Closes after so many bytes, whatever comes.
    Quits(usize),
    /// Resets after so many bytes.
    Resets(usize),
    /// Does one of these, some time after an exchange without end began.
    Abandons(Parting, u64),
    /// The server's task is aborted at this time.
    IsAborted(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parting {
    Ends,
    Quits,
    Resets,
}

/// How a client behaves as long as it does.
pub(super) struct Habits {
    /// How many requests may be unanswered when the next is sent.
    pub(super) depth: usize,
    pub(super) send_max: usize,
    pub(super) receive_max: usize,
    /// Once in so many pieces it rests, for up to so many milliseconds.
    pub(super) rest_one_in: usize,
    pub(super) rest_max: usize,
    /// Long rests while it sends.
    pub(super) long_rest: Option<Halt>,
    /// Long pauses while it reads.
    pub(super) long_pause: Option<Halt>,
    /// How long it waits for a 100 before it sends the body all the same.
    pub(super) patience: u64,
}

/// A few halts, each of some milliseconds: the first after so many bytes, the next so many later.
#[derive(Clone, Copy)]
pub(super) struct Halt {
    pub(super) at: usize,
    pub(super) millis: u64,
    pub(super) times: usize,
    pub(super) every: usize,
}

impl Halt {
    /// What is left of it after one halt.
    fn next(self) -> Option<Self> {
        let next = Halt {
            at: self.at + self.every,
            times: self.times - 1,
            ..self
        };
        (next.times > 0).then_some(next)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Send,
    Receive,
    Turn,
}

pub(super) struct Client {
    id: usize,
    scene: Rc<Scene>,
    dice: Dice,
    pub(super) wire: Rc<RefCell<Wire>>,
    pub(super) script: Vec<Exchange>,
    habits: Habits,
    /// Whether it pauses for long in reading, sooner or later.
    pub(super) pauses: bool,
    pub(super) fate: Fate,
    pub(super) answers: Answers,
    /// The exchange and the byte of it that are to be sent next.
    pub(super) exchange: usize,
    offset: usize,
    sent: usize,
    received: usize,
    send_after: u64,
    receive_after: u64,
    /// When it began to wait for a 100.
    waits_since: Option<u64>,
    /// When it began to wait for what its fate waits for.
    turn_since: Option<u64>,
    sends_no_more: bool,
    is_deaf: bool,
    /// How its connection ended, as far as it can tell.
    pub(super) end: Option<Ending>,
}

/// By number, whether the server gets to know that the request is HEAD.
fn heads(script: &[Exchange], fate: Fate) -> Vec<bool> {
    let mut left = match fate {
        Fate::Freezes(at) => at,
        _ => usize::MAX,
    };
    let is_known_head = |exchange: &Exchange| {
        let method = exchange.bytes.split_inclusive(|byte| *byte == b' ').next();
        let says_method = method.is_some_and(|method| method.len() <= left);
        left = left.saturating_sub(exchange.bytes.len());
        exchange.is_head && says_method
    };
    script.iter().map(is_known_head).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Closed,
    Reset,
    /// It closed or reset the connection itself.
    Own,
}

impl Client {
    pub(super) fn new(
        (id, scene, dice): (usize, Rc<Scene>, Dice),
        wire: Rc<RefCell<Wire>>,
        script: Vec<Exchange>,
        habits: Habits,
        fate: Fate,
    ) -> Self {
        let heads = heads(&script, fate);
        Client {
            id,
            scene,
            dice,
            wire,
            script,
            pauses: habits.long_pause.is_some(),
            habits,
            fate,
            answers: Answers::to(heads),
            exchange: 0,
            offset: 0,
            sent: 0,
            received: 0,
            send_after: 0,
            receive_after: 0,
            waits_since: None,
            turn_since: None,
            sends_no_more: false,
            is_deaf: false,
            end: None,
        }
    }

    /// Whether it has sent part of an exchange and will not send the rest.
    pub(super) fn cut(&self) -> Option<usize> {
        (self.offset > 0).then_some(self.exchange)
    }

    /// How much of that exchange it has sent.
    pub(super) fn cut_at(&self) -> usize {
        self.offset
    }

    pub(super) fn can_step(&self) -> bool {
        self.acts().into_iter().any(|act| act.is_some())
    }

    /// When it may be able to, if that is a matter of time.
    pub(super) fn next_at(&self) -> Option<u64> {
        let now = self.scene.now();
        let waits = self.waits_since.map(|since| since + self.habits.patience);
        let turn = self.turn_since.map(|since| since + self.turn_delay());
        let times = [
            Some(self.send_after),
            Some(self.receive_after),
            waits,
            turn,
            self.abort_at(),
        ];
        times.into_iter().flatten().filter(|at| *at > now).min()
    }

    pub(super) fn abort_at(&self) -> Option<u64> {
        match self.fate {
            Fate::IsAborted(at) => Some(at),
            _ => None,
        }
    }

    /// Does one thing of those it can do.
    pub(super) fn step(&mut self) {
        let acts = self.acts();
        let first = self.dice.below(acts.len());
        let mut turned = acts.iter().cycle().skip(first).take(acts.len());
        match turned.find_map(|act| *act) {
            Some(Act::Send) => self.send(),
            Some(Act::Receive) => self.receive(),
            Some(Act::Turn) => self.turn(),
            None => {}
        }
        self.notice();
    }

    /// Begins to wait for what has just become possible.
    pub(super) fn notice(&mut self) {
        let now = self.scene.now();
        if self.waits_for_invitation() {
            self.waits_since.get_or_insert(now);
        } else {
            self.waits_since = None;
        }
        if self.is_time_to_turn() {
            self.turn_since.get_or_insert(now);
        }
    }

    fn acts(&self) -> [Option<Act>; 3] {
        if self.end.is_some() {
            return [None; 3];
        }
        let now = self.scene.now();
        let wire = self.wire.borrow();
        let hears = !self.is_deaf || wire.server_has_closed();
        let receives = hears && now >= self.receive_after && wire.has_news();
        let sends = now >= self.send_after && wire.room_to_send() > 0 && self.has_to_send();
        let turns = self
            .turn_since
            .is_some_and(|since| now >= since + self.turn_delay());
        [
            sends.then_some(Act::Send),
            receives.then_some(Act::Receive),
            turns.then_some(Act::Turn),
        ]
    }

    fn has_to_send(&self) -> bool {
        let is_last = self.hears_close() && self.answers.done().len() != self.exchange;
        let may = !self.sends_no_more && !is_last && self.sent < self.send_limit();
        let is_next = self.exchange < self.script.len()
            && self.exchange < self.answers.done().len() + self.habits.depth;
        let is_patient = self
            .waits_since
            .is_some_and(|since| self.scene.now() < since + self.habits.patience);
        may && is_next && !(self.waits_for_invitation() && is_patient)
    }

    /// Whether the server has announced that it will close. What it has begun to answer may be
    /// said to its end.
    fn hears_close(&self) -> bool {
        let current = self.answers.current();
        let last = current.or(self.answers.done().last());
        last.is_some_and(|answer| answer.field("connection") == Some("close"))
    }

    fn waits_for_invitation(&self) -> bool {
        let Some(exchange) = self.script.get(self.exchange) else {
            return false;
        };
        let is_heard = self.answers.done().len() > self.exchange
            || (self.answers.done().len() == self.exchange
                && (self.answers.invitations() > 0 || self.answers.current().is_some()));
        exchange.expects && self.offset == exchange.body_at && !is_heard
    }

    /// How many bytes of the script its fate lets it send.
    fn send_limit(&self) -> usize {
        match self.fate {
            Fate::Ends(at) | Fate::Freezes(at) | Fate::Quits(at) | Fate::Resets(at) => at,
            _ => usize::MAX,
        }
    }

    fn is_time_to_turn(&self) -> bool {
        let done = self.answers.done().len();
        match self.fate {
            Fate::Leaves(_) => done == self.script.len() && self.exchange == done,
            Fate::Ends(at) | Fate::Freezes(at) => self.sent >= at && !self.sends_no_more,
            Fate::Quits(at) | Fate::Resets(at) => self.sent >= at,
            Fate::Deafens(at) => self.received >= at && !self.is_deaf,
            Fate::Abandons(..) => self.exchange == self.script.len() && !self.sends_no_more,
            Fate::Stays | Fate::IsAborted(_) => false,
        }
    }

    fn turn_delay(&self) -> u64 {
        match self.fate {
            Fate::Leaves(delay) | Fate::Abandons(_, delay) => delay,
            _ => 0,
        }
    }

    fn send(&mut self) {
        let exchange = &self.script[self.exchange];
        let rest = &exchange.bytes[self.offset..];
        let mut most = self.dice.size(self.habits.send_max).min(rest.len());
        most = most.min(self.send_limit() - self.sent);
        if let Some(rest) = self.habits.long_rest {
            if self.sent < rest.at {
                most = most.min(rest.at - self.sent);
            } else {
                self.habits.long_rest = rest.next();
                self.send_after = self.scene.now() + rest.millis;
                return;
            }
        }
        if exchange.expects && self.offset < exchange.body_at {
            most = most.min(exchange.body_at - self.offset);
        }
        let count = self.wire.borrow_mut().send(&rest[..most]);
        self.sent += count;
        self.offset += count;
        if self.offset == exchange.bytes.len() {
            self.exchange += 1;
            self.offset = 0;
        }
        self.send_after = self.scene.now() + self.rest();
    }

    fn rest(&mut self) -> u64 {
        if self.scene.is_calm() || !self.dice.one_in(self.habits.rest_one_in) {
            return 0;
        }
        self.dice.between(1, self.habits.rest_max) as u64
    }

    fn receive(&mut self) {
        let mut most = self.dice.size(self.habits.receive_max);
        if let Some(pause) = self.habits.long_pause {
            if self.received >= pause.at {
                self.habits.long_pause = pause.next();
                self.receive_after = self.scene.now() + pause.millis;
                return;
            }
            most = most.min(pause.at - self.received);
        }
        if let Fate::Deafens(at) = self.fate
            && !self.is_deaf
        {
            most = most.min(at.saturating_sub(self.received)).max(1);
        }
        let mut bytes = Vec::new();
        let found = self.wire.borrow_mut().receive(&mut bytes, most);
        self.received += bytes.len();
        let before = self.answers.done().len();
        if let Err(fault) = self.answers.feed(&bytes) {
            panic!("client {} cannot read an answer: {fault}", self.id);
        }
        self.receive_after = self.scene.now() + self.rest();
        match found {
            Found::Bytes => {}
            Found::End => {
                self.answers.end();
                self.wire.borrow_mut().leave();
                self.end = Some(Ending::Closed);
            }
            Found::Reset => self.end = Some(Ending::Reset),
        }
        for number in before..self.answers.done().len() {
            self.check(number);
        }
    }

    /// Does what its fate wants.
    fn turn(&mut self) {
        self.turn_since = None;
        let mut wire = self.wire.borrow_mut();
        match self.fate {
            Fate::Freezes(_) => self.sends_no_more = true,
            Fate::Deafens(_) => self.is_deaf = true,
            Fate::Ends(_) | Fate::Abandons(Parting::Ends, _) => {
                wire.end_sending();
                self.sends_no_more = true;
            }
            Fate::Leaves(_) | Fate::Quits(_) | Fate::Abandons(Parting::Quits, _) => {
                wire.leave();
                self.end = Some(Ending::Own);
            }
            Fate::Resets(_) | Fate::Abandons(Parting::Resets, _) => {
                wire.reset();
                self.end = Some(Ending::Own);
            }
            Fate::Stays | Fate::IsAborted(_) => {}
        }
    }

    /// Compares a complete answer with the script.
    fn check(&self, number: usize) {
        let answer = &self.answers.done()[number];
        let exchange = &self.script[number];
        let status = answer.status;
        self.scene.note(self.id, "an answer", usize::from(status));
        self.scene
            .note(self.id, "with a body of", answer.body.len());
        let context = format!("answer {number} to client {}: {status}", self.id);
        assert!(number <= self.exchange, "{context}: nobody asked for it");
        let is_cut = self.cut() == Some(number) && (self.sends_no_more || self.is_deaf);
        let was_deaf = self.is_deaf && exchange.expects;
        if (is_cut || was_deaf) && matches!(status, 400 | 408) {
            return;
        }
        assert_eq!(status, exchange.status, "{context}");
        // More than its length is not sent, so one that is too long may look whole.
        let is_broken_off = exchange.after == After::Cut;
        let is_told = !is_broken_off || answer.field("content-length").is_some();
        assert!(is_told, "{context}: looks whole, but was cut off");
        if let Content::Bytes(bytes) = &exchange.content {
            let (len, good) = (answer.body.len(), bytes.len());
            let is_right = match exchange.after {
                After::Cut => bytes.starts_with(&answer.body),
                _ => answer.body == *bytes,
            };
            assert!(is_right, "{context}: {len} bytes, not the {good} expected");
        }
        if !is_cut {
            self.check_framing(exchange, answer, &context);
        }
    }

    fn check_framing(&self, exchange: &Exchange, answer: &Answer, context: &str) {
        let invitations = answer.invitations;
        let most = usize::from(exchange.expects);
        assert!(invitations <= most, "{context}: {invitations} invitations");
        let connection = answer.field("connection");
        let is_fit = match exchange.after {
            After::Closes(_) => connection == Some("close"),
            After::Stays if exchange.is_old => connection == Some("keep-alive") || self.may_close(),
            After::Stays => connection.is_none() || self.may_close(),
            After::Cut | After::Either | After::Never => true,
        };
        assert!(is_fit, "{context}: connection: {connection:?}");
    }

    /// Whether the server may close after any answer.
    fn may_close(&self) -> bool {
        self.scene.is_draining()
    }
}
