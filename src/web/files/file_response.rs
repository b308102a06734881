//! A file as a response: what it is, whether the client has it, which part.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::conditions::{self, Validators, Verdict};
use super::opened::{Content, Opened};
use super::ranges::{self, Wish};
use super::{content_type, disposition};
use crate::fs;
use crate::http::{Headers, http_date};
use crate::server::{Body, IntoResponse, Method, Request, Response, Status};
use crate::sys;

/// Bytes of a file that are read at a time where several parts are sent.
const PIECE: u64 = 64 * 1024;

/// What a 304 repeats of the fields that a 200 would have (RFC 9110, 15.4.5).
const KEPT_BY_304: [&str; 5] = [
    "cache-control",
    "content-location",
    "etag",
    "expires",
    "vary",
];

/// A file, opened to be a response.
///
/// Its fields are `content-type` by the end of its name, `last-modified`, and
/// an `etag` made of its size and of when it was changed last, in nanoseconds:
/// strong, and the same on every machine that keeps the times of its files.
/// A program that writes files in place, twice within one tick of the file
/// system's clock and to the same length, should set one of its own.
///
/// A file of up to 16 KiB is read where it is opened, on a thread of the
/// pool, and leaves in one write with its head. A larger one is sent as
/// [`Body::file`] has it.
///
/// # Examples
///
/// ```
/// use tourbillon::server::{Request, Response};
/// use tourbillon::web::FileResponse;
///
/// async fn report(request: Request) -> std::io::Result<Response> {
///     let file = FileResponse::open("reports/2026.pdf").await?;
///     Ok(file.attachment("Bericht für März.pdf").respond_to(&request))
/// }
/// # fn is_handler(_: impl tourbillon::server::Handler) {}
/// # is_handler(report);
/// ```
pub struct FileResponse {
    opened: Opened,
    path: PathBuf,
    headers: Headers,
    has_siblings: bool,
}

impl FileResponse {
    /// Opens a file and looks at it, in one job of the blocking pool. The
    /// path is the program's own: one that a client has a hand in belongs to
    /// [`StaticFiles`](super::StaticFiles).
    ///
    /// # Errors
    ///
    /// What open(2) says; `InvalidInput` if it is no regular file: nothing
    /// else has a length. If the pool takes no job, that, of kind `Other`.
    ///
    /// # Cancellation
    ///
    /// Dropping the future changes nothing.
    pub async fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().to_owned();
        fs::run_job(move || {
            let opened = Opened::look(sys::open_to_read(&path)?)?;
            Ok(FileResponse::new(opened, path))
        })
        .await
    }

    pub(super) fn new(opened: Opened, path: PathBuf) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut headers = Headers::new();
        let mut set = |name, value: &[u8]| {
            let set = headers.insert(name, value);
            set.expect("types, dates and numbers hold no control characters");
        };
        set("content-type", content_type::of_name(&name).as_bytes());
        if let Some(nanos) = opened.modified {
            set("etag", format!("\"{nanos:x}-{:x}\"", opened.len).as_bytes());
            // Never later than the response itself (RFC 9110, 8.8.2.1).
            let seconds = seconds(nanos).min(now());
            set("last-modified", &http_date(seconds));
        }
        FileResponse {
            opened,
            path,
            headers,
            has_siblings: false,
        }
    }

    /// Opens a file and responds with it: 404 if there is none, or none that
    /// may be read, 503 if the pool or the system has no room for it, 500 for
    /// what else goes wrong.
    ///
    /// # Cancellation
    ///
    /// Dropping the future changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::server::Request;
    /// use tourbillon::web::{FileResponse, Router};
    ///
    /// let app = Router::new().get("/favicon.ico", async |request: Request| {
    ///     FileResponse::answer(&request, "static/favicon.ico").await
    /// });
    /// # let _ = app;
    /// ```
    pub async fn answer(request: &Request, path: impl AsRef<Path>) -> Response {
        match FileResponse::open(path).await {
            Ok(file) => file.respond_to(request),
            Err(error) => not_opened(error),
        }
    }

    /// Has browsers store it, under this name, in place of showing it
    /// (RFC 6266). Of a path only its last part is used.
    #[must_use]
    pub fn attachment(mut self, name: &str) -> Self {
        let field = disposition::attachment(name);
        let set = self.headers.insert("content-disposition", field);
        set.expect("control characters were replaced");
        self
    }

    /// Says that the client may have been given another file for the same URL,
    /// of the same date: of what it has, only a strong tag tells which it is.
    pub(super) fn has_siblings(&mut self) {
        self.has_siblings = true;
    }

    /// The last part of its path.
    pub(super) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// How many bytes the file had when it was opened.
    pub fn size(&self) -> u64 {
        self.opened.len
    }

    /// The fields that a 200 will have.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The same, to change: another `content-type`, a `cache-control`. An
    /// `etag` is what conditions are compared with, a removed one fits none.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::server::{Request, Response};
    /// use tourbillon::web::FileResponse;
    ///
    /// async fn feed(request: Request) -> std::io::Result<Response> {
    ///     let mut file = FileResponse::open("news.xml").await?;
    ///     assert!(file.size() > 0 && file.headers().contains("etag"));
    ///     let fields = file.headers_mut();
    ///     fields.insert("content-type", "application/rss+xml").unwrap();
    ///     fields.insert("cache-control", "max-age=300").unwrap();
    ///     Ok(file.respond_to(&request))
    /// }
    /// # fn is_handler(_: impl tourbillon::server::Handler) {}
    /// # is_handler(feed);
    /// ```
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }

    /// The response to this request: 304 or 412 as its conditions say
    /// (RFC 9110, 13.2.2), 206 or 416 as its ranges say (14.2), or else 200.
    ///
    /// Several ranges are sent as `multipart/byteranges`, those that overlap
    /// or touch as one. A `range` that is malformed, in other units, of more
    /// than 32 parts or for another method than GET is ignored, as RFC 9110
    /// lets it be.
    pub fn respond_to(self, request: &Request) -> Response {
        let is_read = matches!(request.method(), Method::Get | Method::Head);
        if !is_read {
            return self.into_response();
        }
        let validators = Validators {
            etag: self.headers.get("etag"),
            modified: self.opened.modified.map(seconds),
            is_dated_strongly: !self.has_siblings,
            now: now(),
        };
        match conditions::evaluate(request.headers(), validators) {
            Verdict::Perform => {}
            Verdict::NotModified => return self.not_modified(),
            Verdict::Failed => return Status::PRECONDITION_FAILED.into_response(),
        }
        let mut values = request.headers().get_all("range");
        let wish = match (values.next(), values.next()) {
            (Some(value), None)
                if request.method() == Method::Get
                    && conditions::range_applies(request.headers(), validators) =>
            {
                ranges::parse(value, self.opened.len)
            }
            _ => Wish::Whole,
        };
        match wish {
            Wish::Whole => self.into_response(),
            Wish::Beyond => {
                let response = Status::RANGE_NOT_SATISFIABLE.into_response();
                with(
                    response,
                    "content-range",
                    &format!("bytes */{}", self.opened.len),
                )
            }
            Wish::Parts(parts) => match &parts[..] {
                [part] => self.one_part(part.clone()),
                _ => self.several_parts(&parts),
            },
        }
    }

    fn not_modified(self) -> Response {
        let mut response = Response::new(Status::NOT_MODIFIED);
        for (name, value) in self.headers.iter() {
            if KEPT_BY_304
                .iter()
                .any(|kept| name.eq_ignore_ascii_case(kept))
            {
                append(&mut response, name, value);
            }
        }
        response
    }

    /// The response without its body, with all fields.
    fn head(&self, status: Status) -> Response {
        let mut response = Response::new(status);
        for (name, value) in self.headers.iter() {
            append(&mut response, name, value);
        }
        with(response, "accept-ranges", "bytes")
    }

    fn one_part(self, part: Range<u64>) -> Response {
        let head = with(
            self.head(Status::PARTIAL_CONTENT),
            "content-range",
            &content_range(&part, self.opened.len),
        );
        head.with_body(self.into_body(part))
    }

    fn several_parts(self, parts: &[Range<u64>]) -> Response {
        let hasher = RandomState::new();
        // 128 bits that no file can have foreseen.
        let boundary = format!("{:016x}{:016x}", hasher.hash_one(0), hasher.hash_one(1));
        let mut response = self.head(Status::PARTIAL_CONTENT);
        let media_type = format!("multipart/byteranges; boundary={boundary}");
        let set = response.headers_mut().insert("content-type", media_type);
        set.expect("a boundary in hexadecimal holds no control character");
        let own_type = self.headers.get("content-type").unwrap_or_default();
        let heads: Vec<(String, Range<u64>)> = parts
            .iter()
            .map(|part| {
                let range = content_range(part, self.opened.len);
                let head = format!(
                    "\r\n--{boundary}\r\ncontent-type: {own_type}\r\n\
                     content-range: {range}\r\n\r\n"
                );
                (head, part.clone())
            })
            .collect();
        let end = format!("\r\n--{boundary}--\r\n");
        let lengths = heads
            .iter()
            .map(|(head, part)| head.len() as u64 + (part.end - part.start));
        let length = lengths.sum::<u64>() + end.len() as u64;
        response.with_body(multipart(
            self.opened.content,
            &self.path,
            length,
            heads,
            end,
        ))
    }

    fn into_body(self, part: Range<u64>) -> Body {
        match self.opened.content {
            Content::Bytes(bytes) if part == (0..self.opened.len) => Body::bytes(bytes),
            Content::Bytes(bytes) => Body::bytes(slice(&bytes, &part).to_vec()),
            Content::File(file) => Body::file(fs::File::opened(file, &self.path), part),
        }
    }
}

/// The whole file with 200, whatever the request was: conditions and ranges
/// need [`respond_to`](FileResponse::respond_to).
impl IntoResponse for FileResponse {
    fn into_response(self) -> Response {
        let head = self.head(Status::OK);
        let all = 0..self.opened.len;
        head.with_body(self.into_body(all))
    }
}

impl fmt::Debug for FileResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileResponse")
            .field("path", &self.path)
            .field("size", &self.opened.len)
            .field("headers", &self.headers)
            .finish()
    }
}

/// The parts with their heads between them (RFC 9110, 14.6).
fn multipart(
    content: Content,
    path: &Path,
    length: u64,
    heads: Vec<(String, Range<u64>)>,
    end: String,
) -> Body {
    let file = match content {
        Content::Bytes(bytes) => {
            let mut all = Vec::with_capacity(length as usize);
            for (head, part) in heads {
                all.extend_from_slice(head.as_bytes());
                all.extend_from_slice(slice(&bytes, &part));
            }
            all.extend_from_slice(end.as_bytes());
            return Body::bytes(all);
        }
        Content::File(file) => fs::File::opened(file, path),
    };
    Body::sized_stream(length, async move |mut writer| {
        let mut piece = Vec::new();
        for (head, part) in heads {
            writer.write(head).await?;
            let mut at = part.start;
            while at < part.end {
                piece.resize((part.end - at).min(PIECE) as usize, 0);
                file.read_exact_at(&mut piece, at).await?;
                writer.write(&piece).await?;
                at += piece.len() as u64;
            }
        }
        writer.write(end).await?;
        Ok(())
    })
}

/// The response if a file could not be opened.
pub(super) fn not_opened(error: io::Error) -> Response {
    if sys::is_no_such_file(&error) || error.kind() == io::ErrorKind::InvalidInput {
        return Status::NOT_FOUND.into_response();
    }
    // The pool's own refusals are of this kind, the system's never.
    if sys::is_resource_exhausted(&error) || error.kind() == io::ErrorKind::Other {
        log::warn!("a file was not opened: {error}");
        return Status::SERVICE_UNAVAILABLE.into_response();
    }
    error.into_response()
}

pub(super) fn with(mut response: Response, name: &str, value: &str) -> Response {
    append(&mut response, name, value.as_bytes());
    response
}

fn append(response: &mut Response, name: &str, value: &[u8]) {
    let appended = response.headers_mut().append(name, value);
    appended.expect("what comes from a list of fields, or is written here, may go into one");
}

fn content_range(part: &Range<u64>, len: u64) -> String {
    format!("bytes {}-{}/{len}", part.start, part.end - 1)
}

fn slice<'b>(bytes: &'b [u8], part: &Range<u64>) -> &'b [u8] {
    &bytes[part.start as usize..part.end as usize]
}

fn seconds(nanos: u128) -> u64 {
    u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX)
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
