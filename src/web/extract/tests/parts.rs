//! Bodies cut everywhere, and bodies that break the rules.

#![allow(clippy::unwrap_used)]

use super::*;

const TYPE: &str = "multipart/form-data; boundary=X";

/// All parts of a body that comes in pieces of `size`, as one line.
fn read(content_type: &str, body: &[u8], size: usize) -> Result<String, BadParts> {
    let mut parts = Parts::new(content_type)?;
    let mut pieces = body.chunks(size);
    let mut told = String::new();
    loop {
        match parts.next()? {
            Event::NeedMore => match pieces.next() {
                Some(piece) => parts.feed(piece),
                None => return Ok(told + "CUT"),
            },
            Event::Part(head) => {
                told += &head.name;
                told += &head
                    .file_name
                    .map_or(String::new(), |name| format!(" <{name}>"));
                told += &head
                    .content_type
                    .map_or(String::new(), |name| format!(" ({name})"));
                told += ": ";
            }
            Event::Data(data) => {
                assert!(!data.is_empty());
                told += &String::from_utf8_lossy(&data)
                    .replace('\r', "\\r")
                    .replace('\n', "\\n");
            }
            Event::PartEnd => told += " | ",
            Event::End => return Ok(told + "END"),
        }
    }
}

#[test]
fn every_cut_of_a_body_gives_the_same_parts() {
    let body = "preamble\r\n--X \t\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
        --X\r\ncontent-disposition: form-data; name=f; filename=\"x.txt\"\r\n\
        Content-Type: text/plain\r\n\r\nline\r\n--XY\r\n-\r\n\r\n--X\r\n\
        Content-Disposition:form-data;name=\"empty\"\r\n\r\n\r\n--X--\r\nepilogue --X\r\n";
    // `--XY` is a boundary that goes on as something else.
    assert!(read(TYPE, body.as_bytes(), 1000).is_err());
    let body = body.replace("\r\n--XY", "\r\n--Y\r\r\n-");
    let wanted =
        "a: 1 | f <x.txt> (text/plain): line\\r\\n--Y\\r\\r\\n-\\r\\n-\\r\\n | empty:  | END";
    for size in 1..body.len() + 1 {
        let told = read(TYPE, body.as_bytes(), size);
        assert_eq!(told.as_deref(), Ok(wanted), "in pieces of {size}");
    }
    for end in 0..body.find("--X--").unwrap() + 3 {
        let told = read(TYPE, &body.as_bytes()[..end], 1000).unwrap();
        assert!(told.ends_with("CUT"), "cut at {end}: {told}");
    }
}

#[test]
fn a_part_that_begins_with_its_end_has_nothing_in_it() {
    let part = |data: &str| format!("--X\r\nContent-Disposition: form-data; name=a\r\n\r\n{data}");
    for (data, told) in [
        ("\r\n--X--", "a:  | END"),
        ("\r\n\r\n--X--", "a: \\r\\n | END"),
        ("x\r\n--X--", "a: x | END"),
        ("\r\r\n--X--", "a: \\r | END"),
        // A part without a body: the empty line is the boundary's own.
        ("--X--\r\n--X--", "a:  | END"),
        ("-\r\n--X--", "a: - | END"),
    ] {
        for size in [1, 2, 3, 1000] {
            let found = read(TYPE, part(data).as_bytes(), size);
            assert_eq!(found.as_deref(), Ok(told), "{data:?} by {size}");
        }
    }
}

#[test]
fn params_are_read_as_clients_write_them() {
    for (field, name) in [
        ("form-data; name=a", Some("a")),
        ("form-data; NAME = \"a b\" ", Some("a b")),
        ("form-data; filename=\"name=x\"; name=\"a\"", Some("a")),
        ("form-data; filename=\"a;name=x\"; name=\"b\"", Some("b")),
        (r#"form-data; name="a\"b""#, Some("a\"b")),
        (r#"form-data; name="C:\dir\x""#, Some(r"C:\dir\x")),
        ("form-data; name=\"a%22b%0D%0Ac\"", Some("a\"b c")),
        ("form-data; name=\"\"", Some("")),
        ("form-data; name=\"open", None),
        ("form-data; name", None),
        ("form-data", None),
        ("form-data; xname=a", None),
    ] {
        assert_eq!(param(field, "name").as_deref(), name, "{field}");
    }
}

#[test]
fn what_breaks_the_rules_is_refused() {
    let long = "x".repeat(71);
    let blank = "a ".repeat(3);
    for boundary in ["", "\"\"", "\"é\"", &long, &format!("\"{blank}\"")] {
        let content_type = format!("multipart/form-data; boundary={boundary}");
        assert!(Parts::new(&content_type).is_err(), "{boundary}");
    }
    assert!(Parts::new("multipart/form-data").is_err());
    let endless = format!("--X\r\n{}", "a: b\r\n".repeat(10_000));
    for body in [
        "--X\r\n\r\nno head\r\n--X--",
        "--X\r\nContent-Disposition: form-data\r\n\r\nno name\r\n--X--",
        "--X\r\nContent-Disposition: attachment; name=a\r\n\r\n\r\n--X--",
        "--X\r\nno colon\r\n\r\n",
        "--X\r\nContent-Disposition: form-data; name=a\0\r\n\r\n",
        "--Xother",
        &"x".repeat(2000),
        &endless,
    ] {
        for size in [7, 100_000] {
            assert!(
                read(TYPE, body.as_bytes(), size).is_err(),
                "{:?}",
                &body[..20.min(body.len())]
            );
        }
    }
}

/// Bytes of a seed, of the few kinds that matter here.
#[test]
fn no_bytes_upset_it_and_nothing_piles_up() {
    let words: [&[u8]; 9] = [
        b"\r\n",
        b"--X",
        b"-",
        b"\r",
        b"\n",
        b"x",
        b"\xff",
        b"--X\r\n",
        b"Content-Disposition: form-data; name=a\r\n\r\n",
    ];
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..3000 {
        let mut parts = Parts::new(TYPE).unwrap();
        'body: for _ in 0..200 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            parts.feed(words[(seed % 9) as usize]);
            loop {
                match parts.next() {
                    Ok(Event::NeedMore) => break,
                    Ok(Event::End) | Err(_) => break 'body,
                    Ok(_) => {}
                }
            }
            assert!(parts.buffer.len() <= HEAD_BYTES_MAX + 100);
        }
    }
}

/// What a client may send must cost what it is long, and not its square.
#[test]
fn long_padding_and_heads_in_single_bytes_cost_little() {
    let begin = std::time::Instant::now();
    let mut parts = Parts::new(TYPE).unwrap();
    parts.feed(b"--X");
    parts.feed(&vec![b' '; 1024 * 1024]);
    assert_eq!(parts.next(), Ok(Event::NeedMore));
    let head = format!(
        "\r\ncontent-disposition: form-data; name=a\r\nx: {}\r\n\r\n--X",
        "a".repeat(8000)
    );
    let mut count = 0;
    for byte in head.repeat(40).bytes() {
        parts.feed(&[byte]);
        loop {
            match parts.next().unwrap() {
                Event::NeedMore => break,
                event => count += u32::from(event == Event::PartEnd),
            }
        }
    }
    assert_eq!(count, 40);
    let took = begin.elapsed();
    assert!(took.as_secs() < 5, "{took:?}");
}
