//! Lines without their ends, one by one.

use std::io;

use super::buf_reader::BufReader;
use crate::io::AsyncRead;

/// Lines, one by one; made by [`BufReader::lines`].
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # use tourbillon::net::BufReader;
/// # tourbillon::Runtime::new()?.block_on(async {
/// let mut reader = BufReader::new(&b"tick\r\ntack"[..]);
/// let mut lines = reader.lines(80);
/// assert_eq!(lines.next_line().await?, Some("tick"));
/// assert_eq!(lines.next_line().await?, Some("tack"));
/// assert_eq!(lines.next_line().await?, None);
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Debug)]
pub struct Lines<'a, R> {
    reader: &'a mut BufReader<R>,
    limit: usize,
}

impl<'a, R: AsyncRead> Lines<'a, R> {
    pub(super) fn new(reader: &'a mut BufReader<R>, limit: usize) -> Self {
        Lines { reader, limit }
    }

    /// Reads the next line, and gives it without the `\n` or `\r\n` at its
    /// end; `None` when no more will come.
    ///
    /// # Errors
    ///
    /// As [`BufReader::read_line`].
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no byte.
    pub async fn next_line(&mut self) -> io::Result<Option<&str>> {
        let line = self.reader.read_line(self.limit).await?;
        if line.is_empty() {
            return Ok(None);
        }
        let bare = line.strip_suffix('\n').unwrap_or(line);
        Ok(Some(match bare.strip_suffix('\r') {
            Some(barer) if bare.len() < line.len() => barer,
            _ => bare,
        }))
    }
}
