//! One test binary: the building rules, the rooms from outside, the whole.

#![allow(clippy::unwrap_used, missing_docs)]

mod tidy;
