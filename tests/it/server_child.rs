//! A server in a process of its own: this test binary, started again for one test that serves.
//!
//! Signals, descriptors, memory and CPU time belong to a process, so they can be counted only
//! where nobody else runs.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::process::{self, Command, ExitStatus, Stdio};
use std::rc::Rc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};
use std::{env, fs, future, mem, thread};

use tokio::sync::Semaphore;
use tourbillon::server::{Body, Config, Lifespan, Listen, Request, ServerState};
use tourbillon::web::Router;
use tourbillon::{Runtime, sleep};

use super::server_support::{Client, DEADLINE, config, server_of};
use crate::support::lines_of;

/// What the parent wants: `graceful=MILLISECONDS`, `fds=LIMIT`, `fd=NUMBER` and `unix=PATH` to
/// listen on besides, `systemd=1` to listen on that alone; parted by spaces.
const SETTINGS: &str = "TOURBILLON_TEST_SERVER";

pub(crate) struct Child {
    process: process::Child,
    pub(crate) address: SocketAddr,
    lines: Receiver<String>,
    before: String,
}

impl Child {
    pub(crate) fn start(settings: &str) -> Self {
        Self::run(Command::new(env::current_exe().unwrap()), settings)
    }

    /// Starts it by a script for the shell, whose `$0` and `$@` it is, with a socket as its input.
    pub(crate) fn start_by(script: &str, input: impl Into<OwnedFd>, settings: &str) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", script]).arg(env::current_exe().unwrap());
        shell.stdin(Stdio::from(input.into()));
        Self::run(shell, settings)
    }

    fn run(mut command: Command, settings: &str) -> Self {
        let name = "server_child::serves_when_a_parent_asks";
        let mut process = command
            .args([name, "--exact", "--nocapture"])
            .env(SETTINGS, settings)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = lines_of(process.stdout.take().unwrap());
        let mut child = Child {
            process,
            address: SocketAddr::from(([0; 4], 0)),
            lines,
            before: String::new(),
        };
        let address = loop {
            let line = child.lines.recv_timeout(DEADLINE).expect("a child starts");
            if let Some(address) = line.strip_prefix("ADDRESS ") {
                break address.parse().unwrap();
            }
            child.before += &(line + "\n");
        };
        child.address = address;
        child
    }

    /// What it said before it served.
    pub(crate) fn said_before_start(&self) -> &str {
        &self.before
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Asks it for a number.
    pub(crate) fn ask(&self, path: &str) -> u64 {
        self.connect().get(path).text().parse().unwrap()
    }

    /// Waits for a line that has this in it, and returns what follows.
    #[track_caller]
    pub(crate) fn line(&self, mark: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(DEADLINE);
            let line = line.unwrap_or_else(|_| panic!("no line has {mark:?}"));
            if let Some((_, rest)) = line.split_once(mark) {
                return rest.to_owned();
            }
        }
    }

    #[expect(unsafe_code, reason = "std can kill a child, but not signal it")]
    pub(crate) fn signal(&self, signal: i32) {
        // SAFETY: kill(2) touches no memory, and the child was not waited for, so its number is
        // still its own.
        let outcome = unsafe { libc::kill(self.process.id() as libc::pid_t, signal) };
        assert_eq!(outcome, 0);
    }

    /// Waits for its end, and returns what it still had to say.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> (ExitStatus, String) {
        let since = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                let rest: Vec<String> = self.lines.iter().collect();
                return (status, rest.join("\n"));
            }
            assert!(since.elapsed() < DEADLINE, "the server does not end");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Prints what the library logs.
struct Printer;

impl log::Log for Printer {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        println!("LOG {} {}", record.level(), record.args());
    }

    fn flush(&self) {}
}

#[test]
fn serves_when_a_parent_asks() {
    let Ok(settings) = env::var(SETTINGS) else {
        return;
    };
    // No timeout may end what would otherwise go on for ever.
    let never = Duration::from_secs(3600);
    let mut config = Config {
        signals: true,
        head_timeout: never,
        body_timeout: never,
        keep_alive: never,
        write_timeout: never,
        half_close_timeout: never,
        ..config()
    };
    for setting in settings.split_whitespace() {
        let (name, value) = setting.split_once('=').unwrap();
        let number = || value.parse().unwrap();
        match name {
            "graceful" => config.graceful_timeout = Duration::from_millis(number()),
            "fds" => limit_descriptors(number()),
            "fd" => config.listen.push(Listen::Fd(number() as i32)),
            "unix" => config.listen.push(Listen::Unix {
                path: value.into(),
                mode: None,
            }),
            "systemd" => config.listen.push(Listen::Systemd),
            _ => panic!("no setting is named {name:?}"),
        }
    }
    let is_systemd = config.listen.contains(&Listen::Systemd);
    if !config.listen.is_empty() && !is_systemd {
        config.listen.insert(0, Listen::Tcp(config.address));
    }
    log::set_logger(&Printer).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    let mut runtime = Runtime::new().unwrap();
    let ended = runtime.block_on(async {
        let lifespan = Lifespan::new(async || Ok::<_, String>(())).on_shutdown(async |_| {
            println!("HOOK");
            Ok::<_, String>(())
        });
        let state = Rc::new(std::cell::OnceCell::new());
        let server = server_of(app(Rc::clone(&state)), config);
        state.set(server.state()).unwrap();
        let mut server = server.with_lifespan(lifespan);
        server.startup().await?;
        println!("ADDRESS {}", server.local_addr().unwrap());
        server.main_loop().await;
        server.shutdown().await
    });
    runtime.shutdown();
    println!("ENDED {ended:?}");
}

fn app(state: Rc<std::cell::OnceCell<Rc<ServerState>>>) -> Router {
    let gate = Rc::new(Semaphore::new(0));
    let opens = Rc::clone(&gate);
    Router::new()
        .get("/ping", async |_| "pong")
        .get("/never", async |_| future::pending::<()>().await)
        .get("/soon", async |_| {
            sleep(Duration::from_millis(5)).await;
            "soon"
        })
        .get("/gated", async move |_| {
            gate.acquire().await.unwrap().forget();
            "through"
        })
        .post("/open", async move |request: Request| {
            let read = request.into_body().collect(10).await;
            opens.add_permits(1000);
            read
        })
        .get("/flood", async |_| {
            Body::stream(async |mut writer| {
                loop {
                    writer.write(&[0; 65_536]).await?;
                }
            })
        })
        .get("/file", async |request: Request| {
            let file = fs::File::open(request.query().unwrap()).unwrap();
            let len = file.metadata().unwrap().len();
            Body::file(file, 0..len)
        })
        .get("/fds", async |_| {
            fs::read_dir("/proc/self/fd").unwrap().count().to_string()
        })
        .get("/cpu", async |_| cpu_micros().to_string())
        .get("/rss", async |_| kib_of("VmRSS:").to_string())
        .get("/anon", async |_| kib_of("RssAnon:").to_string())
        .get("/data", async |_| kib_of("VmData:").to_string())
        .get("/open", {
            let state = Rc::clone(&state);
            async move |_| state.get().unwrap().connections_open().to_string()
        })
        .get("/running", async move |_| {
            state.get().unwrap().requests_running().to_string()
        })
}

#[expect(unsafe_code, reason = "std has no setrlimit")]
fn limit_descriptors(max: u64) {
    let limit = libc::rlimit {
        rlim_cur: max,
        rlim_max: max,
    };
    // SAFETY: setrlimit(2) reads one rlimit through a pointer to one that lives here.
    let outcome = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(outcome, 0);
}

/// CPU time of this process, user and system.
#[expect(unsafe_code, reason = "std has no getrusage")]
fn cpu_micros() -> i64 {
    // SAFETY: rusage is numbers only, for which all zeros is a value.
    let mut usage: libc::rusage = unsafe { mem::zeroed() };
    // SAFETY: getrusage(2) writes one rusage through a pointer to one that lives here.
    let outcome = unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    assert_eq!(outcome, 0);
    let micros = |time: libc::timeval| time.tv_sec * 1_000_000 + time.tv_usec;
    micros(usage.ru_utime) + micros(usage.ru_stime)
}

fn kib_of(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.unwrap().split_whitespace().next();
    number.unwrap().parse().unwrap()
}
