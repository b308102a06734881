//! The page of a program, asked over HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::DEADLINE;

/// The address in a line that holds a URL.
pub(crate) fn address(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("http://")?;
    rest.split('/').next()?.trim().parse().ok()
}

/// The answer's body.
pub(crate) fn get(address: SocketAddr, path: &str) -> String {
    ask(address, &format!("GET {path}"), "")
}

/// A POST that is meant.
pub(crate) fn post(address: SocketAddr, path: &str) -> String {
    ask(
        address,
        &format!("POST {path}"),
        "x-tourbillon: 1\r\ncontent-length: 0\r\n",
    )
}

fn ask(address: SocketAddr, line: &str, fields: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let head = format!("{line} HTTP/1.1\r\nhost: {address}\r\n{fields}connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 20"), "{line}: {head}\n{body}");
    body.to_owned()
}
