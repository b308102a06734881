//! From a target to a connection: look up, try, and say what was tried.

use std::error::Error;
use std::fmt;
use std::io;

use super::race::{Failures, race};
use super::stream::TcpStream;
use super::target::Target;
use crate::sys::{self, ConnectOptions};

pub(super) async fn connect(target: Target, options: &ConnectOptions) -> io::Result<TcpStream> {
    let addresses = target.addresses().await?;
    let attempt = async |address| {
        let socket = sys::connect(address, options)?;
        TcpStream::connecting(socket).await
    };
    let connected = race(&addresses, attempt).await;
    connected.map_err(|failures| ConnectError::wrap(&target, failures))
}

/// Every address that was tried, and why it failed.
#[derive(Debug)]
struct ConnectError {
    target: String,
    failures: Failures,
}

impl ConnectError {
    fn wrap(target: &Target, failures: Failures) -> io::Error {
        let last = failures.last().map(|(_, error)| error.kind());
        let error = ConnectError {
            target: target.to_string(),
            failures,
        };
        io::Error::new(last.unwrap_or(io::ErrorKind::NotFound), error)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot connect to {}: ", self.target)?;
        for (at, (address, error)) in self.failures.iter().enumerate() {
            let between = if at == 0 { "" } else { "; " };
            let address = address.to_string();
            if address == self.target {
                write!(f, "{between}{error}")?;
            } else {
                write!(f, "{between}{address}: {error}")?;
            }
        }
        Ok(())
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let (_, error) = self.failures.last()?;
        Some(error)
    }
}
