//! Shorter answers for who can read them (feature `compression`).

use std::io::{self, Write};

use flate2::write::{GzEncoder, ZlibEncoder};

use super::cors::add_vary;
use super::next::{Middleware, Next};
use crate::http::{HeaderError, Headers};
use crate::runtime::yield_now;
use crate::server::{Body, BodyLength, BodyWriter, IntoResponse, Request, Response, Status};

/// Shorter ones grow as often as they shrink.
const LENGTH_MIN: u64 = 500;

/// What is compressed at once; the loop has its turn in between. Some 1 ms.
const AT_ONCE_MAX: usize = 64 * 1024;

/// Compresses responses with gzip or deflate, as the client's
/// `accept-encoding` likes best (RFC 9110, 12.5.3).
///
/// Left alone are: what is shorter than 500 bytes, has a `content-encoding`,
/// is a part of something (206), must not be transformed
/// (`cache-control: no-transform`), is made of events, or of images, sounds
/// and archives, which are short already, and files that are sent from the
/// disk ([`Body::file`]; for them there is
/// [`StaticFiles::precompressed`](crate::web::StaticFiles::precompressed)).
/// A streamed body is flushed piece by piece, and its trailers stay behind
/// it. A strong `etag` becomes a weak one, and `vary` says why.
///
/// Ranges are always of the plain text, and a client must not put one behind
/// the beginning of a compressed answer. What tells the two apart is the
/// `etag`, so an `if-range` that holds a date or a weak tag does not fit here:
/// the answer is the whole then (RFC 9110, 13.1.5 and 14.2).
///
/// Do not compress secrets beside text that others choose: the length tells
/// what is in it (BREACH).
///
/// # Examples
///
/// ```
/// use tourbillon::web::Router;
/// use tourbillon::web::middleware::compression;
///
/// let app = Router::new()
///     .get("/", async |_| "Hello! ".repeat(1000))
///     .layer(compression().level(6).min_length(1000));
/// # let _ = app;
/// ```
pub fn compression() -> Compression {
    Compression {
        level: 6,
        min_length: LENGTH_MIN,
    }
}

/// The middleware that [`compression`] makes.
///
/// # Examples
///
/// ```
/// use tourbillon::web::middleware::{Compression, compression};
///
/// let fast: Compression = compression().level(1);
/// # let _ = fast;
/// ```
#[derive(Clone, Debug)]
pub struct Compression {
    level: u32,
    min_length: u64,
}

impl Compression {
    /// Sets how hard to try, from 1 to 9; 6 unless set.
    #[must_use]
    pub fn level(mut self, level: u32) -> Self {
        self.level = level.clamp(1, 9);
        self
    }

    /// Sets below how many bytes nothing is done; 500 unless set.
    #[must_use]
    pub fn min_length(mut self, bytes: u64) -> Self {
        self.min_length = bytes;
        self
    }

    fn is_wanted(&self, response: &Response) -> bool {
        let headers = response.headers();
        let is_long = match response.body().length() {
            BodyLength::Known(length) => length >= self.min_length.max(1),
            _ => true,
        };
        let status = response.status();
        is_long
            && !status.ends_at_head()
            && status != Status::PARTIAL_CONTENT
            && may_be_coded(headers)
            && !headers.contains("content-range")
            && headers.get("content-type").is_none_or(is_compressible)
    }

    fn compress(&self, mut response: Response, coding: Coding) -> Response {
        let pieces = match response.take_body().into_pieces() {
            Ok(pieces) => pieces,
            Err(body) => return response.with_body(body),
        };
        let written = mark(response.headers_mut(), coding);
        if let Err(error) = written {
            return error.into_response();
        }
        let mut pieces = pieces;
        let mut encoder = Encoder::new(coding, self.level);
        let stream = Body::stream(async move |mut writer: BodyWriter| {
            while let Some(piece) = pieces.next().await? {
                for part in piece.chunks(AT_ONCE_MAX) {
                    writer.write(encoder.write(part)?).await?;
                    if part.len() == AT_ONCE_MAX {
                        yield_now().await;
                    }
                }
            }
            writer.write(encoder.finish()?).await?;
            writer.trailers(pieces.take_trailers())?;
            Ok(())
        });
        response.with_body(stream)
    }
}

impl Middleware for Compression {
    async fn handle(&self, mut request: Request, next: Next) -> Response {
        let coding = coding(request.headers());
        let fields = request.headers().get_all("if-none-match");
        let known = fields.collect::<Vec<_>>().join(&b","[..]);
        forget_doubtful_range(&mut request);
        let mut response = next.run(request).await;
        if response.status() == Status::NOT_MODIFIED {
            return match mark_known(response.headers_mut(), &known) {
                Ok(()) => response,
                Err(error) => error.into_response(),
            };
        }
        let is_wanted = self.is_wanted(&response);
        if !is_wanted && !varies_in_part(&response) {
            return response;
        }
        if let Err(error) = add_vary(response.headers_mut(), "accept-encoding") {
            return error.into_response();
        }
        match coding {
            Some(coding) if is_wanted => self.compress(response, coding),
            _ => response,
        }
    }
}

/// Takes away a range that the client wants only if it fits to what it has,
/// but does not say by a strong tag what that is: the plain text and the
/// compressed one have the same date, and one weak tag (RFC 9110, 8.8.1).
fn forget_doubtful_range(request: &mut Request) {
    let is_doubtful = |tag: &[u8]| !tag.starts_with(b"\"");
    if request.headers().get_all("if-range").any(is_doubtful) {
        request.remove_header("range");
        request.remove_header("if-range");
    }
}

/// Whether it is a part of what would be compressed if it were asked for as a
/// whole: then it varies as that does (RFC 9110, 15.3.7). Of what type several
/// parts are, is told only in them.
fn varies_in_part(response: &Response) -> bool {
    let headers = response.headers();
    let is_compressible =
        |media_type: &str| media_type.starts_with("multipart/") || is_compressible(media_type);
    response.status() == Status::PARTIAL_CONTENT
        && may_be_coded(headers)
        && headers.get("content-type").is_none_or(is_compressible)
}

fn may_be_coded(headers: &Headers) -> bool {
    !headers.contains("content-encoding") && !headers.has_token("cache-control", "no-transform")
}

/// Says in the head what becomes of the body.
fn mark(headers: &mut Headers, coding: Coding) -> Result<(), HeaderError> {
    headers.insert("content-encoding", coding.name())?;
    headers.remove("content-length");
    headers.remove("accept-ranges");
    // Other bytes now, though the same content (RFC 9110, 8.8.1).
    if let Some(tag) = weakened(headers) {
        headers.insert("etag", tag)?;
    }
    Ok(())
}

/// Says of a 304 what was said of the 200 that the client has (RFC 9110,
/// 15.4.5): it was compressed if the client knows it by the weak tag.
fn mark_known(headers: &mut Headers, known: &[u8]) -> Result<(), HeaderError> {
    add_vary(headers, "accept-encoding")?;
    match weakened(headers) {
        Some(tag) if known.windows(tag.len()).any(|text| text == tag.as_bytes()) => {
            headers.insert("etag", tag)
        }
        _ => Ok(()),
    }
}

fn weakened(headers: &Headers) -> Option<String> {
    let strong = headers.get("etag").filter(|tag| tag.starts_with('"'))?;
    Some(format!("W/{strong}"))
}

fn is_compressible(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default();
    let media_type = media_type.trim().to_ascii_lowercase();
    let (kind, subtype) = media_type.split_once('/').unwrap_or_default();
    match kind {
        "image" => subtype == "svg+xml",
        "audio" | "video" | "multipart" => false,
        "font" => !subtype.starts_with("woff"),
        "text" => subtype != "event-stream",
        _ => ![
            "gzip",
            "x-gzip",
            "zip",
            "zstd",
            "x-bzip2",
            "x-xz",
            "x-7z-compressed",
            "pdf",
        ]
        .contains(&subtype),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    /// In zlib's frame (RFC 9110, 8.4.1.2).
    Deflate,
}

impl Coding {
    fn name(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Deflate => "deflate",
        }
    }
}

/// What the client likes best of what there is; `None` is the plain text.
fn coding(headers: &Headers) -> Option<Coding> {
    let fields: Vec<_> = headers.get_all("accept-encoding").collect();
    let list = fields.join(&b","[..]);
    let list = String::from_utf8_lossy(&list).to_ascii_lowercase();
    let weight = |names: &[&str]| {
        let mut items = list.split(',').map(|item| {
            let (name, params) = item.split_once(';').unwrap_or((item, ""));
            (name.trim(), quality(params))
        });
        items
            .find(|(name, _)| names.contains(name))
            .map(|(_, quality)| quality)
    };
    let any = weight(&["*"]).unwrap_or(0);
    let gzip = weight(&["gzip", "x-gzip"]).unwrap_or(any);
    let deflate = weight(&["deflate"]).unwrap_or(any);
    let best = gzip.max(deflate);
    if best == 0 || weight(&["identity"]).is_some_and(|plain| plain > best) {
        return None;
    }
    Some(if gzip == best {
        Coding::Gzip
    } else {
        Coding::Deflate
    })
}

/// A weight in thousandths; what is none counts nothing (RFC 9110, 12.4.2).
fn quality(params: &str) -> u32 {
    let Some((name, value)) = params.split_once('=') else {
        return 1000;
    };
    let value = value.trim().parse::<f32>().unwrap_or(0.0);
    let is_weight = name.trim() == "q" && (0.0..=1.0).contains(&value);
    if is_weight {
        (value * 1000.0) as u32
    } else {
        0
    }
}

enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Deflate(ZlibEncoder<Vec<u8>>),
}

impl Encoder {
    fn new(coding: Coding, level: u32) -> Encoder {
        let level = flate2::Compression::new(level);
        match coding {
            Coding::Gzip => Encoder::Gzip(GzEncoder::new(Vec::new(), level)),
            Coding::Deflate => Encoder::Deflate(ZlibEncoder::new(Vec::new(), level)),
        }
    }

    /// What the client can read all of `piece` from.
    fn write(&mut self, piece: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Encoder::Gzip(encoder) => {
                encoder.write_all(piece)?;
                encoder.flush()?;
                Ok(std::mem::take(encoder.get_mut()))
            }
            Encoder::Deflate(encoder) => {
                encoder.write_all(piece)?;
                encoder.flush()?;
                Ok(std::mem::take(encoder.get_mut()))
            }
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Encoder::Gzip(encoder) => encoder.finish(),
            Encoder::Deflate(encoder) => encoder.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_coding_is_what_the_client_likes_best() {
        for (accept, wanted) in [
            ("gzip", Some(Coding::Gzip)),
            ("GZIP, deflate, br", Some(Coding::Gzip)),
            ("x-gzip", Some(Coding::Gzip)),
            ("deflate", Some(Coding::Deflate)),
            ("deflate, gzip", Some(Coding::Gzip)),
            ("gzip;q=0.5, deflate;q=0.8", Some(Coding::Deflate)),
            ("gzip;q=0, deflate", Some(Coding::Deflate)),
            ("*", Some(Coding::Gzip)),
            ("gzip;q=0, *", Some(Coding::Deflate)),
            ("*;q=0", None),
            ("gzip ; q = 0.001", Some(Coding::Gzip)),
            ("identity, gzip;q=0.5", None),
            ("identity;q=0.5, gzip", Some(Coding::Gzip)),
            ("br", None),
            ("gzip;q=nan", None),
            ("gzip;q=2", None),
            ("", None),
        ] {
            let mut headers = Headers::new();
            headers.append("accept-encoding", accept).unwrap();
            assert_eq!(coding(&headers), wanted, "{accept}");
        }
        assert_eq!(coding(&Headers::new()), None);
    }

    #[test]
    fn what_is_short_already_is_left_alone() {
        for (media_type, is_wanted) in [
            ("text/html; charset=utf-8", true),
            ("Text/Event-Stream", false),
            ("application/json", true),
            ("application/octet-stream", true),
            ("image/png", false),
            ("image/svg+xml", true),
            ("font/woff2", false),
            ("application/zip", false),
            ("video/mp4", false),
            ("rubbish", true),
        ] {
            assert_eq!(is_compressible(media_type), is_wanted, "{media_type}");
        }
    }
}
