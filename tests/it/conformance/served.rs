//! The example server as a child, shared by the tests that run at the same time.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::thread;

use crate::server_support::{Client, DEADLINE};
use crate::support::built;

/// A child that serves. It ends when the last test that holds it does.
pub(super) struct Served {
    process: Child,
    address: SocketAddr,
}

/// The server with its defaults, but for a limit on bodies that a test can pass.
pub(super) fn server() -> Arc<Served> {
    static SHARED: Mutex<Weak<Served>> = Mutex::new(Weak::new());
    shared(&SHARED, &["--body-bytes-max", "1048576"])
}

/// One that waits for nobody.
pub(super) fn hasty() -> Arc<Served> {
    static SHARED: Mutex<Weak<Served>> = Mutex::new(Weak::new());
    let times = ["--head-timeout", "200ms", "--keep-alive", "200ms"];
    shared(
        &SHARED,
        &[&times[..], &["--body-timeout", "200ms"]].concat(),
    )
}

fn shared(place: &Mutex<Weak<Served>>, options: &[&str]) -> Arc<Served> {
    // A test that failed while a server started has left nothing half done.
    let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(served) = place.upgrade() {
        return served;
    }
    let served = Arc::new(Served::start(options));
    *place = Arc::downgrade(&served);
    served
}

impl Served {
    fn start(options: &[&str]) -> Served {
        let mut process = Command::new(built("server"))
            .args(["--port", "0", "--access-log", "off"])
            .args(options)
            .env("RUST_LOG", "info")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stderr.take().unwrap());
        let (found, finds) = mpsc::channel();
        // Reads on to the end, so that the child never waits for it.
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some((_, rest)) = line.split_once("http://") {
                    let address = rest.split(' ').next().unwrap();
                    // Only the first one is waited for.
                    let _ = found.send(address.parse());
                }
            }
        });
        let mut served = Served {
            process,
            address: SocketAddr::from(([0; 4], 0)),
        };
        served.address = finds.recv_timeout(DEADLINE).expect("it starts").unwrap();
        served
    }

    pub(super) fn connect(&self) -> Client {
        Client::connect(self.address)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It is ours and was not waited for, so it can be ended and its status taken.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
