//! The task queue and the pool with loom's locks, and what must hold in every order of their steps.

#![cfg(test)]
#![allow(dead_code, unused_imports, unreachable_pub)]

include!(concat!(env!("OUT_DIR"), "/rooms.rs"));

mod pool;
mod queue;
