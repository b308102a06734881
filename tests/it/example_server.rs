//! The example `server` as a child: what people run, and what real clients are pointed at.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use crate::server_support::{Client, DEADLINE};
use crate::support::built;

/// A child that serves, and ends when this is dropped.
pub(crate) struct ExampleServer {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl ExampleServer {
    /// Starts it on a free port, with these options and without an access log.
    pub(crate) fn start(options: &[&str]) -> Self {
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
        let mut server = ExampleServer {
            process,
            address: SocketAddr::from(([0; 4], 0)),
        };
        server.address = finds.recv_timeout(DEADLINE).expect("it starts").unwrap();
        server
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for ExampleServer {
    fn drop(&mut self) {
        // It is ours and was not waited for, so it can be ended and its status taken.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
