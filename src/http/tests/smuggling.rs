//! Fields that two readers could understand in two ways, which is how requests are smuggled.

use super::super::ProtocolError as E;
use super::End;
use super::refusals::assert_refused;

/// Fields that make a request with a body ambiguous, after `POST / HTTP/1.1` and a Host.
const FRAMINGS: &[(&str, E, u16)] = &[
    ("Content-Length:", E::LengthInvalid, 400),
    ("Content-Length: +5", E::LengthInvalid, 400),
    ("Content-Length: -0", E::LengthInvalid, 400),
    ("Content-Length: 0x5", E::LengthInvalid, 400),
    ("Content-Length: 5_0", E::LengthInvalid, 400),
    ("Content-Length: 5 0", E::LengthInvalid, 400),
    ("Content-Length: 5.0", E::LengthInvalid, 400),
    ("Content-Length: 5, 5", E::LengthInvalid, 400),
    ("Content-Length: 5,", E::LengthInvalid, 400),
    ("Content-Length: five", E::LengthInvalid, 400),
    ("Content-Length: \u{665}", E::LengthInvalid, 400),
    (
        "Content-Length: 18446744073709551616",
        E::LengthInvalid,
        400,
    ),
    (
        "Content-Length: 99999999999999999999999",
        E::LengthInvalid,
        400,
    ),
    (
        "Content-Length: 5\r\nContent-Length: 6",
        E::LengthRepeated,
        400,
    ),
    (
        "Content-Length: 5\r\ncontent-length: 5",
        E::LengthRepeated,
        400,
    ),
    (
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        E::LengthWithTransferEncoding,
        400,
    ),
    (
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        E::LengthWithTransferEncoding,
        400,
    ),
    (
        "Transfer-Encoding: gzip\r\nContent-Length: 5",
        E::LengthWithTransferEncoding,
        400,
    ),
    ("Transfer-Encoding:", E::TransferEncodingInvalid, 400),
    (
        "Transfer-Encoding: ,chunked",
        E::TransferEncodingInvalid,
        400,
    ),
    (
        "Transfer-Encoding: chunked,",
        E::TransferEncodingInvalid,
        400,
    ),
    (
        "Transfer-Encoding: chunked, chunked",
        E::TransferEncodingInvalid,
        400,
    ),
    (
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        E::TransferEncodingInvalid,
        400,
    ),
    (
        "Transfer-Encoding: chunked, gzip",
        E::TransferEncodingInvalid,
        400,
    ),
    (
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        E::TransferEncodingInvalid,
        400,
    ),
    ("Transfer-Encoding: gzip", E::TransferEncodingInvalid, 400),
    (
        "Transfer-Encoding: identity",
        E::TransferEncodingInvalid,
        400,
    ),
    (
        "Transfer-Encoding: xchunked",
        E::TransferEncodingInvalid,
        400,
    ),
    (
        "Transfer-Encoding: \"chunked\"",
        E::TransferEncodingInvalid,
        400,
    ),
    (
        "Transfer-Encoding: chunked;q=1",
        E::TransferEncodingInvalid,
        400,
    ),
    (
        "Transfer-Encoding: gzip, chunked",
        E::TransferEncodingUnknown,
        501,
    ),
    (
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        E::TransferEncodingUnknown,
        501,
    ),
    ("Transfer-Encoding: chunked\u{b}", E::HeaderValue, 400),
    ("Transfer-Encoding : chunked", E::HeaderName, 400),
    ("Expect: 200-ok", E::ExpectationUnknown, 417),
    ("Expect: 100-continue, x", E::ExpectationUnknown, 417),
    (
        "Content-Length: 5\r\nExpect: 100-continued",
        E::ExpectationUnknown,
        417,
    ),
];

#[test]
fn doubtful_framing_is_refused_by_name() {
    for (fields, error, status) in FRAMINGS {
        let input = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
        assert_refused(input.as_bytes(), *error, *status);
    }
    let old = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_refused(old, E::TransferEncodingInHttp10, 400);
}

#[test]
fn codings_and_expectations_in_any_case_are_taken() {
    for fields in [
        "Transfer-Encoding: chunked",
        "TRANSFER-ENCODING:\tCHUNKED \t",
        "Content-Length: 18446744073709551615",
        "Content-Length: 0000000000000000000000000005",
        "Content-Length: 5\r\nExpect: 100-CONTINUE",
        "Content-Length: 5\r\nExpect:",
    ] {
        let input = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
        assert_eq!(super::whole(input).end, End::Waiting, "{fields}");
    }
}
