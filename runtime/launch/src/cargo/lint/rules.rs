//! Names, and what is said of them. The words are those of compat-tests/GAPS.md, shorter.

/// A lint.
pub(crate) struct Lint {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it is about.
    pub(crate) about: &'static str,
}

/// All lints.
pub(crate) const LINTS: &[Lint] = &[
    Lint { name: "std_import", about: "threads of std, which stay on their node: swap the path" },
    Lint { name: "foreign_threads", about: "a crate that starts threads by itself" },
    Lint { name: "instant", about: "an Instant that nodes on several hosts may compare" },
    Lint { name: "node_identity", about: "ids and files of a process, which a node has of its own" },
    Lint { name: "node_state", about: "state of std or of a C library, which every node has of its own" },
    Lint { name: "node_mapping", about: "memory that a node maps by itself" },
    Lint { name: "node_descriptor", about: "calls that do not reach another node's descriptor" },
    Lint { name: "pinned_buffer", about: "buffers that the kernel pins" },
    Lint { name: "own_allocator", about: "an allocator of the program's own" },
];

/// Names that a lint looks for.
pub(super) struct Rule {
    pub(super) lint: &'static str,
    /// Whole paths; `*` at the end stands for any rest, also of a name.
    pub(super) names: &'static [&'static str],
    pub(super) words: &'static str,
    pub(super) help: &'static str,
}

pub(super) const RULES: &[Rule] = &[
    Rule {
        lint: "node_identity",
        names: &[
            "std::process::id",
            "std::os::unix::process::parent_id",
            "libc::getpid",
            "libc::getppid",
            "libc::gettid",
        ],
        words: "is the node's own: every node is a process",
        help: "to tell nodes apart use `place::here()`",
    },
    Rule {
        lint: "node_state",
        names: &["std::panic::set_hook", "std::panic::take_hook"],
        words: "changes the panic hook of the calling node only",
        help: "set it on each node: `for node in place::nodes() { place::call(node, set) }`",
    },
    Rule {
        lint: "node_state",
        names: &[
            "libc::setlocale",
            "libc::signal",
            "libc::sigaction",
            "signal_hook::*",
            "ctrlc::set_handler",
        ],
        words: "changes what the calling node does; other nodes have their own",
        help: "call it in `main`: node 0 gets the launcher's signals; a handler must not allocate or wake threads",
    },
    Rule {
        lint: "node_mapping",
        names: &["libc::mmap*", "memmap2::*", "memmap::*", "nix::sys::mman::mmap*", "rustix::mm::mmap*"],
        words: "maps memory of this node: a touch from another node ends the program (72)",
        help: "keep it to threads of one node, or copy it into a `Vec`",
    },
    Rule {
        lint: "node_descriptor",
        names: &[
            "libc::epoll_*",
            "mio::*",
            "polling::*",
            "nix::sys::epoll::*",
            "libc::F_SETLK",
            "libc::F_SETLKW",
            "libc::F_GETLK",
            "libc::recvmmsg",
            "libc::timerfd_settime",
            "libc::fdopen",
            "libc::SCM_RIGHTS",
            "libc::select",
            "libc::poll",
            "libc::ppoll",
        ],
        words: "works on descriptors of the calling node only: another node's give `EBADF`",
        help: "use it on the node that opened them: `place::spawn_on(node, ..)`",
    },
    Rule {
        lint: "pinned_buffer",
        names: &[
            "libc::O_DIRECT",
            "io_uring::*",
            "libc::vmsplice",
            "libc::process_vm_readv",
            "libc::process_vm_writev",
            "libc::SO_ZEROCOPY",
            "libc::MSG_ZEROCOPY",
        ],
        words: "lets the kernel pin memory, which cannot move to another node meanwhile",
        help: "with `--no-direct` and on several hosts it fails with an error: have another way",
    },
];

/// Crates that start threads by themselves, and what of them to convert; nothing, where the threads wait for
/// descriptors of their node.
pub(super) const THREADS: &[(&str, Option<&str>)] = &[
    ("rayon", Some("rayon-core")),
    ("rayon_core", Some("rayon-core")),
    ("threadpool", Some("threadpool")),
    ("scoped_threadpool", Some("scoped_threadpool")),
    ("crossbeam::thread", Some("crossbeam-utils")),
    ("crossbeam::scope", Some("crossbeam-utils")),
    ("crossbeam_utils::thread", Some("crossbeam-utils")),
    ("tokio", None),
    ("async_std", None),
    ("smol", None),
    ("futures::executor::ThreadPool", Some("futures-executor")),
    ("futures_executor::ThreadPool", Some("futures-executor")),
];

/// Files that are another for every process.
pub(super) const OF_A_PROCESS: &str = "/proc/self";
