//! Options of a UDP socket.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::udp::UdpSocket;

/// Options. Each takes effect at once; the errors are those of setsockopt(2)
/// and getsockopt(2).
impl UdpSocket {
    /// Whether datagrams may go to broadcast addresses. Default: no.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::UdpSocket;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// assert!(!socket.broadcast()?);
    /// socket.set_broadcast(true)?; // else sending to 192.168.1.255 is refused
    /// assert!(socket.broadcast()?);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn set_broadcast(&self, may: bool) -> io::Result<()> {
        self.with(|io| io.set_broadcast(may))
    }

    /// See [`set_broadcast`](Self::set_broadcast).
    pub fn broadcast(&self) -> io::Result<bool> {
        self.with(std::net::UdpSocket::broadcast)
    }

    /// How many routers a datagram may pass (IPv4). Default: 64 on most
    /// systems.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::UdpSocket;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// socket.set_ttl(1)?; // not beyond the next router, as traceroute begins
    /// assert_eq!(socket.ttl()?, 1);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.with(|io| io.set_ttl(ttl))
    }

    /// See [`set_ttl`](Self::set_ttl).
    pub fn ttl(&self) -> io::Result<u32> {
        self.with(std::net::UdpSocket::ttl)
    }

    /// Receives what is sent to the IPv4 group `group` on the interface with
    /// the address `interface`; the unspecified one lets the system choose.
    ///
    /// # Examples
    ///
    /// Heard by all who have joined, on this machine alone:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::UdpSocket;
    /// use std::net::Ipv4Addr;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let (group, here) = (Ipv4Addr::new(239, 1, 2, 3), Ipv4Addr::LOCALHOST);
    /// let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    /// # if socket.join_multicast_v4(group, here).is_err() {
    /// #     return Ok(()); // no multicast here
    /// # }
    /// # socket.leave_multicast_v4(group, here)?;
    /// socket.join_multicast_v4(group, here)?;
    /// socket.set_multicast_ttl_v4(0)?;
    /// socket.set_multicast_loop_v4(true)?;
    /// assert!(socket.multicast_loop_v4()? && socket.multicast_ttl_v4()? == 0);
    /// socket.leave_multicast_v4(group, here)?;
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.with(|io| io.join_multicast_v4(&group, &interface))
    }

    /// Ends [`join_multicast_v4`](Self::join_multicast_v4), of which both
    /// addresses must be given again.
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.with(|io| io.leave_multicast_v4(&group, &interface))
    }

    /// Receives what is sent to the IPv6 group `group` on the interface with
    /// the number `interface`; 0 lets the system choose.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::UdpSocket;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let group = "ff02::1:2026".parse().unwrap();
    /// # let may_join = |socket: UdpSocket| socket.join_multicast_v6(&group, 0).is_ok();
    /// # if !UdpSocket::bind("[::]:0").is_ok_and(may_join) {
    /// #     return Ok(()); // no IPv6 here, or no multicast
    /// # }
    /// let socket = UdpSocket::bind("[::]:0")?;
    /// socket.join_multicast_v6(&group, 0)?;
    /// socket.set_multicast_loop_v6(false)?;
    /// assert!(!socket.multicast_loop_v6()?);
    /// socket.leave_multicast_v6(&group, 0)?;
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.with(|io| io.join_multicast_v6(group, interface))
    }

    /// Ends [`join_multicast_v6`](Self::join_multicast_v6), with the same
    /// arguments.
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.with(|io| io.leave_multicast_v6(group, interface))
    }

    /// Whether this machine hears what this socket sends to IPv4 groups.
    /// Default: yes.
    pub fn set_multicast_loop_v4(&self, hears: bool) -> io::Result<()> {
        self.with(|io| io.set_multicast_loop_v4(hears))
    }

    /// See [`set_multicast_loop_v4`](Self::set_multicast_loop_v4).
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.with(std::net::UdpSocket::multicast_loop_v4)
    }

    /// Whether this machine hears what this socket sends to IPv6 groups.
    /// Default: yes.
    pub fn set_multicast_loop_v6(&self, hears: bool) -> io::Result<()> {
        self.with(|io| io.set_multicast_loop_v6(hears))
    }

    /// See [`set_multicast_loop_v6`](Self::set_multicast_loop_v6).
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.with(std::net::UdpSocket::multicast_loop_v6)
    }

    /// How many routers a datagram to an IPv4 group may pass. Default: 1,
    /// which keeps it in the local network.
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.with(|io| io.set_multicast_ttl_v4(ttl))
    }

    /// See [`set_multicast_ttl_v4`](Self::set_multicast_ttl_v4).
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.with(std::net::UdpSocket::multicast_ttl_v4)
    }
}
