//! Why a server did not start, or did not stop well.

use std::error::Error;
use std::fmt;
use std::io;
use std::process::ExitCode;

/// Why a server did not start, or did not stop well.
///
/// The server has logged it. As an [`ExitCode`] it is what supervisors of
/// Uvicorn's workers know: see [`exit_code`](Self::exit_code).
///
/// # Examples
///
/// ```no_run
/// use std::process::ExitCode;
/// use tourbillon::server::{Config, serve};
///
/// fn main() -> ExitCode {
///     match serve(async |_request| "Hello!", Config::default()) {
///         Ok(()) => ExitCode::SUCCESS,
///         Err(error) => error.into(),
///     }
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// No runtime could be made.
    Runtime(io::Error),
    /// The address could not be listened on, or the signals not be taken.
    Listen(io::Error),
    /// The lifespan's startup failed, or took too long.
    Startup(Box<dyn Error + Send + Sync>),
    /// The lifespan's shutdown failed.
    Shutdown(Box<dyn Error + Send + Sync>),
}

impl ServeError {
    /// The exit code of a program that could not start: 3, as Uvicorn's. A
    /// supervisor should not start it again.
    pub const STARTUP_FAILURE: u8 = 3;

    /// What the process should exit with:
    /// [`STARTUP_FAILURE`](Self::STARTUP_FAILURE) if nothing was served, else
    /// 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            ServeError::Runtime(_) | ServeError::Listen(_) | ServeError::Startup(_) => {
                Self::STARTUP_FAILURE
            }
            ServeError::Shutdown(_) => 1,
        }
    }
}

impl From<ServeError> for ExitCode {
    fn from(error: ServeError) -> ExitCode {
        ExitCode::from(error.exit_code())
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServeError::Runtime(error) => write!(f, "no runtime: {error}"),
            ServeError::Listen(error) => error.fmt(f),
            ServeError::Startup(error) => write!(f, "application startup failed: {error}"),
            ServeError::Shutdown(error) => write!(f, "application shutdown failed: {error}"),
        }
    }
}

impl Error for ServeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ServeError::Runtime(error) | ServeError::Listen(error) => Some(error),
            ServeError::Startup(error) | ServeError::Shutdown(error) => Some(&**error),
        }
    }
}
