//! tourbillon: a task for each connection, with a buffer of 256 KiB.

use std::io;

use tourbillon::net::{TcpListener, TcpStream};
use tourbillon::{Runtime, spawn};

fn main() -> io::Result<()> {
    Runtime::new()?.block_on(async {
        let mut listener = TcpListener::bind("127.0.0.1:0")?;
        peers::announce(listener.local_addr()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            spawn(echo(stream)).detach();
        }
    })
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 256 << 10];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count]).await?;
    }
}
