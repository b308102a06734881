//! Damaged requests: no panic, and the same verdict however they were cut.

use super::super::Limits;
use super::{Dice, converse};

const SEEDS: [&str; 6] = [
    "GET /a?b HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\n\r\n",
    "POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\nhello world",
    "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
     5;ext=v\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n",
    "HEAD http://a.test/x HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "\r\nDELETE /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
];

/// Bytes and pieces that mean something to a parser, so that damage hits where it matters.
const PIECES: [&[u8]; 20] = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\n\n",
    b" ",
    b"\t",
    b":",
    b",",
    b";",
    b"\0",
    b"\x7f",
    b"\x80",
    b"0",
    b"f",
    b"HTTP/1.1",
    b"chunked",
    b"Host: b\r\n",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"?",
];

fn damaged(dice: &mut Dice) -> Vec<u8> {
    let mut input = SEEDS[dice.below(SEEDS.len())].as_bytes().to_vec();
    if dice.below(3) == 0 {
        input.extend_from_slice(SEEDS[dice.below(SEEDS.len())].as_bytes());
    }
    for _ in 0..=dice.below(3) {
        let at = dice.below(input.len());
        match dice.below(5) {
            0 => input[at] = dice.below(256) as u8,
            1 => input[at] ^= 1 << dice.below(8),
            2 => drop(input.remove(at)),
            3 => {
                let end = (at + dice.below(20)).min(input.len());
                let copy = input[at..end].to_vec();
                let to = dice.below(input.len());
                input.splice(to..to, copy);
            }
            _ => drop(input.splice(at..at, PIECES[dice.below(PIECES.len())].iter().copied())),
        }
    }
    // A head is judged when a line of it is complete, so let the last line be.
    input.extend_from_slice(b"\r\n\r\n");
    input
}

#[test]
fn damage_never_panics_and_cuts_never_change_the_verdict() {
    // Small limits, so that the damage runs into them too.
    let limits = Limits {
        head_bytes_max: 120,
        target_bytes_max: 40,
        headers_max: 4,
        body_bytes_max: 1 << 20,
        chunk_extension_bytes_max: 20,
        trailer_bytes_max: 30,
    };
    let mut refused = 0;
    for seed in 0..20_000 {
        let mut dice = Dice::new(seed);
        let input = damaged(&mut dice);
        let seen = converse(&limits, &input, &[]);
        let pieces = 1 + dice.below(6);
        let cuts = dice.cuts(input.len(), pieces);
        let again = converse(&limits, &input, &cuts);
        assert_eq!(
            again,
            seen,
            "seed {seed}, cuts {cuts:?}: {}",
            input.escape_ascii()
        );
        if seed % 16 == 0 {
            let cuts: Vec<_> = (0..input.len()).collect();
            let again = converse(&limits, &input, &cuts);
            assert_eq!(
                again,
                seen,
                "seed {seed}, bytewise: {}",
                input.escape_ascii()
            );
        }
        refused += usize::from(matches!(seen.end, super::End::Refused(_)));
    }
    // Both kinds have to come up, or the damage is too weak or too strong to test anything.
    assert!(
        (2_000..18_000).contains(&refused),
        "{refused} of 20,000 were refused"
    );
}
