//! Addresses of this host.
//!
//! *Invariants.* The list that the kernel gives is freed once, after everything in it was copied.
//! *Layout.* libc's linked list of interfaces.
//! *Who may touch what, when.* The list belongs to the call of [`interfaces`].
//! *Why not safe code.* std does not tell the addresses of interfaces.

use std::ffi::CStr;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::ptr;
use std::str::FromStr;

/// An interface that is up, and one of its addresses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Interface {
    name: String,
    pub(super) address: IpAddr,
}

/// Which of a host's addresses is meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Iface {
    /// The first one of the interface with this name.
    Name(String),
    /// The one inside this network.
    Net { address: IpAddr, prefix: u8 },
}

impl FromStr for Iface {
    type Err = String;

    fn from_str(text: &str) -> Result<Iface, String> {
        let wrong =
            || format!("{text:?} is no network: write an interface like eth0, or a network like 10.0.0.0/8");
        let bits = |address: IpAddr| if address.is_ipv4() { 32 } else { 128 };
        match text.split_once('/') {
            Some((address, prefix)) => {
                let address: IpAddr = address.parse().map_err(|_| wrong())?;
                let prefix =
                    prefix.parse().ok().filter(|&prefix| prefix <= bits(address)).ok_or_else(wrong)?;
                Ok(Iface::Net { address, prefix })
            }
            None => match text.parse() {
                Ok(address) => Ok(Iface::Net { address, prefix: bits(address) }),
                Err(_) if text.is_empty() || text.contains(char::is_whitespace) => Err(wrong()),
                Err(_) => Ok(Iface::Name(text.to_owned())),
            },
        }
    }
}

impl fmt::Display for Iface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Iface::Name(name) => f.write_str(name),
            Iface::Net { address, prefix } => write!(f, "{address}/{prefix}"),
        }
    }
}

impl Iface {
    /// The first of `interfaces` that is meant; IPv4 before IPv6.
    pub(super) fn pick(&self, interfaces: &[Interface]) -> Option<IpAddr> {
        let meant = |interface: &&Interface| match self {
            Iface::Name(name) => interface.name == *name,
            Iface::Net { address, prefix } => same_network(*address, interface.address, *prefix),
        };
        interfaces
            .iter()
            .filter(meant)
            .map(|interface| interface.address)
            .min_by_key(|address| address.is_ipv6())
    }
}

fn same_network(a: IpAddr, b: IpAddr, prefix: u8) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let ((a, length), (b, other)) = (bits(a), bits(b));
    length == other && (prefix == 0 || (a ^ b) >> (length - u32::from(prefix)) == 0)
}

/// The address of this host from which `peer` is reached.
pub(super) fn route_to(peer: IpAddr) -> io::Result<IpAddr> {
    let any: IpAddr =
        if peer.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    // Sends nothing: the kernel chooses the route. The port only has to be one.
    socket.connect((peer, 9))?;
    Ok(socket.local_addr()?.ip())
}

/// All interfaces of this host that are up and have an IP address.
pub(crate) fn interfaces() -> io::Result<Vec<Interface>> {
    let mut list = ptr::null_mut();
    // SAFETY: `list` is writable; on success it is a list that is ours to free.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut found = Vec::new();
    let mut next: *const libc::ifaddrs = list;
    // SAFETY: null, or an entry of the list, which is freed below.
    while let Some(entry) = unsafe { next.as_ref() } {
        next = entry.ifa_next;
        if entry.ifa_flags & libc::IFF_UP as u32 == 0 {
            continue;
        }
        // SAFETY: an entry's address is null or a socket address of the family it names.
        let Some(address) = (unsafe { address(entry.ifa_addr) }) else { continue };
        // SAFETY: an entry has a name, a C string that lives as long as the list.
        let name = unsafe { CStr::from_ptr(entry.ifa_name) };
        found.push(Interface { name: name.to_string_lossy().into_owned(), address });
    }
    // SAFETY: the list came from `getifaddrs`, and everything was copied.
    unsafe { libc::freeifaddrs(list) };
    Ok(found)
}

/// The IP address in a socket address.
///
/// # Safety
/// - `address` is null or points to a socket address that is whole for its family.
unsafe fn address(address: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: null or valid, says the caller.
    let family = i32::from(unsafe { address.as_ref() }?.sa_family);
    match family {
        libc::AF_INET => {
            // SAFETY: of this family, says the field; unaligned reads need no alignment.
            let address = unsafe { address.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(Ipv4Addr::from_bits(u32::from_be(address.sin_addr.s_addr)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: of this family, says the field; unaligned reads need no alignment.
            let address = unsafe { address.cast::<libc::sockaddr_in6>().read_unaligned() };
            Some(Ipv6Addr::from(address.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, address: &str) -> Interface {
        Interface { name: name.to_owned(), address: address.parse().unwrap() }
    }

    #[test]
    fn an_interface_is_meant_by_its_name_or_its_network() {
        let all = [
            interface("lo", "127.0.0.1"),
            interface("eth0", "fe80::1"),
            interface("eth0", "10.1.2.3"),
            interface("ib0", "192.168.7.9"),
        ];
        for (text, expected) in [
            ("eth0", Some("10.1.2.3")),
            ("ib0", Some("192.168.7.9")),
            ("10.0.0.0/8", Some("10.1.2.3")),
            ("192.168.7.0/24", Some("192.168.7.9")),
            ("192.168.8.0/24", None),
            ("0.0.0.0/0", Some("127.0.0.1")),
            ("fe80::/10", Some("fe80::1")),
            ("10.1.2.3", Some("10.1.2.3")),
            ("10.1.2.4", None),
            ("eth1", None),
        ] {
            let iface: Iface = text.parse().unwrap();
            assert_eq!(iface.pick(&all), expected.map(|address| address.parse().unwrap()), "{text}");
            assert_eq!(iface.to_string().parse::<Iface>().unwrap(), iface);
        }
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "eth0/8", "a b"] {
            assert!(wrong.parse::<Iface>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_loopback_is_there_and_leads_to_itself() {
        let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert!(interfaces().unwrap().iter().any(|interface| interface.address == localhost));
        assert_eq!(route_to(localhost).unwrap(), localhost);
    }
}
