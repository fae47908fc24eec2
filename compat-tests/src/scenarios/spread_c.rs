//! What C's functions do to threads of other nodes, whose identities std's handles tell; and which threads stay at home.

#![expect(unsafe_code, reason = "std does not do these things to threads")]

use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr;
use dstd::place;
use std::os::unix::thread::JoinHandleExt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::cluster;
use crate::spread::print_nodes;

unsafe extern "C" {
    // As libc declares them, but for what unwinds: `pthread_cancel` has it do so.
    fn pthread_create(
        thread: *mut libc::pthread_t,
        attributes: *const libc::pthread_attr_t,
        start: extern "C-unwind" fn(*mut c_void) -> *mut c_void,
        argument: *mut c_void,
    ) -> c_int;
    fn pthread_setname_np(thread: libc::pthread_t, name: *const c_char) -> c_int;
    fn pthread_getname_np(thread: libc::pthread_t, name: *mut c_char, len: usize) -> c_int;
    fn pthread_tryjoin_np(thread: libc::pthread_t, value: *mut *mut c_void) -> c_int;
    fn pthread_timedjoin_np(
        thread: libc::pthread_t,
        value: *mut *mut c_void,
        until: *const libc::timespec,
    ) -> c_int;
}

unsafe extern "C-unwind" {
    fn pause() -> c_int;
}

/// Starts a thread as C does.
pub(crate) fn start(
    routine: extern "C-unwind" fn(*mut c_void) -> *mut c_void,
    argument: *mut c_void,
) -> libc::pthread_t {
    let mut made = 0;
    // SAFETY: the routines of this file use their argument as it is given, for as long as it is there.
    assert_eq!(unsafe { pthread_create(&raw mut made, ptr::null(), routine, argument) }, 0);
    made
}

/// Waits for a thread, whatever node it is on, and returns its value.
pub(crate) fn join(thread: libc::pthread_t) -> *mut c_void {
    let mut value = ptr::null_mut();
    // SAFETY: each thread of this file that is joined so is joined once.
    assert_eq!(unsafe { libc::pthread_join(thread, &raw mut value) }, 0);
    value
}

fn name_of(thread: libc::pthread_t) -> String {
    let mut name = [0_u8; 16];
    // SAFETY: a local with so much room.
    assert_eq!(unsafe { pthread_getname_np(thread, name.as_mut_ptr().cast(), name.len()) }, 0);
    CStr::from_bytes_until_nul(&name).unwrap().to_str().unwrap().to_owned()
}

fn set_name(thread: libc::pthread_t, name: &CStr) -> c_int {
    // SAFETY: a C string.
    unsafe { pthread_setname_np(thread, name.as_ptr()) }
}

extern "C-unwind" fn rank_of_the_node(_: *mut c_void) -> *mut c_void {
    let rank = place::nodes().position(|node| node == place::here()).unwrap();
    ptr::without_provenance_mut(rank + 1)
}

/// Threads that do not begin as std's do run where they are started, whatever is asked for.
pub(crate) fn homes() -> String {
    for i in 0..cluster::size() {
        let found = cluster::spawn(i, move || {
            let there = place::on(cluster::nth(i + 1), || start(rank_of_the_node, ptr::null_mut()));
            join(there).addr()
        });
        assert_eq!(found.join().unwrap(), i + 1);
    }
    // A value comes back from wherever the thread is joined.
    for i in 0..cluster::size() {
        let made = cluster::spawn(i, || start(rank_of_the_node, ptr::null_mut())).join().unwrap();
        assert_eq!(join(made).addr(), i + 1);
    }
    format!("{} nodes", cluster::size())
}

extern "C-unwind" fn scheduled(_: *mut c_void) -> *mut c_void {
    // SAFETY: asks about the running thread.
    let policy = unsafe { libc::sched_getscheduler(0) };
    let mut cpus = core::mem::MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: the set is writable.
    unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), cpus.as_mut_ptr()) };
    // SAFETY: all-zero is a set, and the kernel has filled it.
    let cpus = unsafe { cpus.assume_init() };
    // SAFETY: counts bits.
    let count = unsafe { libc::CPU_COUNT(&cpus) };
    ptr::without_provenance_mut(policy as usize * 100_000 + count as usize)
}

/// What a thread's attributes ask for of the machine it gets, and the machine is its starter's.
pub(crate) fn scheduled_so() -> String {
    for i in 0..cluster::size() {
        let found = cluster::spawn(i, || {
            let mut attributes = core::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
            let attributes = attributes.as_mut_ptr();
            let mut cpus = core::mem::MaybeUninit::<libc::cpu_set_t>::zeroed();
            // SAFETY: asks for what the running thread may use; the set is writable.
            unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), cpus.as_mut_ptr()) };
            // SAFETY: all-zero is a set, and the kernel has filled it.
            let mut cpus = unsafe { cpus.assume_init() };
            let first = (0..1024).find(|&cpu| {
                // SAFETY: asks about a bit of a set.
                unsafe { libc::CPU_ISSET(cpu, &cpus) }
            });
            // SAFETY: clears the set.
            unsafe { libc::CPU_ZERO(&mut cpus) };
            // SAFETY: sets a bit of the set.
            unsafe { libc::CPU_SET(first.unwrap(), &mut cpus) };
            // SAFETY: initialises the attributes.
            unsafe { libc::pthread_attr_init(attributes) };
            // SAFETY: valid attributes and a set.
            unsafe { libc::pthread_attr_setaffinity_np(attributes, size_of_val(&cpus), &raw const cpus) };
            // SAFETY: valid attributes.
            unsafe { libc::pthread_attr_setinheritsched(attributes, libc::PTHREAD_EXPLICIT_SCHED) };
            // SAFETY: as above.
            unsafe { libc::pthread_attr_setschedpolicy(attributes, libc::SCHED_OTHER) };
            let mut made = 0;
            // SAFETY: the routine takes no argument.
            let error = unsafe { pthread_create(&raw mut made, attributes, scheduled, ptr::null_mut()) };
            assert_eq!(error, 0);
            // SAFETY: initialised above.
            unsafe { libc::pthread_attr_destroy(attributes) };
            join(made).addr()
        });
        assert_eq!(found.join().unwrap(), libc::SCHED_OTHER as usize * 100_000 + 1);
    }
    format!("{} threads", cluster::size())
}

extern "C-unwind" fn wait_for_ever(_: *mut c_void) -> *mut c_void {
    loop {
        // SAFETY: waits for a signal; a thread that is cancelled ends in it.
        unsafe { pause() };
    }
}

/// A thread is cancelled from the next node and joined from the one after that.
pub(crate) fn cancelled() -> String {
    for i in 0..cluster::size() {
        let thread = cluster::spawn(i, || start(wait_for_ever, ptr::null_mut())).join().unwrap();
        // SAFETY: it runs, and has nothing to drop.
        let error = cluster::spawn(i + 1, move || unsafe { libc::pthread_cancel(thread) });
        assert_eq!(error.join().unwrap(), 0);
        let value = cluster::spawn(i + 2, move || join(thread).addr() as isize).join().unwrap();
        assert_eq!(value, -1, "PTHREAD_CANCELED");
    }
    format!("{} threads", cluster::size())
}

/// Joins that do not wait for ever.
pub(crate) fn joined_in_time() -> String {
    let (go, wait) = mpsc::channel::<()>();
    let worker = place::on(cluster::last(), || thread::spawn(move || wait.recv().unwrap()));
    let thread = worker.into_pthread_t();
    // SAFETY: the thread runs.
    assert_eq!(unsafe { pthread_tryjoin_np(thread, ptr::null_mut()) }, libc::EBUSY);
    let past = libc::timespec { tv_sec: 1, tv_nsec: 0 };
    // SAFETY: as above, and a time.
    let error = unsafe { pthread_timedjoin_np(thread, ptr::null_mut(), &raw const past) };
    assert_eq!(error, libc::ETIMEDOUT);
    go.send(()).unwrap();
    let far = libc::timespec { tv_sec: i64::from(i32::MAX), tv_nsec: 0 };
    // SAFETY: the thread was not joined yet, and a time.
    let error = unsafe { pthread_timedjoin_np(thread, ptr::null_mut(), &raw const far) };
    assert_eq!(error, 0);
    String::from("1 thread")
}

static SIGNALS: AtomicU64 = AtomicU64::new(0);
static SIGNALLED: AtomicU64 = AtomicU64::new(0);

extern "C" fn note(_: c_int) {
    // SAFETY: the running thread's own identity.
    SIGNALLED.store(unsafe { libc::pthread_self() }, Ordering::SeqCst);
    SIGNALS.fetch_add(1, Ordering::SeqCst);
}

/// Signals that are sent to threads of std by their identities reach them where they are.
pub(crate) fn signalled() -> String {
    let mut nodes = Vec::new();
    for i in 0..2 * cluster::size() {
        let before = SIGNALS.load(Ordering::SeqCst);
        let (tell, told) = mpsc::channel();
        let worker = thread::spawn(move || {
            // SAFETY: the handler stores numbers. Handlers are a node's own.
            unsafe { libc::signal(libc::SIGUSR1, note as *const () as usize) };
            tell.send(place::here()).unwrap();
            while SIGNALS.load(Ordering::SeqCst) == before {
                thread::sleep(Duration::from_millis(1));
            }
        });
        nodes.push(told.recv().unwrap());
        let thread = worker.as_pthread_t();
        // SAFETY: the thread runs, for it waits for the signal.
        assert_eq!(cluster::spawn(i, move || unsafe { libc::pthread_kill(thread, 0) }).join().unwrap(), 0);
        // SAFETY: as above.
        assert_eq!(unsafe { libc::pthread_kill(thread, 10_000) }, libc::EINVAL);
        // SAFETY: as above; it handles the signal.
        assert_eq!(unsafe { libc::pthread_kill(thread, libc::SIGUSR1) }, 0);
        worker.join().unwrap();
        assert_eq!(SIGNALLED.load(Ordering::SeqCst), thread);
        assert_eq!(SIGNALS.load(Ordering::SeqCst), before + 1);
    }
    print_nodes(nodes);
    format!("{} signals", SIGNALS.load(Ordering::SeqCst))
}

fn blocks(signal: c_int) -> bool {
    let mut set = core::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the set is writable, and nothing changes.
    assert_eq!(unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), set.as_mut_ptr()) }, 0);
    // SAFETY: libc has filled it.
    unsafe { libc::sigismember(set.as_ptr(), signal) == 1 }
}

fn block(how: c_int, signal: c_int) {
    let mut set = core::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: initialises the set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: as above.
    unsafe { libc::sigaddset(set.as_mut_ptr(), signal) };
    // SAFETY: a valid set.
    assert_eq!(unsafe { libc::pthread_sigmask(how, set.as_ptr(), ptr::null_mut()) }, 0);
}

/// Signal masks and names are those of the starter; names are read and changed from anywhere.
pub(crate) fn named() -> String {
    static STARTED: AtomicUsize = AtomicUsize::new(0);
    // SAFETY: the running thread's own identity.
    assert_eq!(set_name(unsafe { libc::pthread_self() }, c"the starter"), 0);
    let mut nodes = Vec::new();
    for i in 0..2 * cluster::size() {
        let how = if i % 2 == 0 { libc::SIG_BLOCK } else { libc::SIG_UNBLOCK };
        block(how, libc::SIGUSR2);
        let (go, wait) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let builder = match i / 2 % 2 {
            0 => thread::Builder::new(),
            _ => thread::Builder::new().name(format!("worker {i} with a long name")),
        };
        let given = builder
            .spawn(move || {
                tell.send(place::here()).unwrap();
                wait.recv().unwrap();
                // SAFETY: the running thread's own identity.
                (name_of(unsafe { libc::pthread_self() }), blocks(libc::SIGUSR2))
            })
            .unwrap();
        nodes.push(told.recv().unwrap());
        STARTED.fetch_add(1, Ordering::Relaxed);
        let worker = given.as_pthread_t();
        let expected = if i / 2 % 2 == 0 {
            String::from("the starter")
        } else {
            format!("worker {i} with a long name")[..15].to_owned()
        };
        assert_eq!(name_of(worker), expected);
        assert_eq!(cluster::spawn(i, move || set_name(worker, c"renamed")).join().unwrap(), 0);
        assert_eq!(set_name(worker, c"longer than fifteen"), libc::ERANGE);
        let mut short = [0_u8; 8];
        // SAFETY: a local with so much room.
        let error = unsafe { pthread_getname_np(worker, short.as_mut_ptr().cast(), short.len()) };
        assert_eq!(error, libc::ERANGE);
        go.send(()).unwrap();
        assert_eq!(given.join().unwrap(), (String::from("renamed"), i % 2 == 0));
    }
    block(libc::SIG_UNBLOCK, libc::SIGUSR2);
    print_nodes(nodes);
    format!("{} threads", STARTED.load(Ordering::Relaxed))
}

/// What is of one machine is not asked of another node's thread: the last node asks for the clock of one of node 0.
pub(crate) fn clock() -> String {
    let (go, wait) = mpsc::channel::<()>();
    let (begin, begun) = mpsc::channel();
    let worker = place::on(place::here(), || {
        thread::spawn(move || {
            begin.send(()).unwrap();
            wait.recv().unwrap();
        })
    });
    // From here on the node knows where the thread's locals lie.
    begun.recv().unwrap();
    let thread = worker.as_pthread_t();
    println!("address {thread:#x}");
    let asks = cluster::spawn(cluster::size() - 1, move || {
        let mut clock = 0;
        // SAFETY: the thread runs, and the number is writable.
        unsafe { libc::pthread_getcpuclockid(thread, &raw mut clock) }
    });
    println!("went on with {}", asks.join().unwrap());
    go.send(()).unwrap();
    worker.join().unwrap();
    String::new()
}
