//! What can be wrong with a request, with a response, or with a header.
//!
//! Every fault is a small `Copy` value: it is stored in the connection, logged, counted and
//! compared in tests, and it never holds a piece of the hostile input.

use std::error::Error;
use std::fmt;
use std::io;

use super::status::Status;

/// Why a request was refused. The connection closes after the answer, if one can still be sent.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProtocolError {
    /// The first byte cannot begin a method; a TLS handshake on a plain port looks like this.
    FirstByte,
    /// Too many empty lines before the request line (RFC 9112, 2.2).
    EmptyLines,
    /// The method is no token (RFC 9110, 9.1).
    Method,
    /// The target holds a byte that no target may hold, or is missing (RFC 9112, 3.2).
    TargetByte,
    /// The target has none of the forms its method allows (RFC 9112, 3.2).
    TargetForm,
    /// The target is an `https` URI, and the connection is not known to be secured for its host
    /// (RFC 9110, 7.4).
    TargetMisdirected,
    /// The target is longer than `target_bytes_max`.
    TargetTooLong,
    /// What follows the target is not `HTTP/` and a version (RFC 9112, 2.3).
    VersionMalformed,
    /// A version this server does not speak, the preface of HTTP/2 among them.
    VersionUnsupported,
    /// A line of the head does not end in CR LF (RFC 9112, 2.2).
    LineEnd,
    /// A header name is empty, folded, followed by space or no token (RFC 9112, 5).
    HeaderName,
    /// A header value holds a control character (RFC 9110, 5.5).
    HeaderValue,
    /// The head is longer than `head_bytes_max`.
    HeadTooLong,
    /// The head has more fields than `headers_max`.
    TooManyHeaders,
    /// An HTTP/1.1 request without Host (RFC 9112, 3.2).
    HostMissing,
    /// More than one Host (RFC 9112, 3.2).
    HostRepeated,
    /// A Host that is no host and port (RFC 9110, 7.2).
    HostInvalid,
    /// A Host that differs from the authority of the target (RFC 9112, 3.2). A port that the
    /// scheme implies makes no difference, nor does case.
    HostMismatch,
    /// A Content-Length that is no decimal number below 2^64 (RFC 9112, 6.3).
    LengthInvalid,
    /// More than one Content-Length, even if they agree (RFC 9112, 6.3).
    LengthRepeated,
    /// Content-Length beside Transfer-Encoding: the mark of request smuggling (RFC 9112, 6.1).
    LengthWithTransferEncoding,
    /// Transfer-Encoding in an HTTP/1.0 request (RFC 9112, 6.1).
    TransferEncodingInHttp10,
    /// `chunked` is not the last coding, is applied twice or has parameters (RFC 9112, 6.3).
    TransferEncodingInvalid,
    /// A transfer coding other than `chunked` (RFC 9112, 6.1).
    TransferEncodingUnknown,
    /// An expectation other than `100-continue` (RFC 9110, 10.1.1).
    ExpectationUnknown,
    /// CONNECT: this server is no tunnel (RFC 9110, 9.3.6).
    ConnectUnsupported,
    /// The body is longer than `body_bytes_max`.
    BodyTooLong,
    /// A chunk size that is no hexadecimal number below 2^64 and CR LF (RFC 9112, 7.1).
    ChunkSize,
    /// A chunk extension holds a control character or ends in something else than CR LF.
    ChunkExtension,
    /// The chunk extensions of the message are longer than `chunk_extension_bytes_max`.
    ChunkExtensionsTooLong,
    /// A chunk's bytes are not followed by CR LF (RFC 9112, 7.1).
    ChunkEnd,
    /// A trailer field is malformed (RFC 9112, 7.1.2).
    Trailer,
    /// The trailer fields are longer than `trailer_bytes_max`.
    TrailersTooLong,
}

impl ProtocolError {
    /// Returns the status that tells the client what was wrong (RFC 9110, 15.5 and 15.6).
    pub fn status(self) -> Status {
        match self {
            ProtocolError::TargetMisdirected => Status::MISDIRECTED_REQUEST,
            ProtocolError::TargetTooLong => Status::URI_TOO_LONG,
            ProtocolError::VersionUnsupported => Status::HTTP_VERSION_NOT_SUPPORTED,
            ProtocolError::HeadTooLong
            | ProtocolError::TooManyHeaders
            | ProtocolError::TrailersTooLong => Status::REQUEST_HEADER_FIELDS_TOO_LARGE,
            ProtocolError::TransferEncodingUnknown | ProtocolError::ConnectUnsupported => {
                Status::NOT_IMPLEMENTED
            }
            ProtocolError::ExpectationUnknown => Status::EXPECTATION_FAILED,
            ProtocolError::BodyTooLong => Status::CONTENT_TOO_LARGE,
            _ => Status::BAD_REQUEST,
        }
    }

    /// Returns the sentence behind `Display`, which needs no formatting.
    pub fn message(self) -> &'static str {
        match self {
            ProtocolError::FirstByte => {
                "the first byte cannot begin an HTTP request (is this TLS on a plain port?)"
            }
            ProtocolError::EmptyLines => "too many empty lines before the request line",
            ProtocolError::Method => "the method is not a token",
            ProtocolError::TargetByte => {
                "the request target is missing or holds a space, a control character, a fragment \
                 or a byte outside ASCII"
            }
            ProtocolError::TargetForm => {
                "the request target is neither a path, nor an http URI, nor * with OPTIONS"
            }
            ProtocolError::TargetMisdirected => "an https URI needs a secured connection",
            ProtocolError::TargetTooLong => {
                "the request target is too long (limits: target_bytes_max, head_bytes_max)"
            }
            ProtocolError::VersionMalformed => "the request line does not end in an HTTP version",
            ProtocolError::VersionUnsupported => {
                "this HTTP version is not spoken here, only 1.0 and 1.1 are"
            }
            ProtocolError::LineEnd => "a line of the request head does not end in CR LF",
            ProtocolError::HeaderName => {
                "a header name is empty, folded, followed by a space or not a token"
            }
            ProtocolError::HeaderValue => "a header value holds a control character",
            ProtocolError::HeadTooLong => "the request head is too long (limit: head_bytes_max)",
            ProtocolError::TooManyHeaders => {
                "the request has too many header fields (limit: headers_max)"
            }
            ProtocolError::HostMissing => "an HTTP/1.1 request must have a Host",
            ProtocolError::HostRepeated => "the request has more than one Host",
            ProtocolError::HostInvalid => "the Host is not a host name with an optional port",
            ProtocolError::HostMismatch => "the Host is another than the target names",
            ProtocolError::LengthInvalid => "Content-Length is not a decimal number below 2^64",
            ProtocolError::LengthRepeated => "the request has more than one Content-Length",
            ProtocolError::LengthWithTransferEncoding => {
                "the request has both Content-Length and Transfer-Encoding"
            }
            ProtocolError::TransferEncodingInHttp10 => {
                "an HTTP/1.0 request cannot have a Transfer-Encoding"
            }
            ProtocolError::TransferEncodingInvalid => {
                "Transfer-Encoding must end in chunked and apply it once"
            }
            ProtocolError::TransferEncodingUnknown => {
                "the only transfer coding understood here is chunked"
            }
            ProtocolError::ExpectationUnknown => "the only expectation known here is 100-continue",
            ProtocolError::ConnectUnsupported => "CONNECT is not served here",
            ProtocolError::BodyTooLong => "the request body is too long (limit: body_bytes_max)",
            ProtocolError::ChunkSize => {
                "a chunk size is not a hexadecimal number below 2^64 followed by CR LF"
            }
            ProtocolError::ChunkExtension => {
                "a chunk extension holds a control character or does not end in CR LF"
            }
            ProtocolError::ChunkExtensionsTooLong => {
                "the chunk extensions are too long (limit: chunk_extension_bytes_max)"
            }
            ProtocolError::ChunkEnd => "the bytes of a chunk are not followed by CR LF",
            ProtocolError::Trailer => "a trailer field is malformed",
            ProtocolError::TrailersTooLong => {
                "the trailer fields are too long (limit: trailer_bytes_max)"
            }
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl Error for ProtocolError {}

/// Why a response could not be sent as asked: a fault of the application, not of the client.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SendError {
    /// This exchange has its response head already.
    HeadSent,
    /// Body bytes, or the end, before any head.
    NoHead,
    /// A 1xx status where a final one is needed, or a final one where 1xx is needed
    /// (RFC 9110, 15.2).
    InterimStatus,
    /// More body bytes than the declared length (RFC 9110, 8.6).
    MoreThanDeclared,
    /// The end came before the declared length was reached (RFC 9110, 8.6).
    LessThanDeclared,
    /// Body bytes after the end.
    Ended,
    /// A 101 that the client did not ask for, in `connection` and `upgrade`, or without an
    /// `upgrade` field of its own (RFC 9110, 7.8).
    UpgradeUnasked,
    /// A 101 before the request was read to its end.
    UpgradeEarly,
    /// A field that may not be sent as a trailer (RFC 9110, 6.5.1).
    TrailerField,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendError::HeadSent => "the response head was sent already",
            SendError::NoHead => "the response has no head yet: send the head first",
            SendError::InterimStatus => {
                "a 1xx status cannot be the final answer, nor a final status an interim one"
            }
            SendError::MoreThanDeclared => "the response body is longer than its declared length",
            SendError::LessThanDeclared => "the response body is shorter than its declared length",
            SendError::Ended => "the response has ended already",
            SendError::UpgradeUnasked => {
                "a 101 needs an upgrade field, and a request that asked for it"
            }
            SendError::UpgradeEarly => "a 101 needs a request that was read to its end",
            SendError::TrailerField => "a trailer may not frame, route, authenticate or steer",
        })
    }
}

impl Error for SendError {}

/// Why a header was not taken into a list: it could not be written to the wire unchanged.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeaderError {
    /// The name is empty or holds a byte that no token may hold (RFC 9110, 5.1).
    Name,
    /// The value holds CR, LF, NUL or another control character except tab (RFC 9110, 5.5).
    Value,
    /// The list would pass 4 GiB.
    TooLong,
    /// The field may not be sent as a trailer (RFC 9110, 6.5.1).
    Trailer,
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HeaderError::Name => "the header name is empty or not a token",
            HeaderError::Value => "the header value holds a control character other than tab",
            HeaderError::TooLong => "the header list would pass 4 GiB",
            HeaderError::Trailer => "a trailer may not frame, route, authenticate or steer",
        })
    }
}

impl Error for HeaderError {}

impl From<HeaderError> for io::Error {
    fn from(error: HeaderError) -> Self {
        io::Error::new(io::ErrorKind::InvalidInput, error)
    }
}
