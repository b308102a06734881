//! The room's parts, each alone.

mod names;
mod packed;
mod recording;
mod ring;
