//! Ranges against a table, and against a model that marks byte by byte.

use std::ops::Range;

use super::super::ranges::{Wish, parse};

#[test]
fn known_fields() {
    let parts = |list: &[Range<u64>]| Wish::Parts(list.to_vec());
    for (field, len, expected) in [
        // The examples of RFC 9110, 14.1.2, for 10,000 bytes.
        ("bytes=0-499", 10_000, parts(&[0..500])),
        ("bytes=500-999", 10_000, parts(&[500..1000])),
        ("bytes=-500", 10_000, parts(&[9500..10_000])),
        ("bytes=9500-", 10_000, parts(&[9500..10_000])),
        ("bytes=0-0,-1", 10_000, parts(&[0..1, 9999..10_000])),
        (
            "bytes= 0-999, 4500-5499, -1000",
            10_000,
            parts(&[0..1000, 4500..5500, 9000..10_000]),
        ),
        ("bytes=500-600,601-999", 10_000, parts(&[500..1000])),
        ("bytes=500-700,601-999", 10_000, parts(&[500..1000])),
        // Beyond the end.
        ("bytes=0-99999", 10, parts(&[0..10])),
        ("bytes=-99999", 10, parts(&[0..10])),
        ("bytes=0-18446744073709551615", 10, parts(&[0..10])),
        ("bytes=0-99999999999999999999999999", 10, parts(&[0..10])),
        ("bytes=10-", 10, Wish::Beyond),
        ("bytes=10-20,30-", 10, Wish::Beyond),
        ("bytes=99999999999999999999999999-", 10, Wish::Beyond),
        ("bytes=-0", 10, Wish::Beyond),
        ("bytes=20-,0-1", 10, parts(&[0..2])),
        ("bytes=0-", 0, Wish::Beyond),
        ("bytes=-5", 0, Wish::Whole),
        // The order is the client's.
        ("bytes=8-9,0-1", 10, parts(&[8..10, 0..2])),
        ("bytes=8-9,0-1,6-7", 10, parts(&[6..10, 0..2])),
        ("bytes=,0-1,,", 10, parts(&[0..2])),
        ("BYTES=0-1", 10, parts(&[0..2])),
        // Not understood.
        ("", 10, Wish::Whole),
        ("bytes", 10, Wish::Whole),
        ("bytes=", 10, Wish::Whole),
        ("bytes=,", 10, Wish::Whole),
        ("bytes=-", 10, Wish::Whole),
        ("bytes=1", 10, Wish::Whole),
        ("bytes=2-1", 10, Wish::Whole),
        ("bytes=0-1,2-1", 10, Wish::Whole),
        ("bytes=a-b", 10, Wish::Whole),
        ("bytes=+1-2", 10, Wish::Whole),
        ("bytes=0x1-2", 10, Wish::Whole),
        ("bytes=1 - 2", 10, Wish::Whole),
        ("bytes=1--2", 10, Wish::Whole),
        ("bytes=--1", 10, Wish::Whole),
        ("bytes 0-1", 10, Wish::Whole),
        ("items=0-1", 10, Wish::Whole),
        ("bytes=0-1;2-3", 10, Wish::Whole),
    ] {
        assert_eq!(parse(field.as_bytes(), len), expected, "{field} of {len}");
    }
    assert_eq!(parse(b"bytes=\xff-1", 10), Wish::Whole);
    let many = |count: u64| {
        let list: Vec<String> = (0..count).map(|n| format!("{}-{}", n * 3, n * 3)).collect();
        parse(format!("bytes={}", list.join(",")).as_bytes(), 1000)
    };
    assert!(matches!(many(32), Wish::Parts(parts) if parts.len() == 32));
    assert_eq!(many(33), Wish::Whole);
}

/// A seed's numbers; xorshift.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

#[test]
fn random_fields_agree_with_marking_bytes() {
    for seed in 1..=3000 {
        let mut numbers = Numbers(u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15));
        let len = 1 + numbers.below(40);
        let mut wanted = vec![false; len as usize];
        let mut list = Vec::new();
        for _ in 0..=numbers.below(6) {
            let (first, more) = (numbers.below(50), numbers.below(12));
            let range = match numbers.below(3) {
                0 => {
                    (
                        list.push(format!("{first}-{}", first + more)),
                        first..first + more + 1,
                    )
                        .1
                }
                1 => (list.push(format!("{first}-")), first..len).1,
                _ => (list.push(format!("-{more}")), len.saturating_sub(more)..len).1,
            };
            for at in range {
                if let Some(place) = wanted.get_mut(at as usize) {
                    *place = true;
                }
            }
        }
        let field = format!("bytes={}", list.join(", "));
        match parse(field.as_bytes(), len) {
            Wish::Whole => panic!("seed {seed}: {field} is understood"),
            Wish::Beyond => assert!(!wanted.contains(&true), "seed {seed}: {field} of {len}"),
            Wish::Parts(parts) => {
                let mut given = vec![false; len as usize];
                for part in &parts {
                    assert!(!part.is_empty());
                    for at in part.clone() {
                        let before = std::mem::replace(&mut given[at as usize], true);
                        assert!(!before, "seed {seed}: {field} of {len} gives {at} twice");
                    }
                    let touches = |other: &Range<u64>| other.end == part.start;
                    assert!(!parts.iter().any(touches), "seed {seed}: {parts:?} touch");
                }
                assert_eq!(given, wanted, "seed {seed}: {field} of {len}");
            }
        }
    }
}
