//! A server as a process of its own: how it is started, what it has used, how it ends.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use peers::epoll::check;

/// Where the servers run, and where the load does.
pub(crate) const SERVER_CORE: Range<usize> = 0..1;
pub(crate) const LOAD_CORE: Range<usize> = 1..2;
pub(crate) const ALL_CORES: Range<usize> = 0..libc::CPU_SETSIZE as usize;
/// How long a server may take to listen: callgrind needs seconds.
const START_MAX: Duration = Duration::from_secs(20);
const END_MAX: Duration = Duration::from_secs(10);

/// It ends with this.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddrV4,
}

impl Running {
    /// Starts the command on these cores, and waits until it listens: on the port that it was
    /// given, or else on the one that it says.
    pub(crate) fn start(
        command: &mut Command,
        port: Option<u16>,
        cores: Range<usize>,
    ) -> io::Result<Self> {
        let says = port.is_none();
        let out = if says { Stdio::piped() } else { Stdio::null() };
        command.stdin(Stdio::null()).stdout(out);
        // What servers say of themselves is of interest only where one does not start.
        if std::env::var_os("PEERS_VERBOSE").is_none() {
            command.stderr(Stdio::null());
        }
        // SAFETY: both calls are system calls that touch no memory of the parent.
        unsafe {
            command.pre_exec(move || {
                check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
                pin(cores.clone())
            });
        }
        let child = command.spawn()?;
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port.unwrap_or(0));
        let mut running = Running { child, address };
        match port {
            Some(port) => running.wait_for(port)?,
            None => running.address = running.read_address()?,
        }
        Ok(running)
    }

    fn read_address(&mut self) -> io::Result<SocketAddrV4> {
        let out = self.child.stdout.take().expect("it is piped");
        let mut wanted = libc::pollfd {
            fd: out.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: the kernel writes to the one entry during the call only.
        let ready = check(unsafe { libc::poll(&mut wanted, 1, START_MAX.as_millis() as i32) })?;
        let mut line = String::new();
        if ready > 0 {
            BufReader::new(out).read_line(&mut line)?;
        }
        let address = line.trim().strip_prefix("listening ");
        address
            .and_then(|address| address.parse().ok())
            .ok_or_else(|| io::Error::other(format!("it said {line:?} instead of its address")))
    }

    /// Until the socket that listens on this port belongs to the child, and not to a stranger.
    fn wait_for(&mut self, port: u16) -> io::Result<()> {
        let began = Instant::now();
        while began.elapsed() < START_MAX {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("it ended: {status}")));
            }
            if self.listens_on(port) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err(io::Error::other(format!("nothing listens on port {port}")))
    }

    fn listens_on(&self, port: u16) -> bool {
        let end = format!(":{port:04X}");
        // sl, local address, remote address, state, queues, timer, retransmits, uid, timeout, inode
        let table = fs::read_to_string("/proc/self/net/tcp").unwrap_or_default();
        let listeners = table.lines().filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let is_it = words.len() > 9 && words[1].ends_with(&end) && words[3] == "0A";
            is_it.then(|| format!("socket:[{}]", words[9]))
        });
        let inodes: Vec<String> = listeners.collect();
        let owns = |pid: u32| {
            let open = fs::read_dir(format!("/proc/{pid}/fd"))
                .into_iter()
                .flatten()
                .flatten();
            let mut names = open.filter_map(|entry| fs::read_link(entry.path()).ok());
            names.any(|name| {
                inodes
                    .iter()
                    .any(|inode| name.as_os_str() == inode.as_str())
            })
        };
        self.processes().into_iter().any(owns)
    }

    /// The child and all below it, parents first.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let mut all = vec![self.child.id()];
        let mut next = 0;
        while next < all.len() {
            for task in tasks(all[next]) {
                let children = fs::read_to_string(task + "/children").unwrap_or_default();
                all.extend(
                    children
                        .split_whitespace()
                        .filter_map(|id| id.parse::<u32>().ok()),
                );
            }
            next += 1;
        }
        all
    }

    /// Processor time so far of all threads.
    pub(crate) fn cpu(&self) -> Cpu {
        let mut cpu = Cpu::default();
        for pid in self.processes() {
            for task in tasks(pid) {
                cpu.nanos += numbers(&(task + "/schedstat"), " ", 0)
                    .first()
                    .unwrap_or(&0);
            }
            // The name may hold spaces; after it come the state and ten more, then the two.
            let times = numbers(&format!("/proc/{pid}/stat"), ") ", 1);
            cpu.user += times.get(11).unwrap_or(&0);
            cpu.system += times.get(12).unwrap_or(&0);
        }
        cpu
    }

    /// The memory of all processes, with a share of what they share with others.
    pub(crate) fn pss_bytes(&self) -> u64 {
        let of = |pid| {
            let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
            let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
            kib.unwrap_or(0) << 10
        };
        self.processes().into_iter().map(of).sum()
    }

    /// Has all but the first `depth` processes end by this signal, and waits until the child has.
    pub(crate) fn end(mut self, signal: i32, depth: usize) -> io::Result<()> {
        // Parents first: none of them starts another in place of one that has ended.
        for pid in self.processes().into_iter().skip(depth) {
            // SAFETY: no pointer is passed; the child and all below it are still ours.
            unsafe { libc::kill(pid as libc::pid_t, signal) };
        }
        let began = Instant::now();
        while self.child.try_wait()?.is_none() {
            if began.elapsed() > END_MAX {
                return Err(io::Error::other("it does not end when it is told to"));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for pid in self.processes().into_iter().skip(1) {
            // SAFETY: no pointer is passed; it is below our child.
            unsafe { libc::kill(pid as libc::pid_t, libc::SIGKILL) };
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What processes have used: exactly, and in ticks that say how much of it was in the kernel.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cpu {
    pub(crate) nanos: u64,
    pub(crate) user: u64,
    pub(crate) system: u64,
}

/// The folders of a process's threads.
fn tasks(pid: u32) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten();
    entries
        .flatten()
        .map(|entry| entry.path().to_string_lossy().into_owned())
}

/// The words of a file after that many separators, with 0 for what is no number.
fn numbers(path: &str, separator: &str, skipped: usize) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let rest = text
        .splitn(skipped + 1, separator)
        .nth(skipped)
        .unwrap_or_default();
    let words = rest.split_whitespace();
    words.map(|word| word.parse().unwrap_or(0)).collect()
}

/// Ticks (10 ms) in which any core has done anything for anybody.
pub(crate) fn busy_ticks() -> u64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let times: Vec<u64> = line.split_whitespace().flat_map(str::parse).collect();
    // user nice system idle iowait irq softirq steal
    [0, 1, 2, 5, 6, 7]
        .iter()
        .filter_map(|&place| times.get(place))
        .sum()
}

/// Keeps the calling thread on these cores, as far as there are any.
pub(crate) fn pin(cores: Range<usize>) -> io::Result<()> {
    // SAFETY: all zeros is a valid set, and the kernel reads it during the call only.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        cores.for_each(|core| libc::CPU_SET(core, &mut set));
        check(libc::sched_setaffinity(0, size_of_val(&set), &set)).map(drop)
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
