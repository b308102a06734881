//! tokio's current-thread runtime: a task for each connection, with a buffer of 64 KiB, or with
//! the word `256k` one of 256 KiB.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let is_large = std::env::args().any(|arg| arg == "256k");
    let size = if is_large { 256 << 10 } else { 64 << 10 };
    let listener = TcpListener::from_std(peers::listen()?)?;
    // The loop that accepts is a task as well: the future of `block_on` is dearer to wake.
    let accepting = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(echo(stream, size));
        }
    });
    accepting.await?
}

async fn echo(mut stream: TcpStream, size: usize) -> io::Result<()> {
    let mut buffer = vec![0; size];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count]).await?;
    }
}
