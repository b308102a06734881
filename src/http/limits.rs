//! What a client may make the server hold or do, before anything is believed.

/// How many header fields a head may ever have: the slots the parser keeps on the stack, 4 KiB of
/// it. Go and Node count bytes only, Apache stops at 100, nginx at 1,000 in recent versions.
pub(super) const HEADERS_CAP: usize = 128;

/// The limits of one connection, passed by reference at each call so that a thousand idle
/// connections hold one copy between them.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The longest request head in bytes, from the method to the empty line (RFC 9112, 2.1).
    ///
    /// Beyond it the answer is 431. Default 16 KiB: what Node allows, twice Apache's line, and
    /// enough for the fattest cookie jars that browsers still send.
    pub head_bytes_max: usize,
    /// The longest request target in bytes (RFC 9112, 3). Beyond it the answer is 414.
    ///
    /// Default 8 KiB: RFC 9112 asks for at least 8,000 octets of request line.
    pub target_bytes_max: usize,
    /// The most header fields in a request. Beyond it the answer is 431.
    ///
    /// Default 100, as in Apache and hyper; values above 128 count as 128.
    pub headers_max: usize,
    /// The longest request body in bytes. Beyond it the answer is 413, at the head if the length
    /// was declared, else at the chunk that passes the limit.
    ///
    /// Default `u64::MAX`, which is no limit: the body is not stored here, so the one who stores
    /// it knows what it can bear.
    pub body_bytes_max: u64,
    /// The most bytes of chunk extensions in a whole message (RFC 9112, 7.1.1).
    ///
    /// Default 4 KiB: nobody uses them, but a flood of them kept Node and Go busy for free
    /// (CVE-2024-22019, CVE-2023-39326).
    pub chunk_extension_bytes_max: usize,
    /// The most bytes of trailer fields after a chunked body (RFC 9112, 7.1.2). Default 8 KiB.
    pub trailer_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            head_bytes_max: 16 * 1024,
            target_bytes_max: 8 * 1024,
            headers_max: 100,
            body_bytes_max: u64::MAX,
            chunk_extension_bytes_max: 4 * 1024,
            trailer_bytes_max: 8 * 1024,
        }
    }
}
