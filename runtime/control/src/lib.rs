//! What the launcher and the nodes of a dstd program say to each other.
//!
//! ```text
//! launcher                                       node k
//!   listener, secret, statistics block
//!   ------- environment, inherited descriptors ------->   env
//!   <------ challenge-response, both directions ------>   secret
//!   <------------------- Hello -----------------------    rendezvous
//!   -------------------- Peers ---------------------->
//!                         nodes connect to each other     mesh (challenge-response again)
//!   <------------------- Ready -----------------------
//!   -------------------- Start ---------------------->
//!   <~~~~~~~~~~~ counters, last words ~~~~~~~~~~~~~~~~    stats (shared memory)
//! ```
//!
//! Nothing a peer sends is parsed before it has proved that it knows the secret. Every wait is
//! bounded. The node's half starts no thread: it runs before `main`.

mod duration;
pub mod env;
pub mod exit;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod mesh;
mod poll;
pub mod ports;
pub mod rendezvous;
pub mod secret;
pub mod stats;
mod wire;

pub use duration::{DURATION_MAX, ParseDurationError, parse_duration};
