//! The owner's side: a service thread makes the call.
//!
//! *Why not safe code*: system calls with addresses. Those that came with the call lie in global memory (checked by
//! `wire::decode`), all others are buffers made here, as long as the kernel is told.

use core::ptr;

use dstd_addr::NodeId;
use libc::{c_int, iovec, msghdr, pollfd};

use super::control::descriptors;
use super::directory;
use super::private::is_private;
use super::spans::is_global;
use super::table::{Arg, Call as Kind};
use super::wire::{self, Back, Block, Part, Request};
use crate::context;
use crate::fatal::{self, stop};
use crate::interpose::fd::foreign::is_own;
use crate::interpose::fd::settle::{fill_holes, settled};
use crate::interpose::passed;

/// A call of another node on a descriptor of this one.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) from: NodeId,
    pub(crate) id: u64,
    pub(crate) body: Vec<u8>,
}

/// Makes the call; returns the body of the answer. Blocks as long as the call does.
pub(crate) fn serve(call: &Call) -> Vec<u8> {
    let layout = context::cluster().map(|context| &context.layout);
    let is_global = |addr, len| layout.is_some_and(|layout| is_global(layout, addr, u64::from(len)));
    if directory::is_directory(&call.body) {
        return directory::serve(call.from, &call.body, is_global);
    }
    let Some(request) = wire::decode(&call.body, is_global) else {
        stop!(fatal::INTERNAL, "node {} sent a malformed call on a descriptor", call.from)
    };
    match check(&request) {
        Ok(()) => Made::make(&request).answer(&request),
        Err(Refused::Private) => refuse(&request, libc::EBADF),
        Err(Refused::NotOurs(fd)) => stop!(
            fatal::INTERNAL,
            "node {} sent a call on descriptor {fd}, which node {} does not have",
            call.from,
            context::me()
        ),
    }
}

fn refuse(request: &Request<'_>, errno: c_int) -> Vec<u8> {
    let outs = request.blocks.iter().filter(|block| request.way(block).comes_out()).count();
    wire::encode_answer(-i64::from(errno), 0, &vec![Back { count: 0, len: 0 }; outs])
}

enum Refused {
    /// A descriptor of the runtime. A program may guess its number, as it may any other.
    Private,
    /// Another node's: the caller has asked the wrong one.
    NotOurs(i64),
}

/// Whether the request names descriptors that it may name.
fn check(request: &Request<'_>) -> Result<(), Refused> {
    let row = request.call.row().args;
    let arguments = row.iter().zip(request.args).filter(|(arg, _)| **arg == Arg::Fd).map(|(_, fd)| {
        // The upper half of a register that holds an `int` says nothing.
        fd as c_int
    });
    for fd in arguments.chain(polled(request)) {
        if !is_own(fd) {
            return Err(Refused::NotOurs(fd.into()));
        }
        if is_private(fd) {
            return Err(Refused::Private);
        }
    }
    // Descriptors in control data travel as what they are here.
    if sent_descriptors(request).any(|fd| !is_own(fd) || is_private(fd)) {
        return Err(Refused::Private);
    }
    Ok(())
}

/// The descriptors of a poll, which come as bytes.
fn polled<'a>(request: &'a Request<'_>) -> impl Iterator<Item = c_int> + 'a {
    let bytes = if request.call == Kind::Poll { polls_of(request) } else { &[] };
    bytes
        .chunks_exact(size_of::<pollfd>())
        .filter_map(|entry| Some(c_int::from_ne_bytes(entry.first_chunk().copied()?)))
        // Entries without a descriptor are passed over.
        .filter(|&fd| fd >= 0)
}

fn polls_of<'a>(request: &Request<'a>) -> &'a [u8] {
    match request.blocks.first() {
        Some(block) if block.arg == 0 => request.bytes.get(..block.len as usize).unwrap_or_default(),
        _ => &[],
    }
}

/// The descriptors in the control data of a message that is sent.
fn sent_descriptors<'a>(request: &'a Request<'_>) -> impl Iterator<Item = c_int> + 'a {
    let len = if request.call == Kind::SendMessage {
        request
            .blocks
            .iter()
            .filter(|block| block.part == Part::Control)
            .map(|block| block.len as usize)
            .sum()
    } else {
        0
    };
    // It is the last block, so its bytes are the last.
    let control = &request.bytes[request.bytes.len().saturating_sub(len)..];
    descriptors(control)
}

/// A call that has been made, and the memory that it has used.
struct Made {
    result: isize,
    /// For each block its buffer, empty for one that lies in place.
    buffers: Vec<Vec<u8>>,
    /// The lengths that the kernel has updated, by argument.
    lens: [u32; 6],
    message: msghdr,
}

impl Made {
    fn make(request: &Request<'_>) -> Made {
        let mut bytes = request.bytes;
        let mut buffers: Vec<Vec<u8>> = request
            .blocks
            .iter()
            .map(|block| {
                let len = if block.is_carried() { block.len as usize } else { 0 };
                if !request.way(block).goes_in() {
                    return vec![0; len];
                }
                let (own, rest) = bytes.split_at(len);
                bytes = rest;
                own.to_vec()
            })
            .collect();
        let addresses: Vec<usize> =
            request
                .blocks
                .iter()
                .zip(&mut buffers)
                .map(|(block, buffer)| {
                    if block.is_carried() {
                        buffer.as_mut_ptr().expose_provenance()
                    } else {
                        block.at as usize
                    }
                })
                .collect();
        let mut parts = Vec::new();
        let mut lens = [0; 6];
        // SAFETY: all-zero is a valid message, an empty one.
        let mut message: msghdr = unsafe { core::mem::zeroed() };
        let mut args = [0; 6];
        for (at, &arg) in request.call.row().args.iter().enumerate() {
            let mut own =
                request.blocks.iter().zip(&addresses).filter(|(block, _)| usize::from(block.arg) == at);
            match arg {
                Arg::Value | Arg::Fd => args[at] = request.args[at] as usize,
                Arg::Length | Arg::Null => {}
                Arg::Data(_) | Arg::Sized(_) | Arg::Fixed(..) | Arg::Request | Arg::Path | Arg::Polls => {
                    let Some((block, &address)) = own.next() else { continue };
                    args[at] = address;
                    match arg {
                        Arg::Data(_) | Arg::Sized(_) => args[at + 1] = block.len as usize,
                        Arg::Polls => args[at + 1] = block.len as usize / size_of::<pollfd>(),
                        _ => {}
                    }
                }
                Arg::Counted => {
                    let Some((block, &address)) = own.next() else { continue };
                    lens[at] = block.len;
                    args[at] = address;
                    args[at + 1] = (&raw mut lens[at]).expose_provenance();
                }
                Arg::Vector(_) => {
                    parts = own.map(|(block, &address)| part(block, address)).collect::<Vec<_>>();
                    args[at] = parts.as_mut_ptr().expose_provenance();
                    args[at + 1] = parts.len();
                }
                Arg::Message(_) => {
                    for (block, &address) in own {
                        match block.part {
                            Part::Data => parts.push(part(block, address)),
                            Part::Name => {
                                message.msg_name = ptr::with_exposed_provenance_mut(address);
                                message.msg_namelen = block.len;
                            }
                            Part::Control => {
                                message.msg_control = ptr::with_exposed_provenance_mut(address);
                                message.msg_controllen = block.len as usize;
                            }
                        }
                    }
                    message.msg_iov = parts.as_mut_ptr();
                    message.msg_iovlen = parts.len();
                    args[at] = (&raw mut message).expose_provenance();
                }
            }
        }
        if request.call == Kind::ReceiveMessage && message.msg_controllen > 0 {
            fill_holes();
        }
        // SAFETY: descriptors were checked; every address is null, a buffer of this function with the length
        // that the kernel is told or that the table fixes, or global memory, which `passed` keeps from the kernel where need be, as for a call of
        // the waiting thread that has named it. No lock is held (ISO-2).
        let mut result = unsafe { passed::syscall(request.call.row().number, args) };
        if request.call.row().makes && result >= 0 {
            let made = settled(result);
            result = if made < 0 { -(libc::EMFILE as isize) } else { made };
        }
        Made { result, buffers, lens, message }
    }

    fn answer(self, request: &Request<'_>) -> Vec<u8> {
        let Made { result, buffers, lens, message } = self;
        let done = usize::try_from(result).ok();
        // How many bytes of the data are still to be handed out.
        let mut data = done.unwrap_or(0);
        let outs = || request.blocks.iter().zip(&buffers).filter(|(block, _)| request.way(block).comes_out());
        let backs: Vec<Back> = outs()
            .map(|(block, buffer)| {
                let row = request.call.row().args[usize::from(block.arg)];
                let len = match (row, block.part) {
                    (Arg::Data(_) | Arg::Vector(_) | Arg::Message(_), Part::Data) => {
                        let part = data.min(block.len as usize);
                        data -= part;
                        part as u32
                    }
                    (Arg::Message(_), Part::Name) => message.msg_namelen,
                    (Arg::Message(_), Part::Control) => message.msg_controllen as u32,
                    (Arg::Counted, _) => lens[usize::from(block.arg)],
                    _ => block.len,
                };
                // Where a call has failed, nothing was written.
                let count = if done.is_some() { (len as usize).min(buffer.len()) } else { 0 };
                Back { count: count as u32, len }
            })
            .collect();
        let mut body = wire::encode_answer(result as i64, message.msg_flags as u32, &backs);
        for ((_, buffer), back) in outs().zip(&backs) {
            body.extend_from_slice(&buffer[..back.count as usize]);
        }
        body
    }
}

fn part(block: &Block, address: usize) -> iovec {
    iovec { iov_base: ptr::with_exposed_provenance_mut(address), iov_len: block.len as usize }
}

#[cfg(test)]
mod tests;
