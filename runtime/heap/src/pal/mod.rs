//! The platform layer: the few system calls that map memory.

mod linux;

pub(crate) use linux::{
    Access, anonymous, file, hidden_view, keep_out_of_dumps, keep_out_of_forks, memfd, no_huge_pages,
    shared_view, stop,
};
