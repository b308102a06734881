//! Options of a UDP socket.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::udp::UdpSocket;

/// Options. Each takes effect at once; the errors are those of setsockopt(2)
/// and getsockopt(2).
impl UdpSocket {
    /// Whether datagrams may go to broadcast addresses. Default: no.
    pub fn set_broadcast(&self, may: bool) -> io::Result<()> {
        self.with(|io| io.set_broadcast(may))
    }

    /// See [`set_broadcast`](Self::set_broadcast).
    pub fn broadcast(&self) -> io::Result<bool> {
        self.with(std::net::UdpSocket::broadcast)
    }

    /// How many routers a datagram may pass (IPv4). Default: 64 on most
    /// systems.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.with(|io| io.set_ttl(ttl))
    }

    /// See [`set_ttl`](Self::set_ttl).
    pub fn ttl(&self) -> io::Result<u32> {
        self.with(std::net::UdpSocket::ttl)
    }

    /// Receives what is sent to the IPv4 group `group` on the interface with
    /// the address `interface`; the unspecified one lets the system choose.
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
