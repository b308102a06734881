//! Chapter 7. How do sockets fit in?
//!
//! Run:    cargo run --example 07_echo
//! Shows:  an echo server and three clients; try, wait, readable, try again.
//! Next:   08_pool_full; or src/net/stream.rs, and src/reactor/reactor.rs below it.

#[path = "support/watch.rs"]
mod watch;

use std::error::Error;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::{self, SocketAddr};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tourbillon::net::{TcpListener, TcpStream};
use tourbillon::spawn;

const CLIENTS: u64 = 3;

fn main() -> Result<(), Box<dyn Error>> {
    println!("Chapter 7. How do sockets fit in?\n");
    let mut rt = watch::builder().build()?;
    let _page = watch::page(&rt, include_str!("07_echo.rs"))?;
    let guard = rt.enter();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    drop(guard);

    // The clients are threads: they stand for programs elsewhere.
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| thread::spawn(move || client(number, address)))
        .collect();
    rt.block_on(serve(listener))?;
    let stats = rt.stats();
    for client in clients {
        client.join().expect("a client does not panic")?;
    }

    println!(
        "\nturns {} / polls {} / parks {}   tasks {}, workers {}",
        stats.turns, stats.polls, stats.parks, stats.tasks_spawned, stats.workers
    );
    println!("Notice: while one connection waits, the loop serves another; no thread waits for");
    println!("        a socket. Readable is a reason to try, the bytes come from the read.");
    Ok(())
}

async fn serve(mut listener: TcpListener) -> Result<(), Box<dyn Error>> {
    let mut connections = Vec::new();
    for number in 1..=CLIENTS {
        let (stream, _) = listener.accept().await?;
        println!("conn {number}  accepted");
        connections.push(spawn(echo(number, stream)));
    }
    for connection in connections {
        connection.await??;
    }
    Ok(())
}

async fn echo(number: u64, mut stream: TcpStream) -> io::Result<()> {
    let mut buf = [0; 64];
    loop {
        let count = read_aloud(number, &mut stream, &mut buf).await?;
        if count == 0 {
            println!("conn {number}  closed: the peer has nothing more to say");
            return Ok(());
        }
        stream.write_all(&buf[..count]).await?;
        println!("conn {number}  wrote {count} bytes");
    }
}

/// `stream.read(buf).await`, saying what it does.
async fn read_aloud(number: u64, stream: &mut TcpStream, buf: &mut [u8]) -> io::Result<usize> {
    let mut waited = false;
    let count = poll_fn(|cx| {
        let polled = stream.poll_read(cx, buf);
        match &polled {
            Poll::Pending => println!("conn {number}  nothing to read: waits for the kernel"),
            Poll::Ready(_) if waited => println!("conn {number}  is readable"),
            Poll::Ready(_) => {}
        }
        waited |= polled.is_pending();
        polled
    })
    .await?;
    println!("conn {number}  read {count} bytes");
    Ok(count)
}

/// Says two things, 120 ms apart, and wants to hear them again.
fn client(number: u64, address: SocketAddr) -> io::Result<()> {
    // Apart from each other, so that the log is the same every time.
    thread::sleep(Duration::from_millis(40 * number));
    let mut stream = net::TcpStream::connect(address)?;
    for text in ["hello", "good-bye"] {
        thread::sleep(Duration::from_millis(120));
        stream.write_all(text.as_bytes())?;
        let mut heard = [0; 8];
        stream.read_exact(&mut heard[..text.len()])?;
        if &heard[..text.len()] != text.as_bytes() {
            return Err(io::Error::other("the echo says something else"));
        }
    }
    Ok(())
}
