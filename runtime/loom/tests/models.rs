//! All models.

use dstd_loom::{heap, node, page, ship, shm, waiting};

macro_rules! models {
    ($($name:ident: $model:path;)*) => {
        $(#[test]
        fn $name() {
            $model();
        })*
    };
}

models! {
    a_block_is_on_the_stack_or_in_one_hand: heap::stack;
    one_thread_holds_the_lock: heap::lock;
    a_page_is_in_one_run: heap::runs;
    a_page_is_in_one_run_where_nobody_waits: heap::runs_impatient;
    every_request_reaches_the_engine_and_wakes_it: node::queue;
    an_answer_wakes_who_waits_for_it: waiting::wait;
    work_wakes_who_waits_for_it: ship::hand_over;
    work_is_done_once_by_those_who_give_up: ship::give_up;
    a_thread_that_faults_goes_on_when_its_page_is_there: page::arrivals;
    a_ring_of_one_slot_loses_nothing: shm::ring;
    bulk_is_not_overwritten_before_it_is_read: shm::bulk;
    what_was_written_before_leaving_is_read: shm::leaving;
}
