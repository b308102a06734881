//! From bytes to a request head: the one file that knows httparse.
//!
//! httparse finds the tokens and is fast at it, but it is a lenient reader: it takes a bare LF for
//! the end of a line, lets any byte above 0x7f stand in a target, and has no opinion on what the
//! fields mean. This file takes httparse's word for where things are, checks what it lets through,
//! and reads the fields that decide about framing.
//!
//! What a beginning is refused for, the whole is refused for as well, with the same error: httparse
//! stops at the first byte it cannot place, and the meaning of fields is looked at only in a
//! complete head. So it makes no difference how the network cut a request.

use std::mem::MaybeUninit;

use super::body::BodyKind;
use super::error::ProtocolError;
use super::head::{Method, RequestHead, Version};
use super::headers::{Field, Known, KnownSet, list_items};
use super::limits::{HEADERS_CAP, Limits};

/// What the protocol has to know of a head besides the head itself.
#[derive(Debug)]
pub(super) struct Facts {
    /// How many bytes the head took.
    pub(super) len: usize,
    pub(super) body: BodyKind,
    pub(super) wants_close: bool,
    pub(super) wants_keep_alive: bool,
    pub(super) expects_continue: bool,
    /// It asks for another protocol, in both fields that this takes (RFC 9110, 7.8).
    pub(super) wants_upgrade: bool,
}

/// Parses a head at the start of `input`, if it is there to its end.
///
/// The input begins with the request line: empty lines before it are the caller's business. After
/// an error the head holds the method and the target if they were legible, for the log and so
/// that an answer to HEAD has no body.
pub(super) fn parse_head(
    limits: &Limits,
    input: &[u8],
    head: &mut RequestHead,
) -> Result<Option<Facts>, ProtocolError> {
    // Never look beyond the limit: then a head that is too long is refused at the same byte,
    // whether it came whole or in drips.
    let head_bytes_max = limits.head_bytes_max.min(u32::MAX as usize);
    let window = &input[..input.len().min(head_bytes_max)];
    let mut slots = [const { MaybeUninit::uninit() }; HEADERS_CAP];
    let slots = &mut slots[..limits.headers_max.min(HEADERS_CAP)];
    let mut request = httparse::Request::new(&mut []);
    let outcome = request.parse_with_uninit_headers(window, slots);
    let target_len = request.path.map_or(0, str::len);
    match outcome {
        Ok(httparse::Status::Complete(len)) if target_len <= limits.target_bytes_max => {
            take_request_line(&request, head);
            accept(&window[..len], &request, head).map(Some)
        }
        Ok(httparse::Status::Partial)
            if target_len <= limits.target_bytes_max && window.len() < head_bytes_max =>
        {
            Ok(None)
        }
        _ => Err(refuse(limits, outcome, &request, window, head)),
    }
}

/// Takes what is legible, and names what was wrong.
#[cold]
fn refuse(
    limits: &Limits,
    outcome: httparse::Result<usize>,
    request: &httparse::Request<'_, '_>,
    window: &[u8],
    head: &mut RequestHead,
) -> ProtocolError {
    take_request_line(request, head);
    match request.path {
        Some(target) if target.len() > limits.target_bytes_max => ProtocolError::TargetTooLong,
        None if outcome.is_ok() && request.method.is_some() => ProtocolError::TargetTooLong,
        _ => match outcome {
            Ok(_) => ProtocolError::HeadTooLong,
            Err(error) => name_fault(error, request, window),
        },
    }
}

/// Copies method, target and version, as far as they were found.
#[inline(always)]
fn take_request_line(request: &httparse::Request<'_, '_>, head: &mut RequestHead) {
    head.clear();
    let method = request.method.unwrap_or_default();
    head.method = Method::from_text(method);
    if head.method == Method::Other {
        head.other_method.push_str(method);
    }
    let target = request.path.unwrap_or_default();
    head.target.push_str(target);
    head.path_end = target.len() as u32;
    head.version = if request.version == Some(0) {
        Version::Http10
    } else {
        Version::Http11
    };
}

/// Gives httparse's few errors the name of what was wrong.
fn name_fault(
    error: httparse::Error,
    request: &httparse::Request<'_, '_>,
    window: &[u8],
) -> ProtocolError {
    match error {
        httparse::Error::Token if request.method.is_none() => ProtocolError::Method,
        httparse::Error::Token => ProtocolError::TargetByte,
        httparse::Error::Version => {
            let target = request.path.unwrap_or_default().as_bytes();
            let after = offset_in(window, target) + target.len() + 1;
            name_version_fault(&window[after.min(window.len())..])
        }
        httparse::Error::HeaderValue => ProtocolError::HeaderValue,
        httparse::Error::TooManyHeaders => ProtocolError::TooManyHeaders,
        httparse::Error::HeaderName => ProtocolError::HeaderName,
        // `Status` belongs to responses and cannot come.
        httparse::Error::NewLine | httparse::Error::Status => ProtocolError::LineEnd,
    }
}

/// Tells another version (505) from no version at all (400), from as few bytes as httparse
/// needed to refuse: a cut there must not change the answer.
fn name_version_fault(text: &[u8]) -> ProtocolError {
    match text.strip_prefix(b"HTTP/") {
        Some([b'1', b'.', minor, ..]) if minor.is_ascii_digit() => {
            ProtocolError::VersionUnsupported
        }
        Some([major, ..]) if major.is_ascii_digit() && *major != b'1' => {
            ProtocolError::VersionUnsupported
        }
        _ => ProtocolError::VersionMalformed,
    }
}

/// Returns where a slice that httparse handed out begins in the buffer it was cut from.
fn offset_in(buffer: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr() - buffer.as_ptr().addr()
}

/// Checks a head that httparse found complete, and copies it.
fn accept(
    bytes: &[u8],
    request: &httparse::Request<'_, '_>,
    head: &mut RequestHead,
) -> Result<Facts, ProtocolError> {
    let target = request.path.unwrap_or_default().as_bytes();
    let line_end = offset_in(bytes, target) + target.len() + " HTTP/1.1".len();
    if !bytes[line_end..].starts_with(b"\r\n") || !bytes.ends_with(b"\r\n") {
        return Err(ProtocolError::LineEnd);
    }
    check_target(head)?;
    let block = &bytes[line_end + 2..bytes.len() - 2];
    let mut meaning = FramingFields::default();
    for header in &*request.headers {
        let value_end = offset_in(block, header.value) + header.value.len();
        let rest = &block[value_end..];
        if !rest.starts_with(b"\r\n") && !is_space_and_crlf(rest) {
            return Err(ProtocolError::LineEnd);
        }
        meaning.read(header.name.as_bytes(), header.value)?;
    }
    let fields = request.headers.iter().map(|header| {
        let name_start = offset_in(block, header.name.as_bytes()) as u32;
        let value_start = offset_in(block, header.value) as u32;
        Field {
            name_start,
            name_end: name_start + header.name.len() as u32,
            value_start,
            value_end: value_start + header.value.len() as u32,
        }
    });
    head.headers.fill(block, fields, meaning.seen);
    let body = meaning.settle(head.version)?;
    check_authority(head)?;
    Ok(Facts {
        len: bytes.len(),
        body,
        wants_close: meaning.close,
        wants_keep_alive: meaning.keep_alive,
        expects_continue: meaning.expects_continue,
        wants_upgrade: meaning.upgrade && meaning.seen.has(Known::Upgrade),
    })
}

/// Checks that a whole URI and Host name the same authority. RFC 9112, 3.2.2 has an origin server
/// go by the URI and ignore Host, but who stands before it may have gone by Host: a client has to
/// send the same in both (3.2), so one that does not is refused.
fn check_authority(head: &RequestHead) -> Result<(), ProtocolError> {
    if head.path_start == 0 {
        return Ok(());
    }
    let Some(host) = head.headers.get_bytes("host") else {
        return Ok(());
    };
    let authority = head.host().unwrap_or_default().as_bytes();
    let named = without_default_port(authority);
    if named.eq_ignore_ascii_case(without_default_port(host)) {
        Ok(())
    } else {
        Err(ProtocolError::HostMismatch)
    }
}

/// Cuts off what makes no difference: an empty port, or the one that `http` implies (RFC 9110,
/// 4.2.3).
fn without_default_port(authority: &[u8]) -> &[u8] {
    authority
        .strip_suffix(b":80")
        .or_else(|| authority.strip_suffix(b":"))
        .unwrap_or(authority)
}

/// Checks that what follows a value up to the end of its line is space and then exactly CR LF:
/// httparse stops at a bare LF as well, and readers that differ on it can be played against each
/// other.
#[cold]
fn is_space_and_crlf(rest: &[u8]) -> bool {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let end = rest.iter().position(|byte| !is_space(byte));
    end.is_some_and(|end| rest[end..].starts_with(b"\r\n"))
}

/// Checks the target's form (RFC 9112, 3.2) and finds path and query in it. A URI must be one of
/// `http`: one of `https` has to be rejected unless the connection was secured for its host
/// (RFC 9110, 7.4), and of none is that known here.
fn check_target(head: &mut RequestHead) -> Result<(), ProtocolError> {
    if head.method == Method::Connect {
        return Err(ProtocolError::ConnectUnsupported);
    }
    let target = head.target.as_bytes();
    let mut question = None;
    for (at, byte) in target.iter().enumerate() {
        match byte {
            b'?' if question.is_none() => question = Some(at),
            // A fragment is never sent, and readers disagree on what to do with one.
            b'#' | 0x80.. => return Err(ProtocolError::TargetByte),
            _ => {}
        }
    }
    head.path_end = question.unwrap_or(target.len()) as u32;
    match target {
        [b'/', ..] => return Ok(()),
        b"*" if head.method == Method::Options => return Ok(()),
        _ => {}
    }
    let begins_with = |scheme: &str| {
        let beginning = target.get(..scheme.len());
        beginning.is_some_and(|text| text.eq_ignore_ascii_case(scheme.as_bytes()))
    };
    if begins_with("https://") {
        return Err(ProtocolError::TargetMisdirected);
    }
    if !begins_with("http://") {
        return Err(ProtocolError::TargetForm);
    }
    let authority_start = "http://".len();
    let authority = &target[authority_start..head.path_end as usize];
    let authority = authority
        .split(|byte| *byte == b'/')
        .next()
        .unwrap_or_default();
    // An http URI without a host is invalid (RFC 9110, 4.2.1).
    if authority.is_empty() || authority[0] == b':' || !is_host_and_port(authority) {
        return Err(ProtocolError::TargetForm);
    }
    head.path_start = (authority_start + authority.len()) as u32;
    Ok(())
}

/// What the fields that steer the connection said, one after the other.
#[derive(Debug, Default)]
struct FramingFields {
    seen: KnownSet,
    content_length: u64,
    /// `chunked` was the last coding of the list so far.
    chunked_last: bool,
    /// `chunked` was there.
    chunked: bool,
    other_coding: bool,
    close: bool,
    keep_alive: bool,
    upgrade: bool,
    expects_continue: bool,
}

impl FramingFields {
    fn read(&mut self, name: &[u8], value: &[u8]) -> Result<(), ProtocolError> {
        let known = Known::of(name);
        match known {
            Known::Other | Known::Date => return Ok(()),
            Known::Upgrade => {}
            Known::Host if self.seen.has(known) => return Err(ProtocolError::HostRepeated),
            Known::Host if is_host_and_port(value) => {}
            Known::Host => return Err(ProtocolError::HostInvalid),
            Known::ContentLength if self.seen.has(known) => {
                return Err(ProtocolError::LengthRepeated);
            }
            Known::ContentLength => self.content_length = decimal(value)?,
            Known::TransferEncoding => self.read_codings(value)?,
            Known::Connection => {
                for token in list_items(value) {
                    self.close |= token.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
                    self.upgrade |= token.eq_ignore_ascii_case(b"upgrade");
                }
            }
            Known::Expect => {
                for item in list_items(value).filter(|item| !item.is_empty()) {
                    if !item.eq_ignore_ascii_case(b"100-continue") {
                        return Err(ProtocolError::ExpectationUnknown);
                    }
                    self.expects_continue = true;
                }
            }
        }
        self.seen.add(known);
        Ok(())
    }

    /// Reads one Transfer-Encoding line as a part of the list that all of them make up: the bugs
    /// in this place came from looking at one line only (RUSTSEC-2021-0020, CVE-2022-32215).
    fn read_codings(&mut self, value: &[u8]) -> Result<(), ProtocolError> {
        for coding in list_items(value) {
            self.chunked_last = coding.eq_ignore_ascii_case(b"chunked");
            if self.chunked_last && self.chunked {
                return Err(ProtocolError::TransferEncodingInvalid);
            }
            self.chunked |= self.chunked_last;
            // Whoever cannot even spell the list, or gives chunked a parameter, is not merely
            // using a coding we lack.
            if coding.is_empty() || coding.contains(&b';') {
                return Err(ProtocolError::TransferEncodingInvalid);
            }
            self.other_coding |= !self.chunked_last;
        }
        Ok(())
    }

    /// Decides where the body ends (RFC 9112, 6.3).
    fn settle(&self, version: Version) -> Result<BodyKind, ProtocolError> {
        if version == Version::Http11 && !self.seen.has(Known::Host) {
            return Err(ProtocolError::HostMissing);
        }
        if !self.seen.has(Known::TransferEncoding) {
            return Ok(if self.seen.has(Known::ContentLength) {
                BodyKind::Length(self.content_length)
            } else {
                BodyKind::None
            });
        }
        if self.seen.has(Known::ContentLength) {
            return Err(ProtocolError::LengthWithTransferEncoding);
        }
        if version == Version::Http10 {
            return Err(ProtocolError::TransferEncodingInHttp10);
        }
        if !self.chunked_last {
            // Without a final chunked the end of the body cannot be known, and that is a MUST
            // for 400, before the SHOULD for 501.
            return Err(ProtocolError::TransferEncodingInvalid);
        }
        if self.other_coding {
            return Err(ProtocolError::TransferEncodingUnknown);
        }
        Ok(BodyKind::Chunked)
    }
}

/// Reads a Content-Length: digits and nothing else, not even a sign (RFC 9110, 8.6).
fn decimal(value: &[u8]) -> Result<u64, ProtocolError> {
    if value.is_empty() {
        return Err(ProtocolError::LengthInvalid);
    }
    value.iter().try_fold(0u64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(ProtocolError::LengthInvalid);
        }
        number
            .checked_mul(10)
            .and_then(|number| number.checked_add(u64::from(digit)))
            .ok_or(ProtocolError::LengthInvalid)
    })
}

/// Checks a host with an optional port (RFC 3986, 3.2.2 and 3.2.3). An empty one is allowed: the
/// URI of a request may have no authority (RFC 9112, 3.2).
#[inline(always)]
fn is_host_and_port(text: &[u8]) -> bool {
    let port = if let [b'[', rest @ ..] = text {
        let Some(end) = rest.iter().position(|byte| *byte == b']') else {
            return false;
        };
        let is_address = |byte: &u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
        if end == 0 || !rest[..end].iter().all(is_address) {
            return false;
        }
        &rest[end + 1..]
    } else {
        let mut end = 0;
        while end < text.len() && HOST_BYTES[text[end] as usize] {
            end += 1;
        }
        &text[end..]
    };
    match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// The bytes of a registered name: unreserved, sub-delims and `%` (RFC 3986, 3.2.2).
static HOST_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric()
            || matches!(
                byte as u8,
                b'-' | b'.' | b'_' | b'~' | b'%' | b'!' | b'$' | b'&'..=b',' | b';' | b'='
            );
        byte += 1;
    }
    table
};
