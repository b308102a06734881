//! Several values at once, and the faults of all of them together.

use super::extract::Extract;
use crate::server::Request;
use crate::web::error::HttpError;
use crate::web::fault::Faults;

/// Gathers faults until all members had their turn.
#[derive(Default)]
struct Gathered(Faults);

impl Gathered {
    /// Takes out one member. What is wrong otherwise than by faults is an
    /// error at once.
    async fn take<T: Extract>(&mut self, request: &mut Request) -> Result<Option<T>, HttpError> {
        match T::extract(request).await {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                self.0.append(error.into_faults()?);
                Ok(None)
            }
        }
    }

    fn into_error<T>(self) -> Result<T, HttpError> {
        Err(HttpError::from(self.0))
    }
}

/// Nothing.
impl Extract for () {
    async fn extract(_: &mut Request) -> Result<Self, HttpError> {
        Ok(())
    }
}

impl<A: Extract> Extract for (A,) {
    async fn extract(request: &mut Request) -> Result<Self, HttpError> {
        Ok((A::extract(request).await?,))
    }
}

impl<A: Extract, B: Extract> Extract for (A, B) {
    async fn extract(request: &mut Request) -> Result<Self, HttpError> {
        let mut gathered = Gathered::default();
        let a = gathered.take(request).await?;
        let b = gathered.take(request).await?;
        match (a, b) {
            (Some(a), Some(b)) => Ok((a, b)),
            _ => gathered.into_error(),
        }
    }
}

impl<A: Extract, B: Extract, C: Extract> Extract for (A, B, C) {
    async fn extract(request: &mut Request) -> Result<Self, HttpError> {
        let mut gathered = Gathered::default();
        let a = gathered.take(request).await?;
        let b = gathered.take(request).await?;
        let c = gathered.take(request).await?;
        match (a, b, c) {
            (Some(a), Some(b), Some(c)) => Ok((a, b, c)),
            _ => gathered.into_error(),
        }
    }
}

impl<A: Extract, B: Extract, C: Extract, D: Extract> Extract for (A, B, C, D) {
    async fn extract(request: &mut Request) -> Result<Self, HttpError> {
        let mut gathered = Gathered::default();
        let a = gathered.take(request).await?;
        let b = gathered.take(request).await?;
        let c = gathered.take(request).await?;
        let d = gathered.take(request).await?;
        match (a, b, c, d) {
            (Some(a), Some(b), Some(c), Some(d)) => Ok((a, b, c, d)),
            _ => gathered.into_error(),
        }
    }
}

impl<A: Extract, B: Extract, C: Extract, D: Extract, E: Extract> Extract for (A, B, C, D, E) {
    async fn extract(request: &mut Request) -> Result<Self, HttpError> {
        let mut gathered = Gathered::default();
        let a = gathered.take(request).await?;
        let b = gathered.take(request).await?;
        let c = gathered.take(request).await?;
        let d = gathered.take(request).await?;
        let e = gathered.take(request).await?;
        match (a, b, c, d, e) {
            (Some(a), Some(b), Some(c), Some(d), Some(e)) => Ok((a, b, c, d, e)),
            _ => gathered.into_error(),
        }
    }
}

impl<A: Extract, B: Extract, C: Extract, D: Extract, E: Extract, F: Extract> Extract
    for (A, B, C, D, E, F)
{
    async fn extract(request: &mut Request) -> Result<Self, HttpError> {
        let mut gathered = Gathered::default();
        let a = gathered.take(request).await?;
        let b = gathered.take(request).await?;
        let c = gathered.take(request).await?;
        let d = gathered.take(request).await?;
        let e = gathered.take(request).await?;
        let f = gathered.take(request).await?;
        match (a, b, c, d, e, f) {
            (Some(a), Some(b), Some(c), Some(d), Some(e), Some(f)) => Ok((a, b, c, d, e, f)),
            _ => gathered.into_error(),
        }
    }
}

impl<A: Extract, B: Extract, C: Extract, D: Extract, E: Extract, F: Extract, G: Extract> Extract
    for (A, B, C, D, E, F, G)
{
    async fn extract(request: &mut Request) -> Result<Self, HttpError> {
        let mut gathered = Gathered::default();
        let a = gathered.take(request).await?;
        let b = gathered.take(request).await?;
        let c = gathered.take(request).await?;
        let d = gathered.take(request).await?;
        let e = gathered.take(request).await?;
        let f = gathered.take(request).await?;
        let g = gathered.take(request).await?;
        match (a, b, c, d, e, f, g) {
            (Some(a), Some(b), Some(c), Some(d), Some(e), Some(f), Some(g)) => {
                Ok((a, b, c, d, e, f, g))
            }
            _ => gathered.into_error(),
        }
    }
}

impl<A: Extract, B: Extract, C: Extract, D: Extract, E: Extract, F: Extract, G: Extract, H: Extract>
    Extract for (A, B, C, D, E, F, G, H)
{
    async fn extract(request: &mut Request) -> Result<Self, HttpError> {
        let mut gathered = Gathered::default();
        let a = gathered.take(request).await?;
        let b = gathered.take(request).await?;
        let c = gathered.take(request).await?;
        let d = gathered.take(request).await?;
        let e = gathered.take(request).await?;
        let f = gathered.take(request).await?;
        let g = gathered.take(request).await?;
        let h = gathered.take(request).await?;
        match (a, b, c, d, e, f, g, h) {
            (Some(a), Some(b), Some(c), Some(d), Some(e), Some(f), Some(g), Some(h)) => {
                Ok((a, b, c, d, e, f, g, h))
            }
            _ => gathered.into_error(),
        }
    }
}
