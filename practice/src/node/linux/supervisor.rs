//! Pod networking without privileges: the supervisor performs a container's `bind` and `connect`
//! calls in its place, with addresses rewritten to the pod's own loopback address, to a Service's
//! endpoint, or to the node's DNS server. Everything else goes through untouched.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

use super::sys::{self, Answer, Notification, RawAddress};
use crate::node::pod_net::{PodNet, Transport};
use crate::node::services::Lookup;

const MAX_DATAGRAM: usize = 65_535;

/// Starts the thread that serves one container's network calls until its last process ended.
pub fn supervise(listener: OwnedFd, net: Arc<PodNet>) -> io::Result<()> {
    std::thread::Builder::new()
        .name("pod-network".into())
        .stack_size(256 * 1024)
        .spawn(move || serve(Arc::new(listener), &net))
        .map(drop)
}

fn serve(listener: Arc<OwnedFd>, net: &Arc<PodNet>) {
    loop {
        let mut waiting = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waiting, PollTimeout::NONE) {
            Ok(_) => {}
            Err(nix::errno::Errno::EINTR) => continue,
            Err(_) => return,
        }
        let events = waiting[0].revents().unwrap_or(PollFlags::empty());
        if !events.contains(PollFlags::POLLIN) {
            return;
        }
        match sys::next_notification(listener.as_fd()) {
            Ok(Some(notification)) => handle(&listener, net, notification),
            Ok(None) => {}
            Err(_) => return,
        }
    }
}

fn handle(listener: &Arc<OwnedFd>, net: &Arc<PodNet>, notification: Notification) {
    let planned = Call::read(listener.as_fd(), &notification)
        .and_then(|call| call.map(|call| call.plan(net)).transpose());
    let answer = match planned {
        Ok(None | Some(Planned::Continue)) => Answer::Continue,
        Ok(Some(Planned::Refuse(errno))) => Answer::Errno(errno),
        Ok(Some(Planned::Connect {
            socket,
            to,
            blocking: true,
        })) => {
            // A blocking connect may wait for a full backlog; the other threads of the
            // container must not wait with it.
            let (listener, net) = (listener.clone(), net.clone());
            let id = notification.id;
            let work = move || {
                let answer = net_connect(socket.as_fd(), to, &net);
                sys::answer(listener.as_fd(), id, answer);
            };
            let spawned = std::thread::Builder::new()
                .stack_size(128 * 1024)
                .spawn(work);
            if spawned.is_ok() {
                return;
            }
            Answer::Errno(libc::EAGAIN)
        }
        Ok(Some(Planned::Connect { socket, to, .. })) => net_connect(socket.as_fd(), to, net),
        Ok(Some(Planned::Done(answer))) => answer,
        Err(_) => Answer::Continue,
    };
    sys::answer(listener.as_fd(), notification.id, answer);
}

/// A reported call with its arguments fetched from the caller.
struct Call {
    kind: Kind,
    socket: OwnedFd,
    transport: Transport,
    ipv6: bool,
    address: IpAddr,
    port: u16,
}

enum Kind {
    Bind,
    Connect,
    SendTo { bytes: Vec<u8>, flags: i32 },
}

enum Planned {
    Continue,
    Refuse(i32),
    Connect {
        socket: OwnedFd,
        to: SocketAddrV4,
        blocking: bool,
    },
    Done(Answer),
}

impl Call {
    /// `None` for sockets that are none of our business.
    fn read(listener: BorrowedFd<'_>, n: &Notification) -> io::Result<Option<Self>> {
        let (address_at, address_length) = if n.call == libc::SYS_sendto {
            (n.args[4], n.args[5])
        } else {
            (n.args[1], n.args[2])
        };
        let raw = read_memory(
            n.pid,
            address_at,
            usize::try_from(address_length).unwrap_or(0).min(128),
        )?;
        let Some((address, port)) = parse_address(&raw) else {
            return Ok(None);
        };
        let socket = duplicate(n.pid, n.args[0] as i32)?;
        if !sys::still_waiting(listener, n.id) {
            return Err(io::Error::other("the caller is gone"));
        }
        let ipv6 = match sys::socket_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_DOMAIN)? {
            libc::AF_INET => false,
            libc::AF_INET6 => true,
            _ => return Ok(None),
        };
        let transport = match sys::socket_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_TYPE)? {
            libc::SOCK_STREAM => Transport::Tcp,
            libc::SOCK_DGRAM => Transport::Udp,
            _ => return Ok(None),
        };
        let kind = if n.call == libc::SYS_bind {
            Kind::Bind
        } else if n.call == libc::SYS_connect {
            Kind::Connect
        } else {
            let length = usize::try_from(n.args[2]).unwrap_or(usize::MAX);
            if transport != Transport::Udp || length > MAX_DATAGRAM {
                return Ok(None);
            }
            Kind::SendTo {
                bytes: read_memory(n.pid, n.args[1], length)?,
                flags: n.args[3] as i32,
            }
        };
        Ok(Some(Self {
            kind,
            socket,
            transport,
            ipv6,
            address,
            port,
        }))
    }

    fn plan(self, net: &PodNet) -> io::Result<Planned> {
        if matches!(self.kind, Kind::Bind) {
            return Ok(self.bind(net));
        }
        let to = match self.destination(net) {
            Destination::Untouched => return Ok(Planned::Continue),
            Destination::Refused => return Ok(Planned::Refuse(libc::ECONNREFUSED)),
            Destination::Here(to) => to,
        };
        if let Kind::SendTo { bytes, flags } = &self.kind {
            let raw = RawAddress::new(to, self.ipv6);
            return Ok(Planned::Done(sys::send_to(
                self.socket.as_fd(),
                bytes,
                *flags,
                &raw,
            )));
        }
        let status = fcntl(&self.socket, FcntlArg::F_GETFL)?;
        let blocking = self.transport == Transport::Tcp
            && !OFlag::from_bits_truncate(status).contains(OFlag::O_NONBLOCK);
        Ok(Planned::Connect {
            socket: self.socket,
            to,
            blocking,
        })
    }

    fn bind(&self, net: &PodNet) -> Planned {
        let to_pod = match self.address {
            IpAddr::V4(ip) => ip.is_unspecified() || ip == Ipv4Addr::LOCALHOST,
            IpAddr::V6(ip) => ip.is_unspecified() || ip == Ipv6Addr::LOCALHOST,
        };
        // An unconnected UDP client must stay able to reach the outside.
        let client = self.transport == Transport::Udp && self.port == 0;
        if !to_pod || client {
            return Planned::Continue;
        }
        let socket = self.socket.as_fd();
        if self.ipv6 {
            let only = sys::socket_option(socket, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY);
            if only.is_ok_and(|only| only != 0) {
                // A server that opens one socket per family: pods have no IPv6 address, so this
                // one is parked where nobody connects and the IPv4 one gets the traffic.
                return Planned::Done(sys::bind(socket, &RawAddress::ipv6_loopback()));
            }
        }
        let wanted = SocketAddrV4::new(net.pod_ip, self.port);
        let answer = sys::bind(socket, &RawAddress::new(wanted, self.ipv6));
        if answer == Answer::Value(0)
            && let Ok(bound) = sys::local_address(socket)
        {
            net.listening(self.transport, bound.port());
        }
        Planned::Done(answer)
    }

    fn destination(&self, net: &PodNet) -> Destination {
        let ip = match self.address {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(ip) if ip == Ipv6Addr::LOCALHOST || ip.is_unspecified() => {
                Ipv4Addr::LOCALHOST
            }
            IpAddr::V6(_) if self.port == 53 => Ipv4Addr::UNSPECIFIED,
            IpAddr::V6(_) => return Destination::Untouched,
        };
        // A pod that serves DNS itself is reached like any pod; the node's server may be on
        // another port when 53 is not allowed.
        if self.port == 53 && (ip == *net.dns.ip() || !is_pod_address(ip)) {
            return Destination::Here(net.dns);
        }
        if ip == Ipv4Addr::LOCALHOST || ip.is_unspecified() {
            return if net.listens(self.transport, self.port) {
                Destination::Here(SocketAddrV4::new(net.pod_ip, self.port))
            } else {
                Destination::Untouched
            };
        }
        if is_pod_address(ip) {
            return Destination::Here(SocketAddrV4::new(ip, self.port));
        }
        match net.services.lookup(ip, self.port, self.transport) {
            Lookup::NotAService => Destination::Untouched,
            Lookup::NoEndpoints => Destination::Refused,
            Lookup::Endpoint(endpoint) => Destination::Here(endpoint),
        }
    }
}

enum Destination {
    Untouched,
    Refused,
    Here(SocketAddrV4),
}

/// 127.77.0.0/16: pods and the DNS servers of practice nodes.
fn is_pod_address(ip: Ipv4Addr) -> bool {
    matches!(ip.octets(), [127, 77, ..])
}

/// Connects with the pod's address as the source, so that the other side sees who is calling.
fn net_connect(socket: BorrowedFd<'_>, to: SocketAddrV4, net: &PodNet) -> Answer {
    let ipv6 = sys::socket_option(socket, libc::SOL_SOCKET, libc::SO_DOMAIN)
        .is_ok_and(|domain| domain == libc::AF_INET6);
    if ipv6 {
        // An IPv6-only socket could not take a mapped address.
        let _ = sys::set_socket_option(socket, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 0);
    }
    if sys::local_address(socket).is_ok_and(|local| local.port() == 0) {
        let _ = sys::set_socket_option(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1);
        // Without it the call still works, only anonymously.
        let _ = sys::bind(
            socket,
            &RawAddress::new(SocketAddrV4::new(net.pod_ip, 0), ipv6),
        );
    }
    sys::connect(socket, &RawAddress::new(to, ipv6))
}

fn parse_address(raw: &[u8]) -> Option<(IpAddr, u16)> {
    let family = i32::from(u16::from_ne_bytes(raw.get(..2)?.try_into().ok()?));
    let port = u16::from_be_bytes(raw.get(2..4)?.try_into().ok()?);
    match family {
        libc::AF_INET => {
            let octets: [u8; 4] = raw.get(4..8)?.try_into().ok()?;
            Some((IpAddr::V4(octets.into()), port))
        }
        libc::AF_INET6 => {
            let octets: [u8; 16] = raw.get(8..24)?.try_into().ok()?;
            let ip = Ipv6Addr::from(octets);
            Some((ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4), port))
        }
        _ => None,
    }
}

fn read_memory(pid: i32, at: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; length];
    let base = usize::try_from(at).map_err(io::Error::other)?;
    let read = process_vm_readv(
        Pid::from_raw(pid),
        &mut [io::IoSliceMut::new(&mut buffer)],
        &[RemoteIoVec { base, len: length }],
    )?;
    buffer.truncate(read);
    Ok(buffer)
}

/// The report names the calling thread; descriptors are fetched from its process.
fn duplicate(thread: i32, fd: i32) -> io::Result<OwnedFd> {
    if let Ok(copy) = sys::duplicate_descriptor(thread, fd) {
        return Ok(copy);
    }
    let status = std::fs::read_to_string(format!("/proc/{thread}/status"))?;
    let process = status
        .lines()
        .find_map(|line| line.strip_prefix("Tgid:"))
        .and_then(|id| id.trim().parse().ok())
        .ok_or_else(|| io::Error::other("the caller has no process"))?;
    sys::duplicate_descriptor(process, fd)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::parse_address;

    #[test]
    fn mapped_addresses_are_plain_ipv4_addresses() {
        let mut raw = vec![0; 28];
        raw[..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
        raw[2..4].copy_from_slice(&8080_u16.to_be_bytes());
        raw[8..24].copy_from_slice(&Ipv4Addr::new(10, 96, 0, 7).to_ipv6_mapped().octets());
        assert_eq!(
            parse_address(&raw),
            Some((IpAddr::V4(Ipv4Addr::new(10, 96, 0, 7)), 8080))
        );
    }

    #[test]
    fn short_and_foreign_addresses_are_left_alone() {
        assert_eq!(parse_address(&[2, 0]), None);
        assert_eq!(parse_address(&[1, 0, b'/', b't', b'm', b'p']), None);
    }
}
