//! Descriptors of a cluster: numbers that mean the same on every node.
//!
//! Each node opens descriptors in a range of its own. A number that comes from another node (in a `File`
//! that moved, say) is therefore never the number of another file here: its owner makes the call (`elsewhere`), or,
//! where that is not covered, the call fails with `EBADF`, and one line names the owner. Numbers 0, 1 and 2 are common.
//!
//! ```text
//! node 0   0 1 2 | own ......... | (above the limit)
//! node 1   0 1 2 | filled        | own ......... | (above the limit)
//! node 2   0 1 2 | filled        | filled        | own ......... |
//!                3               stride          2 * stride      3 * stride
//! ```
//! The kernel gives the lowest free number, so a node fills the ranges below its own with
//! descriptors that can neither be read nor written, and its soft limit ends its range. That alone
//! keeps files apart, whatever makes the call. The functions of libc defined here come on top: they keep the
//! fillers from being closed and the limit from being raised, move what got a number outside the range after all
//! into it, and say what is wrong.
//!
//! *Invariant*: ADDR-1, said of descriptors. *Cost*: a call on an own descriptor pays one compare, one that makes
//! a descriptor another one.
//!
//! *Why not safe code*: these are libc's functions, called with raw pointers.

mod calls;
mod elsewhere;
mod fillers;
mod foreign;
mod limits;
mod make;
mod pinned;
mod ranges;
mod settle;
mod setup;
mod streams;
mod stride;
mod waits;

pub(super) use calls::fail;
pub(crate) use elsewhere::{ServedCall, keep_private, serve, set_private};
pub(crate) use foreign::count_each;
pub(super) use foreign::refused;
pub(crate) use foreign::streams_at_node_0;
pub(super) use pinned::refuses_call;
pub(crate) use settle::adopt;
pub(super) use settle::fill_holes;
pub(crate) use setup::{hard_limit, setup};
pub(crate) use stride::{Stride, plan};

/// References that make the linker take these files.
pub(crate) fn keep() -> *const () {
    core::hint::black_box([
        calls::keep(),
        limits::keep(),
        make::keep(),
        pinned::keep(),
        ranges::keep(),
        streams::keep(),
        waits::keep(),
    ])[0]
}

#[cfg(test)]
mod tests;
