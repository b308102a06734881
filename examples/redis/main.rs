//! A server that other people's clients drive. How much of one is the loop?
//!
//! Run:    cargo run --release --example redis -- --port 6380
//!         redis-cli -p 6380 set greeting hello ex 10, or redis-benchmark -p 6380 -q
//! Shows:  one task per connection, one read and one write per batch of commands, keys that the
//!         loop's timers end, and state without a lock, since one thread has it all.
//! Next:   store.rs for the timers, connection.rs for the batches; benches/redis.rs sets it
//!         beside the real one.
//!
//! ```text
//!   main.rs ──accepts──▶ connection.rs ──bytes──▶ request.rs ──words──▶ commands.rs
//!      │                      │                                             │
//!      └──────▶ hub.rs ◀──────┘                  strings.rs lists.rs keys.rs admin.rs
//!          who is connected                            │               │
//!                                                  store.rs         reply.rs
//! ```

mod options;
mod request;
mod reply;
mod store;
mod hub;
mod commands;
mod strings;
mod lists;
mod keys;
mod admin;
mod connection;

use std::cell::Cell;
use std::error::Error;
use std::future::poll_fn;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::Poll;

use tourbillon::net::{TcpListener, TcpStream};
use tourbillon::signal::{Signal, Signals};
use tourbillon::{Runtime, spawn};

use hub::Hub;
use options::{Asked, Options};

/// Connections that are being refused at the same time. More are closed without a word.
const REFUSALS_MAX: usize = 64;

fn main() -> ExitCode {
    env_logger::init();
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Asked::Run(options)) => options,
        Ok(Asked::Help) => {
            say(options::HELP);
            return ExitCode::SUCCESS;
        }
        Err(fault) => {
            eprintln!("error: {fault}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("error: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut rt = Runtime::new()?;
    rt.block_on(async {
        let mut signals = Signals::new(&[Signal::Interrupt, Signal::Terminate])?;
        let mut listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        let address = listener.local_addr()?;
        let hub = Rc::new(Hub::new(options, address.port()));
        say(&format!("listening on {address}\n"));
        let signal = accept(&mut listener, &mut signals, &hub).await?;
        drop(listener);
        let clients = hub.client_count();
        hub.stop().await;
        let commands = hub.commands.get();
        say(&format!(
            "{signal:?}: {clients} clients left, {commands} commands\n"
        ));
        Ok(())
    })
}

/// Accepts connections until a signal comes.
async fn accept(
    listener: &mut TcpListener,
    signals: &mut Signals,
    hub: &Rc<Hub>,
) -> io::Result<Signal> {
    let refusals = Rc::new(Cell::new(0));
    loop {
        let stream = match next(listener, signals).await? {
            News::Connection(stream) => stream,
            News::Stop(signal) => return Ok(signal),
        };
        if hub.client_count() < hub.clients_max {
            hub.accepted.set(hub.accepted.get() + 1);
            connection::begin(stream, hub, hub.accepted.get());
            continue;
        }
        hub.rejected.set(hub.rejected.get() + 1);
        if refusals.get() < REFUSALS_MAX {
            refusals.set(refusals.get() + 1);
            let refusals = Rc::clone(&refusals);
            spawn(async move {
                connection::refuse(stream).await;
                refusals.set(refusals.get() - 1);
            })
            .detach();
        }
    }
}

enum News {
    Connection(TcpStream),
    Stop(Signal),
}

/// Waits for two things at once: each poll leaves the task's waker with both.
async fn next(listener: &mut TcpListener, signals: &mut Signals) -> io::Result<News> {
    poll_fn(|cx| {
        if let Poll::Ready(signal) = signals.poll_recv(cx) {
            return Poll::Ready(signal.map(News::Stop));
        }
        let accepted = listener.poll_accept(cx);
        accepted.map_ok(|(stream, _)| News::Connection(stream))
    })
    .await
}

/// Prints, even where nobody listens.
fn say(text: &str) {
    let mut out = io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
