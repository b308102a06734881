//! What an application shares among its handlers.

use std::any::type_name;
use std::ops::Deref;
use std::rc::Rc;

use super::extract::Extract;
use crate::server::{Request, Status};
use crate::web::error::HttpError;

/// What [`Router::with_state`](crate::web::Router::with_state) gave, or what
/// the lifespan's startup made, by its type.
///
/// A route whose application gave none of this type answers 500, and the log
/// says which was wanted.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use tourbillon::web::Router;
/// use tourbillon::web::extract::{State, extract};
///
/// #[derive(Default)]
/// struct Visits(Cell<u64>);
///
/// async fn count(visits: State<Visits>) -> String {
///     visits.0.0.set(visits.0.0.get() + 1);
///     format!("visit {}", visits.0.0.get())
/// }
///
/// let app = Router::new().get("/", extract(count)).with_state(Rc::<Visits>::default());
/// # let _ = app;
/// ```
#[derive(Debug)]
pub struct State<T>(pub Rc<T>);

impl<T: 'static> Extract for State<T> {
    async fn extract(request: &mut Request) -> Result<Self, HttpError> {
        let given = request.extensions().get::<Rc<T>>().cloned();
        given.or_else(|| request.state()).map(State).ok_or_else(|| {
            log::error!("no state of the type {} was given", type_name::<T>());
            HttpError::new(Status::INTERNAL_SERVER_ERROR)
        })
    }
}

impl<T> Clone for State<T> {
    fn clone(&self) -> Self {
        State(Rc::clone(&self.0))
    }
}

impl<T> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
