//! A job of the blocking pool that is part of a future, and goes with it.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::blocking::Lane;
use crate::executor::JoinError;
use crate::runtime::{JobHandle, current};

/// Awaits a job. Dropped before its job has begun, it takes it out of the
/// queue; one that runs goes on to its end, and nobody asks for its result.
pub(super) struct PoolJob<T>(JobHandle<T>);

impl<T: Send + 'static> PoolJob<T> {
    #[track_caller]
    pub(super) fn submit(lane: Lane, job: impl FnOnce() -> T + Send + 'static) -> Self {
        PoolJob(JobHandle::submit(current(), lane, Location::caller(), job))
    }
}

impl<T> Future for PoolJob<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for PoolJob<T> {
    fn drop(&mut self) {
        // Does nothing to a job that runs or has ended.
        self.0.cancel();
    }
}
