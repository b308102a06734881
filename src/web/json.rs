//! JSON in and out, by serde (feature `json`).

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::error::HttpError;
use super::extract::{Extract, media_type, read_body, unsupported};
use super::fault::Fault;
use super::json_place::{Step, place};
use crate::http::ContentType;
use crate::server::{IntoResponse, Request, Response, Status};

/// What is told back of a wrong value, in bytes.
const TEXT_BYTES_MAX: usize = 1024;

/// A value as JSON: a body to take in, or to answer with.
///
/// Taken in, it must be declared as `application/json` or as another type
/// that ends in `+json` (else 415), and at most 2 MiB long, or what
/// [`body_limit`](crate::web::middleware::body_limit) says (else 413). What
/// is no JSON is the fault `json_invalid` (422) with the position of the
/// first wrong byte; what does not fit the type is a fault with the place of
/// the value. serde stops at the first.
///
/// # Examples
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tourbillon::web::{Json, Router};
/// use tourbillon::web::extract::extract;
///
/// #[derive(Deserialize, Serialize)]
/// struct Point { x: i32, y: i32 }
///
/// let mirror = extract(async |Json(point): Json<Point>| Json(Point { x: point.y, y: point.x }));
/// let app = Router::new().post("/mirror", mirror);
/// # let _ = app;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> Extract for Json<T> {
    async fn extract(request: &mut Request) -> Result<Self, HttpError> {
        let media_type = media_type(request).unwrap_or_default();
        let subtype = media_type.strip_prefix("application/").unwrap_or_default();
        if subtype != "json" && !subtype.ends_with("+json") {
            return Err(unsupported("application/json"));
        }
        let body = read_body(request).await?;
        match serde_json::from_slice(&body) {
            Ok(value) => Ok(Json(value)),
            Err(error) => Err(fault(&body, &error).into()),
        }
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => Response::of(ContentType::JSON, bytes),
            Err(error) => {
                log::error!("a handler's answer is no JSON: {error}");
                Status::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

fn fault(body: &[u8], error: &serde_json::Error) -> Fault {
    let offset = offset(body, error);
    let text = error.to_string();
    let text = text
        .rsplit_once(" at line ")
        .map_or(&*text, |(text, _)| text);
    let kind = kind(text);
    // It quotes the value, which may be as long as the body.
    let text = &*shortened(text);
    if error.classify() != Category::Data {
        // What is wrong is the byte before, unless it is that there are no more.
        let is_cut = error.classify() == Category::Eof;
        let wrong = if is_cut {
            offset
        } else {
            offset.saturating_sub(1)
        };
        let fault = Fault::new("json_invalid", "is no JSON").context("error", text);
        return fault.at("body").at_number(wrong as u64);
    }
    let mut steps = place(&body[..offset]);
    let named = text.split('`').nth(1).unwrap_or_default();
    let fault = match kind {
        "missing" => {
            steps.push(Step::Key(named.to_owned()));
            Fault::missing()
        }
        kind => Fault::new(kind, text.to_owned()).context("error", text),
    };
    let fault = fault.at("body");
    steps.into_iter().fold(fault, |fault, step| match step {
        Step::Key(key) => fault.at(shortened(&key).into_owned()),
        Step::Index(index) => fault.at_number(index),
    })
}

/// The text up to 1 KiB, its ends if it is longer.
fn shortened(text: &str) -> Cow<'_, str> {
    if text.len() <= TEXT_BYTES_MAX {
        return Cow::Borrowed(text);
    }
    let (mut head, mut tail) = (TEXT_BYTES_MAX / 2, text.len() - TEXT_BYTES_MAX / 2);
    while !text.is_char_boundary(head) {
        head -= 1;
    }
    while !text.is_char_boundary(tail) {
        tail += 1;
    }
    Cow::Owned(format!("{}...{}", &text[..head], &text[tail..]))
}

/// Where serde_json stopped, in bytes: it counts lines, and in them bytes.
fn offset(body: &[u8], error: &serde_json::Error) -> usize {
    let mut lines = body.split_inclusive(|byte| *byte == b'\n');
    let before = lines.by_ref().take(error.line().saturating_sub(1));
    let start: usize = before.map(<[u8]>::len).sum();
    (start + error.column()).min(body.len())
}

/// The kind of a fault, by what serde says of it in its own fixed words.
fn kind(text: &str) -> &'static str {
    let starts = |start: &str| text.starts_with(start);
    if starts("missing field") {
        return "missing";
    }
    if starts("unknown field") {
        return "extra_forbidden";
    }
    if starts("unknown variant") {
        return "enum";
    }
    // The last one: what comes before may be the client's own words.
    let Some(expected) = text
        .rsplit_once(", expected ")
        .map(|(_, expected)| expected)
    else {
        return "value_error";
    };
    let is_any = |words: &[&str]| words.contains(&expected);
    let integers = [
        "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
    ];
    match text {
        _ if is_any(&integers) && starts("invalid type: floating point") => "int_from_float",
        _ if is_any(&integers) && starts("invalid value") => "int_parsing_size",
        _ if is_any(&integers) => "int_type",
        _ if is_any(&["f32", "f64"]) => "float_type",
        _ if is_any(&["a string", "a borrowed string"]) => "string_type",
        _ if is_any(&["a boolean"]) => "bool_type",
        _ if is_any(&["a sequence"]) => "list_type",
        _ if is_any(&["a map"]) => "dict_type",
        _ if expected.starts_with("struct ") => "model_attributes_type",
        _ => "value_error",
    }
}
