//! Five ways to block, five verdicts, and the function that is to blame: in debug and in release,
//! where what would be inlined is kept apart by `#[inline(never)]`.

use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use tourbillon::watch::{Owner, Verdict};
use tourbillon::{Stage, StallReport};

use super::super::support::Folder;
use super::{Enough, TELLS, stuck_in};

/// Asserts that all who looked have blamed the function, and have judged it as that.
#[track_caller]
fn assert_blamed(reports: &[StallReport], function: &str, verdict: Verdict) {
    for report in reports.iter().filter(|_| TELLS) {
        let (stall, text) = (&report.stall, format!("{report}{:#?}", report.stall.stack));
        let culprit = stall
            .culprit()
            .unwrap_or_else(|| panic!("no stack: {text}"));
        // Tables of lines know some functions by their last name only.
        let name = culprit.function.rsplit("::").next();
        assert_eq!(name, Some(function), "{text}");
        assert_eq!(culprit.owner, Owner::Yours, "{text}");
        assert_eq!(culprit.file, "tests/it/stalls/ways.rs", "{text}");
        assert_eq!(stall.verdict, verdict, "{text}");
        let has_handler = stall
            .stack
            .iter()
            .any(|frame| frame.function.contains("on_sample"));
        assert!(
            !has_handler,
            "the handler's own frames are left out: {text}"
        );
        assert_eq!((stall.label.as_str(), stall.poll), ("guilty", 1), "{text}");
        assert!(stall.place.starts_with("tests/it/stalls.rs:"), "{text}");
        if report.stage == Stage::Began {
            assert_told(report, function);
        }
    }
}

/// What a person reads: the function first, its callers behind it, and nobody else.
#[track_caller]
fn assert_told(report: &StallReport, name: &str) {
    let text = report.to_string();
    let mut lines = text
        .lines()
        .skip_while(|line| !line.starts_with("  stuck in "));
    let first = lines.next().unwrap_or_default();
    assert!(first.contains(name), "{text}");
    assert!(first.contains("tests/it/stalls/ways.rs:"), "{text}");
    for caller in lines.take_while(|line| line.starts_with("     ")) {
        let is_own = caller.contains("tests/it/stalls") || caller.contains(" frames hidden, ");
        assert!(is_own, "{caller:?} in {text}");
    }
    let state = report.stall.verdict.text();
    assert!(text.contains(&format!("  state    {state}")), "{text}");
}

#[inline(never)]
fn by_computing(enough: &Enough) {
    let mut sum = 0_u64;
    while !enough.is() {
        for number in 0..10_000_u64 {
            sum = black_box(sum ^ number);
        }
    }
    black_box(sum);
}

#[test]
fn a_loop_that_computes() {
    let mut reports = stuck_in(|enough| by_computing(&enough));
    // With so many tests at once, a thread may get less than half a processor: that is another
    // verdict, and a right one.
    reports.retain(|report| {
        let share = report.cpu.unwrap_or_default().as_secs_f64() / report.elapsed.as_secs_f64();
        report.stall.verdict != Verdict::Starved || share >= 0.5
    });
    assert_blamed(&reports, "by_computing", Verdict::Cpu);
}

#[inline(never)]
fn by_sleeping(enough: &Enough) {
    while !enough.is() {
        thread::sleep(Duration::from_millis(250));
    }
    black_box(());
}

#[test]
fn a_loop_that_sleeps() {
    let reports = stuck_in(|enough| by_sleeping(&enough));
    assert_blamed(&reports, "by_sleeping", Verdict::Sleep);
}

#[inline(never)]
fn by_locking(lock: &Mutex<u32>) -> u32 {
    black_box(*lock.lock().unwrap())
}

#[test]
fn a_loop_that_waits_for_a_lock() {
    let reports = stuck_in(|enough| {
        let lock = Arc::new(Mutex::new(7));
        let (its_lock, (locked, is_locked)) = (Arc::clone(&lock), mpsc::channel());
        let (free, is_free) = mpsc::channel::<()>();
        thread::spawn(move || {
            let _guard = its_lock.lock().unwrap();
            locked.send(()).unwrap();
            let _ = is_free.recv();
        });
        is_locked.recv().unwrap();
        enough.then(move || drop(free));
        assert_eq!(by_locking(&lock), 7);
    });
    assert_blamed(&reports, "by_locking", Verdict::Lock);
}

#[inline(never)]
fn by_reading(mut file: &File) -> usize {
    let mut bytes = [0; 8];
    black_box(file.read(&mut bytes).unwrap())
}

/// A FIFO that this process itself can write to.
#[allow(unsafe_code)]
fn fifo(folder: &Folder) -> File {
    use std::os::unix::ffi::OsStrExt;
    let path = folder.path("fifo");
    let name = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the name ends with a nul, and lives until the call returns.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap()
}

#[test]
fn a_loop_that_reads_a_file() {
    let folder = Folder::new();
    let file = fifo(&folder);
    let reports = stuck_in(move |enough| {
        let mut writer = file.try_clone().unwrap();
        enough.then(move || writer.write_all(b"end").unwrap());
        assert_eq!(by_reading(&file), 3);
    });
    assert_blamed(&reports, "by_reading", Verdict::File);
}

#[inline(never)]
fn by_connecting(to: SocketAddr) -> bool {
    black_box(TcpStream::connect(to).is_ok())
}

/// A listener that takes no more, and those that it has taken.
#[allow(unsafe_code)]
fn full() -> (TcpListener, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // SAFETY: listen(2) takes two numbers; of a socket that listens already, it changes how many
    // may wait.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 1) }, 0);
    let at = listener.local_addr().unwrap();
    let brief = Duration::from_millis(200);
    let waiting = (0..64).map_while(|_| TcpStream::connect_timeout(&at, brief).ok());
    let waiting = waiting.collect();
    (listener, waiting)
}

#[test]
fn a_loop_that_connects() {
    let (listener, waiting) = full();
    let reports = stuck_in(move |enough| {
        let at = listener.local_addr().unwrap();
        // The kernel asks again after a second, and is refused.
        enough.then(move || drop((listener, waiting)));
        by_connecting(at);
    });
    assert_blamed(&reports, "by_connecting", Verdict::Socket);
}
