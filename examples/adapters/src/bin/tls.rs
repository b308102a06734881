//! TLS by rustls over futures-io: a line there and back, encrypted.
//!
//! Run: cargo run --manifest-path examples/adapters/Cargo.toml --bin tls

use std::error::Error;
use std::sync::Arc;

use futures_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use futures_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use futures_rustls::{TlsAcceptor, TlsConnector};
use futures_util::{AsyncReadExt, AsyncWriteExt};
use tourbillon::net::{FuturesIo, TcpListener, TcpStream};
use tourbillon::{Runtime, spawn};

fn main() -> Result<(), Box<dyn Error>> {
    // A certificate of our own for `localhost`, made afresh, trusted by nobody but this client.
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let certificate = own.cert.der().clone();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der())?;
    let server = ServerConfig::builder().with_no_client_auth();
    let server = server.with_single_cert(vec![certificate.clone()], key)?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate)?;
    let client = ClientConfig::builder().with_root_certificates(roots);
    let client = client.with_no_client_auth();

    let mut rt = Runtime::new()?;
    rt.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let server = spawn(async move {
            echo(listener, acceptor).await.map_err(|error| error.to_string())
        });

        let stream = FuturesIo::new(TcpStream::connect(address).await?);
        let connector = TlsConnector::from(Arc::new(client));
        let name = ServerName::try_from("localhost")?;
        let mut stream = connector.connect(name, stream).await?;
        stream.write_all(b"tick\n").await?;
        stream.flush().await?;
        let mut heard = [0; 5];
        stream.read_exact(&mut heard).await?;
        println!("heard {:?}", String::from_utf8_lossy(&heard));
        println!("protocol {:?}", stream.get_ref().1.protocol_version());
        stream.close().await?;
        server.await??;
        println!("closed by both");
        Ok(())
    })
}

async fn echo(mut listener: TcpListener, acceptor: TlsAcceptor) -> Result<(), Box<dyn Error>> {
    let (stream, _) = listener.accept().await?;
    let mut stream = acceptor.accept(FuturesIo::new(stream)).await?;
    let mut line = [0; 5];
    stream.read_exact(&mut line).await?;
    stream.write_all(&line).await?;
    stream.flush().await?;
    // Until the client says that it closes.
    stream.read_to_end(&mut Vec::new()).await?;
    stream.close().await?;
    Ok(())
}
