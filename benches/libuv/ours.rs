//! The rows of `benches/libuv.rs`, done by this crate. `uv.c` is the other side of each.

use std::cell::Cell;
use std::fs;
use std::io::{self, Read};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tourbillon::net::{TcpListener, TcpStream, UdpSocket};
use tourbillon::process::Command;
use tourbillon::sync::Notify;
use tourbillon::{Handle, Runtime, call_later, offload, spawn, stop};

type Took = io::Result<Duration>;

const WRITE_SIZE: usize = 64 * 1024;
const PACKET: &[u8] = b"sixteen letters.";

/// An operation: one timer, made and called. Deadlines in no order, 2,000 to
/// a millisecond, which is where a heap and a wheel differ most.
pub(crate) fn timers_scattered(ops: usize, _width: usize) -> Took {
    timers(ops, |number, spread| number * 7919 % spread)
}

/// The same in the order of the deadlines, as libuv's own bench has it.
pub(crate) fn timers_ascending(ops: usize, _width: usize) -> Took {
    timers(ops, |number, _| number / 2_000)
}

/// CPU time of this thread, since most of the wall time is waiting.
fn timers(ops: usize, delay: fn(usize, usize) -> usize) -> Took {
    let mut rt = Runtime::new()?;
    let left = Rc::new(Cell::new(ops));
    let spread = ops / 2_000 + 1;
    let began = thread_cpu_time()?;
    let guard = rt.enter();
    for number in 0..ops {
        let left = Rc::clone(&left);
        let millis = delay(number, spread) + 1;
        call_later(Duration::from_millis(millis as u64), move || {
            left.set(left.get() - 1);
            if left.get() == 0 {
                stop();
            }
        });
    }
    drop(guard);
    rt.run()?;
    Ok(thread_cpu_time()? - began)
}

/// What the scheduler has given to this thread.
fn thread_cpu_time() -> Took {
    // It brings its sums up to date when it is entered.
    thread::yield_now();
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text.split(' ').next().and_then(|text| text.parse().ok());
    let nanos = nanos.ok_or_else(|| io::Error::other("schedstat does not begin with a number"))?;
    Ok(Duration::from_nanos(nanos))
}

/// An operation: from a loop to that of another thread, and back.
pub(crate) fn ping_pong(ops: usize, _width: usize) -> Took {
    let mut near = Runtime::new()?;
    let (sender, handles) = mpsc::channel();
    let far = thread::spawn(move || -> io::Result<()> {
        let mut far = Runtime::new()?;
        sender
            .send(far.handle())
            .expect("the near side waits for it");
        far.run()
    });
    let far_handle = handles.recv().map_err(io::Error::other)?;
    let began = Instant::now();
    hit(near.handle(), far_handle, 2 * ops);
    near.run()?;
    let took = began.elapsed();
    far.join().expect("the far loop does not panic")?;
    Ok(took)
}

/// Has the loop of `to` hit the ball back to that of `from`. Hits are counted
/// down, and each loop stops when it has no more of them.
fn hit(from: Handle, to: Handle, hits: usize) {
    let target = to.clone();
    let sent = target.call(move || {
        if hits > 0 {
            hit(to, from, hits - 1);
        }
        if hits <= 1 {
            stop();
        }
    });
    sent.expect("a loop runs until it has had its last hit");
}

/// Two connected ends in this loop, without Nagle's delay.
async fn tcp_pair() -> io::Result<(TcpStream, TcpStream)> {
    let mut listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _) = listener.accept().await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    Ok((client, server))
}

/// An operation: one write of 64 KiB, taken in at the other end.
pub(crate) fn pump(ops: usize, _width: usize) -> Took {
    Runtime::new()?.block_on(async {
        let (mut client, mut server) = tcp_pair().await?;
        let began = Instant::now();
        let writing = spawn(async move {
            let block = vec![0; WRITE_SIZE];
            for _ in 0..ops {
                client.write_all(&block).await?;
            }
            io::Result::Ok(())
        });
        let reading = spawn(async move {
            let mut buf = vec![0; WRITE_SIZE];
            let mut left = ops * WRITE_SIZE;
            while left > 0 {
                match server.read(&mut buf).await? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    count => left -= count,
                }
            }
            Ok(began.elapsed())
        });
        writing.await.expect("the writer does not panic")?;
        reading.await.expect("the reader does not panic")
    })
}

/// The same into a thread that does nothing but read, so that the other end
/// takes no turns of the loop.
pub(crate) fn pump_into_thread(ops: usize, _width: usize) -> Took {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let reading = thread::spawn(move || -> io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut buf = vec![0; WRITE_SIZE];
        let mut left = ops * WRITE_SIZE;
        while left > 0 {
            match stream.read(&mut buf)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => left -= count,
            }
        }
        Ok(())
    });
    let began = Instant::now();
    Runtime::new()?.block_on(async {
        let mut client = TcpStream::connect(address).await?;
        client.set_nodelay(true)?;
        let block = vec![0; WRITE_SIZE];
        for _ in 0..ops {
            client.write_all(&block).await?;
        }
        let read = reading.join();
        read.expect("the reader does not panic")?;
        Ok(began.elapsed())
    })
}

/// An operation: one packet, sent and received. `width` are sent, and the
/// next when all of those have been received, so that none is lost.
pub(crate) fn udp(ops: usize, width: usize) -> Took {
    Runtime::new()?.block_on(async {
        let sender = UdpSocket::bind("127.0.0.1:0")?;
        let receiver = UdpSocket::bind("127.0.0.1:0")?;
        let target = receiver.local_addr()?;
        let is_received = Rc::new(Notify::new());
        let tell = Rc::clone(&is_received);
        let bursts = ops.div_ceil(width);
        let began = Instant::now();
        let receiving = spawn(async move {
            let mut buf = vec![0; WRITE_SIZE];
            for _ in 0..bursts {
                for _ in 0..width {
                    receiver.recv_from(&mut buf).await?;
                }
                tell.notify_one();
            }
            io::Result::Ok(())
        });
        let sending = spawn(async move {
            for _ in 0..bursts {
                for _ in 0..width {
                    sender.send_to(PACKET, target).await?;
                }
                is_received.notified().await;
            }
            Ok(began.elapsed())
        });
        receiving.await.expect("the receiver does not panic")?;
        sending.await.expect("the sender does not panic")
    })
}

/// An operation: one child that does nothing, from its start to its status.
pub(crate) fn children(ops: usize, _width: usize) -> Took {
    Runtime::new()?.block_on(async {
        let mut command = Command::new("/bin/true");
        let began = Instant::now();
        for _ in 0..ops {
            assert!(command.status().await?.success());
        }
        Ok(began.elapsed())
    })
}

/// An operation: one job that does nothing, and its completion. `width` are
/// handed in, and the next when all of those have ended; on four threads.
pub(crate) fn jobs(ops: usize, width: usize) -> Took {
    let mut rt = Runtime::builder().blocking_workers_max(4).build()?;
    let mut began = Instant::now();
    // One batch more, which starts the threads.
    for todo in [width, ops] {
        let left = Rc::new(Cell::new(todo.div_ceil(width)));
        began = Instant::now();
        let guard = rt.enter();
        hand_in(left, width);
        drop(guard);
        rt.run()?;
    }
    Ok(began.elapsed())
}

fn hand_in(batches: Rc<Cell<usize>>, width: usize) {
    let working = Rc::new(Cell::new(width));
    for _ in 0..width {
        let (working, batches) = (Rc::clone(&working), Rc::clone(&batches));
        let completion = move |ended: Result<(), _>| {
            assert!(ended.is_ok(), "a job that does nothing succeeds");
            working.set(working.get() - 1);
            if working.get() > 0 {
                return;
            }
            batches.set(batches.get() - 1);
            if batches.get() == 0 {
                stop();
            } else {
                hand_in(batches, width);
            }
        };
        offload(|| (), completion);
    }
}
