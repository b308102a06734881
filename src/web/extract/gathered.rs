//! Several results at once, and the faults of all of them together.

use super::fields::{Fields, FromFields, all};
use super::from_text::FromText;
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

fn kept<T>(result: Result<T, Faults>, faults: &mut Faults) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(more) => {
            faults.append(more);
            None
        }
    }
}

impl<A, B> All for (Result<A, Faults>, Result<B, Faults>) {
    type Values = (A, B);

    fn all(self) -> Result<Self::Values, Faults> {
        let mut faults = Faults::default();
        let (a, b) = self;
        let values = (kept(a, &mut faults), kept(b, &mut faults));
        match values {
            (Some(a), Some(b)) => Ok((a, b)),
            _ => Err(faults),
        }
    }
}

impl<A, B, C> All for (Result<A, Faults>, Result<B, Faults>, Result<C, Faults>) {
    type Values = (A, B, C);

    fn all(self) -> Result<Self::Values, Faults> {
        let mut faults = Faults::default();
        let (a, b, c) = self;
        let values = (
            kept(a, &mut faults),
            kept(b, &mut faults),
            kept(c, &mut faults),
        );
        match values {
            (Some(a), Some(b), Some(c)) => Ok((a, b, c)),
            _ => Err(faults),
        }
    }
}

impl<A, B, C, D> All
    for (
        Result<A, Faults>,
        Result<B, Faults>,
        Result<C, Faults>,
        Result<D, Faults>,
    )
{
    type Values = (A, B, C, D);

    fn all(self) -> Result<Self::Values, Faults> {
        let mut faults = Faults::default();
        let (a, b, c, d) = self;
        let values = (
            kept(a, &mut faults),
            kept(b, &mut faults),
            kept(c, &mut faults),
            kept(d, &mut faults),
        );
        match values {
            (Some(a), Some(b), Some(c), Some(d)) => Ok((a, b, c, d)),
            _ => Err(faults),
        }
    }
}

impl<A, B, C, D, E> All
    for (
        Result<A, Faults>,
        Result<B, Faults>,
        Result<C, Faults>,
        Result<D, Faults>,
        Result<E, Faults>,
    )
{
    type Values = (A, B, C, D, E);

    fn all(self) -> Result<Self::Values, Faults> {
        let mut faults = Faults::default();
        let (a, b, c, d, e) = self;
        let values = (
            kept(a, &mut faults),
            kept(b, &mut faults),
            kept(c, &mut faults),
            kept(d, &mut faults),
            kept(e, &mut faults),
        );
        match values {
            (Some(a), Some(b), Some(c), Some(d), Some(e)) => Ok((a, b, c, d, e)),
            _ => Err(faults),
        }
    }
}

impl<A, B, C, D, E, F> All
    for (
        Result<A, Faults>,
        Result<B, Faults>,
        Result<C, Faults>,
        Result<D, Faults>,
        Result<E, Faults>,
        Result<F, Faults>,
    )
{
    type Values = (A, B, C, D, E, F);

    fn all(self) -> Result<Self::Values, Faults> {
        let mut faults = Faults::default();
        let (a, b, c, d, e, f) = self;
        let values = (
            kept(a, &mut faults),
            kept(b, &mut faults),
            kept(c, &mut faults),
            kept(d, &mut faults),
            kept(e, &mut faults),
            kept(f, &mut faults),
        );
        match values {
            (Some(a), Some(b), Some(c), Some(d), Some(e), Some(f)) => Ok((a, b, c, d, e, f)),
            _ => Err(faults),
        }
    }
}

impl<A, B, C, D, E, F, G> All
    for (
        Result<A, Faults>,
        Result<B, Faults>,
        Result<C, Faults>,
        Result<D, Faults>,
        Result<E, Faults>,
        Result<F, Faults>,
        Result<G, Faults>,
    )
{
    type Values = (A, B, C, D, E, F, G);

    fn all(self) -> Result<Self::Values, Faults> {
        let mut faults = Faults::default();
        let (a, b, c, d, e, f, g) = self;
        let values = (
            kept(a, &mut faults),
            kept(b, &mut faults),
            kept(c, &mut faults),
            kept(d, &mut faults),
            kept(e, &mut faults),
            kept(f, &mut faults),
            kept(g, &mut faults),
        );
        match values {
            (Some(a), Some(b), Some(c), Some(d), Some(e), Some(f), Some(g)) => {
                Ok((a, b, c, d, e, f, g))
            }
            _ => Err(faults),
        }
    }
}

impl<A, B, C, D, E, F, G, H> All
    for (
        Result<A, Faults>,
        Result<B, Faults>,
        Result<C, Faults>,
        Result<D, Faults>,
        Result<E, Faults>,
        Result<F, Faults>,
        Result<G, Faults>,
        Result<H, Faults>,
    )
{
    type Values = (A, B, C, D, E, F, G, H);

    fn all(self) -> Result<Self::Values, Faults> {
        let mut faults = Faults::default();
        let (a, b, c, d, e, f, g, h) = self;
        let values = (
            kept(a, &mut faults),
            kept(b, &mut faults),
            kept(c, &mut faults),
            kept(d, &mut faults),
            kept(e, &mut faults),
            kept(f, &mut faults),
            kept(g, &mut faults),
            kept(h, &mut faults),
        );
        match values {
            (Some(a), Some(b), Some(c), Some(d), Some(e), Some(f), Some(g), Some(h)) => {
                Ok((a, b, c, d, e, f, g, h))
            }
            _ => Err(faults),
        }
    }
}

impl<A: FromText> FromFields for (A,) {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults> {
        fields.nth(0).map(|a| (a,))
    }
}

impl<A: FromText, B: FromText> FromFields for (A, B) {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults> {
        all((fields.nth(0), fields.nth(1)))
    }
}

impl<A: FromText, B: FromText, C: FromText> FromFields for (A, B, C) {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults> {
        all((fields.nth(0), fields.nth(1), fields.nth(2)))
    }
}

impl<A: FromText, B: FromText, C: FromText, D: FromText> FromFields for (A, B, C, D) {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults> {
        all((fields.nth(0), fields.nth(1), fields.nth(2), fields.nth(3)))
    }
}

impl<A: FromText, B: FromText, C: FromText, D: FromText, E: FromText> FromFields
    for (A, B, C, D, E)
{
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults> {
        all((
            fields.nth(0),
            fields.nth(1),
            fields.nth(2),
            fields.nth(3),
            fields.nth(4),
        ))
    }
}

impl<A: FromText, B: FromText, C: FromText, D: FromText, E: FromText, F: FromText> FromFields
    for (A, B, C, D, E, F)
{
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults> {
        all((
            fields.nth(0),
            fields.nth(1),
            fields.nth(2),
            fields.nth(3),
            fields.nth(4),
            fields.nth(5),
        ))
    }
}
