//! A process that forks while a runtime lives: the child learns, and the parent is unharmed.

use std::io::Write;
use std::time::Duration;

use tourbillon::net::{TcpListener, TcpStream};
use tourbillon::process::{Child, Command};
use tourbillon::signal::{Signal, Signals};
use tourbillon::{Runtime, sleep, spawn_blocking, timeout};

use super::support::{caught, kill_self, text_of, well_in_child};

/// What lives in a runtime when its process forks.
struct Living {
    rt: Runtime,
    stream: TcpStream,
    peer: std::net::TcpStream,
    signals: Signals,
    child: Child,
}

fn living() -> Living {
    let mut rt = Runtime::new().unwrap();
    let (stream, peer, signals, child) = rt.block_on(async {
        let mut listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let signals = Signals::new(&[Signal::User1]).unwrap();
        let child = Command::new("sleep")
            .arg("600")
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        // Known to be empty, so from here on only the kernel's word counts.
        let read = timeout(Duration::from_millis(1), stream.read(&mut [0; 8])).await;
        assert!(read.is_err());
        (stream, peer, signals, child)
    });
    Living {
        rt,
        stream,
        peer,
        signals,
        child,
    }
}

/// Forks; the child runs `body` and says by its status whether all it found was right.
#[allow(unsafe_code)]
fn fork(body: impl FnOnce()) -> bool {
    // SAFETY: the only other thread of this process waits for the test to end and holds no lock.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        // SAFETY: both take a number. The alarm ends the child if it hangs.
        unsafe {
            libc::alarm(30);
            libc::_exit(i32::from(caught(body).is_err()))
        }
    }
    let mut status = 0;
    // SAFETY: one live int is passed.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    status == 0
}

#[test]
fn a_forked_child_gets_an_error_and_its_parent_all_events() {
    well_in_child(
        "forked::a_forked_child_gets_an_error_and_its_parent_all_events",
        || {
            let mut living = living();
            // An event is there before the child looks, and must be the parent's to find.
            living.peer.write_all(b"tick").unwrap();
            let is_well = fork(|| {
                let turned = living.rt.turn(Some(Duration::ZERO)).unwrap_err();
                assert!(turned.to_string().contains("was forked"), "{turned}");
                let ended = caught(|| {
                    living
                        .rt
                        .block_on(async { sleep(Duration::from_millis(1)).await })
                });
                let text = ended.unwrap_err();
                assert!(
                    text_of(&*text).contains("was forked"),
                    "{}",
                    text_of(&*text)
                );
                let entered = living.rt.enter();
                assert!(TcpListener::bind("127.0.0.1:0").is_err());
                drop(entered);
                // What would take a source out of the kernel's poll.
                drop(living.signals);
                assert!(living.stream.into_std().is_err());
                drop(living.rt);
            });
            assert!(is_well, "the forked child is not");
        },
    );
}

#[test]
fn the_parent_of_a_forked_child_goes_on() {
    well_in_child("forked::the_parent_of_a_forked_child_goes_on", || {
        let mut parent = living();
        let (rt, signals, stream) = (&mut parent.rt, &mut parent.signals, &mut parent.stream);
        parent.peer.write_all(b"tick").unwrap();
        let is_well = fork(|| {
            assert!(rt.turn(Some(Duration::ZERO)).is_err());
            drop_in_place_of(signals);
            assert!(parent.child.try_wait().is_err());
            assert!(parent.child.start_kill().is_err());
        });
        assert!(is_well, "the forked child is not");
        rt.block_on(async {
            let mut buf = [0; 4];
            timeout(Duration::from_secs(20), stream.read_exact(&mut buf))
                .await
                .unwrap()
                .unwrap();
            assert_eq!(&buf, b"tick");
            kill_self(Signal::User1);
            let heard = timeout(Duration::from_secs(20), signals.recv()).await;
            assert_eq!(heard.unwrap().unwrap(), Signal::User1);
            assert!(parent.child.try_wait().unwrap().is_none(), "it was killed");
            parent.child.kill().await.unwrap();
        });
    });
}

/// Drops what a child has a copy of, as its unwinding would.
#[allow(unsafe_code)]
fn drop_in_place_of<T>(value: &mut T) {
    // SAFETY: the process ends before the value is used or dropped again.
    unsafe { std::ptr::drop_in_place(value) };
}

#[test]
fn a_forked_child_may_make_a_runtime_of_its_own() {
    well_in_child(
        "forked::a_forked_child_may_make_a_runtime_of_its_own",
        || {
            let mut parent = living();
            let is_well = fork(|| {
                let mut rt = Runtime::new().unwrap();
                rt.block_on(async {
                    sleep(Duration::from_millis(1)).await;
                    assert_eq!(spawn_blocking(|| 42).await.unwrap(), 42);
                    for pidfd in [true, false] {
                        let status = Command::new("true").pidfd(pidfd).status().await;
                        assert!(status.unwrap().success());
                    }
                    let mut signals = Signals::new(&[Signal::User2]).unwrap();
                    kill_self(Signal::User2);
                    assert_eq!(signals.recv().await.unwrap(), Signal::User2);
                });
                drop_in_place_of(&mut parent.child);
            });
            assert!(is_well, "the forked child is not");
            assert!(parent.child.try_wait().unwrap().is_none(), "it was killed");
            parent.rt.block_on(parent.child.kill()).unwrap();
        },
    );
}
