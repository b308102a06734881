//! Files that the kernel does not send by itself.

use std::fs::File;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::thread;

use super::super::send_file::{read_and_write, send_file};
use super::super::{TcpListener, TcpStream};
use crate::runtime::Runtime;

/// A connection, and the thread that reads its other end.
async fn connected() -> (TcpStream, thread::JoinHandle<Vec<u8>>) {
    let mut listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let reader = thread::spawn(move || {
        let mut got = Vec::new();
        let mut peer = std::net::TcpStream::connect(address).unwrap();
        peer.set_read_timeout(Some(super::PATIENCE)).unwrap();
        peer.read_to_end(&mut got).unwrap();
        got
    });
    let (stream, _) = listener.accept().await.unwrap();
    (stream, reader)
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

/// A file of `len` bytes that has no name any more.
fn file(len: usize) -> File {
    let name = format!("tourbillon-long-way-{}-{len}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let mut file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    file.write_all(&pattern(len)).unwrap();
    file
}

#[test]
fn the_long_way_sends_what_the_short_one_would() {
    let mut rt = Runtime::new().unwrap();
    rt.block_on(async {
        let len = 300_001;
        let file = file(len);
        let (mut stream, reader) = connected().await;
        // The short way took the first seven.
        let sent = read_and_write(&mut stream, &file, 100, 200_000, 7).await;
        assert_eq!(sent.unwrap(), 200_000);
        drop(stream);
        assert_eq!(reader.join().unwrap(), pattern(len)[107..200_100]);
        let (mut stream, reader) = connected().await;
        let error = read_and_write(&mut stream, &file, 0, 300_002, 0).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(error.to_string().contains("300001 of 300002"), "{error}");
        drop(stream);
        assert_eq!(reader.join().unwrap(), pattern(len));
    });
}

#[test]
fn a_pipe_is_read_as_it_comes_and_has_no_offset() {
    let mut rt = Runtime::new().unwrap();
    rt.block_on(async {
        let (reading, mut writing) = io::pipe().unwrap();
        let pipe = File::from(OwnedFd::from(reading));
        let writer = thread::spawn(move || writing.write_all(&pattern(500_000)));
        let (mut stream, reader) = connected().await;
        let refused = poll_fn(|cx| stream.poll_send_file(cx, &pipe, 0, 10)).await;
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::Unsupported);
        let sent = send_file(&mut stream, &pipe, 0, 400_000).await.unwrap();
        assert_eq!(sent, 400_000);
        let error = send_file(&mut stream, &pipe, 3, 10).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotSeekable);
        // What is left, and then the end.
        let error = send_file(&mut stream, &pipe, 0, u64::MAX).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(error.to_string().contains("after 100000 of"), "{error}");
        drop(stream);
        assert_eq!(reader.join().unwrap(), pattern(500_000));
        writer.join().unwrap().unwrap();
    });
    assert!(rt.stats().jobs > 0);
}
