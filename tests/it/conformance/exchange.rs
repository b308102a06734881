//! One case: what is sent, and what has to come back.

use std::thread;

use super::served::server;
use crate::server_support::{Client, PING, Reply};

/// A row of a table.
pub(super) struct Case {
    name: &'static str,
    send: Vec<u8>,
    want: Want,
}

/// What has to come back for a case.
pub(super) struct Want {
    statuses: Vec<u16>,
    body: Option<String>,
    fields: Vec<(&'static str, Option<&'static str>)>,
    stays: bool,
    /// Requests that are answered before the one that the case is about.
    before: usize,
}

pub(super) fn case(name: &'static str, send: impl Into<Vec<u8>>, want: Want) -> Case {
    let send = send.into();
    Case { name, send, want }
}

fn want(status: u16, stays: bool) -> Want {
    Want {
        statuses: vec![status],
        body: None,
        fields: Vec::new(),
        stays,
        before: 0,
    }
}

/// A 200 with this body, and the connection stays.
pub(super) fn served(body: &str) -> Want {
    let mut want = want(200, true);
    want.body = Some(body.to_owned());
    want
}

/// This status, and the connection stays.
pub(super) fn answered(status: u16) -> Want {
    want(status, true)
}

/// This status, and the connection is closed.
pub(super) fn refused(status: u16) -> Want {
    want(status, false)
}

impl Want {
    /// The connection is closed after it.
    pub(super) fn last(mut self) -> Want {
        self.stays = false;
        self
    }

    /// With this field.
    pub(super) fn with(mut self, name: &'static str, value: &'static str) -> Want {
        self.fields.push((name, Some(value)));
        self
    }

    /// Without this field.
    pub(super) fn without(mut self, name: &'static str) -> Want {
        self.fields.push((name, None));
        self
    }

    /// With this body.
    pub(super) fn saying(mut self, body: &str) -> Want {
        self.body = Some(body.to_owned());
        self
    }

    /// Or this status.
    pub(super) fn or(mut self, status: u16) -> Want {
        self.statuses.push(status);
        self
    }

    /// After so many 200s.
    pub(super) fn after(mut self, before: usize) -> Want {
        self.before = before;
        self
    }

    fn check(&self, reply: &Reply) {
        assert!(self.statuses.contains(&reply.status), "{reply:?}");
        if let Some(body) = &self.body {
            assert_eq!(reply.text(), body, "{reply:?}");
        }
        for (name, value) in &self.fields {
            assert_eq!(reply.field(name), *value, "{name} of {reply:?}");
        }
        assert_eq!(reply.closes(), !self.stays, "{reply:?}");
    }
}

/// Says which case it was that failed.
pub(super) struct Named(&'static str);

impl Drop for Named {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the case: {}", self.0);
        }
    }
}

/// Begins an exchange that is written out, by its name.
pub(super) fn exchange(name: &'static str) -> Named {
    Named(name)
}

/// Holds all of them, each on a connection of its own.
pub(super) fn check(cases: &[Case]) {
    let server = server();
    for case in cases {
        let _named = Named(case.name);
        let mut client = server.connect();
        if case.want.stays {
            client.send(&case.send);
        } else {
            client.send([&case.send, PING].concat());
        }
        for _ in 0..case.want.before {
            assert_eq!(client.reply().status, 200);
        }
        let reply = client.reply_to(method_of(&case.send));
        case.want.check(&reply);
        if case.want.stays {
            assert_serves_on(&mut client);
        } else {
            client.assert_closed();
        }
    }
}

fn method_of(send: &[u8]) -> &'static str {
    if send.starts_with(b"HEAD ") {
        "HEAD"
    } else {
        "GET"
    }
}

/// Asserts that the connection is where a next request may begin, and has said nothing more.
#[track_caller]
pub(super) fn assert_serves_on(client: &mut Client) {
    client.send(PING);
    assert_eq!(client.reply().text(), "pong");
    client.assert_silent();
}

/// A GET of `/ping` with these lines.
pub(super) fn get(lines: &str) -> String {
    format!("GET /ping HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

/// A request with these lines and this body, to the route that tells how long bodies are.
pub(super) fn post(lines: &str, body: &str) -> String {
    format!("POST /length HTTP/1.1\r\nHost: a\r\n{lines}\r\n{body}")
}

/// The same in chunks.
pub(super) fn chunked(body: &str) -> String {
    post("Transfer-Encoding: chunked\r\n", body)
}

/// The same path for a target of any form, and what the server made of it.
pub(super) fn targeted(target: &str, host: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}
