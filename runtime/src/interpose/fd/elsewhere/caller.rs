//! The caller's side: takes the arguments apart, sends them, and puts back what comes.

use std::sync::Arc;

use dstd_addr::NodeId;
use libc::{c_int, iovec, msghdr};

use super::control::descriptors;
use super::memory::{append, get, put, set};
use super::spans::needs_copy;
use super::table::{Arg, Call, Way, request};
use super::wire::{self, Block, CARRIED_BYTES_MAX, PARTS_MAX, PATH_BYTES_MAX, Part, Request};
use crate::alloc;
use crate::context::{self, Context};
use crate::fatal::{self, stop};
use crate::interpose::fd::calls::fail;
use crate::interpose::fd::foreign::{owner, refused, report_refused};
use crate::node;
use crate::ship::{Op, fresh_id};
use crate::stack::on_native;
use crate::wait::Wait;

/// The most bytes of data of one call; the structures take the rest.
const DATA_BYTES_MAX: usize = CARRIED_BYTES_MAX - (2 << 20);
/// No structure of a call is longer.
const STRUCTURE_BYTES_MAX: usize = 512 << 10;
/// As the kernel cuts transfers.
const IN_PLACE_BYTES_MAX: usize = 0x7fff_f000;

/// The node that all of `fds` belong to, which is not this one; or else one of them that belongs elsewhere.
pub(in crate::interpose::fd) fn one_owner(fds: impl IntoIterator<Item = c_int>) -> Result<NodeId, c_int> {
    let mut found: Option<(NodeId, c_int)> = None;
    let mut mixed = false;
    for fd in fds {
        match (owner(fd), found) {
            (Some(node), None) => found = Some((node, fd)),
            (Some(node), Some((first, _))) => mixed |= node != first,
            (None, _) => mixed = true,
        }
    }
    match found {
        Some((node, _)) if !mixed => Ok(node),
        Some((_, fd)) => Err(fd),
        None => Err(-1),
    }
}

/// Makes `call` at the owner of its descriptors, in libc's way; without one owner, or where it cannot be made
/// elsewhere, it fails, and a line says why. `name` is what the program has called.
///
/// # Safety
/// - As the libc function: the addresses in `args` are valid for the call.
#[cold]
#[inline(never)]
pub(in crate::interpose::fd) unsafe fn call<const N: usize>(
    name: &'static str,
    call: Option<Call>,
    fds: &[c_int],
    args: [usize; N],
) -> isize {
    // SAFETY: the caller's promise.
    unsafe { call_owner(name, call, one_owner(fds.iter().copied()), args) }
}

/// [`call`], for the result of [`one_owner`].
///
/// # Safety
/// - As [`call`].
pub(in crate::interpose::fd) unsafe fn call_owner<const N: usize>(
    name: &'static str,
    call: Option<Call>,
    owner: Result<NodeId, c_int>,
    args: [usize; N],
) -> isize {
    let mut all = [0; 6];
    all.iter_mut().zip(args).for_each(|(to, arg)| *to = arg as u64);
    let fd = all[0] as c_int;
    let result = match (call, owner, context::cluster()) {
        // std's `io::copy` then reads and writes.
        (Some(Call::SendFile | Call::Splice | Call::CopyRange), Err(_), _) => -(libc::EINVAL as isize),
        (Some(call), Ok(owner), Some(context)) if call.is_shippable(&all) && !alloc::in_runtime() => {
            // SAFETY: the caller's promise.
            on_native(|| unsafe { ship(context, owner, call, all) })
        }
        (_, owner, _) => {
            report_refused(owner.map_or_else(|fd| fd, |_| fd), name);
            -(libc::EBADF as isize)
        }
    };
    if result < 0 { fail(-result as c_int) } else { result }
}

/// Whether a message for an own socket passes on a descriptor of another node, which would come out as another file; if
/// so, says so.
///
/// # Safety
/// - `message` is null or valid, by the rules of `sendmsg`.
pub(in crate::interpose::fd) unsafe fn passes_foreign(message: *const msghdr) -> bool {
    // SAFETY: the caller's promise.
    let Some(message) = (unsafe { message.as_ref() }) else { return false };
    if message.msg_control.is_null() || message.msg_controllen == 0 {
        return false;
    }
    // SAFETY: the caller's promise; nobody writes it during the call.
    let control = unsafe {
        core::slice::from_raw_parts(message.msg_control.cast::<u8>().cast_const(), message.msg_controllen)
    };
    descriptors(control).any(|fd| refused(fd, "sendmsg"))
}

/// Where bytes go that come back.
struct Place {
    arg: u8,
    part: Part,
    at: u64,
    /// So many bytes may come.
    room: u32,
}

/// # Safety
/// - As [`call`].
unsafe fn ship(context: &'static Context, owner: NodeId, call: Call, args: [u64; 6]) -> isize {
    let mut gathered =
        Gathered { context, owner, blocks: Vec::new(), carried: 0, bytes: Vec::new(), places: Vec::new() };
    // SAFETY: the caller's promise.
    if let Err(errno) = unsafe { gathered.gather(call, &args) } {
        return -(errno as isize);
    }
    let Gathered { blocks, bytes, places, .. } = gathered;
    let body = wire::encode(&Request { call, args, blocks, bytes: &bytes });
    drop(bytes);
    debug_assert!(wire::decode(&body, |_, _| true).is_some(), "the owner would refuse {call:?} {args:?}");
    let shipped = ask(context, owner, body);
    let rooms: Vec<u32> = places.iter().map(|place| place.room).collect();
    let body = shipped.result.get().map_or(&[][..], Vec::as_slice);
    let Some(answer) = wire::decode_answer(body, &rooms) else {
        stop!(fatal::INTERNAL, "node {owner} sent a malformed answer to {call:?}")
    };
    // SAFETY: the caller's promise.
    unsafe { put_back(call, &args, &places, &answer) };
    answer.result as isize
}

/// Sends the body of a call and waits for its answer.
pub(super) fn ask(context: &'static Context, owner: NodeId, body: Vec<u8>) -> Arc<node::Shipped> {
    let (id, shipped) = (fresh_id(), Arc::new(node::Shipped::without_result()));
    let expect = Some((id, Arc::clone(&shipped)));
    context.queue.push(node::Request::Ship { to: owner, op: Op::Descriptor, id, arg: 0, body, expect });
    shipped.wait.wait_while(Wait::PENDING, None);
    shipped
}

/// Writes what has come back to where the call's arguments point.
///
/// # Safety
/// - As [`call`].
unsafe fn put_back(call: Call, args: &[u64; 6], places: &[Place], answer: &wire::Answer<'_>) {
    let mut rest = answer.bytes;
    let row = call.row().args;
    for (place, back) in places.iter().zip(&answer.backs) {
        let Some((bytes, after)) = rest.split_at_checked(back.count as usize) else { return };
        rest = after;
        if place.room != 0 {
            // SAFETY: the decoded count is at most the room there.
            unsafe { put(place.at, bytes) };
        }
        if answer.result < 0 {
            continue;
        }
        let at = usize::from(place.arg);
        match (row[at], place.part) {
            // SAFETY: `gather` has read the length there.
            (Arg::Counted, _) => unsafe { set(args[at + 1], back.len) },
            (Arg::Message(_), Part::Name) => {
                let field = args[at] + core::mem::offset_of!(msghdr, msg_namelen) as u64;
                // SAFETY: a field of the message, which `gather` has read.
                unsafe { set(field, back.len) };
            }
            (Arg::Message(_), Part::Control) => {
                let field = args[at] + core::mem::offset_of!(msghdr, msg_controllen) as u64;
                // SAFETY: as above.
                unsafe { set(field, back.len as usize) };
            }
            _ => {}
        }
    }
    if call == Call::ReceiveMessage && answer.result >= 0 {
        let field = args[1] + core::mem::offset_of!(msghdr, msg_flags) as u64;
        // SAFETY: as above.
        unsafe { set(field, answer.flags as c_int) };
    }
}

/// The memory of a call, taken apart.
struct Gathered {
    context: &'static Context,
    owner: NodeId,
    blocks: Vec<Block>,
    /// So many bytes travel, in or out.
    carried: usize,
    /// What goes in.
    bytes: Vec<u8>,
    /// One for each block that comes out.
    places: Vec<Place>,
}

impl Gathered {
    /// # Errors
    /// What the kernel would say about the arguments.
    ///
    /// # Safety
    /// - As [`call`].
    unsafe fn gather(&mut self, call: Call, args: &[u64; 6]) -> Result<(), c_int> {
        for (at, &arg) in call.row().args.iter().enumerate() {
            let (addr, length, index) = (args[at], args.get(at + 1).copied().unwrap_or(0), at as u8);
            let way = wire::way(call, args, index);
            match arg {
                Arg::Value | Arg::Fd | Arg::Length | Arg::Null => {}
                Arg::Data(_) => {
                    // SAFETY: the caller's promise.
                    unsafe { self.data(index, way, addr, length as usize)? };
                }
                // SAFETY: the caller's promise.
                Arg::Vector(_) => unsafe { self.vector(index, way, addr, length as usize)? },
                // SAFETY: the caller's promise.
                Arg::Message(_) => unsafe { self.message(index, way, addr)? },
                Arg::Request => {
                    let bytes = request(args[1]).map_or(0, |(_, bytes)| bytes) as usize;
                    // SAFETY: the caller's promise.
                    unsafe { self.structure(index, Part::Data, way, addr, bytes)? };
                }
                // What may be left out is null; what may not is no address.
                Arg::Path | Arg::Fixed(Way::Out, _) if addr == 0 => return Err(libc::EFAULT),
                _ if addr == 0 => {}
                // SAFETY: the caller's promise.
                Arg::Fixed(_, bytes) => unsafe {
                    self.structure(index, Part::Data, way, addr, bytes as usize)?;
                },
                // SAFETY: the caller's promise.
                Arg::Sized(_) => unsafe {
                    self.structure(index, Part::Data, way, addr, length as u32 as usize)?;
                },
                Arg::Counted => {
                    if length == 0 {
                        return Err(libc::EFAULT);
                    }
                    // SAFETY: the caller's promise.
                    let room = unsafe { get::<c_int>(length) };
                    let room = usize::try_from(room).map_err(|_| libc::EINVAL)?.min(STRUCTURE_BYTES_MAX);
                    // SAFETY: the caller's promise.
                    unsafe { self.structure(index, Part::Data, way, addr, room)? };
                }
                Arg::Polls => {
                    let bytes = (length as usize).saturating_mul(size_of::<libc::pollfd>());
                    // SAFETY: the caller's promise.
                    unsafe { self.structure(index, Part::Data, way, addr, bytes)? };
                }
                // SAFETY: the caller's promise.
                Arg::Path => unsafe { self.path(index, addr)? },
            }
        }
        Ok(())
    }

    /// Bytes of the program; returns whether all of them are part of the call.
    ///
    /// # Safety
    /// - `addr` is valid for `len` bytes.
    unsafe fn data(&mut self, arg: u8, way: Way, addr: u64, len: usize) -> Result<bool, c_int> {
        if addr == 0 && len != 0 {
            return Err(libc::EFAULT);
        }
        let room = DATA_BYTES_MAX.saturating_sub(self.carried);
        if len != 0 && !needs_copy(self.context, self.owner, addr, len, room) {
            let cut = len.min(IN_PLACE_BYTES_MAX);
            self.add(Block { arg, part: Part::Data, at: addr, len: cut as u32 }, way, addr);
            return Ok(cut == len);
        }
        let cut = len.min(room);
        // SAFETY: the caller's promise.
        unsafe { self.carry(arg, Part::Data, way, addr, cut) };
        Ok(cut == len)
    }

    /// # Safety
    /// - `addr` is valid for `len` bytes.
    unsafe fn structure(
        &mut self,
        arg: u8,
        part: Part,
        way: Way,
        addr: u64,
        len: usize,
    ) -> Result<(), c_int> {
        if len > STRUCTURE_BYTES_MAX {
            return Err(libc::EINVAL);
        }
        if addr == 0 && len != 0 {
            return Err(libc::EFAULT);
        }
        // SAFETY: the caller's promise.
        unsafe { self.carry(arg, part, way, addr, len) };
        Ok(())
    }

    /// # Safety
    /// - `addr` is valid for `len` bytes.
    unsafe fn carry(&mut self, arg: u8, part: Part, way: Way, addr: u64, len: usize) {
        if way.goes_in() {
            // SAFETY: the caller's promise.
            unsafe { append(&mut self.bytes, addr, len) };
        }
        self.add(Block { arg, part, at: 0, len: len as u32 }, way, addr);
    }

    fn add(&mut self, block: Block, way: Way, addr: u64) {
        if block.is_carried() {
            self.carried += block.len as usize;
        }
        if way.comes_out() {
            let room = if block.is_carried() { block.len } else { 0 };
            self.places.push(Place { arg: block.arg, part: block.part, at: addr, room });
        }
        self.blocks.push(block);
    }

    /// # Safety
    /// - `addr` points to a path.
    unsafe fn path(&mut self, arg: u8, addr: u64) -> Result<(), c_int> {
        // SAFETY: the caller's promise.
        let len = unsafe { libc::strnlen(addr as *const libc::c_char, PATH_BYTES_MAX) };
        if len == PATH_BYTES_MAX {
            return Err(libc::ENAMETOOLONG);
        }
        // SAFETY: so many bytes and the end are there.
        unsafe { self.carry(arg, Part::Data, Way::In, addr, len + 1) };
        Ok(())
    }

    /// # Safety
    /// - `addr` points to `count` parts, each valid for the call.
    unsafe fn vector(&mut self, arg: u8, way: Way, addr: u64, count: usize) -> Result<(), c_int> {
        if count > PARTS_MAX {
            return Err(libc::EINVAL);
        }
        if addr == 0 && count != 0 {
            return Err(libc::EFAULT);
        }
        for part in 0..count {
            // SAFETY: below `count`.
            let part: iovec = unsafe { get(addr + (part * size_of::<iovec>()) as u64) };
            // SAFETY: the caller's promise.
            if !unsafe { self.data(arg, way, part.iov_base as u64, part.iov_len)? } {
                break;
            }
        }
        Ok(())
    }

    /// # Safety
    /// - `addr` points to a message that is valid for the call.
    unsafe fn message(&mut self, arg: u8, way: Way, addr: u64) -> Result<(), c_int> {
        if addr == 0 {
            return Err(libc::EFAULT);
        }
        // SAFETY: the caller's promise.
        let message: msghdr = unsafe { get(addr) };
        if message.msg_iovlen > PARTS_MAX {
            return Err(libc::EMSGSIZE);
        }
        // SAFETY: the caller's promise.
        unsafe { self.vector(arg, way, message.msg_iov as u64, message.msg_iovlen)? };
        let name = (Part::Name, message.msg_name as u64, message.msg_namelen as usize);
        let control = (Part::Control, message.msg_control as u64, message.msg_controllen);
        for (part, at, len) in [name, control].into_iter().filter(|&(_, at, _)| at != 0) {
            // SAFETY: the caller's promise.
            unsafe { self.structure(arg, part, way, at, len)? };
        }
        Ok(())
    }
}
