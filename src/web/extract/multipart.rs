//! Forms with files.

use std::borrow::Cow;
use std::io;

use super::body::{BODY_BYTES_MAX, media_type, unsupported};
use super::extract::Extract;
use super::fields::Fields;
use super::parts::{BadParts, Event, PartHead, Parts};
use super::upload::UploadedFile;
use crate::server::{BodyError, Request, Status};
use crate::web::error::HttpError;

/// As many fields, and as many files, as Starlette takes.
const FIELDS_MAX: usize = 1000;
const FILES_MAX: usize = 1000;

/// What is no file is in memory, so it must not be long.
const FIELD_BYTES_MAX: usize = 1024 * 1024;

/// A form with files in the body, `multipart/form-data` (RFC 7578), read
/// whole: its fields in memory, its files there or on disk.
///
/// Another type is 415. More than 1000 fields, 1000 files, or 1 MiB for a
/// field that is no file, and a body that breaks the rules, are 400; more
/// than 2 MiB in all is 413, unless
/// [`body_limit`](crate::web::middleware::body_limit) says otherwise, which
/// uploads will want.
///
/// # Examples
///
/// ```
/// use tourbillon::web::extract::{Multipart, extract};
/// use tourbillon::web::middleware::body_limit;
/// use tourbillon::web::{HttpError, Router, around};
///
/// async fn upload(form: Multipart) -> Result<String, HttpError> {
///     let title: String = form.fields().required("title")?;
///     let size = form.file("picture").map_or(0, |picture| picture.size());
///     let all: u64 = form.files().map(|file| file.size()).sum();
///     let kept = form.into_files();
///     Ok(format!("{title}: {size} of {all} bytes in {} files", kept.len()))
/// }
///
/// let upload = around(extract(upload), body_limit(100 * 1024 * 1024));
/// let app = Router::new().post("/upload", upload);
/// # let _ = app;
/// ```
#[derive(Debug, Default)]
pub struct Multipart {
    fields: Vec<(String, String)>,
    files: Vec<UploadedFile>,
}

impl Multipart {
    /// The values of what is no file.
    pub fn fields(&self) -> Fields<'_> {
        let borrowed = |text| Cow::Borrowed(text);
        let pairs = self.fields.iter();
        let pairs = pairs.map(|(name, value)| (borrowed(&**name), borrowed(&**value)));
        Fields::new("body", pairs)
    }

    /// The file of a field; of several the last.
    pub fn file(&self, field: &str) -> Option<&UploadedFile> {
        self.files.iter().rev().find(|file| file.field == field)
    }

    /// All files, in order.
    pub fn files(&self) -> impl Iterator<Item = &UploadedFile> {
        self.files.iter()
    }

    /// Gives the files away, in order.
    pub fn into_files(self) -> Vec<UploadedFile> {
        self.files
    }

    fn begin(&mut self, head: PartHead) -> Result<(), BadParts> {
        if let Some(name) = head.file_name {
            if self.files.len() == FILES_MAX {
                return Err(BadParts("the form has too many files"));
            }
            self.files.push(UploadedFile {
                field: head.name,
                name,
                content_type: head.content_type,
                size: 0,
                memory: Vec::new(),
                spool: None,
            });
            return Ok(());
        }
        if self.fields.len() == FIELDS_MAX {
            return Err(BadParts("the form has too many fields"));
        }
        self.fields.push((head.name, String::new()));
        Ok(())
    }
}

impl Extract for Multipart {
    async fn extract(request: &mut Request) -> Result<Self, HttpError> {
        if media_type(request).as_deref() != Some("multipart/form-data") {
            return Err(unsupported("multipart/form-data"));
        }
        let content_type = request.headers().get("content-type").unwrap_or_default();
        let mut parts = Parts::new(content_type).map_err(bad)?;
        let mut form = Multipart::default();
        let limit = request.body().limit().unwrap_or(BODY_BYTES_MAX);
        let mut received = 0;
        let mut field: Option<Vec<u8>> = None;
        loop {
            match parts.next().map_err(bad)? {
                Event::NeedMore => {
                    let Some(piece) = request.body().chunk().await? else {
                        return Err(bad(BadParts("the form has no end")));
                    };
                    received += piece.len() as u64;
                    if received > limit {
                        return Err(BodyError::TooLong.into());
                    }
                    parts.feed(&piece);
                }
                Event::Part(head) => {
                    field = head.file_name.is_none().then(Vec::new);
                    form.begin(head).map_err(bad)?;
                }
                Event::Data(data) => match (&mut field, form.files.last_mut()) {
                    (Some(text), _) => {
                        if text.len() + data.len() > FIELD_BYTES_MAX {
                            return Err(bad(BadParts("a field of the form is too long")));
                        }
                        text.extend_from_slice(&data);
                    }
                    (None, Some(file)) => file.write(data).await.map_err(unwritten)?,
                    (None, None) => {}
                },
                Event::PartEnd => {
                    if let (Some(text), Some((_, value))) = (field.take(), form.fields.last_mut()) {
                        *value = String::from_utf8_lossy(&text).into_owned();
                    }
                }
                Event::End => return Ok(form),
            }
        }
    }
}

fn bad(error: BadParts) -> HttpError {
    HttpError::new(Status::BAD_REQUEST).detail(error.0)
}

/// The disk is ours, not the client's.
fn unwritten(error: io::Error) -> HttpError {
    log::error!("an upload could not be written: {error}");
    HttpError::new(Status::INTERNAL_SERVER_ERROR)
}
