//! The page engine: single writer or many readers for every 4 KiB page, decided at its home.
//!
//! The home of a page holds its *directory* entry: `Exclusive(k)` or `Shared(set)`, born
//! `Exclusive(home)`. A node that touches a page it has no right to asks the home; the home
//! serves one request per page at a time, in the order of arrival.
//!
//! | directory | read by r | write by r |
//! |---|---|---|
//! | `Exclusive(home)` | protect own copy, grant: `Shared{home, r}` | protect, grant, unmap: `Exclusive(r)` |
//! | `Exclusive(k)` | k passes it to r and home, keeps a read-only copy: `Shared{home, k, r}` | k passes it to r, keeps nothing: `Exclusive(r)` |
//! | `Shared(set)` | grant: `Shared(set + r)` | invalidate all but r and home, take own copy, grant (without bytes if r is in the set): `Exclusive(r)` |
//!
//! `Shared` always contains the home: whenever a page is shared, the home has its bytes. When the
//! home is itself r, k gives the page back to it.
//!
//! # Why a grant needs no acknowledgement
//! PAGE-3 asks that a page stays busy until the requester has installed it. Messages from the
//! home to one node arrive in the order in which they were sent (XPORT-1), and a node installs
//! a grant in the very step that receives it. So a `PageFetch` or `PageInvalidate` that the
//! home sends after a grant finds the page installed: the channel itself keeps the page busy.
//! The other direction: a node answers a revocation in the order of its own sends, it never
//! gives a page up silently, and it has at most one request under way for a page. Hence the
//! directory never names less than what a node holds, a requester never is in the directory
//! for what it asks (a sharer that asks to write apart), no request needs to be refused and
//! none crosses a grant of the same page. The models in `tests/` check this.
//!
//! What k passes to r does not come by that channel; there r says that it has installed the
//! page, and the home waits for that (see `pass`).
//!
//! # Evictions (PAGE-3)
//! A node that holds more foreign pages than `copies_max` gives up those that came first:
//! `PageEvict`, with the bytes if it could write. The home installs them in the very step that
//! receives them. A `PageFetch`, `PageInvalidate` or `PageDiscard` that crosses an eviction is
//! answered by it: the home, which waits for an answer of that node, takes the eviction for it;
//! the node, which finds the page given up, stays silent. It can be sure that the two crossed,
//! as a revocation that comes after the next grant finds the page installed. A page with a
//! request under way (an upgrade) is not evicted, so the home's answer fits what the node has.
//!
//! # Discards
//! The home takes pages back without their bytes: `PageDiscard` to whoever has copies, and when
//! all have answered the page is `Exclusive(home)`, fresh and full of zeros. A page under
//! discard is busy: read-ahead leaves it out, requests wait. So a discard is an atomic store of
//! zeros by the home, whoever touches the page meanwhile.
//!
//! # Minimum residence (PAGE-2)
//! A page that a fault brought in or upgraded is not given away before `residence_ns` have
//! passed, at the home as little as elsewhere, so that the faulting instruction retires. Only
//! the answer to `PageFetch` and `PageInvalidate` and the taking of the home's own copy wait;
//! a message with a body is used up in the step that receives it. Waiting actions are carried
//! out by `Input::Tick`.
//!
//! An instruction that needs several contended pages progresses too, and so does one whose
//! thread runs late: a page that the home wants stays longer while the thread that it came for
//! waits for a page above it, or has not run since. `progress` says how long.
//!
//! # Read-ahead
//! A node that faults along consecutive pages, or in steps of a few pages, asks for more of them at
//! once, and then has several requests under way (see `stream`). Each is like any other. The home
//! grants the first page and those that follow as long as it needs nobody else for them; the node
//! gives the ungranted rest up and asks again for the pages its threads touched meanwhile. What
//! the home needs others for it takes back in ranges, for its own threads too (see `ahead`).
//! A revocation names a range; its parts may be answered apart, as residences end.

mod ahead;
mod copies;
mod counters;
mod directory;
mod discard;
mod engine;
mod evict;
mod home;
mod io;
mod pass;
mod progress;
mod residence;
mod runs;
mod stream;
mod table;
mod toucher;
mod violation;

pub use counters::Counters;
pub use directory::Directory;
pub use engine::PageEngine;
pub use io::{Body, Config, Input, Output};
pub use table::Local;
pub use violation::Violation;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_ahead;
#[cfg(test)]
mod tests_give_up;
#[cfg(test)]
mod tests_pass;
#[cfg(test)]
mod tests_steps;
