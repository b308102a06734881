//! What the place of a task keeps: its future, and then how that ended.
//!
//! The hard fact: both are behind one trait, and so in the same sixteen bytes
//! of the place, one after the other.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::join::JoinError;

/// A spawned future, boxed: the price of a readable signature, and of
/// taking it out of its place by moving sixteen bytes. Or how it ended.
pub(crate) type TaskFuture = Pin<Box<dyn Kept>>;

/// How a task ended: with an [`Output`], or not.
pub(crate) type Outcome = Result<Box<dyn Kept>, JoinError>;

/// A future of whatever output, which is boxed when it ends; that costs
/// nothing if it is `()`.
///
/// A trait, and no `async` block around the future: that would hold it twice,
/// once as it came and once as it is awaited.
pub(crate) trait Kept {
    fn poll_boxed(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Box<dyn Kept>>;

    /// How it ended, if this is that: an [`Output`] or a [`JoinError`].
    fn open(self: Pin<Box<Self>>) -> Box<dyn Any>;
}

impl<F: Future<Output: 'static>> Kept for F {
    #[inline]
    fn poll_boxed(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Box<dyn Kept>> {
        self.poll(cx)
            .map(|output| Box::new(Output(output)) as Box<dyn Kept>)
    }

    fn open(self: Pin<Box<Self>>) -> Box<dyn Any> {
        Box::new(())
    }
}

/// What a future gave.
pub(super) struct Output<T>(pub(super) T);

/// Nobody pins what is in it.
impl<T> Unpin for Output<T> {}

impl<T: 'static> Kept for Output<T> {
    fn poll_boxed(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Box<dyn Kept>> {
        Poll::Pending
    }

    fn open(self: Pin<Box<Self>>) -> Box<dyn Any> {
        Pin::<Box<Self>>::into_inner(self)
    }
}

impl Kept for JoinError {
    fn poll_boxed(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Box<dyn Kept>> {
        Poll::Pending
    }

    fn open(self: Pin<Box<Self>>) -> Box<dyn Any> {
        Pin::<Box<Self>>::into_inner(self)
    }
}

/// The outcome, as its place keeps it.
#[inline]
pub(super) fn kept(outcome: Outcome) -> TaskFuture {
    match outcome {
        Ok(output) => Box::into_pin(output),
        Err(error) => Box::pin(error),
    }
}
