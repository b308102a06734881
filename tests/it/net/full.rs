//! The descriptor table: nothing leaks into it, and nothing breaks when it is full.
//!
//! Its limit belongs to the process, so these tests run in children of their own.

use std::time::Instant;

use super::*;
use crate::support::{cpu_time, limit_descriptors, well_in_child};

fn open_descriptors() -> usize {
    std::fs::read_dir("/dev/fd").unwrap().count()
}

#[test]
fn a_thousand_connections_leave_no_descriptor_behind() {
    well_in_child(
        "net::full::a_thousand_connections_leave_no_descriptor_behind",
        || {
            block_on(|| async {
                let mut listener = TcpListener::bind(any_port()).unwrap();
                let address = listener.local_addr().unwrap();
                let before = open_descriptors();
                for round in 0..1000 {
                    let client = TcpStream::connect(address).await.unwrap();
                    let (server, _) = listener.accept().await.unwrap();
                    match round % 4 {
                        0 => drop((client, server)),
                        1 => drop((server.into_split(), client.into_split())),
                        2 => drop((server.into_std().unwrap(), client)),
                        _ => {
                            spawn(async move {
                                let _held = (client, server);
                                yield_now().await;
                            })
                            .await
                            .unwrap();
                        }
                    }
                }
                // A connection that is given up while it is being made.
                for _ in 0..100 {
                    let connect = TcpStream::connect(address);
                    let _ = timeout(Duration::ZERO, connect).await;
                }
                while timeout(MOMENT, listener.accept()).await.is_ok() {}
                assert_eq!(open_descriptors(), before);
            });
        },
    );
}

/// The table fills up while clients wait. Accepting must pause without spinning, what is
/// connected must go on, and accepting must recover when descriptors come free.
#[test]
fn a_full_table_pauses_accepting_and_recovers() {
    well_in_child(
        "net::full::a_full_table_pauses_accepting_and_recovers",
        || {
            crate::support::collect_logs();
            block_on(|| async {
                let mut listener = TcpListener::bind(any_port()).unwrap();
                let address = listener.local_addr().unwrap();
                let mut served = TcpStream::connect(address).await.unwrap();
                let (mut echo, _) = listener.accept().await.unwrap();
                spawn(async move {
                    let mut byte = [0];
                    while echo.read_exact(&mut byte).await.is_ok() {
                        echo.write_all(&byte).await.unwrap();
                    }
                })
                .detach();
                // Clients first: they complete in the kernel's queue without anybody's accept.
                let clients: Vec<_> = (0..60)
                    .map(|_| std::net::TcpStream::connect(address).unwrap())
                    .collect();
                limit_descriptors(open_descriptors() as u64 + 8);
                let accepted = Rc::new(Cell::new(0));
                let (count, held) = (
                    Rc::clone(&accepted),
                    Rc::new(std::cell::RefCell::new(vec![])),
                );
                let keep = Rc::clone(&held);
                let accepting = spawn(async move {
                    loop {
                        let (stream, _) = listener.accept().await.expect("being full is no error");
                        count.set(count.get() + 1);
                        keep.borrow_mut().push(stream);
                    }
                });
                sleep(MOMENT).await;
                let before = accepted.get();
                assert!(
                    (1..60).contains(&before),
                    "{before} were accepted: the table is not full"
                );
                // While it is full: CPU time stays small, and connections are served.
                let (began, cpu) = (Instant::now(), cpu_time());
                while began.elapsed() < Duration::from_millis(450) {
                    served.write_all(b"x").await.unwrap();
                    let mut byte = [0];
                    timeout(PATIENCE, served.read_exact(&mut byte))
                        .await
                        .unwrap()
                        .unwrap();
                    sleep(Duration::from_millis(20)).await;
                }
                let used = cpu_time() - cpu;
                assert!(used < began.elapsed() / 3, "{used:?} of CPU time: it spins");
                assert!(!accepting.is_finished());
                assert_eq!(accepted.get(), before, "nothing came free");
                // Those at the front of the queue were told, one a rest.
                let refused = clients.iter().filter(|client| ended(client)).count();
                assert!((1..20).contains(&refused), "{refused} clients were refused");
                // Descriptors come free.
                held.borrow_mut().clear();
                limit_descriptors(400);
                let began = Instant::now();
                let wanted = 60 - refused - 10;
                while accepted.get() < wanted {
                    assert!(began.elapsed() < PATIENCE, "{} of {wanted}", accepted.get());
                    sleep(Duration::from_millis(5)).await;
                }
                accepting.abort();
                let lines = crate::support::logged_with("accepting pauses");
                assert!((1..=10).contains(&lines.len()), "{} lines", lines.len());
            });
        },
    );
}

/// Whether the peer has closed, or reset, a connection that it never accepted.
fn ended(client: &std::net::TcpStream) -> bool {
    client.set_nonblocking(true).unwrap();
    match client.peek(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}
