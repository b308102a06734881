//! What the kernel tells of other threads, and of sockets that nobody reads.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::super::accept_queue::{accept_queue, readable_now};
use super::super::module::module_of;
use super::super::stderr::write_stderr;
use super::super::thread_state::{RunState, ThreadId, WaitsFor, is_traced};

/// Looks until it is so, for at most ten seconds.
fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if let Some(seen) = look() {
            return Some(seen);
        }
        thread::yield_now();
    }
    None
}

#[test]
fn a_thread_that_waits_for_another_says_so() {
    let (send, receive) = mpsc::channel::<()>();
    let (say, said) = mpsc::channel();
    let waiting = thread::spawn(move || {
        say.send(ThreadId::here()).unwrap();
        let _ = receive.recv();
    });
    let thread = said.recv().unwrap();
    if cfg!(target_os = "linux") {
        let call = eventually(|| thread.syscall().filter(|call| call.name == "futex"));
        assert_eq!(call.map(|call| call.waits_for), Some(WaitsFor::Lock));
        assert!(eventually(|| (thread.run_state()? == RunState::Asleep).then_some(())).is_some());
    }
    drop(send);
    waiting.join().unwrap();
    // The kernel may take a moment to forget it.
    assert!(eventually(|| thread.cpu_time().is_none().then_some(())).is_some());
    assert!(thread.run_state().is_none() && thread.syscall().is_none());
}

#[test]
fn a_thread_knows_its_own_time() {
    let thread = ThreadId::here();
    assert_eq!(thread, ThreadId::here());
    if cfg!(target_os = "linux") {
        let before = thread.cpu_time().unwrap();
        let later = eventually(|| thread.cpu_time().filter(|now| *now > before));
        assert!(later.is_some());
        assert_eq!(thread.run_state(), Some(RunState::Running));
        assert_eq!(is_traced().map(|_| ()), Some(()));
    }
}

#[test]
fn connections_that_nobody_accepts_are_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let mut clients = [(); 3].map(|()| TcpStream::connect(at).unwrap());
    let fd = listener.as_raw_fd();
    if cfg!(target_os = "linux") {
        let (waiting, limit) = accept_queue(fd).unwrap();
        assert_eq!(waiting, 3);
        assert!(limit >= 3);
        assert_eq!(
            accept_queue(clients[0].as_raw_fd()),
            None,
            "it is no listener"
        );
        assert_eq!(accept_queue(-1), None);
    }
    let (first, _) = listener.accept().unwrap();
    let fds = [fd, first.as_raw_fd(), -1];
    assert_eq!(readable_now(&fds), [fd]);
    clients[0].write_all(b"x").unwrap();
    clients[1].write_all(b"x").unwrap();
    let both = eventually(|| (readable_now(&fds).len() == 2).then_some(()));
    assert!(both.is_some());
    assert!(readable_now(&[]).is_empty());
}

#[test]
fn code_is_found_in_its_file() {
    let here = code_is_found_in_its_file as fn() as usize;
    let module = module_of(here).unwrap();
    let own = std::env::current_exe().unwrap();
    let name = own.file_name().unwrap().to_str().unwrap();
    assert!(module.path.ends_with(name), "{module:?}");
    assert!(module.offset > 0 && module.offset < here);
    assert_eq!(module_of(8), None);
}

#[test]
fn standard_error_takes_a_line() {
    assert!(write_stderr(""));
}
