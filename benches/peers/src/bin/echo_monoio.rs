//! monoio on epoll: a task for each connection, with a buffer of 256 KiB.

use std::io;

use monoio::buf::IoBuf;
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};
use monoio::{LegacyDriver, RuntimeBuilder};

fn main() -> io::Result<()> {
    let mut runtime = RuntimeBuilder::<LegacyDriver>::new().build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(peers::listen()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            monoio::spawn(echo(stream));
        }
    })
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer: Vec<u8> = Vec::with_capacity(256 << 10);
    loop {
        let (count, filled) = stream.read(buffer).await;
        let count = count?;
        if count == 0 {
            return Ok(());
        }
        let (written, sent) = stream.write_all(filled.slice(..count)).await;
        written?;
        buffer = sent.into_inner();
    }
}
