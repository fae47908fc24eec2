//! Small programs in std's words, each with exact expectations: `scenarios NAME` runs one.
//!
//! On success the last line of stdout is `ok NAME`, with what was seen. The same source is
//! built against real std, where it must pass as well. `scenarios list` prints the names of
//! those that mean something on any number of nodes.
#![deny(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a scenario that meets an error has failed and may panic")]

mod apart;
mod borrows;
mod bounded;
mod c_library;
mod channels;
mod cluster;
mod connections;
#[path = "../contended.rs"]
mod contended;
mod contention;
mod descriptors;
mod drops;
mod endings;
mod environment;
mod everyday;
mod files;
mod foreign_crates;
mod foreign_locks;
mod foreign_pools;
mod forks;
mod fresh;
mod handles;
mod lent;
mod litmus;
mod locks;
mod mappings;
mod memory;
mod output;
mod panics;
mod parking;
mod passed;
mod random;
mod reads;
mod shipped_files;
mod shipped_messages;
mod shipped_sockets;
mod shipped_state;
mod signals;
mod spread;
mod spread_c;
mod spread_crates;
mod spread_ends;
mod stacks;
mod statics;
mod stops;
mod third;
mod thread_memory;
mod threads;
mod waiting;

use std::process::ExitCode;

/// What a scenario does; the text says what it saw.
type Run = fn() -> String;

/// Scenarios that pass on any number of nodes.
const SCENARIOS: &[(&str, Run)] = &[
    ("reads_collections", reads::collections),
    ("reads_moved", reads::moved),
    ("reads_dyn", reads::dyn_traits),
    ("arc_mutex", locks::arc_mutex),
    ("arc_atomic", locks::arc_atomic),
    ("rwlock", locks::rwlock),
    ("word_map", locks::word_map),
    ("once", locks::once),
    ("barrier", waiting::barrier),
    ("condvar", waiting::condvar),
    ("wait_timeout", waiting::wait_timeout),
    ("park", parking::park),
    ("park_timeout", parking::park_timeout),
    ("mpsc_strings", channels::strings),
    ("mpsc_boxes", channels::boxes),
    ("sync_channel", channels::bounded),
    ("disconnect", channels::disconnect),
    ("slice_64mib", borrows::slice_64mib),
    ("foreign_stream", bounded::foreign_stream),
    ("main_locals", borrows::main_locals),
    ("nested_scopes", borrows::nested_scopes),
    ("statics_program", statics::program),
    ("statics_third", statics::third_crate),
    ("statics_big", statics::big),
    ("turns_together", apart::turns_together),
    ("turns_apart", apart::turns_apart),
    ("statics_apart", apart::statics_apart),
    ("false_sharing", contention::false_sharing),
    ("two_pages", contention::two_pages),
    ("three_parties", third::parties),
    ("foreign_drops", drops::foreign_drops),
    ("drop_glue", drops::drop_glue),
    ("grow", drops::grow),
    ("println_order", output::println_order),
    ("print_partial", output::print_partial),
    ("print_locked", output::print_locked),
    ("panic_payloads", panics::payloads),
    ("panic_poison", panics::poison),
    ("panic_unwinds", panics::unwinds),
    ("panic_scope", panics::in_scope),
    ("thread_ids", threads::ids),
    ("thread_names", threads::names),
    ("thread_local_drop", threads::local_destructors),
    ("thread_many", threads::many),
    ("thread_deep", threads::deep_recursion),
    ("thread_once", threads::at_most_once),
    ("handles_elsewhere", handles::elsewhere),
    ("handles_dropped", handles::dropped),
    ("sizes", handles::sizes),
    ("placement", threads::placement),
    ("parallelism", threads::parallelism),
    ("environment", environment::equal),
    ("environment_changed", environment::changed),
    ("environment_by_c", environment::changed_by_c),
    ("file_buffers", files::file_buffers),
    ("socket_buffers", files::socket_buffers),
    ("command", files::command),
    ("command_forked", files::command_forked),
    ("litmus_sb", litmus::store_buffering),
    ("litmus_mp", litmus::message_passing),
    ("litmus_iriw", litmus::independent_reads),
    ("litmus_cas", litmus::compare_and_swap),
    ("random_atomics", random::atomics),
    ("crossbeam", foreign_crates::crossbeam),
    ("serde_json", foreign_crates::json),
    ("fresh_neighbours", fresh::neighbours),
    ("fresh_read_ahead", fresh::read_ahead),
    ("stack_guards", stacks::beside_guards),
    ("stack_sizes", stacks::absurd_sizes),
    ("pthread_exit", c_library::thread_exit),
    ("shared_futex", c_library::shared_futex),
    ("futex_beside_waiters", c_library::futex_beside_waiters),
    ("forked_exit", c_library::forked_exit),
    ("fork_snapshot", forks::snapshot),
    ("fork_away", forks::away),
    ("fork_lent_stack", forks::lent_stack),
    ("fork_busy", forks::busy),
    ("fork_in_libc", forks::in_libc),
    ("fork_commands", forks::commands),
    ("fork_terminal", forks::terminal),
    ("large_foreign_drops", drops::large_foreign_drops),
    ("directory_race", environment::directory_race),
    ("foreign_directory", descriptors::foreign_directory),
    ("shipped_accept", shipped_sockets::accept_loop),
    ("shipped_accept_64", shipped_sockets::accept_64),
    ("shipped_listener", shipped_sockets::listener_moved),
    ("shipped_unix_pair", shipped_sockets::unix_pair),
    ("shipped_unix_listener", shipped_sockets::unix_listener),
    ("shipped_timeouts", shipped_sockets::timeouts),
    ("shipped_errors", shipped_sockets::error_kinds),
    ("shipped_udp", shipped_sockets::udp),
    ("shipped_append", shipped_files::append),
    ("shipped_file_calls", shipped_files::file_calls),
    ("shipped_large_buffers", shipped_files::large_buffers),
    ("shipped_pipes", shipped_files::pipes),
    ("shipped_copies", shipped_files::copies),
    ("shipped_counted", shipped_files::counted),
    ("shipped_passed_on", shipped_messages::passed_on),
    ("shipped_polled", shipped_files::polled),
    ("shipped_place", shipped_state::one_place),
    ("shipped_nonblocking", shipped_state::nonblocking),
    ("shipped_again", shipped_state::numbers_again),
    ("detached", endings::detached),
    ("connections", connections::connections),
    ("thread_memory", thread_memory::reused),
    ("lent_counter", lent::counter),
    ("lent_waits", lent::waits),
    ("lent_short_lives", lent::short_lives),
    ("lent_detached", lent::detached),
    ("lent_large", lent::large),
    ("lent_owned", lent::owned),
    ("lent_destructor", lent::destructor),
    ("lent_forked", lent::forked),
    ("lent_quiet", lent::quiet),
    ("parking_lot_mutex", foreign_locks::mutex),
    ("parking_lot_rwlock", foreign_locks::rwlock),
    ("parking_lot_condvar", foreign_locks::condvar),
    ("parking_lot_timeouts", foreign_locks::timeouts),
    ("rayon_at_home", foreign_pools::at_home),
    ("rayon_spread", foreign_pools::spread),
    ("spread_joins", spread::joins),
    ("spread_scopes", spread::scopes),
    ("spread_detached", spread::detached),
    ("spread_handles", spread::handles),
    ("spread_trees", spread::trees),
    ("spread_kept", spread::kept),
    ("spread_counted", spread::counted),
    ("spread_homes", spread_c::homes),
    ("spread_scheduled_so", spread_c::scheduled_so),
    ("spread_cancelled", spread_c::cancelled),
    ("spread_joined_in_time", spread_c::joined_in_time),
    ("spread_signalled", spread_c::signalled),
    ("spread_named", spread_c::named),
    ("spread_forked", spread_ends::forked),
    ("spread_left", spread_ends::left),
    ("spread_parked", spread_ends::parked),
    ("spread_sized", spread_ends::sized),
    ("spread_panics", spread_ends::panics),
    ("spread_rayon", spread_crates::rayon),
    ("spread_threadpool", spread_crates::threadpool),
    ("spread_deque", spread_crates::deque),
    ("spread_epochs", spread_crates::epochs),
    ("spread_crossbeam_scopes", spread_crates::crossbeam_scopes),
    ("spread_channels", spread_crates::channels),
    ("spread_maps", spread_crates::maps),
    ("spread_locks", spread_crates::locks),
    ("memory_returns", memory::returned),
    ("memory_reused", memory::reused),
    ("passed_memory", passed::beside_writers),
    ("signal_handlers", signals::handlers),
];

/// Scenarios whose point is how the program ends, or that need a launcher.
const ENDINGS: &[(&str, Run)] = &[
    ("exit_last", endings::exit_on_last_node),
    ("exit_first", endings::exit_beside_main),
    ("exit_panic", endings::panic_in_main),
    ("exit_abort", endings::abort_on_last_node),
    ("run_on", endings::run_on),
    ("spread_clock", spread_c::clock),
    ("spread_exit", spread_ends::exit),
    ("spread_run_on", spread_ends::run_on),
    ("spread_used_after", spread_ends::used_after),
    ("fork_striped", forks::striped),
    ("fork_orphan", forks::orphan),
    ("fork_daemon", forks::daemon),
    ("fork_by_clone", forks::by_clone),
    ("signals_handled", everyday::handled),
    ("idle", everyday::idle),
    ("shared_stdin", everyday::shared_stdin),
    ("libc_thread_local", stops::libc_thread_local),
    ("native_stack", stops::native_stack),
    ("dead_thread_local", stops::dead_thread_local),
    ("overflow_last", signals::overflow_on_last_node),
    ("overflow_main", signals::overflow_in_main),
    ("own_handler", signals::own_handler),
    ("private_mapping", stops::private_mapping),
    ("isolated_pages", stops::isolated_pages),
    ("mapped_file", stops::mapped_file),
    ("foreign_file", descriptors::foreign_file),
    ("shipped_for_ever", shipped_state::never_done),
    ("blocked_at_the_end", shipped_files::blocked_at_the_end),
    ("given_to_a_child", descriptors::given_to_a_child),
    ("pinned", descriptors::pinned),
    ("runtimes_own", descriptors::runtimes_own),
    ("c_streams", c_library::streams),
    ("neighbours", contention::neighbours),
    ("small_neighbours", contention::small_neighbours),
    ("large_neighbours", contention::large_neighbours),
    ("static_neighbours", contention::static_neighbours),
    ("run_contended", contention::run_on),
    ("mappings_exhausted", mappings::exhausted),
    ("idle_frees", memory::idle_frees),
    ("small_returned", memory::small_returned),
    ("striped_sort", memory::striped_sort),
    ("striped_grow", memory::striped_grow),
    ("striped_after_frees", memory::striped_after_frees),
];

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    if name == "list" {
        SCENARIOS.iter().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    }
    if name == "exit_code" {
        println!("ok exit_code {}", endings::code_of_main());
        return ExitCode::from(5);
    }
    let Some((name, run)) = SCENARIOS.iter().chain(ENDINGS).find(|(known, _)| *known == name) else {
        eprintln!("no scenario is called {name:?}: `scenarios list` prints the names");
        return ExitCode::from(2);
    };
    let seen = run();
    println!("ok {name} {seen}");
    ExitCode::SUCCESS
}
