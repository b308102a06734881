//! The network may cut a conversation anywhere: what is understood must not depend on it.

use super::super::Limits;
use super::{Dice, End, converse, whole};

const GET: &str = "GET /a?b HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\n\r\n";
const POST: &str =
    "\r\nPOST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nX:\r\n\r\nhello\r\nGET ";
const CHUNKED: &str = "PUT /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                       5;ext=\"v\"\r\nhello\r\n6 ;x\r\n world\r\n0;last\r\n\
                       X-Sum: 1\r\nY: z\r\n\r\n";
const OLD: &str = "HEAD http://a.test/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";

fn understood(input: &str, requests: usize) -> super::Seen {
    let seen = whole(input);
    assert_eq!(
        (seen.requests.len(), &seen.end),
        (requests, &End::Waiting),
        "{input:?}"
    );
    seen
}

#[test]
fn every_two_way_cut_gives_the_same_requests() {
    for (input, requests) in [
        (GET.to_owned(), 1),
        (POST.to_owned(), 1),
        (CHUNKED.to_owned(), 1),
        (OLD.to_owned(), 1),
        (format!("{GET}{GET}"), 2),
        (format!("{POST}{CHUNKED}{GET}{OLD}"), 4),
    ] {
        let seen = understood(&input, requests);
        for cut in 0..=input.len() {
            assert_eq!(
                converse(&Limits::default(), input.as_bytes(), &[cut]),
                seen,
                "cut at {cut} of {input:?}"
            );
        }
    }
}

#[test]
fn every_three_way_cut_of_a_chunked_body_gives_the_same() {
    let seen = understood(CHUNKED, 1);
    let body = CHUNKED.find("\r\n\r\n").unwrap();
    for first in body..CHUNKED.len() {
        for second in first..CHUNKED.len() {
            let again = converse(&Limits::default(), CHUNKED.as_bytes(), &[first, second]);
            assert_eq!(again, seen, "cut at {first} and {second}");
        }
    }
}

#[test]
fn byte_at_a_time_gives_the_same() {
    let input = [GET, POST, CHUNKED, OLD, CHUNKED, POST, GET].concat();
    let cuts: Vec<_> = (0..input.len()).collect();
    assert_eq!(
        converse(&Limits::default(), input.as_bytes(), &cuts),
        understood(&input, 7)
    );
}

#[test]
fn random_cuttings_of_twenty_pipelined_requests_give_the_same() {
    for seed in 0..12 {
        let mut dice = Dice::new(seed);
        let input: String = (0..20)
            .map(|_| [GET, POST, CHUNKED, OLD][dice.below(4)])
            .collect();
        let seen = understood(&input, 20);
        for pieces in [3, 17, 200] {
            let cuts = dice.cuts(input.len(), pieces);
            let again = converse(&Limits::default(), input.as_bytes(), &cuts);
            assert_eq!(again, seen, "seed {seed}, {pieces} pieces");
        }
    }
}

#[test]
fn a_thousand_pipelined_requests_are_answered_in_order() {
    let input: String = (0..1_000)
        .map(|n| format!("GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n"))
        .collect();
    let seen = whole(&input);
    assert_eq!((seen.requests.len(), seen.end), (1_000, End::Waiting));
    for (n, request) in seen.requests.iter().enumerate() {
        assert!(request.contains(&format!("\"/{n}\"")), "{n}: {request}");
    }
}

#[test]
fn good_requests_before_a_bad_one_are_answered() {
    let seen = whole(format!("{GET}{POST}{GET}\x16\x03\x01"));
    assert_eq!(seen.requests.len(), 3);
    assert!(matches!(seen.end, End::Refused(_)));
}
