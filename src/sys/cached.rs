//! Reading a file as far as its pages are in memory.
//!
//! Files are always ready, says every poll; the read then waits for the disk. Linux alone can be
//! asked to read only what it need not wait for.

use std::io;
use std::os::fd::BorrowedFd;

/// Reads what the page cache holds of a file from `offset` on, without waiting for the disk. Zero
/// means that the file ends there. May read less than there is, also at the end of what is cached.
///
/// # Errors
///
/// `WouldBlock` if the first byte is not in the cache: the kernel has begun to read it then.
/// `Unsupported` if this kernel or this file system cannot tell.
#[cfg(target_os = "linux")]
pub(crate) fn read_cached(file: BorrowedFd<'_>, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    use std::os::fd::AsRawFd;

    let Ok(offset) = libc::off_t::try_from(offset) else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    let slice = libc::iovec {
        iov_base: buf.as_mut_ptr().cast(),
        iov_len: buf.len(),
    };
    let fd = file.as_raw_fd();
    // SAFETY: the descriptor is open for the call, which writes to the bytes of one buffer that is
    // borrowed for as long.
    let count = unsafe { libc::preadv2(fd, &raw const slice, 1, offset, libc::RWF_NOWAIT) };
    usize::try_from(count).map_err(|_| {
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EOPNOTSUPP | libc::ENOSYS | libc::EINVAL | libc::ESPIPE) => {
                io::Error::new(io::ErrorKind::Unsupported, error)
            }
            _ => error,
        }
    })
}

/// The same where nobody can tell.
#[cfg(not(target_os = "linux"))]
pub(crate) fn read_cached(_: BorrowedFd<'_>, _: &mut [u8], _: u64) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}
