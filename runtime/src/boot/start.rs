//! Before `main`.
//!
//! *Why not safe code*: C signatures.

use core::ffi::{c_char, c_int, c_void};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::sync::OnceLock;

use dstd_addr::{Layout, NodeId};
use dstd_control::env::{NodeEnv, Options};
use dstd_control::stats::StatsBlock;

use super::{aslr, cluster, managed};
use crate::config::Config;
use crate::context::{self, Context};
use crate::fatal::{self, stop};
use crate::node::Queue;
use crate::{alloc, interpose};

/// C's `main`.
pub(super) type Main = extern "C-unwind" fn(c_int, *mut *mut c_char, *mut *mut c_char) -> c_int;
type StartMain = unsafe extern "C" fn(
    Main,
    c_int,
    *mut *mut c_char,
    *mut c_void,
    *mut c_void,
    *mut c_void,
    *mut c_void,
) -> c_int;

/// The program's own `main`.
static PROGRAM: OnceLock<Main> = OnceLock::new();

/// libc's entry, which the program's first code calls.
///
/// # Safety
/// - Called once, by the C runtime's start code.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn __libc_start_main(
    main: Main,
    argc: c_int,
    argv: *mut *mut c_char,
    init: *mut c_void,
    fini: *mut c_void,
    rtld_fini: *mut c_void,
    stack_end: *mut c_void,
) -> c_int {
    PROGRAM.get_or_init(|| main);
    managed::become_node(argv);
    if aslr::is_node_of_several() {
        aslr::make_addresses_equal(argv);
    }
    // SAFETY: registers a function without arguments; libc is initialised, this is its own start.
    unsafe { libc::atexit(interpose::at_last) };
    // SAFETY: the name is a C string.
    let next = unsafe { libc::dlsym(libc::RTLD_NEXT, c"__libc_start_main".as_ptr()) };
    if next.is_null() {
        stop!(fatal::CANNOT, "libc has no __libc_start_main: is this program linked statically?");
    }
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, StartMain>(next) };
    // SAFETY: the arguments are the ones we were called with, but for `main`, which calls theirs.
    unsafe { next(begin, argc, argv, init, fini, rtld_fini, stack_end) }
}

/// Runs in place of the program's `main`, after its constructors.
extern "C-unwind" fn begin(argc: c_int, argv: *mut *mut c_char, envp: *mut *mut c_char) -> c_int {
    let program = *PROGRAM.get().expect("set by __libc_start_main before this function is passed on");
    interpose::keep();
    let runtime = alloc::enter();
    let (environment, options) = match (NodeEnv::from_env(), Options::from_env()) {
        (Ok(environment), Ok(options)) => (environment, options),
        (Err(error), _) | (_, Err(error)) => stop!(fatal::USAGE, "{error}"),
    };
    let config = Config::new(&options).unwrap_or_else(|error| stop!(fatal::USAGE, "{error}"));
    match environment {
        Some(environment) => cluster::join(&environment, config, (program, argc, argv, envp)),
        None => {
            if let Ok(block) = StatsBlock::private() {
                context::set(Context {
                    me: NodeId::ZERO,
                    layout: Layout::new(1, [0..0, 0..0]),
                    config,
                    stats: block.leak(),
                    launched: false,
                    direct: false,
                    queue: Queue::new(),
                });
            }
        }
    }
    // One node: this thread is the program's main thread.
    drop(runtime);
    interpose::main_returned(program(argc, argv, envp))
}

/// The statistics block that the launcher has made for this node.
pub(super) fn stats(environment: &NodeEnv) -> StatsBlock {
    // SAFETY: the launcher passes an open descriptor under this number for this use only.
    let fd = unsafe { OwnedFd::from_raw_fd(environment.stats_fd) };
    match StatsBlock::map(fd.as_fd()) {
        Ok(block) => block,
        Err(error) => stop!(fatal::USAGE, "DSTD_STATS_FD={}: {error}", environment.stats_fd),
    }
}
