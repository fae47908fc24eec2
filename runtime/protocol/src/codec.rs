//! Messages as bytes: one 32-byte header, little-endian, before each body.
//!
//! ```text
//!  0      1         2      3       4               8          16         24         32
//!  +------+---------+------+-------+---------------+----------+----------+----------+
//!  | 0xd5 | version | kind | flags | body_len: u32 |  a: u64  |  b: u64  |  c: u64  |
//!  +------+---------+------+-------+---------------+----------+----------+----------+
//! ```
//!
//! | kind | flags (bit 0, bit 1) | a | b | c | body |
//! |---|---|---|---|---|---|
//! | `PageRequest` | write | first page | count | 0 | - |
//! | `PageGrant` | writable, upgrade | first page | count | 0 | count pages, none for an upgrade |
//! | `PageFetch` | exclusive | first page | count | 0 | - |
//! | `PageReturn` | exclusive | first page | count | 0 | count pages |
//! | `PageInvalidate`, `PageInvalidated` | - | first page | count | 0 | - |
//! | `PageEvict` | exclusive | first page | count | 0 | count pages if exclusive |
//! | `PageDiscard`, `PageDiscarded`, `PageInstalled` | - | first page | count | 0 | - |
//! | `PagePass` | exclusive | first page | count | node | - |
//! | `PagePassed` | writable | first page | count | 0 | count pages |
//! | `FutexWait` | - | address | token | bitset | - |
//! | `FutexArmed`, `FutexWoken` | - | token | 0 | 0 | - |
//! | `FutexCancel` | - | address | token | 0 | - |
//! | `FutexCancelled` | removed | token | 0 | 0 | - |
//! | `FutexWake` | - | address | token | count, bitset << 32 | - |
//! | `FutexWakeDone` | - | token | woken | 0 | - |
//! | `Free` | - | 0 | 0 | 0 | up to `FREE_ADDRESSES_MAX` times 8 bytes |
//! | `Ship` | - | op | id | arg | up to `SHIP_BYTES_MAX` bytes |
//!
//! Everything the table does not name is 0; a header that differs is refused, so each message
//! has exactly one encoding.

use core::fmt;

use dstd_addr::{GlobalAddr, NodeId, PAGE_BYTES, PageNo};

use crate::limits::{FREE_ADDRESSES_MAX, PAGE_NO_END, SHIP_BYTES_MAX, WINDOW_PAGES_MAX};
use crate::{Message, MessageKind};

/// Length of a header.
pub const HEADER_BYTES: usize = 32;
/// The version of the layout above. Nodes compare it before the first frame.
pub const VERSION: u8 = 4;
const MAGIC: u8 = 0xd5;

/// Why 32 bytes are no header. The connection cannot be used any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DecodeError {
    /// The first byte is not that of a header.
    Magic(u8),
    /// Another version of the layout.
    Version(u8),
    /// No such kind of message.
    Kind(u8),
    /// A flag or field has a value its kind does not allow.
    Field(MessageKind),
    /// The body has a length that does not go with the message.
    BodyLen(MessageKind, u32),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Magic(byte) => write!(f, "frame begins with {byte:#04x}, not {MAGIC:#04x}"),
            DecodeError::Version(version) => {
                write!(f, "frame has version {version}, this program speaks {VERSION}")
            }
            DecodeError::Kind(kind) => write!(f, "frame has unknown kind {kind}"),
            DecodeError::Field(kind) => write!(f, "{} frame with a field out of range", kind.name()),
            DecodeError::BodyLen(kind, len) => {
                write!(f, "{} frame with a body of {len} bytes, which does not go with it", kind.name())
            }
        }
    }
}

impl core::error::Error for DecodeError {}

/// Whether `message` may travel with a body of `len` bytes. The sender of a `Ship` or `Free`
/// asks this before it encodes.
pub fn body_fits(message: &Message, len: u32) -> bool {
    match message {
        Message::Free => len.is_multiple_of(8) && len / 8 <= FREE_ADDRESSES_MAX,
        Message::Ship { .. } => len <= SHIP_BYTES_MAX,
        _ => u64::from(len) == u64::from(message.body_pages()) * PAGE_BYTES,
    }
}

/// The header of `message` with a body of `body_len` bytes.
pub fn encode(message: &Message, body_len: u32) -> [u8; HEADER_BYTES] {
    debug_assert!(body_fits(message, body_len), "{message:?} does not go with {body_len} bytes");
    let page = |page: PageNo| page.0;
    let (flags, a, b, c) = match *message {
        Message::PageRequest { first, count, write } => (u8::from(write), page(first), count.into(), 0),
        Message::PageGrant { first, count, writable, upgrade } => {
            (u8::from(writable) | u8::from(upgrade) << 1, page(first), count.into(), 0)
        }
        Message::FutexWait { addr, token, bitset } => (0, addr.0, token, bitset.into()),
        Message::FutexArmed { token } | Message::FutexWoken { token } => (0, token, 0, 0),
        Message::FutexCancel { addr, token } => (0, addr.0, token, 0),
        Message::FutexCancelled { token, removed } => (u8::from(removed), token, 0, 0),
        Message::FutexWake { addr, token, count, bitset } => {
            (0, addr.0, token, u64::from(count) | u64::from(bitset) << 32)
        }
        Message::FutexWakeDone { token, woken } => (0, token, woken.into(), 0),
        Message::Free => (0, 0, 0, 0),
        Message::Ship { op, id, arg } => (0, op.into(), id, arg),
        Message::PageFetch { first, count, exclusive }
        | Message::PageReturn { first, count, exclusive }
        | Message::PageEvict { first, count, exclusive } => {
            (u8::from(exclusive), page(first), count.into(), 0)
        }
        Message::PageInvalidate { first, count }
        | Message::PageInvalidated { first, count }
        | Message::PageDiscard { first, count }
        | Message::PageDiscarded { first, count }
        | Message::PageInstalled { first, count } => (0, page(first), count.into(), 0),
        Message::PagePass { first, count, exclusive, to } => {
            (u8::from(exclusive), page(first), count.into(), to.0.into())
        }
        Message::PagePassed { first, count, writable } => (u8::from(writable), page(first), count.into(), 0),
    };
    let mut header = [0; HEADER_BYTES];
    header[..4].copy_from_slice(&[MAGIC, VERSION, message.kind() as u8, flags]);
    header[4..8].copy_from_slice(&body_len.to_le_bytes());
    header[8..16].copy_from_slice(&a.to_le_bytes());
    header[16..24].copy_from_slice(&b.to_le_bytes());
    header[24..].copy_from_slice(&c.to_le_bytes());
    header
}

/// The message of a header, and the length of the body that follows it.
///
/// # Errors
/// The bytes are no header that [`encode`] makes.
pub fn decode(header: &[u8; HEADER_BYTES]) -> Result<(Message, u32), DecodeError> {
    let [magic, version, kind, ..] = *header;
    if magic != MAGIC {
        return Err(DecodeError::Magic(magic));
    }
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    let kind = *MessageKind::ALL.get(usize::from(kind)).ok_or(DecodeError::Kind(kind))?;
    let fields = Fields { kind, header };
    let message = fields.message().ok_or(DecodeError::Field(kind))?;
    let body_len = fields.body_len();
    if !body_fits(&message, body_len) {
        return Err(DecodeError::BodyLen(kind, body_len));
    }
    // One encoding for each message: whatever `message` did not look at has to be zero.
    if encode(&message, body_len) != *header {
        return Err(DecodeError::Field(kind));
    }
    Ok((message, body_len))
}

struct Fields<'a> {
    kind: MessageKind,
    header: &'a [u8; HEADER_BYTES],
}

impl Fields<'_> {
    fn body_len(&self) -> u32 {
        let [.., a, b, c, d] = self.header[..8] else { return 0 };
        u32::from_le_bytes([a, b, c, d])
    }

    fn field(&self, index: usize) -> u64 {
        let start = 8 + 8 * index;
        self.header[start..start + 8].iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
    }

    fn flag(&self, bit: u8) -> bool {
        self.header[3] >> bit & 1 == 1
    }

    fn page(&self) -> Option<PageNo> {
        let page = self.field(0);
        (page < PAGE_NO_END).then_some(PageNo(page))
    }

    fn window(&self) -> Option<u16> {
        u16::try_from(self.field(1)).ok().filter(|count| (1..=WINDOW_PAGES_MAX).contains(count))
    }

    /// The message; `None` when a field does not fit.
    fn message(&self) -> Option<Message> {
        let (addr, token) = (GlobalAddr(self.field(0)), self.field(0));
        Some(match self.kind {
            MessageKind::PageRequest => {
                Message::PageRequest { first: self.page()?, count: self.window()?, write: self.flag(0) }
            }
            MessageKind::PageGrant => Message::PageGrant {
                first: self.page()?,
                count: self.window()?,
                writable: self.flag(0),
                upgrade: self.flag(1),
            },
            MessageKind::PageFetch => {
                Message::PageFetch { first: self.page()?, count: self.window()?, exclusive: self.flag(0) }
            }
            MessageKind::PageReturn => {
                Message::PageReturn { first: self.page()?, count: self.window()?, exclusive: self.flag(0) }
            }
            MessageKind::PageInvalidate => {
                Message::PageInvalidate { first: self.page()?, count: self.window()? }
            }
            MessageKind::PageInvalidated => {
                Message::PageInvalidated { first: self.page()?, count: self.window()? }
            }
            MessageKind::FutexWait => {
                Message::FutexWait { addr, token: self.field(1), bitset: u32::try_from(self.field(2)).ok()? }
            }
            MessageKind::FutexArmed => Message::FutexArmed { token },
            MessageKind::FutexCancel => Message::FutexCancel { addr, token: self.field(1) },
            MessageKind::FutexCancelled => Message::FutexCancelled { token, removed: self.flag(0) },
            MessageKind::FutexWoken => Message::FutexWoken { token },
            MessageKind::FutexWake => Message::FutexWake {
                addr,
                token: self.field(1),
                count: self.field(2) as u32,
                bitset: (self.field(2) >> 32) as u32,
            },
            MessageKind::FutexWakeDone => {
                Message::FutexWakeDone { token, woken: u32::try_from(self.field(1)).ok()? }
            }
            MessageKind::Free => Message::Free,
            MessageKind::Ship => Message::Ship {
                op: u16::try_from(self.field(0)).ok()?,
                id: self.field(1),
                arg: self.field(2),
            },
            MessageKind::PageEvict => {
                Message::PageEvict { first: self.page()?, count: self.window()?, exclusive: self.flag(0) }
            }
            MessageKind::PageDiscard => Message::PageDiscard { first: self.page()?, count: self.window()? },
            MessageKind::PageDiscarded => {
                Message::PageDiscarded { first: self.page()?, count: self.window()? }
            }
            MessageKind::PagePass => Message::PagePass {
                first: self.page()?,
                count: self.window()?,
                exclusive: self.flag(0),
                to: NodeId(u16::try_from(self.field(2)).ok()?),
            },
            MessageKind::PagePassed => {
                Message::PagePassed { first: self.page()?, count: self.window()?, writable: self.flag(0) }
            }
            MessageKind::PageInstalled => {
                Message::PageInstalled { first: self.page()?, count: self.window()? }
            }
        })
    }
}
