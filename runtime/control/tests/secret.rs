//! Who is trusted, who is not, and that nobody can make the other side wait for ever.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use dstd_control::secret::{AuthError, Purpose, Secret, client, server};

const CHALLENGE_BYTES: usize = 40;
const ANSWER_BYTES: usize = 64;

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(100)
}

fn late() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn secret(byte: u8) -> Secret {
    Secret::from_bytes([byte; 32])
}

type Outcome = Result<(), AuthError>;

fn both(client_side: (Secret, Purpose), server_side: (Secret, Purpose)) -> (Outcome, Outcome) {
    let (mut a, mut b) = UnixStream::pair().unwrap();
    let dialing = thread::spawn(move || client(&mut a, &client_side.0, client_side.1, late()));
    let accepted = server(&mut b, &server_side.0, server_side.1, late());
    drop(b);
    (dialing.join().unwrap(), accepted)
}

#[test]
fn the_same_secret_is_trusted_and_the_stream_is_left_clean() {
    let (mut a, mut b) = UnixStream::pair().unwrap();
    let dialing = thread::spawn(move || {
        client(&mut a, &secret(1), Purpose::Mesh, late()).unwrap();
        a.write_all(b"after").unwrap();
        a
    });
    server(&mut b, &secret(1), Purpose::Mesh, late()).unwrap();
    let mut after = [0; 5];
    b.read_exact(&mut after).unwrap();
    assert_eq!(&after, b"after");
    assert_eq!(b.read_timeout().unwrap(), None);
    assert_eq!(dialing.join().unwrap().read_timeout().unwrap(), None);
}

#[test]
fn another_secret_or_purpose_is_refused_and_the_client_proves_nothing() {
    for (ours, theirs) in [
        ((secret(1), Purpose::Mesh), (secret(2), Purpose::Mesh)),
        ((secret(1), Purpose::Mesh), (secret(1), Purpose::Control)),
    ] {
        let (dialed, accepted) = both(ours, theirs);
        assert!(matches!(dialed, Err(AuthError::Refused)), "{dialed:?}");
        assert!(matches!(accepted, Err(AuthError::Lost(_))), "{accepted:?}");
    }
}

#[test]
fn a_client_that_cannot_prove_itself_is_refused() {
    let (mut a, mut b) = UnixStream::pair().unwrap();
    let stranger = thread::spawn(move || {
        a.write_all(b"dstd-cr1").unwrap();
        a.write_all(&[7; 32]).unwrap();
        let mut answer = [0; ANSWER_BYTES];
        a.read_exact(&mut answer).unwrap();
        // Sends the server's own proof back.
        a.write_all(&answer[32..]).unwrap();
    });
    let accepted = server(&mut b, &secret(1), Purpose::Mesh, late());
    assert!(matches!(accepted, Err(AuthError::Refused)), "{accepted:?}");
    stranger.join().unwrap();
}

#[test]
fn an_eavesdropper_cannot_replay() {
    // A dialogue, with everything the client said written down.
    let (mut a, mut a_wire) = UnixStream::pair().unwrap();
    let (mut b_wire, mut b) = UnixStream::pair().unwrap();
    let dialing = thread::spawn(move || client(&mut a, &secret(1), Purpose::Mesh, late()));
    let accepting = thread::spawn(move || server(&mut b, &secret(1), Purpose::Mesh, late()));
    let (mut challenge, mut answer, mut proof) = ([0; CHALLENGE_BYTES], [0; ANSWER_BYTES], [0; 32]);
    a_wire.read_exact(&mut challenge).unwrap();
    b_wire.write_all(&challenge).unwrap();
    b_wire.read_exact(&mut answer).unwrap();
    a_wire.write_all(&answer).unwrap();
    a_wire.read_exact(&mut proof).unwrap();
    b_wire.write_all(&proof).unwrap();
    dialing.join().unwrap().unwrap();
    accepting.join().unwrap().unwrap();

    let (mut a, mut b) = UnixStream::pair().unwrap();
    a.write_all(&challenge).unwrap();
    a.write_all(&proof).unwrap();
    let accepted = server(&mut b, &secret(1), Purpose::Mesh, late());
    assert!(matches!(accepted, Err(AuthError::Refused)), "{accepted:?}");
}

#[test]
fn garbage_is_malformed_and_nothing_is_answered() {
    let (mut a, mut b) = UnixStream::pair().unwrap();
    a.write_all(&[b'G'; 4096]).unwrap();
    let accepted = server(&mut b, &secret(1), Purpose::Mesh, late());
    assert!(matches!(accepted, Err(AuthError::Malformed)), "{accepted:?}");
    drop(b);
    let mut heard = Vec::new();
    let end = a.read_to_end(&mut heard);
    assert!(heard.is_empty(), "{end:?}");
}

#[test]
fn silence_ends_at_the_deadline_on_both_sides() {
    let (mut a, mut b) = UnixStream::pair().unwrap();
    let accepted = server(&mut b, &secret(1), Purpose::Mesh, soon());
    assert!(matches!(accepted, Err(AuthError::Timeout)), "{accepted:?}");
    let dialed = client(&mut a, &secret(1), Purpose::Mesh, soon());
    assert!(matches!(dialed, Err(AuthError::Timeout)), "{dialed:?}");
}

/// A peer that always has one more byte, so that no single read ever times out.
struct Drip {
    rest: Vec<u8>,
    read: usize,
}

impl Read for Drip {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let byte = self.rest.pop().ok_or(std::io::ErrorKind::BrokenPipe)?;
        thread::park_timeout(Duration::from_millis(10));
        buffer[0] = byte;
        self.read += 1;
        Ok(1)
    }
}

impl Write for Drip {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl dstd_control::secret::Stream for Drip {
    fn set_timeout(&self, _: Option<Duration>) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn one_byte_at_a_time_does_not_move_the_deadline() {
    let mut drip = Drip { rest: vec![0; CHALLENGE_BYTES], read: 0 };
    let accepted = server(&mut drip, &secret(1), Purpose::Mesh, soon());
    assert!(matches!(accepted, Err(AuthError::Timeout)), "{accepted:?}");
    assert!(drip.read < CHALLENGE_BYTES);
}

#[test]
fn a_secret_crosses_a_pipe_once() {
    let (read, mut write) = std::io::pipe().unwrap();
    let secret = Secret::random().unwrap();
    write.write_all(secret.expose()).unwrap();
    drop(write);
    assert_eq!(Secret::read_from(read.try_clone().unwrap().into()).unwrap(), secret);
    assert!(Secret::read_from(read.into()).is_err());
    assert_ne!(Secret::random().unwrap(), secret);
    assert_eq!(format!("{secret:?}"), "Secret(..)");
}
