//! Frames over TCP.

use std::io::{self, IoSlice, Read};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, AsRawFd, RawFd};

use dstd_addr::NodeId;

use crate::limits::{SOCKET_BYTES, SOCKET_BYTES_MIN};
use crate::mesh::{Mesh, Wire};
use crate::{Limits, sys};

/// A [`Transport`](crate::Transport) over one TCP connection per peer.
///
/// Dropping it closes the connections; bytes that are still queued are lost, so flush first.
pub type Tcp = Mesh<TcpWire>;

/// One connection.
pub struct TcpWire {
    stream: TcpStream,
}

impl Tcp {
    /// Takes the connections of node `me`, already authenticated: `streams[rank]` leads to that
    /// node; none at `me` and where there is no peer.
    ///
    /// # Errors
    /// When a socket option cannot be set, for example on a connection that has failed.
    pub fn new(me: NodeId, streams: Vec<Option<TcpStream>>) -> io::Result<Tcp> {
        Tcp::with_limits(me, streams, Limits::default())
    }

    /// Like [`new`](Tcp::new), with bounds other than the default ones.
    ///
    /// # Errors
    /// As there.
    pub fn with_limits(me: NodeId, streams: Vec<Option<TcpStream>>, limits: Limits) -> io::Result<Tcp> {
        let buffers = Buffers::permitted();
        let wires = streams
            .into_iter()
            .map(|stream| stream.map(|stream| TcpWire::new(stream, &buffers)).transpose())
            .collect::<io::Result<_>>()?;
        Ok(Mesh::over(me, wires, limits))
    }
}

impl TcpWire {
    fn new(stream: TcpStream, buffers: &Buffers) -> io::Result<TcpWire> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        if let Some(bytes) = buffers.send {
            sys::set_buffer(stream.as_fd(), libc::SO_SNDBUF, bytes)?;
        }
        if let Some(bytes) = buffers.receive {
            sys::set_buffer(stream.as_fd(), libc::SO_RCVBUF, bytes)?;
        }
        Ok(TcpWire { stream })
    }
}

impl Wire for TcpWire {
    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        sys::send_vectored(self.stream.as_fd(), slices)
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.stream.read(into) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn shutdown(&mut self) {
        // It fails only if the connection is down already, which is what is wanted.
        self.stream.shutdown(Shutdown::Both).ok();
    }

    fn fd(&self) -> Option<RawFd> {
        Some(self.stream.as_raw_fd())
    }
}

/// The fixed buffer sizes to ask for, if the system permits ones worth asking for.
///
/// A fixed size switches the kernel's own sizing off, which goes to several MiB. Where the bound
/// for fixed sizes is its usual 208 KiB, asking would make buffers smaller.
struct Buffers {
    send: Option<usize>,
    receive: Option<usize>,
}

impl Buffers {
    fn permitted() -> Buffers {
        Buffers { send: size("/proc/sys/net/core/wmem_max"), receive: size("/proc/sys/net/core/rmem_max") }
    }
}

fn size(bound: &str) -> Option<usize> {
    let max: usize = std::fs::read_to_string(bound).ok()?.trim().parse().ok()?;
    (max >= SOCKET_BYTES_MIN).then_some(max.min(SOCKET_BYTES))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::conformance::{Fabric, StreamFabric};
    use crate::mesh::connect_all;

    /// Connections over the loopback interface.
    struct Loopback {
        /// Socket buffers of the smallest size, so that writes are cut short all the time.
        tight: bool,
    }

    impl Loopback {
        fn pair(&self) -> (TcpStream, TcpStream) {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (two, from) = listener.accept().unwrap();
            assert_eq!(from, one.local_addr().unwrap(), "somebody else connected");
            (one, two)
        }

        fn node(&self, me: NodeId, streams: Vec<Option<TcpStream>>, limits: Limits) -> Tcp {
            if !self.tight {
                return Tcp::with_limits(me, streams, limits).unwrap();
            }
            let tight = Buffers { send: Some(1), receive: None };
            let wire = |stream: TcpStream| TcpWire::new(stream, &tight).unwrap();
            Mesh::over(me, streams.into_iter().map(|stream| stream.map(wire)).collect(), limits)
        }
    }

    impl Fabric for Loopback {
        type Node = Tcp;

        fn mesh(&self, nodes: u16, limits: Limits) -> Vec<Tcp> {
            let streams = connect_all(nodes, || self.pair());
            streams
                .into_iter()
                .zip(0..)
                .map(|(streams, rank)| self.node(NodeId(rank), streams, limits))
                .collect()
        }
    }

    impl StreamFabric for Loopback {
        type Raw = TcpWire;

        fn raw(&self, limits: Limits) -> (Tcp, TcpWire) {
            let (one, two) = self.pair();
            let raw = TcpWire::new(two, &Buffers { send: None, receive: None }).unwrap();
            (self.node(NodeId(0), vec![None, Some(one)], limits), raw)
        }
    }

    crate::conformance_suite!(loopback, Loopback { tight: false });
    crate::conformance_suite!(tight_loopback, Loopback { tight: true });
    crate::conformance_stream_suite!(loopback_stream, Loopback { tight: false });
    crate::conformance_descriptor_suite!(loopback_descriptors, Loopback { tight: false });
}
