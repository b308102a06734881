//! What handlers take: values out of a request, of the types they want.
//!
//! ```text
//!   extract(async |(Path(id), Query(page)): (Path<u32>, Query<Page>)| ...)
//!                         │           │
//!               FromFields│           │FromFields      named values to a struct
//!                         ▼           ▼
//!                     FromText    FromText             one text to one value
//!                         └─────┬─────┘
//!                            Faults ──▶ 422, all of them at once
//! ```

mod extract;
mod tuples;
mod from_text;
mod fields;
mod gathered;
mod path;
mod query;
mod header;
mod cookies;
mod body;
mod form;
mod multipart;
mod parts;
mod upload;
mod state;

#[cfg(feature = "json")]
pub(in crate::web) use body::{media_type, read_body, unsupported};
pub use cookies::{Cookie, Cookies};
pub use extract::{Extract, Extracting, RequestExt, extract};
pub use fields::{Fields, FromFields, all};
pub use form::Form;
pub use from_text::FromText;
pub use gathered::All;
pub use header::Header;
pub use multipart::Multipart;
pub use path::Path;
pub use query::Query;
pub use state::State;
pub use upload::UploadedFile;
