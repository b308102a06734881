//! The trait of what can be taken out of a request, and its three doors.

use std::any::type_name;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;

use crate::server::{Handler, IntoResponse, Method, Request, Response};
use crate::web::error::HttpError;
use crate::web::pattern::UrlError;
use crate::web::table::Names;

/// What can be taken out of a request.
///
/// # Examples
///
/// ```
/// use tourbillon::server::{Request, Status};
/// use tourbillon::web::HttpError;
/// use tourbillon::web::extract::{Extract, extract};
///
/// struct ApiKey(String);
///
/// impl Extract for ApiKey {
///     async fn extract(request: &mut Request) -> Result<Self, HttpError> {
///         match request.headers().get("x-api-key") {
///             Some(key) => Ok(ApiKey(key.to_owned())),
///             None => Err(HttpError::new(Status::UNAUTHORIZED)),
///         }
///     }
/// }
///
/// let handler = extract(async |ApiKey(key): ApiKey| format!("{} bytes", key.len()));
/// # let _ = handler;
/// ```
pub trait Extract: Sized {
    /// Takes it out.
    ///
    /// # Errors
    ///
    /// What the client is told instead of the handler's answer. In a tuple,
    /// faults (422) of all its members are told together; any other error is
    /// told at once.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses what of a body was read.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::server::Request;
    /// use tourbillon::web::HttpError;
    /// use tourbillon::web::extract::{Extract, Path};
    ///
    /// async fn handler(mut request: Request) -> Result<String, HttpError> {
    ///     let Path(id) = <Path<u32>>::extract(&mut request).await?;
    ///     Ok(format!("user {id}"))
    /// }
    /// # let _ = handler;
    /// ```
    fn extract(request: &mut Request) -> impl Future<Output = Result<Self, HttpError>>;
}

/// Makes a handler of an async function of what it takes.
///
/// # Examples
///
/// ```
/// use tourbillon::web::Router;
/// use tourbillon::web::extract::{Path, Query, extract};
/// # use tourbillon::web::Faults;
/// # use tourbillon::web::extract::{Fields, FromFields};
/// # struct Page { number: u32 }
/// # impl FromFields for Page {
/// #     fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults> {
/// #         Ok(Page { number: fields.optional("number")?.unwrap_or(1) })
/// #     }
/// # }
///
/// async fn book(Path(title): Path<String>) -> String {
///     title
/// }
///
/// let app = Router::new()
///     .get("/books/{title}", extract(book))
///     .get("/users/{id}", extract(async |(Path(id), Query(page)): (Path<u32>, Query<Page>)| {
///         format!("user {id}, page {}", page.number)
///     }));
/// # let _ = app;
/// ```
pub fn extract<F, A, R>(handler: F) -> Extracting<F, A>
where
    F: AsyncFn(A) -> R + 'static,
    A: Extract + 'static,
    R: IntoResponse,
{
    Extracting {
        handler,
        takes: PhantomData,
    }
}

/// A handler that takes values out of its request; made by [`extract`].
///
/// # Examples
///
/// ```
/// use tourbillon::server::Method;
/// use tourbillon::web::extract::{Extracting, extract};
///
/// let handler: Extracting<_, Method> = extract(async |method| format!("{method:?}"));
/// # let _ = handler;
/// ```
pub struct Extracting<F, A> {
    handler: F,
    takes: PhantomData<fn() -> A>,
}

impl<F, A, R> Handler for Extracting<F, A>
where
    F: AsyncFn(A) -> R + 'static,
    A: Extract + 'static,
    R: IntoResponse,
{
    async fn handle(&self, mut request: Request) -> Response {
        match A::extract(&mut request).await {
            Ok(taken) => {
                // The head's memory serves other requests meanwhile.
                drop(request);
                (self.handler)(taken).await.into_response()
            }
            Err(error) => error.into_response(),
        }
    }
}

impl<F, A> fmt::Debug for Extracting<F, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extracting")
            .field("takes", &type_name::<A>())
            .finish_non_exhaustive()
    }
}

/// What this room adds to a [`Request`].
///
/// # Examples
///
/// ```
/// use tourbillon::server::Request;
/// use tourbillon::web::HttpError;
/// use tourbillon::web::extract::{Path, RequestExt};
///
/// async fn user(mut request: Request) -> Result<String, HttpError> {
///     let Path(id) = request.extract::<Path<u32>>().await?;
///     let next = request.url_for("user", &[("id", &(id + 1).to_string())]);
///     Ok(format!("{id}, and {next:?} after it"))
/// }
/// # let _ = user;
/// ```
pub trait RequestExt {
    /// Takes a value out.
    ///
    /// # Errors
    ///
    /// See the type that is taken out.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses what of a body was read.
    fn extract<T: Extract>(&mut self) -> impl Future<Output = Result<T, HttpError>>;

    /// The path of a named route of the router that this request came
    /// through, as by [`Router::url_for`](crate::web::Router::url_for).
    ///
    /// # Errors
    ///
    /// The same, and [`UrlError::UnknownName`] where no router was.
    fn url_for(&self, name: &str, params: &[(&str, &str)]) -> Result<String, UrlError>;
}

impl RequestExt for Request {
    async fn extract<T: Extract>(&mut self) -> Result<T, HttpError> {
        T::extract(self).await
    }

    fn url_for(&self, name: &str, params: &[(&str, &str)]) -> Result<String, UrlError> {
        match self.router().and_then(|router| router.downcast_ref()) {
            Some(names) => Names::url_for(names, name, params),
            None => Err(UrlError::UnknownName(name.to_owned())),
        }
    }
}

impl Extract for Method {
    async fn extract(request: &mut Request) -> Result<Self, HttpError> {
        Ok(request.method())
    }
}

/// The error as a value: the handler decides what to tell.
impl<T: Extract> Extract for Result<T, HttpError> {
    async fn extract(request: &mut Request) -> Result<Self, HttpError> {
        Ok(T::extract(request).await)
    }
}
