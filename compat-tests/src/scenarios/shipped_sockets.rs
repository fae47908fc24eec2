//! Sockets used on other nodes than the one that opened them.

use dstd::sync::Arc;
use dstd::thread;
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::time::Duration;

use crate::cluster;

/// Longer than any wait for an answer that comes; nothing waits for its end.
const LONG: Duration = Duration::from_secs(60);
/// For waits that nobody answers.
const SHORT: Duration = Duration::from_millis(20);

/// Answers lines until the other side has finished, then says how many there were.
fn serve(mut stream: TcpStream) -> usize {
    let mut count = 0;
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    for line in lines {
        writeln!(stream, "{count}: {}", line.unwrap()).unwrap();
        count += 1;
    }
    writeln!(stream, "{count} lines").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    count
}

fn ask(mut stream: TcpStream, who: usize) {
    stream.set_nodelay(true).unwrap();
    assert!(stream.nodelay().unwrap());
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    for i in 0..5 {
        writeln!(stream, "client {who} line {i}").unwrap();
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        assert_eq!(line, format!("{i}: client {who} line {i}\n"));
    }
    stream.shutdown(Shutdown::Write).unwrap();
    let mut rest = String::new();
    answers.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "5 lines\n");
}

/// main accepts, and a thread on one node after the other serves each connection.
fn accept(connections: usize) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let clients: Vec<_> = (0..connections)
        .map(|who| cluster::spawn(who, move || ask(TcpStream::connect(address).unwrap(), who)))
        .collect();
    let servers: Vec<_> = (0..connections)
        .map(|i| {
            let (stream, peer) = listener.accept().unwrap();
            assert!(peer.ip().is_loopback());
            cluster::spawn(i + 1, move || {
                assert_eq!(stream.peer_addr().unwrap(), peer);
                serve(stream)
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
    let lines: usize = servers.into_iter().map(|server| server.join().unwrap()).sum();
    assert_eq!(lines, 5 * connections);
    format!("{lines} lines on {connections} connections")
}

pub(crate) fn accept_loop() -> String {
    accept(2 * cluster::size())
}

/// So many connections that every node's threads outnumber its cores, all blocked at once.
pub(crate) fn accept_64() -> String {
    accept(64)
}

/// An address of the loopback at which no other process listens, also when this one does no more.
fn own_address() -> Ipv4Addr {
    // There are 2^22 processes at most.
    let first = Ipv4Addr::new(127, 128, 0, 0);
    Ipv4Addr::from_bits(first.to_bits() | std::process::id())
}

/// A listener itself goes to another node, and what it accepts there is used on a third one.
pub(crate) fn listener_moved() -> String {
    let listener = TcpListener::bind((own_address(), 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = cluster::spawn(1, move || {
        listener.set_ttl(60).unwrap();
        assert_eq!(listener.ttl().unwrap(), 60);
        let streams: Vec<TcpStream> = listener.incoming().take(4).map(Result::unwrap).collect();
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        streams
    });
    let mut clients: Vec<TcpStream> = (0..4).map(|_| TcpStream::connect(address).unwrap()).collect();
    let servers: Vec<_> = acceptor
        .join()
        .unwrap()
        .into_iter()
        .enumerate()
        .map(|(i, mut stream)| {
            cluster::spawn(i + 2, move || {
                let mut all = Vec::new();
                stream.read_to_end(&mut all).unwrap();
                stream.write_all(&all).unwrap();
            })
        })
        .collect();
    let sent: Vec<u8> = (0..300_000_u32).map(|k| (k % 251) as u8).collect();
    thread::scope(|scope| {
        for (i, client) in clients.iter_mut().enumerate() {
            let sent = &sent;
            cluster::scoped(scope, i, move || {
                client.write_all(sent).unwrap();
                client.shutdown(Shutdown::Write).unwrap();
                let mut back = Vec::new();
                client.read_to_end(&mut back).unwrap();
                assert!(back == *sent);
            });
        }
    });
    servers.into_iter().for_each(|server| server.join().unwrap());
    // All of it is closed: by its address nobody is found.
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    format!("{} bytes", sent.len())
}

/// The two ends of a pair on different nodes, with buffers around them that were filled before they moved.
pub(crate) fn unix_pair() -> String {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut writer = BufWriter::new(ours.try_clone().unwrap());
    write!(writer, "not flushed, ").unwrap();
    let mut reader = BufReader::new(theirs);
    let echo = cluster::spawn(1, move || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        (line, reader)
    });
    let writer = cluster::spawn(2, move || {
        writeln!(writer, "flushed elsewhere\nand more").unwrap();
        writer.flush().unwrap();
        writer
    });
    drop(writer.join().unwrap());
    let (line, mut reader) = echo.join().unwrap();
    assert_eq!(line, "not flushed, flushed elsewhere\n");
    // What the buffer holds came along with it.
    assert_eq!(reader.buffer(), b"and more\n");
    reader.read_line(&mut String::new()).unwrap();
    cluster::spawn(1, move || drop(ours)).join().unwrap();
    // Dropped elsewhere, and closed when the join is through.
    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    String::from("two lines and the end")
}

/// Waits that end by a time, or at once.
pub(crate) fn timeouts() -> String {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let ours = Arc::new(ours);
    let there = Arc::clone(&ours);
    cluster::spawn(1, move || {
        let mut ours = &*there;
        ours.set_read_timeout(Some(SHORT)).unwrap();
        assert_eq!(ours.read_timeout().unwrap(), Some(SHORT));
        assert_eq!(ours.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        ours.set_read_timeout(None).unwrap();
        ours.set_nonblocking(true).unwrap();
        assert_eq!(ours.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        let full = loop {
            if let Err(error) = ours.write(&[7; 40_000]) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
        ours.set_nonblocking(false).unwrap();
    })
    .join()
    .unwrap();
    theirs.set_read_timeout(Some(LONG)).unwrap();
    let mut buffer = vec![0; 100_000];
    let count = cluster::spawn(2, move || theirs.read(&mut buffer).unwrap()).join().unwrap();
    assert!(count > 0);
    // The connection of a listener that is there comes at once, on whichever node.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let stream =
        cluster::spawn(1, move || TcpStream::connect_timeout(&address, LONG).unwrap()).join().unwrap();
    assert!(stream.take_error().unwrap().is_none());
    assert_eq!(stream.peer_addr().unwrap(), address);
    String::from("two waits ended")
}

/// Errors have their kinds wherever they come from, and no signal ends the program.
pub(crate) fn error_kinds() -> String {
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(theirs);
    let error = cluster::spawn(1, move || (&ours).write(b"to nobody").unwrap_err());
    assert_eq!(error.join().unwrap().kind(), ErrorKind::BrokenPipe);
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let error = cluster::spawn(1, move || socket.peer_addr().unwrap_err());
    assert_eq!(error.join().unwrap().kind(), ErrorKind::NotConnected);
    let (sender, receiver) = UnixDatagram::pair().unwrap();
    drop(receiver);
    let error = cluster::spawn(1, move || sender.send(b"lost").unwrap_err());
    assert_eq!(error.join().unwrap().kind(), ErrorKind::ConnectionRefused);
    let (reader, mut writer) = io::pipe().unwrap();
    drop(reader);
    let error = cluster::spawn(1, move || writer.write(b"lost").unwrap_err());
    assert_eq!(error.join().unwrap().kind(), ErrorKind::BrokenPipe);
    String::from("four kinds")
}

/// Datagrams keep their bounds and their senders.
pub(crate) fn udp() -> String {
    let bind = || UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let (socket, other) = (bind(), bind());
    let (here, there) = (socket.local_addr().unwrap(), other.local_addr().unwrap());
    for node in 0..cluster::size() {
        let (socket, other) = (socket.try_clone().unwrap(), other.try_clone().unwrap());
        let echo = cluster::spawn(node, move || {
            other.set_read_timeout(Some(LONG)).unwrap();
            let mut buffer = [0; 2_000];
            for _ in 0..4 {
                let (count, from) = other.recv_from(&mut buffer).unwrap();
                assert_eq!(from, here);
                other.send_to(&buffer[..count], from).unwrap();
            }
        });
        cluster::spawn(node + 1, move || {
            socket.set_read_timeout(Some(LONG)).unwrap();
            for len in [0, 1, 1_400, 700] {
                assert_eq!(socket.send_to(&vec![len as u8; len], there).unwrap(), len);
                let mut buffer = [0; 1_000];
                let (seen, _) = socket.peek_from(&mut buffer).unwrap();
                let (count, from) = socket.recv_from(&mut buffer).unwrap();
                assert_eq!((seen, count, from), (len.min(1_000), len.min(1_000), there));
                assert!(buffer[..count].iter().all(|&byte| byte == len as u8));
            }
        })
        .join()
        .unwrap();
        echo.join().unwrap();
    }
    let (sender, receiver) = UnixDatagram::pair().unwrap();
    let sent = cluster::spawn(1, move || sender.send(&[5; 9]).unwrap()).join().unwrap();
    let mut buffer = [0; 20];
    assert_eq!((sent, receiver.recv(&mut buffer).unwrap()), (9, 9));
    format!("{} datagrams", 8 * cluster::size())
}

/// A socket with a name in the file system: its address is a path.
pub(crate) fn unix_listener() -> String {
    let path = std::env::temp_dir().join(format!("dstd-scenario-{}-socket", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let client = {
        let path = path.clone();
        cluster::spawn(1, move || UnixStream::connect(path).unwrap())
    };
    let mut client = client.join().unwrap();
    let expected = path.clone();
    let server = cluster::spawn(2, move || {
        assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*expected));
        let (mut stream, _) = listener.accept().unwrap();
        let mut all = String::new();
        stream.read_to_string(&mut all).unwrap();
        all
    });
    assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(&*path));
    client.write_all(b"by its path").unwrap();
    drop(client);
    assert_eq!(server.join().unwrap(), "by its path");
    std::fs::remove_file(path).unwrap();
    String::from("11 bytes")
}
