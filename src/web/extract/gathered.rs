//! Several results at once, and the faults of all of them together.

use super::extract::Extract;
use crate::server::Request;
use crate::web::error::HttpError;
use crate::web::fault::Faults;

/// Results that [`all`](super::all) joins: a tuple of two to eight.
///
/// # Examples
///
/// ```
/// use tourbillon::web::Faults;
/// use tourbillon::web::extract::All;
///
/// let results: (Result<u8, Faults>, Result<char, Faults>) = (Ok(1), Ok('a'));
/// assert_eq!(results.all(), Ok((1, 'a')));
/// ```
pub trait All {
    /// The values, in a tuple.
    type Values;

    /// Joins them.
    ///
    /// # Errors
    ///
    /// Where any of them is an error, all that is wrong.
    fn all(self) -> Result<Self::Values, Faults>;
}

pub(super) fn kept<T>(result: Result<T, Faults>, faults: &mut Faults) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(more) => {
            faults.append(more);
            None
        }
    }
}

/// Gathers faults until all members of a tuple had their turn.
#[derive(Default)]
pub(super) struct Gathered(Faults);

impl Gathered {
    /// Takes out one member. What is wrong otherwise than by faults is an
    /// error at once.
    pub(super) async fn take<T: Extract>(
        &mut self,
        request: &mut Request,
    ) -> Result<Option<T>, HttpError> {
        match T::extract(request).await {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                self.0.append(error.into_faults()?);
                Ok(None)
            }
        }
    }

    pub(super) fn into_error<T>(self) -> Result<T, HttpError> {
        Err(HttpError::from(self.0))
    }
}
