//! Several values at once, and the faults of all of them together: a tuple of
//! each length is an [`Extract`], [`FromFields`], and [`All`].

use super::extract::Extract;
use super::fields::{Fields, FromFields, all};
use super::from_text::FromText;
use super::gathered::{All, Gathered, kept};
use crate::server::Request;
use crate::web::error::HttpError;
use crate::web::fault::Faults;

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

impl<A: FromText> FromFields for (A,) {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults> {
        fields.nth(0).map(|a| (a,))
    }
}

/// Writes what differs in nothing but the length. A member is its type, the
/// name of its value, and its place.
macro_rules! tuple {
    ($($Type:ident $value:ident $place:literal),+) => {
        impl<$($Type: Extract),+> Extract for ($($Type),+) {
            async fn extract(request: &mut Request) -> Result<Self, HttpError> {
                let mut gathered = Gathered::default();
                $(let $value = gathered.take(request).await?;)+
                match ($($value),+) {
                    ($(Some($value)),+) => Ok(($($value),+)),
                    _ => gathered.into_error(),
                }
            }
        }

        impl<$($Type),+> All for ($(Result<$Type, Faults>),+) {
            type Values = ($($Type),+);

            fn all(self) -> Result<Self::Values, Faults> {
                let mut faults = Faults::default();
                let ($($value),+) = self;
                match ($(kept($value, &mut faults)),+) {
                    ($(Some($value)),+) => Ok(($($value),+)),
                    _ => Err(faults),
                }
            }
        }

        impl<$($Type: FromText),+> FromFields for ($($Type),+) {
            fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults> {
                all(($(fields.nth($place)),+))
            }
        }
    };
}

tuple!(A a 0, B b 1);
tuple!(A a 0, B b 1, C c 2);
tuple!(A a 0, B b 1, C c 2, D d 3);
tuple!(A a 0, B b 1, C c 2, D d 3, E e 4);
tuple!(A a 0, B b 1, C c 2, D d 3, E e 4, F f 5);
tuple!(A a 0, B b 1, C c 2, D d 3, E e 4, F f 5, G g 6);
tuple!(A a 0, B b 1, C c 2, D d 3, E e 4, F f 5, G g 6, H h 7);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::borrow::Cow;

    use super::*;
    use crate::web::fault::Fault;

    type Eight = (u8, u16, u32, u64, String, i8, i16, i32);

    fn fields(text: &str) -> Fields<'_> {
        let named = |value| (Cow::Borrowed("x"), Cow::Borrowed(value));
        Fields::new("path", text.split(' ').map(named))
    }

    #[test]
    fn members_stand_in_the_order_of_their_fields() {
        let two: (u8, String) = FromFields::from_fields(&fields("1 2")).unwrap();
        assert_eq!(two, (1, "2".to_owned()));
        let eight = Eight::from_fields(&fields("1 2 3 4 5 6 7 8 9")).unwrap();
        assert_eq!(eight, (1, 2, 3, 4, "5".to_owned(), 6, 7, 8));
    }

    #[test]
    fn all_members_tell_their_faults_in_order() {
        let faults = Eight::from_fields(&fields("x 2 3 x 5 6")).unwrap_err();
        let kinds: Vec<_> = faults.iter().map(Fault::kind).collect();
        let wrong = ["int_parsing", "int_parsing", "missing", "missing"];
        assert_eq!(kinds, wrong);
        let places: Vec<_> = faults.iter().flat_map(Fault::place).collect();
        let found = ["path", "x", "path", "x", "path", "6", "path", "7"];
        assert_eq!(places, found);
    }
}
