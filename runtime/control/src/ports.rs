//! Ports that may be listened on.

use std::fmt;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::str::FromStr;

/// Ports from `first` to `last`, both included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// A text is no range of ports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParsePortsError;

impl fmt::Display for ParsePortsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a range of ports: write two numbers above 0, the lower one first, like 4000-4100")
    }
}

impl std::error::Error for ParsePortsError {}

impl FromStr for PortRange {
    type Err = ParsePortsError;

    fn from_str(text: &str) -> Result<PortRange, ParsePortsError> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let port = |text: &str| text.parse().map_err(|_| ParsePortsError);
        let range = PortRange { first: port(first)?, last: port(last)? };
        if range.first == 0 || range.first > range.last { Err(ParsePortsError) } else { Ok(range) }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// A listener at `address`: on the first free port of `ports`, or on any.
///
/// # Errors
/// When the address is not this host's, or no port is free.
pub fn listen(address: IpAddr, ports: Option<PortRange>) -> io::Result<TcpListener> {
    let Some(range) = ports else { return TcpListener::bind((address, 0)) };
    for port in range.first..=range.last {
        match TcpListener::bind((address, port)) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            done => return done,
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, format!("no port of {range} is free")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn ranges_are_read_and_written() {
        for text in ["1-65535", "4000-4000"] {
            assert_eq!(text.parse::<PortRange>().expect("a range").to_string(), text);
        }
        assert_eq!("80".parse::<PortRange>().expect("one port").to_string(), "80-80");
        for text in ["", "-", "0-5", "5-4", "1-65536", "a-b", "1-2-3", " 1-2"] {
            assert_eq!(text.parse::<PortRange>(), Err(ParsePortsError), "{text:?}");
        }
    }

    #[test]
    fn a_taken_port_is_passed_over_and_an_exhausted_range_is_an_error() {
        let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let taken = listen(localhost, None).expect("a free port");
        let port = taken.local_addr().expect("it is bound").port();
        let only = PortRange { first: port, last: port };
        assert_eq!(listen(localhost, Some(only)).expect_err("taken").kind(), io::ErrorKind::AddrInUse);
        drop(taken);
        let again = listen(localhost, Some(only)).expect("free again");
        assert_eq!(again.local_addr().expect("it is bound").port(), port);
    }
}
