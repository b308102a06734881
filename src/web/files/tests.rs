//! The pure parts of files: tables, and a model of ranges.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]
#![allow(
    clippy::single_range_in_vec_init,
    reason = "one part of a file is a range in a list"
)]

mod conditions;
mod names;
mod ranges;

use crate::http::Headers;

fn fields(list: &[(&str, &str)]) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in list {
        headers.append(name, value).unwrap();
    }
    headers
}
