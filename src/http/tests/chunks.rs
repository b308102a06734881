//! The chunked coding (RFC 9112, 7.1).

use super::super::{Limits, ProtocolError};
use super::{Dice, End, converse, whole};

const HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

fn body_of(chunks: &str) -> Result<String, End> {
    let mut seen = whole(format!("{HEAD}{chunks}"));
    match seen.requests.pop() {
        Some(request) if seen.end == End::Waiting => {
            Ok(request.rsplit_once("} ").unwrap().1.to_owned())
        }
        _ => Err(seen.end),
    }
}

#[test]
fn chunks_make_up_the_body() {
    for (chunks, body) in [
        ("0\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        (
            "1\r\na\r\n00a\r\nbcdefghijk\r\nB\r\nlmnopqrstuv\r\n000\r\n\r\n",
            "abcdefghijklmnopqrstuv",
        ),
        ("2;a=b\r\n\r\n\r\n0;c=\"d; e\";f\r\n\r\n", "\r\n"),
        ("3 \t; x\r\n0\r\n\r\n0\r\n\r\n", "0\r\n"),
        ("0000000000000003\r\nabc\r\n0\r\n\r\n", "abc"),
        (
            "3\r\nabc\r\n0\r\nX-Sum: 1\r\nY:\r\nZ: \t caf\u{e9} \r\n\r\n",
            "abc",
        ),
    ] {
        assert_eq!(body_of(chunks).as_deref(), Ok(body), "{chunks:?}");
    }
}

#[test]
fn whatever_is_not_to_the_letter_is_refused() {
    use ProtocolError as E;
    for (chunks, error) in [
        ("\r\n", E::ChunkSize),
        (";a\r\n", E::ChunkSize),
        (" 5\r\nhello\r\n", E::ChunkSize),
        ("5 \r\nhello\r\n", E::ChunkSize),
        ("+5\r\nhello\r\n", E::ChunkSize),
        ("-5\r\nhello\r\n", E::ChunkSize),
        ("0x5\r\nhello\r\n", E::ChunkSize),
        ("5_0\r\nhello\r\n", E::ChunkSize),
        ("5,0\r\n", E::ChunkSize),
        ("g\r\n", E::ChunkSize),
        ("5\nhello\r\n", E::ChunkSize),
        ("5\rhello\r\n", E::ChunkSize),
        ("5;a\rhello\r\n", E::ChunkSize),
        ("10000000000000000\r\n", E::ChunkSize),
        ("00000000000000001\r\na\r\n", E::ChunkSize),
        ("5;a\nhello\r\n", E::ChunkExtension),
        ("5;a\0b\r\nhello\r\n", E::ChunkExtension),
        ("5;a=\"\x7f\"\r\nhello\r\n", E::ChunkExtension),
        ("5\r\nhelloX\r\n", E::ChunkEnd),
        ("5\r\nhello\n0\r\n", E::ChunkEnd),
        ("5\r\nhello\r0", E::ChunkEnd),
        ("5\r\nhello0\r\n\r\n", E::ChunkEnd),
        ("0\r\n\n", E::Trailer),
        ("0\r\n\rX", E::Trailer),
        ("0\r\nname\r\n\r\n", E::Trailer),
        ("0\r\nname : v\r\n\r\n", E::Trailer),
        ("0\r\n: v\r\n\r\n", E::Trailer),
        ("0\r\na: b\n\r\n", E::Trailer),
        ("0\r\na: b\rc\r\n", E::Trailer),
        ("0\r\na: b\0\r\n", E::Trailer),
        ("0\r\na: b\r\n folded\r\n\r\n", E::Trailer),
    ] {
        assert_eq!(body_of(chunks), Err(End::Refused(error)), "{chunks:?}");
    }
}

#[test]
fn the_largest_chunk_is_announced_without_harm() {
    let seen = whole(format!("{HEAD}ffffffffffffffff\r\nabc"));
    assert_eq!(seen.end, End::Waiting);
    // Two of them are more than a u64 can count, which is no reason to start from 0 again.
    let limits = Limits {
        body_bytes_max: 10,
        ..Limits::default()
    };
    let input = format!("{HEAD}a\r\n0123456789\r\nffffffffffffffff\r\n");
    let seen = converse(&limits, input.as_bytes(), &[]);
    assert_eq!(seen.end, End::Refused(ProtocolError::BodyTooLong));
}

#[test]
fn any_chunking_of_a_body_gives_the_body() {
    let body: String = (0..3_000)
        .map(|n| char::from(b' ' + (n % 90) as u8))
        .collect();
    for seed in 0..20 {
        let mut dice = Dice::new(seed);
        let mut cuts = dice.cuts(body.len(), 12);
        cuts.push(body.len());
        let mut chunks = String::new();
        let mut start = 0;
        for end in cuts.into_iter().filter(|cut| *cut > 0) {
            if end > start {
                chunks += &format!("{:x}\r\n{}\r\n", end - start, &body[start..end]);
                start = end;
            }
        }
        chunks += "0\r\n\r\n";
        assert_eq!(body_of(&chunks).as_deref(), Ok(&body[..]), "seed {seed}");
    }
}
