//! A WebSocket echo, server and client, over futures-io and async-tungstenite.
//!
//! Run: cargo run --manifest-path examples/adapters/Cargo.toml --bin websocket

use std::error::Error;

use async_tungstenite::tungstenite::Message;
use async_tungstenite::{accept_async, client_async};
use futures_util::StreamExt;
use tourbillon::net::{FuturesIo, TcpListener, TcpStream};
use tourbillon::{Runtime, spawn};

fn main() -> Result<(), Box<dyn Error>> {
    let mut rt = Runtime::new()?;
    rt.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = spawn(async move { echo(listener).await.map_err(|error| error.to_string()) });

        let stream = FuturesIo::new(TcpStream::connect(address).await?);
        let (mut socket, response) = client_async(format!("ws://{address}/echo"), stream).await?;
        println!("upgraded: {}", response.status());
        for text in ["tick", "tock"] {
            socket.send(Message::text(text)).await?;
            let heard = socket.next().await.ok_or("the server has hung up")??;
            println!("{text} -> {}", heard.into_text()?);
        }
        socket.close(None).await?;
        while socket.next().await.is_some() {}
        println!("echoed {} messages", server.await??);
        Ok(())
    })
}

/// Serves one client, and counts its messages.
async fn echo(mut listener: TcpListener) -> Result<usize, Box<dyn Error>> {
    let (stream, _) = listener.accept().await?;
    let mut socket = accept_async(FuturesIo::new(stream)).await?;
    let mut count = 0;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() {
            socket.send(message).await?;
            count += 1;
        }
    }
    Ok(count)
}
