//! Who is compared, and how each is started.

use std::env;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::child::{Running, SERVER_CORE, free_port};
use crate::modes::Mode;

pub(crate) struct Server {
    pub(crate) name: &'static str,
    /// With `{out}`, where the programs are built, `{other}`, the folder with servers in other
    /// languages, `{nginx}`, one that nginx is given, and `{port}` for those that cannot say where
    /// they listen.
    start: &'static str,
    /// How to build it, if cargo does not.
    build: &'static str,
    /// The modes that it cannot do.
    lacks: &'static [&'static str],
    /// Whether callgrind can count its instructions.
    pub(crate) is_native: bool,
    /// Whether it is no HTTP server, but sends back what it gets.
    pub(crate) is_echo: bool,
}

const fn own(name: &'static str, start: &'static str, lacks: &'static [&'static str]) -> Server {
    Server {
        name,
        start,
        build: "",
        lacks,
        is_native: true,
        is_echo: false,
    }
}

const fn foreign(name: &'static str, start: &'static str) -> Server {
    Server {
        name,
        start,
        build: "",
        lacks: &["routes"],
        is_native: false,
        is_echo: false,
    }
}

const fn echo(name: &'static str, start: &'static str) -> Server {
    Server {
        is_echo: true,
        ..own(name, start, &[])
    }
}

pub(crate) const SERVERS: &[Server] = &[
    own("ours", "{out}/http_ours", &[]),
    own(
        "epoll",
        "{out}/http_epoll",
        &["post1k", "post1m", "big", "routes"],
    ),
    own("epoll-httparse", "{out}/http_epoll_httparse", &["routes"]),
    own("hyper", "{out}/http_hyper flush", &["routes"]),
    own("axum", "{out}/http_axum", &[]),
    own("actix-web", "{out}/http_actix", &[]),
    own("ntex", "{out}/http_ntex", &[]),
    own("smol-httparse", "{out}/http_smol", &["routes"]),
    Server {
        build: "cc -O2 -o {out}/uv_http {other}/uv_http.c -luv",
        ..own("libuv", "{out}/uv_http", &["routes"])
    },
    own(
        "nginx",
        "nginx -p {nginx} -c nginx.conf -e stderr",
        &["post1k", "post1m", "routes"],
    ),
    foreign("node", "node {other}/node_http.js"),
    Server {
        build: "go build -o {out}/go_http {other}/http.go",
        lacks: &[],
        ..foreign("go", "{out}/go_http")
    },
    foreign("uvicorn", "python3 -B {other}/uvicorn_serve.py uvicorn_app"),
    Server {
        lacks: &[],
        ..foreign("fastapi", "python3 -B {other}/uvicorn_serve.py fastapi_app")
    },
    foreign(
        "granian",
        "python3 -B -m granian --interface asgi --host 127.0.0.1 --port {port} --workers 1 \
         --runtime-threads 1 --loop uvloop --backlog 4096 --backpressure 16384 --log-level warning \
         --working-dir {other} uvicorn_app:app",
    ),
    echo("epoll", "{out}/echo_epoll"),
    echo("ours", "{out}/echo_ours"),
    echo("ours-copy", "{out}/echo_ours copy"),
    echo("tokio-64k", "{out}/echo_tokio"),
    echo("tokio-256k", "{out}/echo_tokio 256k"),
    echo("monoio", "{out}/echo_monoio"),
    Server {
        build: UV_ECHO,
        ..echo("libuv", "{out}/uv_echo")
    },
    Server {
        build: UV_ECHO,
        ..echo("libuv-256k", "{out}/uv_echo 256k")
    },
    echo("uvloop", "python3 -B {other}/uvloop_echo.py"),
    echo("asyncio", "python3 -B {other}/uvloop_echo.py asyncio"),
];

const UV_ECHO: &str = "cc -O2 -o {out}/uv_echo {other}/uv_echo.c -luv";

impl Server {
    /// Whether it has a part in a mode.
    pub(crate) fn does(&self, mode: &Mode) -> bool {
        self.is_echo == mode.is_echo() && !self.lacks.contains(&mode.name)
    }

    /// Builds it, if that is not done by cargo.
    pub(crate) fn build(&self) -> io::Result<()> {
        if self.build.is_empty() {
            return Ok(());
        }
        let status = command(self.build, 0)?.stderr(Stdio::null()).status()?;
        if !status.success() {
            return Err(io::Error::other(format!("`{}` failed", self.build)));
        }
        Ok(())
    }

    /// Starts it for a mode, under a tool if there are words of one.
    pub(crate) fn start(&self, mode: &str, tool: &str) -> io::Result<Running> {
        // The one loop that does not parse cannot see that it has to close.
        let takes_word = mode == "routes" || (mode == "close" && self.name == "epoll");
        let word = if takes_word { mode } else { "" };
        self.launch(tool, word, SERVER_CORE)
    }

    /// Starts it with these words, on these cores.
    pub(crate) fn launch(
        &self,
        tool: &str,
        words: &str,
        cores: Range<usize>,
    ) -> io::Result<Running> {
        let has_port = self.start.contains("{port}") || self.start.contains("{nginx}");
        let port = if has_port { free_port()? } else { 0 };
        let line = format!("{tool} {} {words}", self.start);
        Running::start(&mut command(&line, port)?, has_port.then_some(port), cores)
    }
}

/// The folder that this program is in, and the others of the package are.
pub(crate) fn out() -> io::Result<PathBuf> {
    let this = env::current_exe()?;
    Ok(this.parent().unwrap_or(Path::new(".")).to_owned())
}

fn command(line: &str, port: u16) -> io::Result<Command> {
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("other");
    let (out, nginx) = (out()?, out()?.join("nginx"));
    if line.contains("{nginx}") {
        let template = fs::read_to_string(other.join("nginx.conf"))?;
        fs::create_dir_all(&nginx)?;
        fs::write(
            nginx.join("nginx.conf"),
            template.replace("PORT", &port.to_string()),
        )?;
        fs::write(nginx.join("big"), peers::BIG)?;
    }
    let mut words = line.split_whitespace().map(|word| {
        word.replace("{other}", &other.to_string_lossy())
            .replace("{out}", &out.to_string_lossy())
            .replace("{nginx}", &nginx.to_string_lossy())
            .replace("{port}", &port.to_string())
    });
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    Ok(command)
}
