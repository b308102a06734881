//! What has to be said while the program is stuck, perhaps in saying something itself.

use super::accept_queue::poll_now;

/// Writes to the process's standard error as far as that takes it without waiting, past the lock
/// that std has on it: a thread that is stuck may hold that lock, or have filled the pipe. Says
/// whether all was taken.
pub(crate) fn write_stderr(text: &str) -> bool {
    /// POSIX: a pipe that is writable takes as much in one piece.
    const PIECE: usize = 512;
    // Linux and the BSDs promise more, and a report should be one line of one writer.
    let piece = if cfg!(target_os = "linux") {
        4096
    } else {
        PIECE
    };
    text.as_bytes().chunks(piece).all(|bytes| {
        let mut asked = [libc::pollfd {
            fd: libc::STDERR_FILENO,
            events: libc::POLLOUT,
            revents: 0,
        }];
        poll_now(&mut asked);
        if asked[0].revents & libc::POLLOUT == 0 {
            return false;
        }
        // SAFETY: write(2) reads as many bytes as it is told, from a slice of that length.
        let written =
            unsafe { libc::write(libc::STDERR_FILENO, bytes.as_ptr().cast(), bytes.len()) };
        usize::try_from(written).is_ok_and(|written| written == bytes.len())
    })
}
