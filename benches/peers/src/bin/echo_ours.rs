//! tourbillon: a task for each connection, with a buffer of 256 KiB, or with the word `copy` by
//! `net::copy`, whose buffer all of a thread share.

use std::io;

use tourbillon::net::{TcpListener, TcpStream, copy};
use tourbillon::{Runtime, spawn};

fn main() -> io::Result<()> {
    let copies = std::env::args().any(|arg| arg == "copy");
    Runtime::new()?.block_on(async {
        let mut listener = TcpListener::bind("127.0.0.1:0")?;
        peers::announce(listener.local_addr()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            match copies {
                true => spawn(echo_by_copy(stream)).detach(),
                false => spawn(echo(stream)).detach(),
            }
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

async fn echo_by_copy(mut stream: TcpStream) -> io::Result<()> {
    let (mut reader, mut writer) = stream.split();
    copy(&mut reader, &mut writer).await?;
    Ok(())
}
