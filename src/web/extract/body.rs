//! Bodies that are read whole, up to a limit.

use crate::server::{BodyError, Request, Status};
use crate::web::error::HttpError;

/// What a body that is read whole may hold unless
/// [`body_limit`](crate::web::middleware::body_limit) says otherwise, in
/// bytes. axum's default is the same.
pub(super) const BODY_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Reads the body of a request whole.
pub(in crate::web) async fn read_body(request: &mut Request) -> Result<Vec<u8>, HttpError> {
    let limit = request.body().limit().unwrap_or(BODY_BYTES_MAX);
    let declared = request.headers().get("content-length");
    let declared = declared.and_then(|length| length.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(BodyError::TooLong.into());
    }
    let mut all = Vec::new();
    while let Some(piece) = request.body().chunk().await? {
        if (all.len() + piece.len()) as u64 > limit {
            return Err(BodyError::TooLong.into());
        }
        match all.is_empty() {
            true => all = piece,
            false => all.extend_from_slice(&piece),
        }
    }
    Ok(all)
}

/// The media type of the body, in lower case and without parameters.
pub(in crate::web) fn media_type(request: &Request) -> Option<String> {
    let field = request.headers().get("content-type")?;
    let media_type = field.split(';').next().unwrap_or_default().trim();
    Some(media_type.to_ascii_lowercase())
}

/// 415, with what would be taken.
pub(in crate::web) fn unsupported(wanted: &'static str) -> HttpError {
    let detail = format!("the body must be {wanted}");
    HttpError::new(Status::UNSUPPORTED_MEDIA_TYPE).detail(detail)
}

/// The body as bytes: at most 2 MiB, or what
/// [`body_limit`](crate::web::middleware::body_limit) says.
impl super::Extract for Vec<u8> {
    async fn extract(request: &mut Request) -> Result<Self, HttpError> {
        read_body(request).await
    }
}

/// The body as text.
impl super::Extract for String {
    async fn extract(request: &mut Request) -> Result<Self, HttpError> {
        let bytes = read_body(request).await?;
        String::from_utf8(bytes).map_err(|_| {
            let fault = crate::web::Fault::new("string_unicode", "is no UTF-8");
            HttpError::from(fault.at("body"))
        })
    }
}
