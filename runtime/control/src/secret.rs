//! The cluster secret, and how two ends prove to each other that they know it.
//!
//! | message | from | to | bytes |
//! |---|---|---|---|
//! | challenge | client | server | magic (8), nonce C (32) |
//! | answer | server | client | nonce S (32), proof "server" (32) |
//! | proof | client | server | proof "client" (32) |
//!
//! `proof role = HMAC-SHA256(secret, label, role, purpose, nonce C, nonce S)`. All messages have
//! fixed sizes; nothing is parsed, allocated or answered on behalf of a peer beyond them. The role
//! keeps a proof from being reflected, the purpose keeps one made for the launcher from being
//! replayed to a node, the nonces keep both from being replayed later. The bytes that follow are
//! not protected: this is for loopback and trusted networks.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

const NONCE_BYTES: usize = 32;
const PROOF_BYTES: usize = 32;
const MAGIC: &[u8; 8] = b"dstd-cr1";
const CHALLENGE_BYTES: usize = MAGIC.len() + NONCE_BYTES;
const ANSWER_BYTES: usize = NONCE_BYTES + PROOF_BYTES;

/// What a connection is for; a proof for one purpose is worthless for the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// A node to the launcher.
    Control,
    /// A node to a node.
    Mesh,
}

/// The 32 bytes that all members of a job know and nobody else does.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// A fresh secret from the kernel's random numbers.
    ///
    /// # Errors
    /// When the kernel gives none.
    pub fn random() -> io::Result<Secret> {
        random_bytes().map(Secret)
    }

    /// A secret that the caller knows already.
    pub const fn from_bytes(bytes: [u8; 32]) -> Secret {
        Secret(bytes)
    }

    /// The secret of the job called `name`, of those who know `key`.
    pub fn of_job(key: &[u8], name: &str) -> Secret {
        let mut mac = hmac_sha256::HMAC::new(key);
        mac.update(b"dstd secret of a job 1\0");
        mac.update(name);
        Secret(mac.finalize())
    }

    /// Reads the secret from an inherited descriptor and closes it.
    ///
    /// # Errors
    /// When fewer than 32 bytes come.
    pub fn read_from(fd: OwnedFd) -> io::Result<Secret> {
        let mut bytes = [0; 32];
        File::from(fd).read_exact(&mut bytes)?;
        Ok(Secret(bytes))
    }

    /// The bytes themselves, to hand them to a node.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    fn proof(&self, role: &[u8; 6], purpose: Purpose, client: &Nonce, server: &Nonce) -> [u8; PROOF_BYTES] {
        let mut mac = hmac_sha256::HMAC::new(self.0);
        mac.update(b"dstd challenge-response 1\0");
        mac.update(role);
        mac.update([purpose as u8]);
        mac.update(client);
        mac.update(server);
        mac.finalize()
    }
}

type Nonce = [u8; NONCE_BYTES];

/// Why two ends do not trust each other.
#[derive(Debug)]
#[non_exhaustive]
pub enum AuthError {
    /// The peer speaks the protocol and does not know the secret.
    Refused,
    /// The peer does not speak the protocol.
    Malformed,
    /// The peer did not answer in time.
    Timeout,
    /// The connection failed; a peer that refused *us* looks like this.
    Lost(io::Error),
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AuthError::Refused => f.write_str("the peer does not know the secret of this job"),
            AuthError::Malformed => f.write_str("the peer does not speak dstd's protocol"),
            AuthError::Timeout => f.write_str("the peer did not answer in time"),
            AuthError::Lost(error) => write!(f, "the connection was lost during authentication: {error}"),
        }
    }
}

impl std::error::Error for AuthError {}

impl From<io::Error> for AuthError {
    fn from(error: io::Error) -> AuthError {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => AuthError::Timeout,
            _ => AuthError::Lost(error),
        }
    }
}

/// A blocking byte stream whose waits can be bounded.
pub trait Stream: Read + Write {
    /// Bounds each following read and write; `None` takes the bound away.
    ///
    /// # Errors
    /// When the socket refuses.
    fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(timeout)?;
        self.set_write_timeout(timeout)
    }
}

impl Stream for UnixStream {
    fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(timeout)?;
        self.set_write_timeout(timeout)
    }
}

/// The connecting side: proves the secret to the server and has the server prove it.
///
/// # Network
/// 1 RTT. Returns by `deadline`, however slowly the peer drips bytes; leaves the stream without a timeout.
///
/// # Errors
/// [`AuthError`]; the stream must then be dropped.
pub fn client(
    stream: &mut impl Stream,
    secret: &Secret,
    purpose: Purpose,
    deadline: Instant,
) -> Result<(), AuthError> {
    let mine: Nonce = random_bytes()?;
    let mut challenge = [0; CHALLENGE_BYTES];
    challenge[..MAGIC.len()].copy_from_slice(MAGIC);
    challenge[MAGIC.len()..].copy_from_slice(&mine);
    write_by(stream, &challenge, deadline)?;

    let mut answer = [0; ANSWER_BYTES];
    read_by(stream, &mut answer, deadline)?;
    let (theirs, proof) = answer.split_at(NONCE_BYTES);
    let theirs: &Nonce = theirs.try_into().expect("split at the nonce's length");
    if !equal(proof, &secret.proof(b"server", purpose, &mine, theirs)) {
        return Err(AuthError::Refused);
    }
    write_by(stream, &secret.proof(b"client", purpose, &mine, theirs), deadline)?;
    stream.set_timeout(None)?;
    Ok(())
}

/// The accepting side of [`client`].
///
/// # Network
/// 1 RTT. Returns by `deadline`; leaves the stream without a timeout.
///
/// # Errors
/// [`AuthError`]; the stream must then be dropped.
pub fn server(
    stream: &mut impl Stream,
    secret: &Secret,
    purpose: Purpose,
    deadline: Instant,
) -> Result<(), AuthError> {
    let mut state = Server::new(purpose);
    let mut buffer = [0; CHALLENGE_BYTES];
    loop {
        let message = &mut buffer[..state.wants()];
        read_by(stream, message, deadline)?;
        match state.receive(secret, message)? {
            Step::Answer(answer) => write_by(stream, &answer, deadline)?,
            Step::Trusted => break,
        }
    }
    stream.set_timeout(None)?;
    Ok(())
}

/// The accepting side without the stream, for servers that poll many peers.
///
/// | state | waits for | then |
/// |---|---|---|
/// | `challenge: None` | challenge | answers, keeps the expected proof |
/// | `challenge: Some` | proof | trusted, or refused |
pub(crate) struct Server {
    purpose: Purpose,
    expected: Option<[u8; PROOF_BYTES]>,
}

pub(crate) enum Step {
    Answer([u8; ANSWER_BYTES]),
    Trusted,
}

impl Server {
    pub(crate) const fn new(purpose: Purpose) -> Server {
        Server { purpose, expected: None }
    }

    /// How many bytes the next message has.
    pub(crate) const fn wants(&self) -> usize {
        if self.expected.is_none() { CHALLENGE_BYTES } else { PROOF_BYTES }
    }

    /// Takes exactly [`Server::wants`] bytes.
    pub(crate) fn receive(&mut self, secret: &Secret, message: &[u8]) -> Result<Step, AuthError> {
        if let Some(expected) = &self.expected {
            return if equal(message, expected) { Ok(Step::Trusted) } else { Err(AuthError::Refused) };
        }
        let Some((magic, theirs)) = message.split_first_chunk::<{ MAGIC.len() }>() else {
            return Err(AuthError::Malformed);
        };
        let Ok(theirs) = <&Nonce>::try_from(theirs) else { return Err(AuthError::Malformed) };
        if magic != MAGIC {
            return Err(AuthError::Malformed);
        }
        let mine: Nonce = random_bytes()?;
        self.expected = Some(secret.proof(b"client", self.purpose, theirs, &mine));
        let mut answer = [0; ANSWER_BYTES];
        answer[..NONCE_BYTES].copy_from_slice(&mine);
        answer[NONCE_BYTES..].copy_from_slice(&secret.proof(b"server", self.purpose, theirs, &mine));
        Ok(Step::Answer(answer))
    }
}

/// Compares without telling by its duration where the difference is.
fn equal(a: &[u8], b: &[u8; PROOF_BYTES]) -> bool {
    let difference = a.iter().zip(b).fold(0, |sum, (x, y)| sum | (x ^ y));
    a.len() == b.len() && std::hint::black_box(difference) == 0
}

/// Random bytes of the kernel.
pub(crate) fn random_bytes() -> io::Result<[u8; 32]> {
    let mut bytes = [0_u8; 32];
    let mut filled = 0;
    while filled < bytes.len() {
        let rest = &mut bytes[filled..];
        // SAFETY: `rest` is a live, writable slice; the call writes at most `rest.len()` bytes into it.
        let got = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        match usize::try_from(got) {
            Ok(got) => filled += got,
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
    Ok(bytes)
}

/// What is left until `deadline`; `TimedOut` when that is nothing.
pub(crate) fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Fills `buffer`, by `deadline`, also when the bytes come one at a time.
pub(crate) fn read_by(stream: &mut impl Stream, buffer: &mut [u8], deadline: Instant) -> io::Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        stream.set_timeout(Some(left(deadline)?))?;
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(got) => filled += got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes all of `bytes` by `deadline`.
pub(crate) fn write_by(stream: &mut impl Stream, bytes: &[u8], deadline: Instant) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        stream.set_timeout(Some(left(deadline)?))?;
        match stream.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(sent) => rest = &rest[sent..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
