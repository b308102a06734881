//! The load beside servers that are told what to answer.

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::thread;

use super::*;

const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const LAST: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

/// Answers each connection's requests with these in turn, and then closes it.
fn server(answers: &'static [&'static str]) -> Plan {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound").to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("somebody has connected");
            let mut left = answers.iter();
            let mut ends = 0;
            let asked = BufReader::new(stream.try_clone().expect("it is open"));
            for byte in asked.bytes().flatten() {
                ends = if b"\r\n".contains(&byte) { ends + 1 } else { 0 };
                if ends != 4 {
                    continue;
                }
                let Some(answer) = left.next() else { break };
                let _ = stream.write_all(answer.as_bytes());
                if left.len() == 0 {
                    break;
                }
            }
            // Closed with something unread, the connection would be reset before its last answer.
            let _ = stream.shutdown(Shutdown::Write);
            let _ = io::copy(&mut stream, &mut io::sink());
        }
    });
    Plan {
        address: address.parse().expect("it is one of version 4"),
        connections: 1,
        depth: 1,
        request: request("/", None, false),
        expected: b"ok".to_vec(),
        closes: false,
        in_step: false,
        is_raw: false,
    }
}

fn first_error(plan: Plan) -> String {
    let outcome = Load::open(plan).and_then(|mut load| load.run(4, Duration::MAX).check());
    outcome
        .err()
        .map_or(String::new(), |fault| fault.to_string())
}

#[test]
fn good_answers_are_counted() {
    let mut load = Load::open(server(&[GOOD; 5])).expect("the first answer is good");
    let outcome = load
        .run(4, Duration::MAX)
        .check()
        .expect("so are the others");
    assert_eq!((outcome.requests, outcome.errors), (4, 0));
}

#[test]
fn what_is_wrong_with_an_answer_is_said() {
    const CASES: [(&[&str], &str); 6] = [
        (
            &["HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nok"],
            "HTTP/1.1 500 Oh",
        ),
        (
            &["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"],
            "another body",
        ),
        (
            &["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\noks"],
            "another content-length",
        ),
        (&["HTTP/1.1 200 OK\r\n\r\n"], "another content-length"),
        (
            &[
                GOOD,
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay",
                GOOD,
            ],
            "more than was asked",
        ),
        (
            &["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no"],
            "the server closed",
        ),
    ];
    for (answers, expected) in CASES {
        let error = first_error(server(answers));
        assert!(
            error.contains(expected),
            "{error:?} instead of {expected:?}"
        );
    }
}

/// A batch on a connection that the server limits: the rest is sent again, and nothing twice.
#[test]
fn a_batch_goes_on_after_the_last_answer_of_a_connection() {
    let mut plan = server(&[GOOD, GOOD, LAST]);
    plan.depth = 4;
    let mut load = Load::open(plan).expect("all four are answered");
    let outcome = load
        .run(20, Duration::MAX)
        .check()
        .expect("all are answered");
    assert_eq!((outcome.requests, outcome.errors), (20, 0));
    assert!(
        load.opened > 6,
        "{} connections for 24 answers",
        load.opened
    );
}

/// A body that comes in many pieces, of which most are skipped.
#[test]
fn the_last_answer_of_a_connection_may_be_large() {
    let body = "x".repeat(1 << 20);
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", body.len());
    let (good, last) = (
        format!("{answer}\r\n{body}"),
        format!("{answer}Connection: close\r\n\r\n{body}"),
    );
    let answers = Vec::leak(vec![&*good.leak(), &*last.leak()]);
    let mut plan = server(answers);
    plan.expected = body.into_bytes();
    let mut load = Load::open(plan).expect("the first is good");
    let outcome = load
        .run(40, Duration::MAX)
        .check()
        .expect("so are the others");
    assert_eq!((outcome.requests, load.opened), (40, 21));
}

#[test]
fn in_close_mode_each_answer_has_a_connection_of_its_own() {
    let mut plan = server(&[LAST]);
    plan.closes = true;
    plan.request = request("/", None, true);
    let mut load = Load::open(plan).expect("it closes");
    let outcome = load.run(3, Duration::MAX).check().expect("each time");
    assert_eq!((outcome.requests, load.opened), (3, 4));
}

#[test]
fn bytes_without_a_head_are_compared() {
    for (answers, expected) in [
        (["ok"; 6], ""),
        (["ok", "ok", "no", "ok", "ok", "ok"], "another body"),
        (
            ["ok", "ok", "okay", "ok", "ok", "ok"],
            "more than was asked",
        ),
    ] {
        let mut plan = server(Vec::leak(answers.to_vec()));
        plan.is_raw = true;
        let error = first_error(plan);
        assert!(
            error.contains(expected) && error.is_empty() == expected.is_empty(),
            "{error:?}"
        );
    }
}
