//! Children of `fork`: a process that is no node, with its own copy of what its parent's memory held.
//!
//! Most global memory is shared with other nodes, so a clone must not inherit it: the kernel leaves those
//! mappings out. libc's side of a fork touches the heap before any handler runs; that touch is a `SIGSEGV`, in which the child
//! makes its view ([`view`]). When nothing is touched, the handler of `pthread_atfork` makes it. The
//! parent's forking thread waits meanwhile, so what it has written is what the child copies.
//!
//! | memory | in a domain | pages served by userfaultfd | pages served by signals |
//! |---|---|---|---|
//! | own heap | copied | copied; closed where away | copied; closed where away |
//! | own stacks and stripes, statics at node 0 | copied | inherited; closed where away | copied; closed where away |
//! | own lent thread-locals | copied | inherited; closed where away | copied; closed where away |
//! | all else | copied | inherited and closed: what was here opens at a touch | closed |
//!
//! A touch of a closed page is a `SIGSEGV` as well, and the parent's node sends the page ([`pages`], [`service`]).
//!
//! *Invariants*: PAGE-1: a child writes nothing that other nodes see. HEAP-3.
//! *Layout*: [`Region`]s are all global memory. *Who may touch what, when*: written at boot; children read.
//! *Why not safe code*: mappings, descriptors, thread-locals in a signal handler.

mod pages;
mod service;
mod view;

use core::cell::Cell;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::io;
use std::sync::OnceLock;

use dstd_addr::{GlobalAddr, Layout, NodeId, STACKS_BYTES};

use crate::context::Context;
use crate::fatal::{self, Line};
use crate::{alloc, locals, page, raw, statics};

pub(crate) use pages::open_own;
pub(crate) use service::{mask, set_mask, start as start_service};

/// How a child comes to a range of global memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// A copy of a part of a file, from this offset on.
    File(i32, u64),
    /// The same of what the file holds; the rest opens when it is touched.
    Holes(i32, u64),
    /// The kernel has copied it.
    Clone,
    /// Page by page, when it is touched.
    Parent,
}

/// A range of global memory.
#[derive(Debug)]
struct Region {
    range: Range<u64>,
    source: Source,
    /// Whether its pages are born at another node.
    foreign: bool,
}

struct Setup {
    regions: Vec<Region>,
    /// Lies on a page that is zero in every child.
    marker: &'static AtomicU32,
    /// Whether pages can be away.
    served: bool,
    layout: Layout,
}

static SETUP: OnceLock<Setup> = OnceLock::new();
/// In a child: whether it has its own view.
static VIEW: AtomicBool = AtomicBool::new(false);

/// One fork, in the forking thread.
#[derive(Clone, Copy)]
struct Plan {
    /// A pipe through which the child says that its view is made: 0, or an error number.
    ends: [i32; 2],
    /// Why there can be no child.
    error: i32,
}

thread_local! {
    static PLAN: Cell<Option<Plan>> = const { Cell::new(None) };
}

/// Boot: arranges what a clone inherits. The memory of all nodes is mapped.
///
/// # Errors
/// What the kernel says.
pub(crate) fn prepare(context: &Context) -> io::Result<()> {
    let served = !context.direct;
    if served {
        page::moved::watch(context.me, &context.layout)?;
    }
    let regions = regions(context);
    for region in &regions {
        let advice = if region.source == Source::Clone { libc::MADV_DOFORK } else { libc::MADV_DONTFORK };
        view::advise(&region.range, advice)?;
    }
    let marker = view::marker()?;
    let layout = context.layout.clone();
    SETUP.get_or_init(|| Setup { regions, marker, served, layout });
    Ok(())
}

fn regions(context: &Context) -> Vec<Region> {
    let reservation = alloc::reservation();
    let by_signal = page::by_signal();
    let mut regions = Vec::new();
    let mut add = |range: Range<u64>, home: NodeId, file: Option<(i32, u64)>| {
        let foreign = !context.direct && home != context.me;
        let is_threads = range == Layout::threads(home);
        let source = match file {
            Some((file, offset)) if is_threads && home != context.me && !foreign => {
                Source::Holes(file, offset)
            }
            // What is on a file of the own threads' range is found when a child is made.
            _ if is_threads && home == context.me => Source::Clone,
            Some((file, offset)) if !foreign => Source::File(file, offset),
            _ if foreign && by_signal => Source::Parent,
            _ => Source::Clone,
        };
        if !range.is_empty() {
            regions.push(Region { range, source, foreign });
        }
    };
    for node in (0..context.layout.nodes()).map(NodeId) {
        let [heap, stacks] = reservation.files(node).map(|file| Some((file?, 0)));
        add(reservation.heap_range(node), node, heap);
        add(Layout::stacks(node), node, stacks);
        add(Layout::threads(node), node, locals::file(node).map(|file| (file, STACKS_BYTES)));
    }
    let shared = context.layout.statics().each_ref().map(|range| range.start.addr().0..range.end.addr().0);
    for (range, offset) in statics::with_offsets(&shared) {
        add(range.clone(), NodeId::ZERO, statics::file().map(|file| (file, offset)));
    }
    let striped = context.layout.striped();
    let file = |start: u64| reservation.striped_file().map(|file| (file, start - striped.start));
    if context.direct {
        add(striped.clone(), context.me, file(striped.start));
    } else {
        let len = context.layout.stripe_bytes();
        for start in striped.clone().step_by(len as usize) {
            let home = context.layout.home(GlobalAddr(start).page()).unwrap_or(NodeId::ZERO);
            add(start..start + len, home, file(start));
        }
    }
    regions
}

/// Whether this process is a child that a node has cloned, in whatever way.
fn is_clone(setup: &Setup) -> bool {
    setup.marker.load(Ordering::Relaxed) == 0
}

/// Before a fork, with the locks held that the child shall find free.
pub(crate) fn before() {
    let Some(setup) = SETUP.get() else { return };
    if is_clone(setup) {
        return;
    }
    let mut ends = [-1; 2];
    let args = [(&raw mut ends) as usize, libc::O_CLOEXEC as usize, 0, 0, 0, 0];
    // SAFETY: the array takes two descriptors.
    let made = view::check(unsafe { raw::syscall(libc::SYS_pipe2, args) });
    let plan = match made.and_then(|_| beside_streams(ends)) {
        Ok(ends) => Plan { ends, error: 0 },
        Err(error) => Plan { ends: [-1; 2], error },
    };
    PLAN.set(Some(plan));
}

/// After a fork, in the parent, with those locks held: no child of another thread gets the end of the pipe.
pub(crate) fn in_parent_locked() {
    if let Some(plan) = PLAN.get() {
        close(plan.ends[1]);
    }
}

/// After a fork, in the parent: waits until the child has copied what it needs, or has died.
pub(crate) fn in_parent() {
    let Some(mut plan) = PLAN.get() else { return };
    if plan.error == 0 {
        let mut said = [0_u8; 4];
        let args = [plan.ends[0] as usize, (&raw mut said) as usize, said.len(), 0, 0, 0];
        let got = loop {
            // SAFETY: reads into a local.
            let got = unsafe { raw::syscall(libc::SYS_read, args) };
            if got != -(libc::EINTR as isize) {
                break got;
            }
        };
        if got == said.len() as isize {
            plan.error = i32::from_le_bytes(said);
        }
        close(plan.ends[0]);
    }
    PLAN.set(Some(plan));
}

/// The forking thread, in the parent: why there is no child although there was a clone, if so.
pub(crate) fn refused() -> Option<i32> {
    PLAN.take().map(|plan| plan.error).filter(|&error| error != 0)
}

/// In the child of a fork: it has its own view from here on.
pub(crate) fn in_child() {
    let Some(setup) = SETUP.get() else { return };
    if VIEW.load(Ordering::Relaxed) {
        pages::reset();
    } else {
        make_view(setup);
    }
}

/// In the handler of `SIGSEGV`, all signals blocked: whether this process is a child to which the touch at
/// `address` is no error, and which can repeat it now.
pub(crate) fn serve(address: u64) -> bool {
    let Some(setup) = SETUP.get() else { return false };
    if !is_clone(setup) || !setup.regions.iter().any(|region| region.range.contains(&address)) {
        return false;
    }
    if VIEW.load(Ordering::Relaxed) {
        return pages::open(address);
    }
    make_view(setup);
    true
}

fn make_view(setup: &Setup) {
    let Some(plan) = PLAN.get() else {
        end_child("it was made past libc's fork, which a program of several nodes cannot follow: call fork")
    };
    let error = if plan.error == 0 {
        view::make(&setup.regions, &setup.layout).err().unwrap_or(0)
    } else {
        plan.error
    };
    if error == 0 && setup.served {
        service::leave();
        crate::interpose::passed::keep_from_kernel();
    }
    VIEW.store(true, Ordering::Relaxed);
    let said = error.to_le_bytes();
    let args = [plan.ends[1] as usize, said.as_ptr() as usize, said.len(), 0, 0, 0];
    // SAFETY: the bytes are a local's. A parent that is gone needs no word.
    unsafe { raw::syscall(libc::SYS_write, args) };
    plan.ends.into_iter().for_each(close);
    PLAN.set(None);
    if error != 0 {
        raw::exit_now(fatal::CANNOT);
    }
}

/// Ends a child, and nothing else of the program.
fn end_child(why: &str) -> ! {
    raw::write_stderr(Line::new(format_args!("dstd: a child process ends: {why}\n")).bytes());
    raw::exit_now(fatal::CANNOT)
}

/// Whether a child's copy fits into the memory of this host, as far as that can be known.
///
/// # Errors
/// `ENOMEM` when it does not.
pub(crate) fn check_memory() -> Result<(), i32> {
    let Some(setup) = SETUP.get() else { return Ok(()) };
    let mut files: Vec<i32> = setup.regions.iter().filter_map(Region::file).collect();
    files.dedup();
    let needed: u64 = files.into_iter().map(view::bytes_of).sum();
    match std::fs::read_to_string("/proc/meminfo").ok().as_deref().and_then(available) {
        Some(available) if available < needed => Err(libc::ENOMEM),
        Some(_) | None => Ok(()),
    }
}

/// Bytes that processes can still get, swap included.
fn available(meminfo: &str) -> Option<u64> {
    let field = |name: &str| -> Option<u64> {
        let rest = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1 << 10)
    };
    field("MemAvailable:")?.checked_add(field("SwapFree:").unwrap_or(0))
}

impl Region {
    fn file(&self) -> Option<i32> {
        match self.source {
            Source::File(file, _) | Source::Holes(file, _) => Some(file),
            Source::Clone | Source::Parent => None,
        }
    }
}

/// The same two under numbers that no standard stream has: the program may have closed its own, and write there all the same.
fn beside_streams(ends: [i32; 2]) -> Result<[i32; 2], i32> {
    let moved = ends.map(|end| {
        if end > libc::STDERR_FILENO {
            return Ok(end);
        }
        let args = [end as usize, libc::F_DUPFD_CLOEXEC as usize, 3, 0, 0, 0];
        // SAFETY: a descriptor of this module.
        let copy = view::check(unsafe { raw::syscall(libc::SYS_fcntl, args) }).map(|copy| copy as i32);
        close(end);
        copy
    });
    match moved {
        [Ok(first), Ok(second)] => Ok([first, second]),
        [first, second] => {
            first.into_iter().chain(second).for_each(close);
            Err(libc::EMFILE)
        }
    }
}

fn close(fd: i32) {
    // SAFETY: a descriptor of this module.
    unsafe { raw::syscall(libc::SYS_close, [fd as usize, 0, 0, 0, 0, 0]) };
}

#[cfg(test)]
mod tests {
    use super::available;

    #[test]
    fn available_memory_counts_swap() {
        let text = "MemTotal:  100 kB\nMemAvailable:   64 kB\nSwapFree:  2 kB\n";
        assert_eq!(available(text), Some(66 << 10));
        assert_eq!(available("MemAvailable: 1 kB\n"), Some(1 << 10));
        assert_eq!(available("MemFree: 1 kB\n"), None);
    }
}
