//! What a transport must do, as tests that any transport can be put through.
//!
//! A transport is introduced by a [`Fabric`] that makes connected nodes. Three macros make tests
//! of it: [`conformance_suite!`](crate::conformance_suite) for every transport,
//! [`conformance_stream_suite!`](crate::conformance_stream_suite) for those made of byte streams,
//! where the suite plays a broken peer by hand, and
//! [`conformance_descriptor_suite!`](crate::conformance_descriptor_suite) for those one can sleep on.
//!
//! Every frame of the suite carries a number and a body that follows from it, so every test checks
//! order (XPORT-1), completeness (XPORT-2), content and alignment, whatever else it is about.
//! Nothing depends on time: a test that waits for something in vain fails after a number of rounds.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod basic;
#[cfg(test)]
mod canary;
mod closing;
mod end;
mod pressure;
mod random;
mod streams;

pub use basic::*;
pub use closing::*;
pub use pressure::*;
pub use random::*;
pub use streams::*;

use crate::mesh::Wire;
use crate::{Limits, Transport};

/// Makes connected nodes of the transport under test.
pub trait Fabric {
    /// One node's end.
    type Node: Transport + Send;

    /// `nodes` nodes, all connected with each other, in the order of their ranks.
    fn mesh(&self, nodes: u16, limits: Limits) -> Vec<Self::Node>;

    /// How much traffic the tests should make.
    fn scale(&self) -> Scale {
        Scale::default()
    }
}

/// A fabric whose nodes read frames from byte streams.
pub trait StreamFabric: Fabric {
    /// The other end of a stream.
    type Raw: Wire;

    /// Node 0 of two; node 1 is played by hand, byte by byte.
    fn raw(&self, limits: Limits) -> (Self::Node, Self::Raw);
}

/// How much traffic a test makes.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// The largest body.
    pub body_bytes_max: u32,
    /// Bytes in each direction where a test is about many bytes.
    pub bulk_bytes: usize,
    /// Frames to each peer where a test is about many frames.
    pub frames: u64,
}

impl Default for Scale {
    fn default() -> Scale {
        Scale { body_bytes_max: 2 << 20, bulk_bytes: 64 << 20, frames: 5000 }
    }
}

impl Scale {
    /// Limits that are reached soon.
    fn limits(&self) -> Limits {
        let body_bytes_max = self.body_bytes_max;
        Limits { body_bytes_max, queue_bytes_soft: 64 << 10, queue_bytes_max: 4 * self.bulk_bytes }
    }
}

/// Tests that every transport must pass: `conformance_suite!(name_of_module, fabric)`.
#[macro_export]
macro_rules! conformance_suite {
    ($name:ident, $fabric:expr) => {
        $crate::conformance_tests!(
            $name,
            $fabric,
            [
                frames_of_every_pair_arrive_in_order,
                bodies_of_every_size_arrive_whole,
                a_body_may_come_in_any_slices,
                more_peers_than_are_read_in_turn,
                a_sink_can_answer_at_once,
                a_poll_does_a_bounded_amount_of_work,
                a_busy_peer_does_not_starve_another,
                small_frames_wait_for_the_flush,
                misuse_panics,
                a_peer_that_does_not_read_becomes_congested_and_recovers,
                two_nodes_that_send_at_once_do_not_block_each_other,
                two_threads_that_send_at_once_do_not_block_each_other,
                a_queue_beyond_its_bound_loses_only_that_peer,
                a_peer_that_leaves_is_reported_once_after_its_frames,
                a_peer_that_leaves_without_reading_is_lost,
                frames_sent_before_a_loss_still_arrive,
                nobody_is_there_at_unknown_ranks,
                random_traffic_loses_nothing
            ]
        );
    };
}

/// Tests of what a broken peer can do to a byte stream:
/// `conformance_stream_suite!(name_of_module, fabric)`.
#[macro_export]
macro_rules! conformance_stream_suite {
    ($name:ident, $fabric:expr) => {
        $crate::conformance_tests!(
            $name,
            $fabric,
            [
                a_stream_that_ends_inside_a_frame_is_not_clean,
                a_body_beyond_the_limit_closes_the_peer,
                frames_before_a_malformed_one_arrive
            ]
        );
    };
}

/// Tests of sleeping on a transport's descriptors:
/// `conformance_descriptor_suite!(name_of_module, fabric)`.
#[macro_export]
macro_rules! conformance_descriptor_suite {
    ($name:ident, $fabric:expr) => {
        $crate::conformance_tests!(
            $name,
            $fabric,
            [
                a_frame_wakes_a_sleeper,
                room_for_queued_bytes_wakes_a_sleeper,
                a_peer_that_leaves_wakes_a_sleeper
            ]
        );
    };
}

/// One test function for each name, called with the fabric.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    ($name:ident, $fabric:expr, [$($test:ident),*]) => {
        mod $name {
            #[allow(unused_imports, reason = "what the expression for the fabric needs")]
            use super::*;
            $(
                #[test]
                fn $test() {
                    $crate::conformance::$test(&$fabric);
                }
            )*
        }
    };
}
