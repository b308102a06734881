//! The network between one client and the server: two bounded pipes in memory.
//!
//! It behaves as TCP may, at its worst: bytes fly for a while before they arrive, reads and
//! writes are short, either may have to wait although it need not, and a task may be woken for
//! nothing. A reset takes with it what the other side has not read. As with a socket, a close
//! with unread bytes is a reset, and so are bytes that arrive after a close.

use std::io::{Read, Write};
use std::rc::Rc;
use std::task::Waker;

use super::dice::Dice;
use super::scene::Scene;

mod server_end;

pub(super) use server_end::ServerEnd;

/// How a network treats what goes through it, until the storm is over.
pub(super) struct Weather {
    pub(super) piece_max: usize,
    /// How much each pipe holds: the one to the server, and the one to the client.
    pub(super) capacities: (usize, usize),
    /// Once in so many steps bytes are held up, or a call has to wait for no reason.
    pub(super) trouble_one_in: usize,
    pub(super) delay_max: usize,
    /// Until then nothing arrives, and then much at once.
    pub(super) opens_at: u64,
}

pub(super) struct Wire {
    scene: Rc<Scene>,
    dice: Dice,
    id: usize,
    weather: Weather,
    to_server: Pipe,
    to_client: Pipe,
    server: ServerSide,
    client_is_gone: bool,
    /// The client was told of a reset.
    client_is_reset: bool,
    /// What may be asked of the connection's past.
    pub(super) past: Past,
}

#[derive(Default)]
struct Pipe {
    /// Those that have arrived first, behind them those that fly.
    bytes: VecDequeOfBytes,
    arrived: usize,
    not_before: u64,
    end: End,
}

type VecDequeOfBytes = std::collections::VecDeque<u8>;

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    Flies,
    Arrived,
}

#[derive(Default)]
struct ServerSide {
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// A call had to wait although it need not, and is to be woken.
    hiccup: bool,
    /// A reset came; the kernel tells of it once.
    is_reset: bool,
    was_told: bool,
    is_closed: bool,
    /// Its close is to be a reset.
    resets: bool,
}

/// Counts in bytes and times in milliseconds, as the network saw them.
#[derive(Clone, Copy, Default)]
pub(super) struct Past {
    pub(super) read: usize,
    /// What had been read when a read last had to wait for nothing, and when the server ended.
    pub(super) read_at_hiccup: Option<usize>,
    pub(super) read_at_end: Option<usize>,
    pub(super) written: usize,
    pub(super) last_read_at: u64,
    pub(super) last_write_at: u64,
    /// When the server first saw that the client sends no more, and went on.
    pub(super) half_closed_at: Option<u64>,
    pub(super) closed_at: Option<u64>,
    pub(super) calls: u64,
}

/// What a client finds when it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Bytes,
    End,
    Reset,
}

impl Pipe {
    fn room(&self, capacity: usize) -> usize {
        capacity.saturating_sub(self.bytes.len())
    }

    fn put(&mut self, data: &[u8]) {
        self.bytes.write_all(data).expect("memory takes all");
    }

    /// Takes out what has arrived, as far as `buf` goes.
    fn take(&mut self, buf: &mut [u8]) -> usize {
        let count = self.arrived.min(buf.len());
        self.bytes
            .read_exact(&mut buf[..count])
            .expect("what has arrived is there");
        self.arrived -= count;
        count
    }

    fn can_move(&self, now: u64) -> bool {
        let flies = self.arrived < self.bytes.len() || self.end == End::Flies;
        flies && now >= self.not_before
    }

    fn clear_from(&mut self, kept: usize) {
        self.bytes.truncate(kept);
        self.arrived = self.arrived.min(kept);
    }
}

impl Wire {
    pub(super) fn new(scene: Rc<Scene>, dice: Dice, id: usize, weather: Weather) -> Self {
        let to_server = Pipe {
            not_before: weather.opens_at,
            ..Pipe::default()
        };
        Wire {
            scene,
            dice,
            id,
            weather,
            to_server,
            to_client: Pipe::default(),
            server: ServerSide::default(),
            client_is_gone: false,
            client_is_reset: false,
            past: Past::default(),
        }
    }

    fn has_trouble(&mut self) -> bool {
        !self.scene.is_calm() && self.dice.one_in(self.weather.trouble_one_in)
    }

    fn piece(&mut self, most: usize) -> usize {
        if self.scene.is_calm() || most == 0 {
            return most;
        }
        most.min(self.dice.size(self.weather.piece_max))
    }

    /// Whether [`step`](Self::step) would do something now.
    pub(super) fn can_step(&self) -> bool {
        let now = self.scene.now();
        self.to_server.can_move(now) || self.to_client.can_move(now) || self.server.hiccup
    }

    /// When bytes that are held up may go on.
    pub(super) fn next_at(&self) -> Option<u64> {
        let now = self.scene.now();
        let held = [self.to_server.not_before, self.to_client.not_before];
        held.into_iter().filter(|at| *at > now).min()
    }

    /// Lets some bytes arrive, or wakes a task that had to wait for nothing.
    pub(super) fn step(&mut self) {
        let now = self.scene.now();
        if self.server.hiccup {
            self.server.hiccup = false;
            self.scene.note(self.id, "a hiccup ends", 0);
            self.wake_reader();
            self.wake_writer();
        }
        let is_first = self.dice.one_in(2);
        for to_server in [is_first, !is_first] {
            let trouble = self.has_trouble();
            let delay = self.dice.between(1, self.weather.delay_max) as u64;
            let flying = {
                let pipe = self.pipe(to_server);
                if !pipe.can_move(now) {
                    continue;
                }
                pipe.bytes.len() - pipe.arrived
            };
            let count = self.piece(flying);
            let pipe = self.pipe(to_server);
            pipe.arrived += count;
            if trouble {
                pipe.not_before = now + delay;
            }
            let all = pipe.arrived == pipe.bytes.len();
            let ends = all && pipe.end == End::Flies && !trouble;
            if ends {
                pipe.end = End::Arrived;
            }
            self.note_arrival(to_server, count, ends);
        }
    }

    fn pipe(&mut self, to_server: bool) -> &mut Pipe {
        if to_server {
            &mut self.to_server
        } else {
            &mut self.to_client
        }
    }

    fn note_arrival(&mut self, to_server: bool, count: usize, ends: bool) {
        if !to_server {
            self.scene.note(self.id, "reaches the client", count);
            if count > 0 && self.client_is_gone {
                self.reset_server();
            }
            return;
        }
        self.scene.note(self.id, "reaches the server", count);
        if ends {
            self.scene.note(self.id, "the client's end arrives", 0);
        }
        if self.server.is_closed {
            self.to_server.clear_from(0);
            if count > 0 {
                self.reset_client("bytes reach a closed server");
            }
        } else if count > 0 || ends {
            self.wake_reader();
        }
    }

    fn wake_reader(&mut self) {
        self.server.reader.take().into_iter().for_each(Waker::wake);
    }

    fn wake_writer(&mut self) {
        self.server.writer.take().into_iter().for_each(Waker::wake);
    }

    /// What has arrived may still be read, or be lost; what flies is lost.
    fn reset_server(&mut self) {
        let arrived = self.to_server.arrived;
        let kept = if self.dice.one_in(2) { arrived } else { 0 };
        self.to_server.clear_from(kept);
        self.to_server.end = End::Open;
        self.to_client.clear_from(0);
        self.server.is_reset = true;
        self.scene.note(self.id, "the server is reset", kept);
        self.wake_reader();
        self.wake_writer();
    }

    fn reset_client(&mut self, why: &'static str) {
        if self.client_is_reset || self.client_is_gone {
            return;
        }
        let unread = self.to_client.bytes.len();
        let kept = *self.dice.pick(&[0, unread / 2, self.to_client.arrived]);
        self.to_client.clear_from(kept);
        self.to_client.arrived = kept;
        self.client_is_reset = true;
        self.scene.note(self.id, why, unread - kept);
    }
}

/// What the client does.
impl Wire {
    pub(super) fn room_to_send(&self) -> usize {
        if self.client_is_reset {
            return 0;
        }
        self.to_server.room(self.weather.capacities.0)
    }

    pub(super) fn send(&mut self, data: &[u8]) -> usize {
        let most = data.len().min(self.room_to_send());
        let count = self.piece(most);
        self.to_server.put(&data[..count]);
        self.scene.note(self.id, "the client sends", count);
        count
    }

    /// Whether reading finds anything.
    pub(super) fn has_news(&self) -> bool {
        let ended = self.to_client.end == End::Arrived || self.client_is_reset;
        self.to_client.arrived > 0 || ended
    }

    pub(super) fn receive(&mut self, into: &mut Vec<u8>, most: usize) -> Found {
        let most = self.piece(self.to_client.arrived.min(most));
        let start = into.len();
        into.resize(start + most, 0);
        let count = self.to_client.take(&mut into[start..]);
        if count > 0 {
            self.scene.note(self.id, "the client reads", count);
            self.wake_writer();
            return Found::Bytes;
        }
        if self.client_is_reset {
            Found::Reset
        } else {
            Found::End
        }
    }

    pub(super) fn end_sending(&mut self) {
        self.scene.note(self.id, "the client sends no more", 0);
        if self.to_server.end == End::Open {
            self.to_server.end = End::Flies;
        }
    }

    /// Closes as a process does that ends: with unread answers it is a reset.
    pub(super) fn leave(&mut self) {
        self.scene.note(self.id, "the client leaves", 0);
        let has_unread = self.to_client.arrived > 0;
        self.client_is_gone = true;
        if has_unread && !self.server.is_closed {
            self.reset_server();
        } else if !self.client_is_reset {
            self.end_sending();
        }
    }

    pub(super) fn reset(&mut self) {
        self.scene.note(self.id, "the client resets", 0);
        self.client_is_gone = true;
        if !self.server.is_closed {
            self.reset_server();
        }
    }

    /// Whether the server writes no more; what it reads from here on, it drops.
    pub(super) fn server_has_ended(&self) -> bool {
        self.to_client.end != End::Open
    }

    pub(super) fn server_has_closed(&self) -> bool {
        self.server.is_closed
    }
}
