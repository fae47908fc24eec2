//! The environment and the working directory are one for the program.
//!
//! Node 0 puts all changes in an order, which every node follows, the caller's node included; the
//! call returns when all have. The spawner threads are the only ones that write `environ`.
//!
//! *Who may touch what, when*: followers do not take std's lock of the environment, which the
//! calling thread may hold on its node. Instead they leave every array that a reader may be
//! walking as it is, and put a new one in its place.
//! *Why not safe code*: `environ`.

use std::ffi::{CStr, CString, OsString};
use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use core::ffi::c_char;

use dstd_addr::NodeId;
use dstd_protocol::limits::SHIP_BYTES_MAX;

use super::remote::push;
use super::spawner::answer;
use super::{Op, Task, fresh_id};
use crate::context;
use crate::fatal::{self, stop};
use crate::node::{Request, Shipped};
use crate::wait::Wait;

/// Makes all nodes follow a change of the environment (`name`, `value` or removal) or of the
/// working directory (empty name). Runtime code.
pub(crate) fn change(name: &[u8], value: Option<&[u8]>) {
    let Some(context) = context::cluster() else { return };
    let body = encode(name, value);
    if body.len() > SHIP_BYTES_MAX as usize {
        stop!(
            fatal::CANNOT,
            "a variable of {} bytes does not fit into a message to the other nodes",
            body.len()
        );
    }
    let (id, shipped) = (fresh_id(), Arc::new(Shipped::without_result()));
    let expect = Some((id, Arc::clone(&shipped)));
    push(if context.me == NodeId::ZERO {
        Request::Local { task: Task::Environment { from: context.me, id, body }, expect }
    } else {
        Request::Ship { to: NodeId::ZERO, op: Op::Environment, id, arg: 0, body, expect }
    });
    shipped.wait.wait_while(Wait::PENDING, None);
}

/// Node 0, spawner thread: has every node follow, then tells `from`.
pub(super) fn order(from: NodeId, id: u64, body: &[u8]) {
    follow(body);
    let waits: Vec<Arc<Shipped>> = (1..context::nodes())
        .map(|rank| {
            let (id, shipped) = (fresh_id(), Arc::new(Shipped::without_result()));
            let expect = Some((id, Arc::clone(&shipped)));
            push(Request::Ship { to: NodeId(rank), op: Op::Follow, id, arg: 0, body: body.to_vec(), expect });
            shipped
        })
        .collect();
    for shipped in waits {
        shipped.wait.wait_while(Wait::PENDING, None);
    }
    if from == NodeId::ZERO {
        push(Request::Ended { id });
    } else {
        answer(from, Op::Ended, id, Vec::new());
    }
}

/// Spawner thread: makes the change on this node.
pub(super) fn follow(body: &[u8]) {
    let Some((name, value)) = decode(body) else {
        stop!(fatal::INTERNAL, "a malformed change of the environment")
    };
    match (name, value) {
        (b"", Some(directory)) => {
            let directory = OsString::from_vec(directory.to_vec());
            if let Err(error) = std::env::set_current_dir(&directory) {
                let me = context::me();
                stop!(fatal::CANNOT, "node {me} cannot change to {}: {error}", directory.display());
            }
        }
        (name, value) => set(name, value),
    }
}

/// ```text
/// 0         8      8+len   9+len
/// | len     | name | set   | value
/// ```
fn encode(name: &[u8], value: Option<&[u8]>) -> Vec<u8> {
    let mut body = (name.len() as u64).to_le_bytes().to_vec();
    body.extend_from_slice(name);
    body.push(u8::from(value.is_some()));
    body.extend_from_slice(value.unwrap_or_default());
    body
}

fn decode(body: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let (len, rest) = body.split_first_chunk::<8>()?;
    let (name, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*len)).ok()?)?;
    let (set, value) = rest.split_first()?;
    Some((name, (*set != 0).then_some(value)))
}

unsafe extern "C" {
    static mut environ: *mut *mut c_char;
}

/// Puts an array with the change in the place of `environ`. The old one, and strings that were
/// replaced, stay for ever, as they do in libc: a reader may hold them.
fn set(name: &[u8], value: Option<&[u8]>) {
    let place = &raw mut environ;
    // SAFETY: the variable exists for the whole process; it is accessed atomically here.
    let place = unsafe { AtomicPtr::from_ptr(place) };
    let mut entries: Vec<*mut c_char> =
        entries(place.load(Ordering::Acquire)).filter(|&entry| !names(entry, name)).collect();
    if let Some(value) = value {
        match CString::new([name, b"=", value].concat()) {
            Ok(entry) => entries.push(entry.into_raw()),
            Err(_) => stop!(fatal::INTERNAL, "a variable with a NUL byte came from another node"),
        }
    }
    entries.push(core::ptr::null_mut());
    // Release: a reader that finds the array finds its contents.
    place.store(entries.leak().as_mut_ptr(), Ordering::Release);
}

fn entries(array: *mut *mut c_char) -> impl Iterator<Item = *mut c_char> {
    let mut at = array;
    core::iter::from_fn(move || {
        if at.is_null() {
            return None;
        }
        // SAFETY: the array ends with a null pointer, after which `at` does not move.
        let entry = unsafe { *at };
        if entry.is_null() {
            return None;
        }
        // SAFETY: not the last one.
        at = unsafe { at.add(1) };
        Some(entry)
    })
}

fn names(entry: *mut c_char, name: &[u8]) -> bool {
    // SAFETY: entries of the environment are C strings that are never freed.
    let entry = unsafe { CStr::from_ptr(entry) }.to_bytes();
    entry.strip_prefix(name).is_some_and(|rest| rest.first() == Some(&b'='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_comes_back_as_it_was_sent() {
        for (name, value) in [(&b"NAME"[..], Some(&b"a=b"[..])), (b"NAME", None), (b"", Some(b"/"))] {
            assert_eq!(decode(&encode(name, value)), Some((name, value)));
        }
        let body = encode(b"NAME", Some(b"x"));
        for len in 0..body.len() - 1 {
            assert_eq!(decode(&body[..len]), None, "{len} bytes were taken for a change");
        }
    }

    #[test]
    fn a_followed_change_is_seen_through_std() {
        set(b"DSTD_TEST_FOLLOWED", Some(b"1"));
        assert_eq!(std::env::var("DSTD_TEST_FOLLOWED").as_deref(), Ok("1"));
        set(b"DSTD_TEST_FOLLOWED", Some(b"2"));
        assert_eq!(std::env::vars().filter(|(name, _)| name == "DSTD_TEST_FOLLOWED").count(), 1);
        set(b"DSTD_TEST_FOLLOWED", None);
        assert!(std::env::var("DSTD_TEST_FOLLOWED").is_err());
    }
}
