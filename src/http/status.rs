//! Status codes: a number with a phrase (RFC 9110, 15).
//!
//! The list is IANA's registry. A code that is not on it is as good as any other, it only has no
//! phrase of its own; clients go by the first digit (RFC 9110, 15).

use std::fmt;

/// A status code from 100 to 599.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(u16);

impl Status {
    /// Takes a code, if it is one of the five classes: 100 to 599 (RFC 9110, 15).
    pub const fn new(code: u16) -> Option<Status> {
        match code {
            100..=599 => Some(Status(code)),
            _ => None,
        }
    }

    /// Returns the number.
    pub const fn code(self) -> u16 {
        self.0
    }

    /// Tells whether this is a 1xx status, which announces another response (RFC 9110, 15.2).
    pub const fn is_interim(self) -> bool {
        self.0 < 200
    }

    /// Tells whether a response with this status ends at its head: 1xx, 204 and 304
    /// (RFC 9112, 6.3).
    pub const fn ends_at_head(self) -> bool {
        self.is_interim() || matches!(self.0, 204 | 304)
    }

    /// Returns the registered reason phrase, or an empty string for a code without one.
    ///
    /// Clients ignore it (RFC 9112, 4); people reading a trace do not.
    pub const fn phrase(self) -> &'static str {
        match self.0 {
            100 => "Continue",
            101 => "Switching Protocols",
            103 => "Early Hints",
            200 => "OK",
            201 => "Created",
            202 => "Accepted",
            203 => "Non-Authoritative Information",
            204 => "No Content",
            205 => "Reset Content",
            206 => "Partial Content",
            207 => "Multi-Status",
            208 => "Already Reported",
            226 => "IM Used",
            300 => "Multiple Choices",
            301 => "Moved Permanently",
            302 => "Found",
            303 => "See Other",
            304 => "Not Modified",
            305 => "Use Proxy",
            307 => "Temporary Redirect",
            308 => "Permanent Redirect",
            400 => "Bad Request",
            401 => "Unauthorized",
            402 => "Payment Required",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            406 => "Not Acceptable",
            407 => "Proxy Authentication Required",
            408 => "Request Timeout",
            409 => "Conflict",
            410 => "Gone",
            411 => "Length Required",
            412 => "Precondition Failed",
            413 => "Content Too Large",
            414 => "URI Too Long",
            415 => "Unsupported Media Type",
            416 => "Range Not Satisfiable",
            417 => "Expectation Failed",
            418 => "I'm a Teapot",
            421 => "Misdirected Request",
            422 => "Unprocessable Content",
            423 => "Locked",
            424 => "Failed Dependency",
            425 => "Too Early",
            426 => "Upgrade Required",
            428 => "Precondition Required",
            429 => "Too Many Requests",
            431 => "Request Header Fields Too Large",
            451 => "Unavailable For Legal Reasons",
            500 => "Internal Server Error",
            501 => "Not Implemented",
            502 => "Bad Gateway",
            503 => "Service Unavailable",
            504 => "Gateway Timeout",
            505 => "HTTP Version Not Supported",
            507 => "Insufficient Storage",
            508 => "Loop Detected",
            511 => "Network Authentication Required",
            _ => "",
        }
    }
}

/// The registered codes by name. Sections without a document are those of RFC 9110.
impl Status {
    /// 100 Continue (15.2.1).
    pub const CONTINUE: Status = Status(100);
    /// 101 Switching Protocols (15.2.2).
    pub const SWITCHING_PROTOCOLS: Status = Status(101);
    /// 103 Early Hints (RFC 8297).
    pub const EARLY_HINTS: Status = Status(103);
    /// 200 OK (15.3.1).
    pub const OK: Status = Status(200);
    /// 201 Created (15.3.2).
    pub const CREATED: Status = Status(201);
    /// 202 Accepted (15.3.3).
    pub const ACCEPTED: Status = Status(202);
    /// 203 Non-Authoritative Information (15.3.4).
    pub const NON_AUTHORITATIVE_INFORMATION: Status = Status(203);
    /// 204 No Content (15.3.5).
    pub const NO_CONTENT: Status = Status(204);
    /// 205 Reset Content (15.3.6).
    pub const RESET_CONTENT: Status = Status(205);
    /// 206 Partial Content (15.3.7).
    pub const PARTIAL_CONTENT: Status = Status(206);
    /// 207 Multi-Status (RFC 4918, 11.1).
    pub const MULTI_STATUS: Status = Status(207);
    /// 208 Already Reported (RFC 5842, 7.1).
    pub const ALREADY_REPORTED: Status = Status(208);
    /// 226 IM Used (RFC 3229, 10.4.1).
    pub const IM_USED: Status = Status(226);
    /// 300 Multiple Choices (15.4.1).
    pub const MULTIPLE_CHOICES: Status = Status(300);
    /// 301 Moved Permanently (15.4.2).
    pub const MOVED_PERMANENTLY: Status = Status(301);
    /// 302 Found (15.4.3).
    pub const FOUND: Status = Status(302);
    /// 303 See Other (15.4.4).
    pub const SEE_OTHER: Status = Status(303);
    /// 304 Not Modified (15.4.5).
    pub const NOT_MODIFIED: Status = Status(304);
    /// 305 Use Proxy (15.4.6).
    pub const USE_PROXY: Status = Status(305);
    /// 307 Temporary Redirect (15.4.8).
    pub const TEMPORARY_REDIRECT: Status = Status(307);
    /// 308 Permanent Redirect (15.4.9).
    pub const PERMANENT_REDIRECT: Status = Status(308);
    /// 400 Bad Request (15.5.1).
    pub const BAD_REQUEST: Status = Status(400);
    /// 401 Unauthorized (15.5.2).
    pub const UNAUTHORIZED: Status = Status(401);
    /// 402 Payment Required (15.5.3).
    pub const PAYMENT_REQUIRED: Status = Status(402);
    /// 403 Forbidden (15.5.4).
    pub const FORBIDDEN: Status = Status(403);
    /// 404 Not Found (15.5.5).
    pub const NOT_FOUND: Status = Status(404);
    /// 405 Method Not Allowed (15.5.6).
    pub const METHOD_NOT_ALLOWED: Status = Status(405);
    /// 406 Not Acceptable (15.5.7).
    pub const NOT_ACCEPTABLE: Status = Status(406);
    /// 407 Proxy Authentication Required (15.5.8).
    pub const PROXY_AUTHENTICATION_REQUIRED: Status = Status(407);
    /// 408 Request Timeout (15.5.9).
    pub const REQUEST_TIMEOUT: Status = Status(408);
    /// 409 Conflict (15.5.10).
    pub const CONFLICT: Status = Status(409);
    /// 410 Gone (15.5.11).
    pub const GONE: Status = Status(410);
    /// 411 Length Required (15.5.12).
    pub const LENGTH_REQUIRED: Status = Status(411);
    /// 412 Precondition Failed (15.5.13).
    pub const PRECONDITION_FAILED: Status = Status(412);
    /// 413 Content Too Large (15.5.14).
    pub const CONTENT_TOO_LARGE: Status = Status(413);
    /// 414 URI Too Long (15.5.15).
    pub const URI_TOO_LONG: Status = Status(414);
    /// 415 Unsupported Media Type (15.5.16).
    pub const UNSUPPORTED_MEDIA_TYPE: Status = Status(415);
    /// 416 Range Not Satisfiable (15.5.17).
    pub const RANGE_NOT_SATISFIABLE: Status = Status(416);
    /// 417 Expectation Failed (15.5.18).
    pub const EXPECTATION_FAILED: Status = Status(417);
    /// 418 I'm a Teapot (RFC 2324, 2.3.2).
    pub const IM_A_TEAPOT: Status = Status(418);
    /// 421 Misdirected Request (15.5.20).
    pub const MISDIRECTED_REQUEST: Status = Status(421);
    /// 422 Unprocessable Content (15.5.21).
    pub const UNPROCESSABLE_CONTENT: Status = Status(422);
    /// 423 Locked (RFC 4918, 11.3).
    pub const LOCKED: Status = Status(423);
    /// 424 Failed Dependency (RFC 4918, 11.4).
    pub const FAILED_DEPENDENCY: Status = Status(424);
    /// 425 Too Early (RFC 8470, 5.2).
    pub const TOO_EARLY: Status = Status(425);
    /// 426 Upgrade Required (15.5.22).
    pub const UPGRADE_REQUIRED: Status = Status(426);
    /// 428 Precondition Required (RFC 6585, 3).
    pub const PRECONDITION_REQUIRED: Status = Status(428);
    /// 429 Too Many Requests (RFC 6585, 4).
    pub const TOO_MANY_REQUESTS: Status = Status(429);
    /// 431 Request Header Fields Too Large (RFC 6585, 5).
    pub const REQUEST_HEADER_FIELDS_TOO_LARGE: Status = Status(431);
    /// 451 Unavailable For Legal Reasons (RFC 7725, 3).
    pub const UNAVAILABLE_FOR_LEGAL_REASONS: Status = Status(451);
    /// 500 Internal Server Error (15.6.1).
    pub const INTERNAL_SERVER_ERROR: Status = Status(500);
    /// 501 Not Implemented (15.6.2).
    pub const NOT_IMPLEMENTED: Status = Status(501);
    /// 502 Bad Gateway (15.6.3).
    pub const BAD_GATEWAY: Status = Status(502);
    /// 503 Service Unavailable (15.6.4).
    pub const SERVICE_UNAVAILABLE: Status = Status(503);
    /// 504 Gateway Timeout (15.6.5).
    pub const GATEWAY_TIMEOUT: Status = Status(504);
    /// 505 HTTP Version Not Supported (15.6.6).
    pub const HTTP_VERSION_NOT_SUPPORTED: Status = Status(505);
    /// 507 Insufficient Storage (RFC 4918, 11.5).
    pub const INSUFFICIENT_STORAGE: Status = Status(507);
    /// 508 Loop Detected (RFC 5842, 7.2).
    pub const LOOP_DETECTED: Status = Status(508);
    /// 511 Network Authentication Required (RFC 6585, 6).
    pub const NETWORK_AUTHENTICATION_REQUIRED: Status = Status(511);
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.phrase() {
            "" => write!(f, "{}", self.0),
            phrase => write!(f, "{} {phrase}", self.0),
        }
    }
}
