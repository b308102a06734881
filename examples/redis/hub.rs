//! What all connections share: the keys, buffers, limits, and who is connected.
//!
//! One thread, so `Rc`, `RefCell` and `Cell` are enough. Nothing here is borrowed across an await.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::mem;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tourbillon::{JoinHandle, timeout};

use super::options::Options;
use super::request::Limits;
use super::store::Store;

/// What one read may bring. Redis reads 16 KiB; a large value wants fewer calls.
const READ_BYTES_MAX: usize = 64 * 1024;

/// How many buffers for replies wait for the next connection that has something to say.
const SPARES_MAX: usize = 64;

/// A buffer that has grown beyond this is freed and not kept.
const SPARE_BYTES_MAX: usize = 128 * 1024;

/// How long connections that still write may take when the server ends.
const END_MAX: Duration = Duration::from_secs(2);

pub(crate) struct Hub {
    pub(crate) store: Rc<RefCell<Store>>,
    pub(crate) limits: Limits,
    pub(crate) clients_max: usize,
    pub(crate) port: u16,
    pub(crate) started: Instant,

    // For INFO.
    pub(crate) accepted: Cell<u64>,
    pub(crate) rejected: Cell<u64>,
    pub(crate) commands: Cell<u64>,

    /// Every connection reads into this, and keeps for itself only what is no whole command.
    pub(crate) scratch: RefCell<Box<[u8]>>,
    spares: RefCell<Vec<Vec<u8>>>,
    clients: RefCell<HashMap<u64, Seat>>,
    stopping: Cell<bool>,
}

/// A connection, as the hub sees it.
struct Seat {
    task: JoinHandle<()>,
    /// Whether it has replies on their way.
    is_writing: Rc<Cell<bool>>,
}

impl Hub {
    pub(crate) fn new(options: &Options, port: u16) -> Self {
        Hub {
            store: Store::new(),
            limits: options.limits,
            clients_max: options.clients_max,
            port,
            started: Instant::now(),
            accepted: Cell::new(0),
            rejected: Cell::new(0),
            commands: Cell::new(0),
            scratch: RefCell::new(vec![0; READ_BYTES_MAX].into_boxed_slice()),
            spares: RefCell::default(),
            clients: RefCell::default(),
            stopping: Cell::new(false),
        }
    }

    pub(crate) fn client_count(&self) -> usize {
        self.clients.borrow().len()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    pub(crate) fn seat(&self, id: u64, task: JoinHandle<()>, is_writing: Rc<Cell<bool>>) {
        self.clients
            .borrow_mut()
            .insert(id, Seat { task, is_writing });
    }

    /// A connection is over.
    pub(crate) fn leave(&self, id: u64) {
        let seat = self.clients.borrow_mut().remove(&id);
        drop(seat);
    }

    /// An idle connection holds no buffer; one with replies takes it here.
    pub(crate) fn take_buffer(&self) -> Vec<u8> {
        self.spares.borrow_mut().pop().unwrap_or_default()
    }

    pub(crate) fn give_buffer(&self, buffer: Vec<u8>) {
        let mut spares = self.spares.borrow_mut();
        if spares.len() < SPARES_MAX && (1..=SPARE_BYTES_MAX).contains(&buffer.capacity()) {
            spares.push(buffer);
        }
    }

    /// Ends all connections: those that wait at once, those that write when they have written.
    pub(crate) async fn stop(&self) {
        self.stopping.set(true);
        let seats = mem::take(&mut *self.clients.borrow_mut());
        for seat in seats.values().filter(|seat| !seat.is_writing.get()) {
            seat.task.abort();
        }
        let until = Instant::now() + END_MAX;
        for seat in seats.into_values() {
            // One that has no time left is dropped with the runtime.
            let left = until.saturating_duration_since(Instant::now());
            let _ = timeout(left, seat.task).await;
        }
    }
}
