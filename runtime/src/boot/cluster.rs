//! Joining the other nodes.
//!
//! *Why not safe code*: descriptors by number, signals, C's `main`.

use core::ffi::{c_char, c_int, c_void};
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;

use dstd_addr::{Layout, NodeId};
use dstd_control::env::{NodeEnv, Spread};
use dstd_control::rendezvous::{Controller, Files, Hello, PROTOCOL};
use dstd_control::secret::Secret;
use dstd_control::stats::Phase;
use dstd_transport::Transport;
use dstd_transport::wait::{Cores, SPIN_NS_DEFAULT, Waiter};

use super::links::{Failure, Meeting};
use super::start::Main;
use super::{faults, identity, native, start};
use crate::config::Config;
use crate::context::{self, Context};
use crate::fatal::{self, stop};
use crate::node::{Engine, Queue, event_fd};
use crate::page::Memory;
use crate::{alloc, domain, fork, interpose, keeper, locals, raw, ship, statics};

/// C's `main` and its arguments.
pub(super) type Program = (Main, c_int, *mut *mut c_char, *mut *mut c_char);

/// Makes this process a node. Returns only for a program of one node; otherwise node 0 runs
/// `program` on a user thread, and this thread sleeps until the process ends.
pub(super) fn join(environment: &NodeEnv, config: Config, program: Program) {
    let me = NodeId(environment.rank);
    let nodes = environment.size;
    // SAFETY: the launcher passes the descriptor for this use only.
    let secret = Secret::read_from(unsafe { OwnedFd::from_raw_fd(environment.cred_fd) })
        .unwrap_or_else(|error| stop!(fatal::SECRET, "cannot read the cluster's secret: {error}"));
    let stats = start::stats(environment).leak();
    stats.rank.store(environment.rank.into(), Ordering::Relaxed);
    stats.image_bias.store(identity::image_bias(), Ordering::Relaxed);
    // Before any descriptor is made that stays: the runtime's own must be this node's as well.
    let descriptors = if nodes > 1 { set_descriptors_apart(me, nodes, environment) } else { Ok(0) };
    let private_statics = config.private_statics;
    let direct = config.direct;
    let statics = shared_statics(nodes, private_statics);
    let layout = Layout::new(nodes, statics.clone()).with_heap_bytes(alloc::reservation().heap_bytes());
    let layout = if nodes > 1 { layout.with_slots(locals::slots_of()) } else { layout };
    let context = context::set(Context {
        me,
        layout: layout.clone(),
        config,
        stats,
        launched: !environment.reach.unwatched,
        direct: nodes > 1 && direct,
        queue: Queue::new(),
    });
    forget_environment();

    let mut controller =
        Controller::connect(environment, &secret).unwrap_or_else(|error| stop!(error.exit_code(), "{error}"));
    let descriptors = descriptors.unwrap_or_else(|error| give_up(&mut controller, fatal::CANNOT, &error));
    if nodes > 1 {
        check_threads(&mut controller);
        check_program(&mut controller, me, private_statics);
    }
    let own = (nodes > 1).then(|| own_memory(&mut controller, context, &statics));
    let meeting = Meeting::prepare(environment).unwrap_or_else(|failure| failure.end(&mut controller));
    let files = own.as_ref().and_then(|own| own.files);
    let hello = hello(context, descriptors, &meeting, files).unwrap_or_else(|error| {
        give_up(&mut controller, fatal::CANNOT, &format!("cannot describe this node: {error}"))
    });
    let peers = controller.hello(&hello).unwrap_or_else(|error| stop!(error.exit_code(), "{error}"));
    let transport = meeting
        .connect(me, &peers, &secret, environment.connect_timeout)
        .unwrap_or_else(|failure| failure.end(&mut controller));
    ship::set_parallelism(peers.iter().map(|peer| peer.threads as usize).sum());

    let Some(Own { memory, files }) = own else {
        ready(&mut controller, stats);
        context::publish();
        return;
    };
    if context.config.hot_pages && !context.direct {
        alloc::trace(identity::image_bias(), identity::code());
    }
    if files.is_some() {
        // SAFETY: this is the only thread of the process, and user code has not begun.
        if let Err(error) = unsafe { domain::map_peers(me, &peers, &statics) } {
            let text = format!("cannot map {error}: run with --no-direct");
            let left = error.kind() == io::ErrorKind::NotFound;
            Failure::new(fatal::CANNOT, text).because_of_a_peer(left).end(&mut controller);
        }
        if let Err(error) = memory.watch_threads() {
            give_up(&mut controller, fatal::CANNOT, &format!("cannot watch native stacks: {error}"));
        }
    }
    interpose::signal::install();
    fork::prepare(context).unwrap_or_else(|error| {
        give_up(&mut controller, fatal::CANNOT, &format!("cannot prepare for child processes: {error}"))
    });
    start_threads(context, memory, transport).unwrap_or_else(|error| {
        give_up(&mut controller, fatal::CANNOT, &format!("cannot start the engine: {error}"))
    });
    if context.config.spread == Spread::All && !interpose::knows_std() {
        let text =
            "with --spread all, std must be part of the program itself: this one has it in a shared library";
        give_up(&mut controller, fatal::CANNOT, text);
    }
    if let Err(error) = interpose::fd::keep_private(controller.as_fd()) {
        give_up(&mut controller, fatal::CANNOT, &format!("cannot list the descriptors: {error}"));
    }
    context::publish();
    if environment.reach.listen.is_some() {
        // The launcher's terminal and files, or what a batch system shows, are where node 0 is.
        interpose::fd::streams_at_node_0(environment.reach.own_stdout);
    }
    if me != NodeId::ZERO {
        // What std's start does on node 0, where `main` runs: threads of others may come before this one hears of the start.
        // SAFETY: ignores a signal.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    }
    ready(&mut controller, stats);
    drop(controller);
    if me == NodeId::ZERO {
        start_main(program);
    }
    sleep_for_ever()
}

/// Gives this node numbers for its descriptors that no other node uses; returns how many.
fn set_descriptors_apart(me: NodeId, nodes: u16, environment: &NodeEnv) -> Result<u32, String> {
    // With several hosts the launcher says what all of them permit, so that all nodes plan the same.
    let told = environment.reach.descriptors;
    let wanted = told.unwrap_or(u64::from(nodes) * DESCRIPTORS_PER_NODE);
    let permitted = interpose::fd::hard_limit(wanted)
        .map_err(|error| format!("cannot read the limit of descriptors: {error}"))?;
    let limit = told.unwrap_or(permitted);
    if permitted < limit {
        return Err(format!("this process may have {permitted} descriptors, {limit} were promised"));
    }
    let stride = interpose::fd::plan(nodes, limit).map_err(|error| error.to_string())?;
    // SAFETY: this is the only thread of the process.
    unsafe { interpose::fd::setup(me, nodes, stride) }
        .map_err(|error| format!("cannot set descriptors apart: {error}"))?;
    Ok(stride.count())
}

/// What a node gets where the system's limit allows it.
const DESCRIPTORS_PER_NODE: u64 = 4096;

/// The ranges of the shared statics, none when they stay private.
fn shared_statics(nodes: u16, private: bool) -> [Range<u64>; 2] {
    if nodes == 1 || private { [0..0, 0..0] } else { statics::ranges().unwrap_or([0..0, 0..0]) }
}

/// The address space is rearranged now, so nobody else may run.
fn check_threads(controller: &mut Controller) {
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads > 1 {
        let text = format!(
            "a constructor of this program has started {} threads before main: start them in main",
            threads - 1
        );
        give_up(controller, fatal::CANNOT, &text);
    }
}

/// Refuses programs that cannot run on several nodes.
fn check_program(controller: &mut Controller, me: NodeId, private_statics: bool) {
    if !alloc::PRESENT {
        let text = "this program was built without dstd's allocator (feature `global-alloc`), so its heap cannot be shared: enable the feature, or run on one node";
        give_up(controller, fatal::CANNOT, text);
    }
    if !private_statics && let Err(unshared) = statics::ranges() {
        let text = format!(
            "the statics of this program would be one per node: {unshared}; or accept that with --private-statics"
        );
        give_up(controller, fatal::CANNOT, &text);
    }
    // SAFETY: this is the only thread of the process.
    if !unsafe { statics::std_thread_ids(me) } && !private_statics {
        give_up(
            controller,
            fatal::CANNOT,
            "std's counter of thread ids was not found in this program: use the toolchain that dstd supports, or --private-statics",
        );
    }
}

/// What this node brings.
struct Own {
    memory: Memory,
    /// In a coherence domain, what its peers map.
    files: Option<Files>,
}

/// Maps and registers everything global.
fn own_memory(controller: &mut Controller, context: &'static Context, shared: &[Range<u64>; 2]) -> Own {
    let (me, layout) = (context.me, &context.layout);
    // The partitions are mapped by the first allocation, which was long ago.
    let reservation = alloc::reservation();
    if let Err(error) = reservation.stacks() {
        give_up(controller, fatal::CANNOT, &format!("cannot map the thread stacks: {error}"));
    }
    if let Err(error) = locals::reserve(me, layout.nodes()) {
        give_up(controller, fatal::CANNOT, &format!("cannot map the native stacks: {error}"));
    }
    if let Err(error) = native::set_apart(me, layout.nodes()) {
        give_up(controller, fatal::CANNOT, &format!("cannot set the address space apart: {error}"));
    }
    if context.direct {
        return offered_memory(controller, context, shared);
    }
    // SAFETY: this is the only thread of the process, and user code has not begun.
    let memory = unsafe { faults::serve(context, shared) }
        .unwrap_or_else(|error| give_up(controller, fatal::CANNOT, &error));
    Own { memory, files: None }
}

/// The same in a coherence domain.
fn offered_memory(controller: &mut Controller, context: &'static Context, shared: &[Range<u64>; 2]) -> Own {
    let (me, layout) = (context.me, &context.layout);
    // SAFETY: this is the only thread of the process, and user code has not begun.
    let files = unsafe { domain::offer(me, shared) }.unwrap_or_else(|error| {
        give_up(controller, fatal::CANNOT, &format!("cannot share this node's memory: {error}"))
    });
    let memory = faults::watch_strays(context, me, layout).unwrap_or_else(|error| {
        give_up(controller, fatal::CANNOT, &format!("cannot set the address space apart: {error}"))
    });
    Own { memory, files: Some(files) }
}

/// Ends this node before the program has started, with a reason for the launcher.
pub(super) fn give_up(controller: &mut Controller, code: i32, reason: &str) -> ! {
    // The launcher may be gone; the exit code says the same.
    drop(controller.stop(code, reason));
    stop!(code, "{reason}")
}

fn ready(controller: &mut Controller, stats: &dstd_control::stats::Stats) {
    if let Err(error) = controller.ready_and_wait_start() {
        stop!(error.exit_code(), "{error}");
    }
    stats.set_phase(Phase::Running);
}

/// The program shall not see how it was launched.
fn forget_environment() {
    for name in dstd_control::env::names() {
        // SAFETY: no other thread exists.
        unsafe { std::env::remove_var(name) };
    }
}

/// The user threads that this node offers.
fn threads(context: &Context) -> u32 {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    context.config.threads.unwrap_or_else(|| u32::try_from(cores()).unwrap_or(u32::MAX)).max(1)
}

fn hello(context: &Context, descriptors: u32, meeting: &Meeting, memory: Option<Files>) -> io::Result<Hello> {
    Ok(Hello {
        protocol: PROTOCOL,
        rank: context.me.0,
        pid: std::process::id(),
        host: std::fs::read_to_string("/proc/sys/kernel/hostname")?.trim().to_owned(),
        build_id: identity::build_id()?,
        layout: identity::layout_words(alloc::reservation().heap_bytes()),
        probes: identity::probes(&context.layout),
        cpu: identity::cpu(),
        descriptors,
        threads: threads(context),
        listen: meeting.address()?,
        memory,
    })
}

/// Starts the engine and the spawner; both block all signals, which are for user threads.
fn start_threads(
    context: &'static Context,
    memory: Memory,
    mut transport: Box<dyn Transport + Send>,
) -> io::Result<()> {
    let event = event_fd()?;
    context.queue.set_event(event.as_raw_fd());
    let mut fds = Vec::new();
    transport.fds(&mut fds);
    fds.push(libc::pollfd { fd: event.as_raw_fd(), events: 0, revents: 0 });
    fds.extend(memory.fd().map(|fd| libc::pollfd { fd, events: 0, revents: 0 }));
    context::set_connections(fds.iter().map(|fd| fd.fd).collect());
    let signals = block_signals();
    let (sender, tasks) = channel();
    interpose::learn_from(|| ship::start_spawner(tasks, signals))?;
    keeper::start(context)?;
    alloc::set_remote_sink(|home, addrs| {
        let addrs = addrs.to_vec();
        if let Some(context) = context::cluster() {
            context.queue.push(crate::node::Request::Free { home, addrs });
        }
    });
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let sharing = if cores > 2 * usize::from(context.layout.nodes()) { Cores::Enough } else { Cores::Shared };
    let thread = std::thread::Builder::new().stack_size(identity::runtime_stack_bytes());
    thread.name("dstd-engine".to_owned()).spawn(move || {
        let _runtime = alloc::enter();
        let _guard = fatal::StopOnUnwind;
        raw::run_promptly();
        let engine = Engine::new(context, memory, sender, event);
        engine.run(&mut *transport, Waiter::new(SPIN_NS_DEFAULT, sharing))
    })?;
    SIGNALS.get_or_init(|| signals);
    Ok(())
}

static SIGNALS: std::sync::OnceLock<libc::sigset_t> = std::sync::OnceLock::new();

/// Blocks all signals in this thread and those it starts; returns the mask of before.
fn block_signals() -> libc::sigset_t {
    let mut all = core::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    let mut before = core::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: initialises the set.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // The interposed function leaves out what brings pages.
    // SAFETY: both sets are valid.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
    // SAFETY: all-zero is a valid, empty set; the call has filled it.
    interpose::signal::without_segv(unsafe { before.assume_init() })
}

/// Node 0: runs C's `main` on a user thread of the usual stack size.
fn start_main(program: Program) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure is writable.
    unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) };
    let bytes = match limit.rlim_cur {
        libc::RLIM_INFINITY => MAIN_STACK_BYTES_MAX,
        bytes => bytes.clamp(1 << 20, MAIN_STACK_BYTES_MAX),
    };
    let program = Box::into_raw(Box::new(program));
    if let Err(errno) = interpose::start_user_thread(bytes, run_main, program.cast()) {
        stop!(fatal::CANNOT, "cannot start main: {}", io::Error::from_raw_os_error(errno));
    }
}

/// More than any usual `ulimit -s`.
const MAIN_STACK_BYTES_MAX: u64 = 1 << 30;

extern "C-unwind" fn run_main(program: *mut c_void) -> *mut c_void {
    // SAFETY: `start_main` passes a leaked box, read once.
    let (main, argc, argv, envp) = unsafe { *program.cast::<Program>() };
    if let Some(signals) = SIGNALS.get() {
        // SAFETY: the set is valid.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, signals, core::ptr::null_mut()) };
    }
    interpose::main_returned(main(argc, argv, envp))
}

fn sleep_for_ever() -> ! {
    loop {
        // SAFETY: sleeps until a signal, of which all are blocked here.
        unsafe { libc::pause() };
    }
}
