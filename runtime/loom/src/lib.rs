//! Models of the lock-free parts. `cargo xtask loom` tries every order of their threads. The tests of the workspace,
//! `cargo xtask sanitize` and `cargo xtask miri` run them with real threads.
//!
//! The files under test are compiled here as they are, with other atomics: each takes them from its crate's
//! `primitive`, and here that is [`primitive`]. What they stand on is replaced: memory (`arena`,
//! `region`), the kernel's futexes and eventfds (`raw`), sockets (`bell`).
//!
//! | file | model | what it would show |
//! |---|---|---|
//! | `heap/src/stack.rs` | [`heap::stack`] | a block in two hands, a lost block, contents not handed over |
//! | `heap/src/lock.rs` | [`heap::lock`] | two holders |
//! | `heap/src/runs.rs` | [`heap::runs`], [`heap::runs_impatient`] | HEAP-3: a page in two hands; pages lost |
//! | `src/node/queue.rs` | [`node::queue`] | a lost wake-up, a lost or reordered request |
//! | `src/wait.rs` | [`waiting::wait`] | a lost wake-up, a value that comes after its state |
//! | `src/ship/idle.rs` | [`ship::hand_over`], [`ship::give_up`] | SHIP-2: work that is done twice or never; a lost wake-up |
//! | `src/page/segv/arrivals.rs` | [`page::arrivals`] | a lost wake-up, a node used after its thread has gone on |
//! | `transport/src/shm/{door,link,sender,receiver}.rs` | [`shm::ring`], [`shm::bulk`], [`shm::leaving`] | a lost wake-up, bytes overwritten or read too early |
//!
//! `tests/canaries.rs` breaks atomics and fences and expects each model to notice. `tests/limits.rs` shows what
//! loom cannot.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "of files that are compiled elsewhere, a part is modelled"
)]

mod arena;
mod evidence;
pub mod heap;
#[path = "../../heap/src/lock.rs"]
mod lock;
pub mod node;
pub mod page;
pub mod primitive;
mod raw;
#[path = "../../heap/src/runs.rs"]
mod runs;
pub mod ship;
pub mod shm;
#[path = "../../heap/src/stack.rs"]
mod stack;
mod threads;
#[path = "../../src/wait.rs"]
mod wait;
pub mod waiting;
