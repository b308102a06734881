//! Where a server listens: several addresses, Unix sockets, sockets of other processes.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process;

use tourbillon::server::{Config, Listen, LocalAddr, Request};
use tourbillon::{Runtime, spawn_blocking};

use super::server_child::Child;
use super::server_support::{Client, DEADLINE, config, server_of};

/// A folder of this test's own.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tourbillon-{name}-{}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn listen_on(listen: impl Into<Vec<Listen>>) -> Config {
    Config {
        listen: listen.into(),
        ..config()
    }
}

fn unix(path: &Path) -> Listen {
    Listen::Unix {
        path: path.to_owned(),
        mode: None,
    }
}

fn free() -> Listen {
    Listen::Tcp("127.0.0.1:0".parse().unwrap())
}

/// Says who asked, which is nobody over a Unix socket.
async fn who(request: Request) -> String {
    format!("{:?}", request.peer().map(|peer| peer.ip()))
}

/// Starts a server, has `clients` talk to it on a thread, and stops it.
fn while_serving<R: Send + 'static>(
    config: Config,
    clients: impl FnOnce(Vec<LocalAddr>) -> R + Send + 'static,
) -> Result<R, String> {
    Runtime::new().unwrap().block_on(async {
        let mut server = server_of(who, config);
        let started = server.startup().await;
        started.map_err(|error| error.to_string())?;
        let (handle, addresses) = (server.handle(), server.local_addrs());
        let talking = async move {
            let said = spawn_blocking(move || clients(addresses)).await;
            handle.stop();
            said.unwrap()
        };
        let ((), said) = futures::join!(server.main_loop(), talking);
        server.shutdown().await.unwrap();
        Ok(said)
    })
}

/// What a server says at a Unix socket, on a connection that it then closes.
fn ask_unix(path: &Path) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn tcp_text(address: &LocalAddr) -> String {
    let mut client = Client::connect(address.tcp().unwrap());
    client.get("/").text().to_owned()
}

#[test]
fn several_addresses_are_served_at_once() {
    let folder = Folder::new("several");
    let path = folder.socket();
    let config = listen_on([free(), unix(&path), free()]);
    let said = while_serving(config, move |addresses| {
        assert_eq!(addresses.len(), 3);
        assert_ne!(addresses[0], addresses[2]);
        assert_eq!(addresses[1], LocalAddr::Unix(path.clone()));
        for _ in 0..10 {
            for address in [&addresses[2], &addresses[0]] {
                assert_eq!(tcp_text(address), "Some(127.0.0.1)");
            }
            assert!(ask_unix(&path).ends_with("\r\n\r\nNone"));
        }
        path
    });
    assert!(!said.unwrap().exists(), "the socket's file is removed");
}

#[test]
fn one_flooded_address_leaves_the_others_their_turn() {
    let config = listen_on([free(), free()]);
    let served = while_serving(config, |addresses| {
        let flooded: Vec<TcpStream> = (0..500)
            .map(|_| TcpStream::connect(addresses[0].tcp().unwrap()).unwrap())
            .collect();
        let text = tcp_text(&addresses[1]);
        drop(flooded);
        text
    });
    assert_eq!(served.unwrap(), "Some(127.0.0.1)");
}

#[test]
fn addresses_print_as_in_the_log() {
    let tcp = |text: &str| LocalAddr::Tcp(text.parse().unwrap()).to_string();
    assert_eq!(tcp("127.0.0.1:80"), "http://127.0.0.1:80");
    assert_eq!(tcp("[::1]:8000"), "http://[::1]:8000");
    let unix = |path: &str| LocalAddr::Unix(path.into()).to_string();
    assert_eq!(unix("/run/a b.sock"), "unix socket /run/a b.sock");
    assert_eq!(unix("\0name"), r#"unix socket "\0name""#);
    assert_eq!(LocalAddr::Fd(3, None).to_string(), "socket fd 3");
}

#[test]
fn a_unix_sockets_mode_is_as_asked() {
    let folder = Folder::new("mode");
    let path = folder.socket();
    let config = listen_on([Listen::Unix {
        path: path.clone(),
        mode: Some(0o600),
    }]);
    let mode = while_serving(config, move |_| {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert!(ask_unix(&path).starts_with("HTTP/1.1 200 "));
        mode & 0o777
    });
    assert_eq!(mode, Ok(0o600));
}

#[test]
fn a_stale_socket_is_replaced_and_nothing_else_is() {
    let folder = Folder::new("stale");
    let path = folder.socket();
    // std leaves the file behind.
    drop(UnixListener::bind(&path).unwrap());
    assert!(fs::metadata(&path).unwrap().file_type().is_socket());
    let asked = path.clone();
    let text = while_serving(listen_on([unix(&path)]), move |_| ask_unix(&asked));
    assert!(text.unwrap().starts_with("HTTP/1.1 200 "));

    let alive = UnixListener::bind(&path).unwrap();
    let error = while_serving(listen_on([unix(&path)]), |_| ()).unwrap_err();
    assert!(error.contains(path.to_str().unwrap()), "{error}");
    drop(alive);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "precious").unwrap();
    let error = while_serving(listen_on([unix(&path)]), |_| ()).unwrap_err();
    assert!(error.contains(path.to_str().unwrap()), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}

#[test]
fn one_address_that_is_taken_leaves_none_open() {
    let folder = Folder::new("taken");
    let path = folder.socket();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let config = listen_on([unix(&path), Listen::Tcp(address)]);
    let error = while_serving(config, |_| ()).unwrap_err();
    assert!(error.contains(&address.to_string()), "{error}");
    assert!(!path.exists());
}

#[test]
fn a_socket_is_inherited_by_its_number_and_stays_with_its_owner() {
    let folder = Folder::new("inherited");
    let path = folder.socket();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let unix = UnixListener::bind(&path).unwrap();
    let (tcp_fd, unix_fd) = (tcp.as_raw_fd(), unix.as_raw_fd());
    let address = tcp.local_addr().unwrap();
    for _ in 0..2 {
        let path = path.clone();
        let config = listen_on([Listen::Fd(tcp_fd), Listen::Fd(unix_fd)]);
        let served = while_serving(config, move |addresses| {
            let expected = [
                LocalAddr::Fd(tcp_fd, Some(address)),
                LocalAddr::Fd(unix_fd, None),
            ];
            assert_eq!(addresses, expected);
            assert_eq!(tcp_text(&addresses[0]), "Some(127.0.0.1)");
            assert!(ask_unix(&path).ends_with("\r\n\r\nNone"));
        });
        served.unwrap();
    }
    assert!(path.exists(), "the file is its maker's");
    // As the duplicate was made nonblocking, so was the owner's.
    let error = tcp.accept().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    tcp.set_nonblocking(false).unwrap();
    let _client = TcpStream::connect(address).unwrap();
    tcp.accept().unwrap();
}

#[test]
fn a_number_that_is_no_listening_socket_is_refused_by_name() {
    let file = File::open("/dev/null").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let refused = |fd: RawFd, why: &str| {
        let error = while_serving(listen_on([Listen::Fd(fd)]), |_| ()).unwrap_err();
        let named = format!("descriptor {fd}");
        assert!(error.contains(&named) && error.contains(why), "{error}");
    };
    refused(file.as_raw_fd(), "ocket");
    refused(udp.as_raw_fd(), "not a stream socket");
    refused(stream.as_raw_fd(), "does not listen");
    refused(1_000_000, "Bad file descriptor");
    refused(-1, "Bad file descriptor");
    // And whose they are, they stay.
    file.metadata().unwrap();
    assert!(stream.peer_addr().is_ok());
}

#[test]
fn two_servers_share_a_port_if_both_want_to() {
    let shared = |listen| Config {
        reuse_port: true,
        ..listen_on([listen])
    };
    let both = while_serving(shared(free()), move |addresses| {
        let again = Listen::Tcp(addresses[0].tcp().unwrap());
        let alone = while_serving(listen_on([again.clone()]), |_| ());
        assert!(alone.is_err());
        while_serving(shared(again), |others| {
            for _ in 0..50 {
                assert_eq!(tcp_text(&others[0]), "Some(127.0.0.1)");
            }
        })
    });
    both.unwrap().unwrap();
}

#[test]
fn systemds_sockets_are_those_of_the_process_that_is_named() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    // What systemd does between fork and exec.
    let script = r#"exec 3<&0; LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@""#;
    let child = Child::start_by(script, tcp, "systemd=1");
    assert_eq!(child.address, address);
    assert_eq!(child.connect().get("/ping").text(), "pong");
}

#[test]
fn without_systemd_its_sockets_are_an_error() {
    let error = while_serving(listen_on([Listen::Systemd]), |_| ()).unwrap_err();
    assert!(error.contains("LISTEN_PID"), "{error}");
}

#[test]
fn the_log_says_where_it_runs() {
    let folder = Folder::new("log");
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let path = folder.socket();
    let script = r#"exec 7<&0; exec "$0" "$@""#;
    let settings = format!("fd=7 unix={}", path.display());
    let child = Child::start_by(script, tcp, &settings);
    let said = child.said_before_start();
    let address = child.address;
    for line in [
        "Started server process [".to_owned(),
        "Waiting for application startup.".to_owned(),
        "Application startup complete.".to_owned(),
        format!("tourbillon running on http://{}", address),
        "tourbillon running on socket fd 7".to_owned(),
        format!("tourbillon running on unix socket {}", path.display()),
        "(press Ctrl-C to quit)".to_owned(),
    ] {
        assert!(said.contains(&line), "{line:?} is not in\n{said}");
    }
}
