//! A call and its answer as bodies of messages.
//!
//! ```text
//! call    0      2        4     8              56
//!         | call | blocks | 0   | six arguments | blocks, 16 bytes each       | bytes of the blocks that go in
//!   block 0         8     12   13     14
//!         | address | len | arg | part | 0        address 0: its bytes are in the message
//!
//! answer  0        8       12
//!         | result | flags | for each block that comes out: count u32, len u32 | their bytes
//! ```
//! Little endian. `result` is the kernel's: a number or `-errno`. `count` bytes of a block come back (none when it
//! lies in place); `len` is what the kernel says about its length. `flags` are those of a received message.
//!
//! Nothing in a body is believed: a body is a call only if its blocks are those that the call's row asks for.

use super::table::{Arg, Call, Way, request};

/// The most bytes that travel with one call or answer: more than any datagram, and a piece of a stream.
pub(super) const CARRIED_BYTES_MAX: usize = 16 << 20;
/// The most parts of a vector (`IOV_MAX`).
pub(super) const PARTS_MAX: usize = 1024;
/// The longest path, with its end (`PATH_MAX`).
pub(super) const PATH_BYTES_MAX: usize = 4096;

const BLOCKS_AT: usize = 56;
const BLOCK_BYTES: usize = 16;
const ANSWER_BYTES: usize = 12;

/// What a block is in its argument.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub(super) enum Part {
    /// All of it, or a part of the data.
    Data = 0,
    /// The address of a message.
    Name = 1,
    /// The control data of a message.
    Control = 2,
}

/// Memory that a call uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Block {
    /// Which argument it belongs to.
    pub(super) arg: u8,
    pub(super) part: Part,
    /// Its global address; 0 when its bytes travel.
    pub(super) at: u64,
    pub(super) len: u32,
}

impl Block {
    pub(super) fn is_carried(&self) -> bool {
        self.at == 0
    }
}

/// A call on its way to the owner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Request<'a> {
    pub(super) call: Call,
    pub(super) args: [u64; 6],
    pub(super) blocks: Vec<Block>,
    /// The bytes of carried blocks that go in, one after the other.
    pub(super) bytes: &'a [u8],
}

impl Request<'_> {
    /// Which way the bytes of `block` go.
    pub(super) fn way(&self, block: &Block) -> Way {
        way(self.call, &self.args, block.arg)
    }
}

/// Which way the bytes of an argument go.
pub(super) fn way(call: Call, args: &[u64; 6], arg: u8) -> Way {
    match call.row().args[usize::from(arg)] {
        Arg::Request => request(args[1]).map_or(Way::In, |(way, _)| way),
        arg => arg.way(),
    }
}

/// The body of a call.
pub(super) fn encode(request: &Request<'_>) -> Vec<u8> {
    let Request { call, args, blocks, bytes } = request;
    let mut body = Vec::with_capacity(BLOCKS_AT + blocks.len() * BLOCK_BYTES + bytes.len());
    body.extend((*call as u16).to_le_bytes());
    body.extend((blocks.len() as u16).to_le_bytes());
    body.extend([0; 4]);
    body.extend(args.iter().flat_map(|arg| arg.to_le_bytes()));
    for block in blocks {
        body.extend(block.at.to_le_bytes());
        body.extend(block.len.to_le_bytes());
        body.extend([block.arg, block.part as u8, 0, 0]);
    }
    body.extend_from_slice(bytes);
    body
}

/// The call in `body`; `None` when it is none. `is_global` says whether memory may be used in place.
pub(super) fn decode(body: &[u8], is_global: impl Fn(u64, u32) -> bool) -> Option<Request<'_>> {
    let call = Call::from_wire(u16_at(body, 0)?)?;
    let count = usize::from(u16_at(body, 2)?);
    if u32_at(body, 4)? != 0 || count > PARTS_MAX + 2 {
        return None;
    }
    let mut args = [0; 6];
    for (at, arg) in args.iter_mut().enumerate() {
        *arg = u64_at(body, 8 + at * 8)?;
    }
    let bytes = body.get(BLOCKS_AT + count * BLOCK_BYTES..)?;
    let blocks =
        (0..count).map(|at| block(body, BLOCKS_AT + at * BLOCK_BYTES)).collect::<Option<Vec<_>>>()?;
    let request = Request { call, args, blocks, bytes };
    (call.is_shippable(&args) && has_its_blocks(&request, is_global)).then_some(request)
}

fn block(body: &[u8], at: usize) -> Option<Block> {
    let [arg, part, 0, 0] = body.get(at + 12..at + 16)? else { return None };
    let part = match part {
        0 => Part::Data,
        1 => Part::Name,
        2 => Part::Control,
        _ => return None,
    };
    Some(Block { arg: *arg, part, at: u64_at(body, at)?, len: u32_at(body, at + 8)? })
}

/// Whether the blocks are what the row asks for, and the bytes are those of the blocks.
fn has_its_blocks(request: &Request<'_>, is_global: impl Fn(u64, u32) -> bool) -> bool {
    let Request { call, args, blocks, bytes } = request;
    let row = call.row().args;
    let mut goes_in = 0_usize;
    let mut carried = 0_usize;
    let mut last: Option<(u8, Part)> = None;
    for block in blocks {
        let Some(&arg) = row.get(usize::from(block.arg)).filter(|arg| arg.is_pointer()) else { return false };
        let is_many = matches!(arg, Arg::Vector(_) | Arg::Message(_)) && block.part == Part::Data;
        let this = (block.arg, block.part);
        // In order, and one of each, except for the parts of a vector.
        let in_order = last.is_none_or(|last| last < this || (last == this && is_many));
        if !in_order || (block.part != Part::Data && !matches!(arg, Arg::Message(_))) {
            return false;
        }
        last = Some(this);
        let len = block.len as usize;
        let fits = match arg {
            Arg::Fixed(_, bytes) => block.len == bytes,
            Arg::Request => super::table::request(args[1]).is_some_and(|(_, bytes)| block.len == bytes),
            Arg::Polls => len.is_multiple_of(size_of::<libc::pollfd>()),
            Arg::Path => (1..=PATH_BYTES_MAX).contains(&len),
            _ => true,
        };
        let may_lie_in_place = matches!(arg, Arg::Data(_)) || is_many;
        let lies_well = block.is_carried() || (may_lie_in_place && is_global(block.at, block.len));
        if !fits || !lies_well {
            return false;
        }
        if block.is_carried() {
            carried = carried.saturating_add(len);
            if request.way(block).goes_in() {
                goes_in = goes_in.saturating_add(len);
                let ends = bytes.get(..goes_in).is_some_and(|bytes| bytes.last() == Some(&0));
                if arg == Arg::Path && !ends {
                    return false;
                }
            }
        }
    }
    // A pointer that may not be null has its block.
    let has_block = |at: usize| blocks.iter().any(|block| usize::from(block.arg) == at);
    let complete = row.iter().enumerate().all(|(at, arg)| match arg {
        Arg::Data(_) | Arg::Path | Arg::Request => has_block(at),
        Arg::Fixed(Way::Out, _) => has_block(at),
        _ => true,
    });
    complete && carried <= CARRIED_BYTES_MAX && goes_in == bytes.len()
}

/// What comes back of one block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Back {
    /// So many bytes travel.
    pub(super) count: u32,
    /// What the kernel says about its length.
    pub(super) len: u32,
}

/// A call's end on its way to the caller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Answer<'a> {
    pub(super) result: i64,
    pub(super) flags: u32,
    /// One for each block that comes out, in order.
    pub(super) backs: Vec<Back>,
    pub(super) bytes: &'a [u8],
}

/// The body of an answer: its head; the bytes are appended.
pub(super) fn encode_answer(result: i64, flags: u32, backs: &[Back]) -> Vec<u8> {
    let mut body = Vec::with_capacity(ANSWER_BYTES + backs.len() * 8);
    body.extend(result.to_le_bytes());
    body.extend(flags.to_le_bytes());
    for back in backs {
        body.extend(back.count.to_le_bytes());
        body.extend(back.len.to_le_bytes());
    }
    body
}

/// The answer in `body` to a call with these `blocks` coming out (those in place have room 0 for bytes); `None` when it is none.
pub(super) fn decode_answer<'a>(body: &'a [u8], rooms: &[u32]) -> Option<Answer<'a>> {
    let result = u64_at(body, 0)? as i64;
    let flags = u32_at(body, 8)?;
    let bytes = body.get(ANSWER_BYTES + rooms.len() * 8..)?;
    let mut backs = Vec::with_capacity(rooms.len());
    let mut sum = 0_usize;
    for (index, &room) in rooms.iter().enumerate() {
        let at = ANSWER_BYTES + index * 8;
        let back = Back { count: u32_at(body, at)?, len: u32_at(body, at + 4)? };
        if back.count > room {
            return None;
        }
        sum += back.count as usize;
        backs.push(back);
    }
    (sum == bytes.len()).then_some(Answer { result, flags, backs, bytes })
}

pub(super) fn u16_at(body: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(body.get(at..at + 2)?.try_into().ok()?))
}

pub(super) fn u32_at(body: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(body.get(at..at + 4)?.try_into().ok()?))
}

pub(super) fn u64_at(body: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(body.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
