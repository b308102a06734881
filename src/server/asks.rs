//! What a handler asks of its connection before it answers: to send hints,
//! or to hand over its stream.
//!
//! A handler asks through its request, from whatever task has that; the
//! connection, which alone writes, looks when it has polled the handler.
//! Nearly no request asks for anything, so there is nothing until one does.

use std::cell::RefCell;
use std::mem;
use std::rc::Rc;
use std::task::{Context, Waker};

use super::upgrade::{Upgrade, UpgradeSlot};
use crate::http::{Headers, ResponseHead, Status};

/// The place where a link keeps them.
#[derive(Debug, Default)]
pub(super) struct Asks(RefCell<Asked>);

#[derive(Debug, Default)]
struct Asked {
    list: Option<Box<List>>,
    connection: Option<Waker>,
    is_over: bool,
}

#[derive(Debug, Default)]
struct List {
    hints: Vec<ResponseHead>,
    upgrade: Option<Rc<UpgradeSlot>>,
}

impl Asks {
    /// Asks for hints to be sent, and wakes the connection to do so.
    pub(super) fn send_hints(&self, headers: &Headers) {
        let mut asked = self.0.borrow_mut();
        if asked.is_over {
            return;
        }
        let mut hints = ResponseHead::new(Status::EARLY_HINTS);
        hints.headers = headers.clone();
        asked.list.get_or_insert_default().hints.push(hints);
        let connection = asked.connection.take();
        drop(asked);
        if let Some(connection) = connection {
            connection.wake();
        }
    }

    /// Asks for the stream. Who had asked before is told that they will not
    /// get it.
    pub(super) fn upgrade(&self) -> Upgrade {
        let slot = Rc::<UpgradeSlot>::default();
        let mut asked = self.0.borrow_mut();
        if asked.is_over {
            drop(asked);
            slot.fail();
            return Upgrade(slot);
        }
        let list = asked.list.get_or_insert_default();
        let before = list.upgrade.replace(Rc::clone(&slot));
        drop(asked);
        if let Some(before) = before {
            before.fail();
        }
        Upgrade(slot)
    }

    /// Remembers whom to wake for hints that are asked for later.
    pub(super) fn note_connection(&self, cx: &Context<'_>) {
        let is_known = |waker: &Waker| waker.will_wake(cx.waker());
        let known = self.0.borrow().connection.as_ref().map(is_known);
        if known == Some(true) {
            return;
        }
        // It may be foreign: nothing is borrowed while it is cloned.
        let waker = cx.waker().clone();
        let replaced = self.0.borrow_mut().connection.replace(waker);
        drop(replaced);
    }

    /// Whether nothing was asked for.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().list.is_none()
    }

    /// Takes the hints that are to be sent.
    pub(super) fn take_hints(&self) -> Vec<ResponseHead> {
        match &mut self.0.borrow_mut().list {
            Some(list) => mem::take(&mut list.hints),
            None => Vec::new(),
        }
    }

    /// Takes what the stream is to be given to.
    pub(super) fn take_upgrade(&self) -> Option<Rc<UpgradeSlot>> {
        self.0.borrow_mut().list.as_mut()?.upgrade.take()
    }

    /// Forgets what was asked, since the exchange has ended.
    #[inline]
    pub(super) fn clear(&self) {
        if !self.is_empty() {
            self.forget_list();
        }
    }

    #[cold]
    fn forget_list(&self) {
        let list = self.0.borrow_mut().list.take();
        if let Some(slot) = list.and_then(|list| list.upgrade) {
            slot.fail();
        }
    }

    /// Forgets whom to wake: the next exchange may be of another connection.
    #[inline]
    pub(super) fn forget_connection(&self) {
        // It may be foreign: nothing is borrowed while it is dropped.
        let connection = self.0.borrow_mut().connection.take();
        drop(connection);
    }

    /// Forgets all of it, and nothing can be asked any more.
    pub(super) fn finish(&self) {
        self.0.borrow_mut().is_over = true;
        self.forget_connection();
        self.clear();
    }
}
