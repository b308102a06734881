//! Why there is no answer.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use crate::http::AnswerError;

/// Why a request was not answered, or not to its end.
///
/// # Examples
///
/// ```
/// use tourbillon::client::{Client, ClientError};
///
/// # fn main() -> std::io::Result<()> {
/// let mut rt = tourbillon::Runtime::new()?;
/// let answered = rt.block_on(Client::new().get("ftp://localhost/"));
/// assert!(matches!(answered, Err(ClientError::Url(_))));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// The URL is none that this client goes to; this is it.
    Url(String),
    /// No connection could be made.
    Connect(io::Error),
    /// The connection broke.
    Io(io::Error),
    /// The answer is not HTTP, or not all of it came.
    Answer(AnswerError),
    /// More than 16 interim answers (1xx) came before the final one.
    TooManyInterim,
    /// Nothing came for this long.
    Timeout(Duration),
    /// The body is longer than the caller wants.
    TooLong,
    /// The connection takes no more requests.
    Closed,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Url(url) => write!(f, "{url:?} is not http://host[:port]/path"),
            ClientError::Connect(error) => write!(f, "no connection: {error}"),
            ClientError::Io(error) => write!(f, "the connection broke: {error}"),
            ClientError::Answer(error) => error.fmt(f),
            ClientError::TooManyInterim => {
                f.write_str("more than 16 interim answers (1xx) came before the final one")
            }
            ClientError::Timeout(time) => write!(f, "the server was silent for {time:?}"),
            ClientError::TooLong => f.write_str("the answer's body is longer than wanted"),
            ClientError::Closed => f.write_str("the connection takes no more requests"),
        }
    }
}

impl Error for ClientError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ClientError::Connect(error) | ClientError::Io(error) => Some(error),
            ClientError::Answer(error) => Some(error),
            _ => None,
        }
    }
}

impl From<AnswerError> for ClientError {
    fn from(error: AnswerError) -> Self {
        ClientError::Answer(error)
    }
}

impl From<ClientError> for io::Error {
    fn from(error: ClientError) -> Self {
        let kind = match &error {
            ClientError::Url(_) => io::ErrorKind::InvalidInput,
            ClientError::Connect(error) | ClientError::Io(error) => error.kind(),
            ClientError::Answer(AnswerError::CutOff) => io::ErrorKind::UnexpectedEof,
            ClientError::Timeout(_) => io::ErrorKind::TimedOut,
            ClientError::Closed => io::ErrorKind::NotConnected,
            ClientError::Answer(_) | ClientError::TooManyInterim | ClientError::TooLong => {
                io::ErrorKind::InvalidData
            }
        };
        io::Error::new(kind, error)
    }
}
