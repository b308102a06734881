//! Opens the page, on a thread of its own.

use std::any::Any;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::frame::{Setting, Source};
use super::routes::{Show, routes};
use crate::runtime::{Runtime, Watcher};
use crate::server::{AccessLog, Config, Server, ServerHandle};
use crate::web::Router;

/// A page that shows a loop while it turns, and while it is stuck.
///
/// It is served by a second loop on a thread of its own, to the people at
/// this machine: by default on the loopback, at a free port. Nothing on it
/// comes from elsewhere, and it works without a network.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::dial::Dial;
/// use tourbillon::watch::Level;
/// use tourbillon::{Runtime, Watchdog};
///
/// let mut rt = Runtime::builder().watchdog(Watchdog::new()).record(Level::Lean).build()?;
/// let dial = Dial::new(rt.watcher().expect("it is watched")).open()?;
/// println!("watch it at {}", dial.url());
/// rt.block_on(async { /* the program */ });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Dial {
    watcher: Watcher,
    address: SocketAddr,
    setting: Setting,
}

impl Dial {
    /// A page for the loop that `watcher` looks at, not served yet.
    pub fn new(watcher: Watcher) -> Self {
        let name = std::env::current_exe().ok();
        let name = name.as_deref().and_then(|path| path.file_stem());
        Dial {
            watcher,
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            setting: Setting {
                name: name.map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
                allows_gate: false,
                is_same_loop: false,
                source: None,
            },
        }
    }

    /// Where it listens. Default: the loopback, at a free port.
    ///
    /// Elsewhere anybody who reaches it sees what the program does, and may
    /// hold it if the gate is allowed: [`open`](Dial::open) then says so in
    /// the log.
    #[must_use]
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Whether the page may hold the loop between turns, let it go turn by
    /// turn, and slow it down. Default: no. For examples and for study.
    #[must_use]
    pub fn allow_gate(mut self, is_allowed: bool) -> Self {
        self.setting.allows_gate = is_allowed;
        self
    }

    /// What the page is headed with. Default: the program's name.
    ///
    /// # Examples
    ///
    /// All that can be set:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use tourbillon::Runtime;
    /// use tourbillon::dial::Dial;
    ///
    /// let rt = Runtime::builder().watch(true).build()?;
    /// let dial = Dial::new(rt.watcher().expect("it is watched"))
    ///     .address("127.0.0.1:0".parse().unwrap())
    ///     .name("chapter 6")
    ///     .source(file!(), "fn main() {}")
    ///     .allow_gate(true)
    ///     .open()?;
    /// assert!(dial.url().starts_with("http://127.0.0.1:"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.setting.name);
        self
    }

    /// A source text for the page to show beside the turns, and the name of its
    /// file as the compiler knows it: the line in it is marked where the task
    /// was spawned that runs next.
    #[must_use]
    pub fn source(mut self, file: &str, text: &str) -> Self {
        self.setting.source = Some(Source::new(file, text));
        self
    }

    /// Serves the page until what this returns is dropped.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened on, or the system starts no thread.
    pub fn open(self) -> io::Result<OpenDial> {
        if !self.address.ip().is_loopback() {
            let address = self.address;
            log::warn!("the dial at {address} shows this program to everybody who reaches it");
        }
        let watcher = self.watcher.clone();
        let (told, hears) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("tourbillon-dial".to_owned())
            .spawn(move || {
                if let Err(error) = serve(self, &told) {
                    let _ = told.send(Err(error));
                }
            })?;
        let opened = hears
            .recv()
            .unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()));
        let (address, handle) = opened?;
        Ok(OpenDial {
            address,
            handle,
            thread: Some(thread),
            watcher,
        })
    }

    /// The page as routes, to be mounted in a server of the program's own, at
    /// a path that ends in a slash.
    ///
    /// That server may run on the loop that is watched. Then the page stops
    /// when that loop is stuck, and says so: a lesson, and no tool. It may
    /// never hold the loop, whatever [`allow_gate`](Dial::allow_gate) says:
    /// nobody could let it go any more.
    ///
    /// It answers those at this machine alone, whatever the server listens on,
    /// unless another [`address`](Dial::address) was set. Behind a proxy at
    /// this machine everybody is: there, do not mount it.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::{Runtime, dial::Dial, web::Router};
    /// let rt = Runtime::builder().watch(true).build()?;
    /// let page = Dial::new(rt.watcher().expect("it is watched")).router();
    /// // At /dial/
    /// let app = Router::new().get("/", async |_| "Hello!").nest("/dial", page);
    /// # drop(app);
    /// # Ok(())
    /// # }
    /// ```
    pub fn router(mut self) -> Router {
        self.setting.is_same_loop = true;
        self.setting.allows_gate = false;
        routes(
            Rc::new(Show::new(self.watcher, self.setting)),
            &self.address,
        )
    }
}

type Opened = io::Result<(SocketAddr, ServerHandle)>;

fn serve(dial: Dial, told: &mpsc::Sender<Opened>) -> io::Result<()> {
    // What watches is not watched itself, whatever the environment says.
    let builder = Runtime::builder()
        .unwatched()
        .thread_name("tourbillon-dial");
    let mut rt = builder.blocking_workers_max(1).build()?;
    let config = Config {
        address: dial.address,
        signals: false,
        access_log: AccessLog::off(),
        graceful_timeout: Duration::from_millis(200),
        ..Config::default()
    };
    let show = Rc::new(Show::new(dial.watcher, dial.setting));
    let app = routes(show, &dial.address);
    rt.block_on(async move {
        let mut server = Server::new(app, config).quiet();
        server.startup().await.map_err(io::Error::other)?;
        let address = server.local_addr().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let _ = told.send(Ok((address, server.handle())));
        server.main_loop().await;
        server.shutdown().await.map_err(io::Error::other)
    })
}

/// A page that is being served. Dropping it ends that, and lets the loop go
/// if the page held it.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::Runtime;
/// use tourbillon::dial::{Dial, OpenDial};
///
/// let rt = Runtime::builder().watch(true).build()?;
/// let open: OpenDial = Dial::new(rt.watcher().expect("it is watched")).open()?;
/// assert_eq!(open.url(), format!("http://{}/", open.local_addr()));
/// # Ok(())
/// # }
/// ```
pub struct OpenDial {
    address: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
    watcher: Watcher,
}

impl OpenDial {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What to open in a browser.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl Drop for OpenDial {
    fn drop(&mut self) {
        self.watcher.go();
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            // A panic of its was written by the panic hook.
            let _ = thread.join();
        }
        // Somebody may have asked for it meanwhile, and nobody can from here on.
        self.watcher.go();
    }
}

impl fmt::Debug for OpenDial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenDial")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Opens the page and says where, on standard error. What comes back keeps it
/// open.
pub(crate) fn open_and_say(watcher: Watcher, address: SocketAddr) -> Option<Box<dyn Any>> {
    match Dial::new(watcher).address(address).open() {
        Ok(open) => {
            eprintln!("tourbillon: watch this loop at {}", open.url());
            Some(Box::new(open))
        }
        Err(error) => {
            eprintln!("tourbillon: no dial at {address}: {error}");
            None
        }
    }
}
