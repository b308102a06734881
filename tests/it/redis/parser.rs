//! The parser of commands: cuts, limits, faults, and bytes at random.

use super::request::{Fault, INLINE_BYTES_MAX, Limits, Parser, integer};
use super::{command, line};
use crate::support::Dice;

type Commands = Vec<Vec<Vec<u8>>>;

const LIMITS: Limits = Limits {
    args_max: 8,
    bulk_max: 100,
    command_max: 300,
};

/// Feeds the bytes in pieces that end at `cuts`, as a connection would: what is no whole command
/// is kept, and comes again with more behind it. Returns the commands, and how it ended.
fn feed(bytes: &[u8], cuts: &[usize], limits: Limits) -> (Commands, Option<Fault>) {
    let mut parser = Parser::new(limits);
    let (mut commands, mut kept, mut fed) = (Vec::new(), Vec::new(), 0);
    for &cut in cuts.iter().chain([&bytes.len()]) {
        kept.extend_from_slice(&bytes[fed..cut]);
        fed = cut;
        loop {
            match parser.next(&kept) {
                Ok(None) => break,
                Ok(Some(length)) => {
                    assert!((1..=kept.len()).contains(&length), "{length} bytes");
                    let words = parser.words(&kept);
                    let owned: Vec<Vec<u8>> = words.from(0).map(<[u8]>::to_vec).collect();
                    assert_eq!(owned.len(), words.len());
                    assert!((0..words.len()).all(|index| words.at(index) == owned[index]));
                    if !owned.is_empty() {
                        commands.push(owned);
                    }
                    kept.drain(..length);
                }
                Err(fault) => return (commands, Some(fault)),
            }
        }
    }
    (commands, None)
}

fn whole(bytes: &[u8]) -> (Commands, Option<Fault>) {
    feed(bytes, &[], LIMITS)
}

fn words(text: &str) -> Vec<Vec<u8>> {
    text.split(' ')
        .map(|word| word.as_bytes().to_vec())
        .collect()
}

/// Arrays, lines and nothing, one behind the other.
fn mixed() -> (Vec<u8>, Commands) {
    let mut bytes = line("SET key value");
    bytes.extend_from_slice(b"PING\r\n\r\n*0\r\n");
    bytes.extend_from_slice(&command(&[b"ECHO", b"", b"\r\n*1\r\n$4\r\n\0\xff"]));
    bytes.extend_from_slice(b"*-1\r\n  GET \t \"a b\\x00\\n\" 'it\\'s' \n");
    bytes.extend_from_slice(&line("GET key"));
    let commands = vec![
        words("SET key value"),
        words("PING"),
        vec![b"ECHO".to_vec(), vec![], b"\r\n*1\r\n$4\r\n\0\xff".to_vec()],
        vec![b"GET".to_vec(), b"a b\0\n".to_vec(), b"it's".to_vec()],
        words("GET key"),
    ];
    (bytes, commands)
}

#[test]
fn every_cut_gives_the_same_commands() {
    let (bytes, commands) = mixed();
    assert_eq!(whole(&bytes), (commands.clone(), None));
    for first in 0..=bytes.len() {
        for second in first..=bytes.len() {
            let (cut, fault) = feed(&bytes, &[first, second], LIMITS);
            assert_eq!((cut, fault), (commands.clone(), None), "{first}, {second}");
        }
    }
    let all: Vec<usize> = (1..bytes.len()).collect();
    assert_eq!(feed(&bytes, &all, LIMITS), (commands, None), "byte by byte");
}

#[test]
fn what_is_wrong_is_named_as_redis_does() {
    for (bytes, text) in [
        (&b"*x\r\n"[..], "invalid multibulk length"),
        (b"*9\r\n", "invalid multibulk length"),
        (b"*1 \r\n", "invalid multibulk length"),
        (b"*+1\r\n", "invalid multibulk length"),
        (b"*01\r\n", "invalid multibulk length"),
        (b"*\r\n", "invalid multibulk length"),
        (b"*1\rx", "invalid multibulk length"),
        (b"*99999999999999999999\r\n", "invalid multibulk length"),
        (b"*1\r\n:1\r\n", "expected '$', got ':'"),
        (b"*1\r\n\r\n", "expected '$', got ' '"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$101\r\n", "invalid bulk length"),
        (b"*1\r\n$\r\n", "invalid bulk length"),
        (b"*1\r\n$9223372036854775807\r\n", "invalid bulk length"),
        (b"*1\r\n$1\r\nabc", "expected CRLF after a bulk string"),
        (b"*1\r\n$1\r\na\rc", "expected CRLF after a bulk string"),
        (b"\"a\r\n", "unbalanced quotes in request"),
        (b"'a\r\n", "unbalanced quotes in request"),
        (b"\"a\"b\r\n", "unbalanced quotes in request"),
        (b"1 2 3 4 5 6 7 8 9\r\n", "invalid multibulk length"),
    ] {
        let good = line("PING");
        let bytes = [&good[..], bytes].concat();
        let all: Vec<usize> = (1..bytes.len()).collect();
        for cuts in [&[][..], &all] {
            let (commands, fault) = feed(&bytes, cuts, LIMITS);
            assert_eq!(commands, [words("PING")], "{text}");
            let fault = fault.unwrap_or_else(|| panic!("{text}: no fault"));
            assert_eq!(fault.to_string(), format!("Protocol error: {text}"));
        }
    }
}

#[test]
fn limits_hold_as_soon_as_they_can() {
    let full = vec![b'x'; 100];
    assert_eq!(whole(&command(&[&full])).1, None);
    assert_eq!(whole(&command(&[&b"x"[..]; 8])).1, None);
    // Four words of 100 bytes: the fourth is refused when it is announced.
    let (head, last) = ("$100\r\n", "$100\r\n");
    let word = [head.as_bytes(), &full, b"\r\n"].concat();
    let bytes = [b"*4\r\n", &word[..], &word, last.as_bytes()].concat();
    assert_eq!(whole(&bytes), (vec![], Some(Fault::LongCommand)));

    for (start, fault) in [
        (&b"*"[..], Fault::LongCount),
        (b"*1\r\n$", Fault::LongLength),
    ] {
        let most = [start, &[b'1'; 63]].concat();
        assert_eq!(whole(&most), (vec![], None));
        assert_eq!(whole(&[&most[..], b"1"].concat()), (vec![], Some(fault)));
    }
    let mut text = vec![b'x'; INLINE_BYTES_MAX - 1];
    assert_eq!(whole(&text), (vec![], None));
    text.push(b'\n');
    assert_eq!(
        whole(&text),
        (vec![vec![vec![b'x'; INLINE_BYTES_MAX - 1]]], None)
    );
    text.insert(0, b'x');
    assert_eq!(whole(&text), (vec![], Some(Fault::LongInline)));
    assert_eq!(
        feed(&text, &[7, 65_000], LIMITS),
        (vec![], Some(Fault::LongInline))
    );
}

#[test]
fn a_line_is_split_as_a_shell_would() {
    for (text, wanted) in [
        ("a b", &["a", "b"][..]),
        ("  a\t\tb  ", &["a", "b"]),
        ("\"\" ''", &["", ""]),
        ("a\"b c\" d", &["ab c", "d"]),
        (r#""\"\\\n\r\t\b\a\q""#, &["\"\\\n\r\t\u{8}\u{7}q"]),
        (r#""\x41\x6a\x4A\xg1""#, &["AjJxg1"]),
        (r"'\n\'\x41'", &["\\n'\\x41"]),
    ] {
        let (commands, fault) = whole(format!("{text}\r\n").as_bytes());
        assert_eq!(fault, None, "{text}");
        let wanted: Vec<Vec<u8>> = wanted.iter().map(|word| word.as_bytes().to_vec()).collect();
        assert_eq!(commands, [wanted], "{text}");
    }
}

/// Whatever comes, the cut makes no difference, and nothing panics.
#[test]
fn mutated_bytes_are_read_the_same_however_they_are_cut() {
    let (good, _) = mixed();
    let spice = b"*$\r\n\"' 019-x\0";
    let (mut faults, mut fine) = (0, 0);
    for seed in 0..20_000 {
        let mut dice = Dice::new(seed);
        let mut bytes = good.clone();
        for _ in 0..=dice.below(4) {
            let at = dice.below(bytes.len().max(1) as u64) as usize;
            let byte = spice[dice.below(spice.len() as u64) as usize];
            match dice.below(4) {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => bytes.truncate(at.max(2)),
                _ => drop(bytes.remove(at)),
            }
        }
        let whole = whole(&bytes);
        let mut cuts: Vec<usize> = (0..dice.below(8))
            .map(|_| dice.below(bytes.len() as u64 + 1) as usize)
            .collect();
        cuts.sort_unstable();
        assert_eq!(
            feed(&bytes, &cuts, LIMITS),
            whole,
            "seed {seed}: {}",
            bytes.escape_ascii()
        );
        let all: Vec<usize> = (1..bytes.len()).collect();
        assert_eq!(
            feed(&bytes, &all, LIMITS),
            whole,
            "seed {seed}, byte by byte"
        );
        match whole.1 {
            Some(_) => faults += 1,
            None => fine += 1,
        }
    }
    assert!(
        faults > 1000 && fine > 1000,
        "{faults} and {fine} say little"
    );
}

#[test]
fn a_command_announced_is_not_paid_for_before_it_comes() {
    let limits = Limits::default();
    let mut parser = Parser::new(limits);
    let bytes = format!("*{}\r\n${}\r\n", limits.args_max, limits.bulk_max);
    assert_eq!(parser.next(bytes.as_bytes()), Ok(None));
    assert_eq!(parser.words(bytes.as_bytes()).len(), 0);
}

#[test]
fn integers_are_those_of_redis() {
    let (least, most) = (i64::MIN.to_string(), i64::MAX.to_string());
    for (text, wanted) in [
        ("0", Some(0)),
        ("7", Some(7)),
        ("-1", Some(-1)),
        (&least, Some(i64::MIN)),
        (&most, Some(i64::MAX)),
        ("", None),
        ("-", None),
        ("-0", None),
        ("01", None),
        ("-01", None),
        ("+1", None),
        (" 1", None),
        ("1 ", None),
        ("1.0", None),
        ("9223372036854775808", None),
        ("-9223372036854775809", None),
        ("99999999999999999999", None),
    ] {
        assert_eq!(integer(text.as_bytes()), wanted, "{text:?}");
    }
    for seed in 1..1000 {
        let number = Dice::new(seed).below(u64::MAX) as i64 >> (seed % 64);
        assert_eq!(integer(number.to_string().as_bytes()), Some(number));
    }
}
