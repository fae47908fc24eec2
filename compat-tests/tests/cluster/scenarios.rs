//! Every scenario: on two nodes over TCP, on three over shared memory, in a coherence domain, and without a launcher.

use std::collections::BTreeSet;

use crate::harness::{BIG_TLS, SCENARIOS, alone, direct, launch, program, scenario};

macro_rules! scenarios {
    ($($name:ident)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];
        $(
            mod $name {
                use super::*;

                #[test]
                fn on_2_nodes() {
                    scenario(2, stringify!($name)).finish().ok(stringify!($name));
                }

                #[test]
                fn on_3_nodes() {
                    scenario(3, stringify!($name)).finish().ok(stringify!($name));
                }

                #[test]
                fn in_a_domain_of_3() {
                    direct(3, stringify!($name)).finish().ok(stringify!($name));
                }
            }
        )*
    };
}

scenarios! {
    reads_collections reads_moved reads_dyn
    arc_mutex arc_atomic rwlock word_map once barrier condvar wait_timeout park park_timeout
    mpsc_strings mpsc_boxes sync_channel disconnect
    slice_64mib foreign_stream main_locals nested_scopes
    statics_program statics_third statics_big statics_apart turns_together turns_apart
    false_sharing two_pages three_parties foreign_drops drop_glue grow
    println_order print_partial print_locked
    panic_payloads panic_poison panic_unwinds panic_scope
    thread_ids thread_names thread_local_drop thread_many thread_deep thread_once placement
    handles_elsewhere handles_dropped sizes
    parallelism environment environment_changed environment_by_c
    file_buffers socket_buffers command command_forked
    litmus_sb litmus_mp litmus_iriw litmus_cas random_atomics
    crossbeam serde_json
    fresh_neighbours fresh_read_ahead stack_guards stack_sizes
    pthread_exit shared_futex futex_beside_waiters forked_exit large_foreign_drops directory_race foreign_directory
    shipped_accept shipped_accept_64 shipped_listener shipped_unix_pair shipped_unix_listener
    shipped_timeouts shipped_errors shipped_udp
    shipped_append shipped_file_calls shipped_large_buffers shipped_pipes shipped_copies
    shipped_counted shipped_polled shipped_passed_on
    shipped_place shipped_nonblocking shipped_again
    fork_snapshot fork_away fork_lent_stack fork_busy fork_in_libc fork_commands fork_terminal
    detached connections
    thread_memory lent_counter lent_waits lent_short_lives lent_detached lent_large lent_owned lent_destructor lent_forked
    lent_quiet
    parking_lot_mutex parking_lot_rwlock parking_lot_condvar parking_lot_timeouts
    rayon_at_home rayon_spread
    spread_joins spread_scopes spread_detached spread_handles spread_trees spread_kept
    spread_counted spread_homes spread_scheduled_so spread_cancelled spread_joined_in_time spread_signalled spread_named
    spread_forked spread_left spread_parked spread_sized spread_panics
    spread_rayon spread_threadpool spread_deque spread_epochs spread_crossbeam_scopes spread_channels spread_maps spread_locks
    memory_returns memory_reused
    passed_memory signal_handlers
}

#[test]
fn the_tests_name_all_scenarios() {
    let listed = alone(SCENARIOS, ["list"]).finish().with_code(0);
    assert_eq!(listed.stdout.lines().collect::<BTreeSet<_>>(), NAMES.iter().copied().collect());
}

#[test]
fn a_program_without_a_launcher_is_one_node() {
    for name in NAMES {
        alone(SCENARIOS, [*name]).finish().ok(name);
    }
}

#[test]
fn a_launched_program_may_have_one_node() {
    for name in ["reads_dyn", "condvar", "statics_program", "panic_payloads", "thread_ids"] {
        scenario(1, name).finish().ok(name);
    }
}

#[test]
fn a_program_with_large_thread_locals_starts() {
    let nothing: [&str; 0] = [];
    alone(BIG_TLS, nothing).finish().ok("bigtls");
    for nodes in [1, 2, 3] {
        program(nodes, BIG_TLS, nothing).finish().ok("bigtls");
        launch(["-n", &nodes.to_string()], [BIG_TLS]).finish().ok("bigtls");
    }
}

#[test]
fn a_node_without_addresses_gets_no_more_mappings() {
    for nodes in [2, 3] {
        scenario(nodes, "mappings_exhausted").finish().ok("mappings_exhausted");
    }
}
