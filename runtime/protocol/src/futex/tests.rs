//! Tables of the futex engine: node 0 is the home of `A`, nodes 1 and 2 wait for it.

use super::*;

const NODES: u16 = 3;
const ANY: u32 = u32::MAX;

fn layout() -> Layout {
    Layout::new(NODES, [0..0, 0..0])
}

fn addr_at(node: u16) -> GlobalAddr {
    GlobalAddr(Layout::heap(NodeId(node)).start + 64)
}

fn engine(rank: u16) -> FutexEngine {
    FutexEngine::new(NodeId(rank), layout())
}

fn ok(engine: &mut FutexEngine, input: Input) -> Vec<Output> {
    let mut out = Vec::new();
    engine.step(input, &mut out).expect("the engine accepts the input");
    out
}

/// The engine refuses `input`, appends nothing and stays what it was.
fn refused(engine: &mut FutexEngine, input: Input) -> Violation {
    let before = engine.clone();
    let mut out = Vec::new();
    let violation = engine.step(input, &mut out).expect_err("the engine refuses the input");
    assert_eq!((&*engine, &out), (&before, &Vec::new()));
    violation
}

fn hears(from: u16, message: Message) -> Input {
    Input::Message { from: NodeId(from), message }
}

fn says(to: u16, message: Message) -> Output {
    Output::Send { to: NodeId(to), message }
}

fn wait(token: u64) -> Message {
    Message::FutexWait { addr: addr_at(0), token, bitset: ANY }
}

fn wake(token: u64, count: u32) -> Message {
    Message::FutexWake { addr: addr_at(0), token, count, bitset: ANY }
}

fn cancel(token: u64) -> Message {
    Message::FutexCancel { addr: addr_at(0), token }
}

fn kernel_wake(ticket: u64, count: u32) -> Output {
    Output::KernelWake { ticket, addr: addr_at(0), count, bitset: ANY }
}

/// A home where node 1 has queued these tokens.
fn home_with(tokens: &[u64]) -> FutexEngine {
    let mut home = engine(0);
    for &token in tokens {
        assert_eq!(ok(&mut home, hears(1, wait(token))), [says(1, Message::FutexArmed { token })]);
    }
    home
}

/// Node 1 with one wait for `A` that is queued.
fn queued(token: u64) -> FutexEngine {
    let mut node = engine(1);
    assert_eq!(ok(&mut node, Input::Wait { token, addr: addr_at(0), bitset: ANY }), [says(0, wait(token))]);
    assert_eq!(ok(&mut node, hears(0, Message::FutexArmed { token })), [Output::Armed { token }]);
    node
}

#[test]
fn a_wake_reaches_a_sleeping_waiter_and_is_counted() {
    let mut node = queued(7);
    assert_eq!(ok(&mut node, hears(0, Message::FutexWoken { token: 7 })), [Output::Woken { token: 7 }]);
    assert!(node.is_idle());

    let mut home = home_with(&[7]);
    assert_eq!(home.remote_waiters(), 1);
    assert_eq!(ok(&mut home, hears(2, wake(9, 1))), [kernel_wake(0, 1)]);
    assert_eq!(
        ok(&mut home, Input::KernelWoke { ticket: 0, woken: 0 }),
        [says(1, Message::FutexWoken { token: 7 }), says(2, Message::FutexWakeDone { token: 9, woken: 1 })]
    );
    assert_eq!(home.remote_waiters(), 0);
    assert!(home.is_idle());

    let mut waker = engine(2);
    let input = Input::Wake { token: 9, addr: addr_at(0), count: 1, bitset: ANY };
    assert_eq!(ok(&mut waker, input), [says(0, wake(9, 1))]);
    assert_eq!(
        ok(&mut waker, hears(0, Message::FutexWakeDone { token: 9, woken: 1 })),
        [Output::WakeDone { token: 9, woken: 1 }]
    );
    assert!(waker.is_idle());
}

#[test]
fn kernel_and_table_take_turns_and_never_exceed_the_count() {
    let mut home = home_with(&[1, 2, 3]);
    let wake = |token, count| Input::Wake { token, addr: addr_at(0), count, bitset: ANY };

    // The kernel goes first and has enough.
    assert_eq!(ok(&mut home, wake(10, 1)), [kernel_wake(0, 1)]);
    assert_eq!(
        ok(&mut home, Input::KernelWoke { ticket: 0, woken: 1 }),
        [Output::WakeDone { token: 10, woken: 1 }]
    );
    // Then the table.
    assert_eq!(
        ok(&mut home, wake(11, 1)),
        [says(1, Message::FutexWoken { token: 1 }), Output::WakeDone { token: 11, woken: 1 }]
    );
    // The kernel again, and the rest from the table.
    assert_eq!(ok(&mut home, wake(12, 2)), [kernel_wake(1, 2)]);
    assert_eq!(
        ok(&mut home, Input::KernelWoke { ticket: 1, woken: 1 }),
        [says(1, Message::FutexWoken { token: 2 }), Output::WakeDone { token: 12, woken: 2 }]
    );
    // The table, and the rest from the kernel.
    assert_eq!(
        ok(&mut home, wake(13, u32::MAX)),
        [says(1, Message::FutexWoken { token: 3 }), kernel_wake(2, u32::MAX - 1)]
    );
    assert_eq!(
        ok(&mut home, Input::KernelWoke { ticket: 2, woken: 4 }),
        [Output::WakeDone { token: 13, woken: 5 }]
    );
    assert!(home.is_idle());
}

#[test]
fn a_wake_of_all_takes_every_remote_waiter_in_order() {
    let mut home = home_with(&[4, 2, 9]);
    ok(&mut home, hears(2, wake(1, i32::MAX as u32)));
    assert_eq!(
        ok(&mut home, Input::KernelWoke { ticket: 0, woken: 0 }),
        [
            says(1, Message::FutexWoken { token: 4 }),
            says(1, Message::FutexWoken { token: 2 }),
            says(1, Message::FutexWoken { token: 9 }),
            says(2, Message::FutexWakeDone { token: 1, woken: 3 }),
        ]
    );
}

#[test]
fn a_wake_reaches_only_matching_waiters() {
    let mut home = engine(0);
    for (token, bitset) in [(1, 0b01), (2, 0b10)] {
        ok(&mut home, hears(1, Message::FutexWait { addr: addr_at(0), token, bitset }));
    }
    let message = Message::FutexWake { addr: addr_at(0), token: 5, count: u32::MAX, bitset: 0b10 };
    ok(&mut home, hears(2, message));
    assert_eq!(
        ok(&mut home, Input::KernelWoke { ticket: 0, woken: 0 }),
        [says(1, Message::FutexWoken { token: 2 }), says(2, Message::FutexWakeDone { token: 5, woken: 1 })]
    );
    assert_eq!(home.remote_waiters(), 1);
}

#[test]
fn the_home_says_whether_a_cancel_came_in_time() {
    let mut home = home_with(&[1]);
    for removed in [true, false] {
        assert_eq!(
            ok(&mut home, hears(1, cancel(1))),
            [says(1, Message::FutexCancelled { token: 1, removed })]
        );
    }
}

#[test]
fn a_cancel_in_time_ends_unwoken() {
    for pass_on in [true, false] {
        let mut node = queued(7);
        assert_eq!(ok(&mut node, Input::Cancel { token: 7, pass_on }), [says(0, cancel(7))]);
        assert_eq!(
            ok(&mut node, hears(0, Message::FutexCancelled { token: 7, removed: true })),
            [Output::Cancelled { token: 7 }]
        );
        assert!(node.is_idle());
    }
}

#[test]
fn a_cancel_may_overtake_the_arming() {
    let mut node = engine(1);
    ok(&mut node, Input::Wait { token: 7, addr: addr_at(0), bitset: ANY });
    assert_eq!(ok(&mut node, Input::Cancel { token: 7, pass_on: false }), [says(0, cancel(7))]);
    assert_eq!(ok(&mut node, hears(0, Message::FutexArmed { token: 7 })), []);
    assert_eq!(
        ok(&mut node, hears(0, Message::FutexCancelled { token: 7, removed: true })),
        [Output::Cancelled { token: 7 }]
    );
}

#[test]
fn a_wake_that_beats_a_timeout_counts_as_woken() {
    let mut node = queued(7);
    ok(&mut node, Input::Cancel { token: 7, pass_on: false });
    assert_eq!(ok(&mut node, hears(0, Message::FutexWoken { token: 7 })), []);
    assert_eq!(
        ok(&mut node, hears(0, Message::FutexCancelled { token: 7, removed: false })),
        [Output::Woken { token: 7 }]
    );
    assert!(node.is_idle());
}

#[test]
fn a_wake_of_a_waiter_whose_word_differs_is_passed_on_once() {
    let mut node = engine(1);
    ok(&mut node, Input::Wait { token: 7, addr: addr_at(0), bitset: 0b100 });
    ok(&mut node, hears(0, Message::FutexArmed { token: 7 }));
    ok(&mut node, Input::Cancel { token: 7, pass_on: true });
    assert_eq!(ok(&mut node, hears(0, Message::FutexWoken { token: 7 })), []);
    let passed_on = Message::FutexWake { addr: addr_at(0), token: 7, count: 1, bitset: 0b100 };
    assert_eq!(
        ok(&mut node, hears(0, Message::FutexCancelled { token: 7, removed: false })),
        [says(0, passed_on), Output::Cancelled { token: 7 }]
    );
    assert_eq!(ok(&mut node, hears(0, Message::FutexWakeDone { token: 7, woken: 1 })), []);
    assert!(node.is_idle());
}

#[test]
fn a_cancel_of_a_finished_token_changes_nothing() {
    let mut node = queued(7);
    ok(&mut node, hears(0, Message::FutexWoken { token: 7 }));
    let before = node.clone();
    assert_eq!(ok(&mut node, Input::Cancel { token: 7, pass_on: true }), []);
    assert_eq!(node, before);
}

#[test]
fn statics_have_their_queue_at_node_0() {
    let layout = Layout::new(NODES, [0x5555_5600_0000..0x5555_5600_1000, 0..0]);
    let addr = GlobalAddr(0x5555_5600_0010);
    let mut node = FutexEngine::new(NodeId(2), layout);
    assert_eq!(
        ok(&mut node, Input::Wait { token: 1, addr, bitset: ANY }),
        [says(0, Message::FutexWait { addr, token: 1, bitset: ANY })]
    );
}

#[test]
fn calls_that_no_correct_driver_makes_are_refused() {
    let far = GlobalAddr(8);
    let home = addr_at(0);
    let wait = |addr| Input::Wait { token: 1, addr, bitset: ANY };
    let wake = |token, addr| Input::Wake { token, addr, count: 3, bitset: ANY };
    let mut node = engine(0);
    assert_eq!(refused(&mut node, wait(home)), Violation::WaitAtHome { addr: home });
    assert_eq!(refused(&mut node, wait(far)), Violation::NotGlobal { addr: far });
    assert_eq!(refused(&mut node, wake(1, far)), Violation::NotGlobal { addr: far });
    let answer = |ticket, woken| Input::KernelWoke { ticket, woken };
    assert_eq!(refused(&mut node, answer(0, 0)), Violation::UnknownTicket { ticket: 0 });

    ok(&mut node, wait(addr_at(1)));
    let reused = Violation::TokenReused { from: NodeId(0), token: 1 };
    assert_eq!(refused(&mut node, wait(addr_at(1))), reused);
    assert_eq!(refused(&mut node, wake(1, home)), reused);
    let cancel = Input::Cancel { token: 1, pass_on: false };
    ok(&mut node, cancel);
    assert_eq!(refused(&mut node, cancel), Violation::CancelledTwice { token: 1 });

    ok(&mut node, wake(2, home));
    assert_eq!(refused(&mut node, wake(3, home)), Violation::KernelAnswerMissing { ticket: 0 });
    assert_eq!(refused(&mut node, answer(1, 0)), Violation::UnknownTicket { ticket: 1 });
    assert_eq!(refused(&mut node, answer(0, 4)), Violation::WokeTooMany { asked: 3, woken: 4 });
}

#[test]
fn messages_that_no_correct_peer_sends_are_refused() {
    let from = NodeId(0);
    let mut node = queued(7);
    for (input, violation) in [
        (hears(0, Message::Free), Violation::NotFutex { from, kind: MessageKind::Free }),
        (hears(1, wait(1)), Violation::BadSender { from: NodeId(1), kind: MessageKind::FutexWait }),
        (hears(3, wait(1)), Violation::BadSender { from: NodeId(3), kind: MessageKind::FutexWait }),
        (hears(2, wait(1)), Violation::NotHome { from: NodeId(2), addr: addr_at(0), home: NodeId(0) }),
        (hears(2, cancel(1)), Violation::NotHome { from: NodeId(2), addr: addr_at(0), home: NodeId(0) }),
        (hears(2, wake(1, 1)), Violation::NotHome { from: NodeId(2), addr: addr_at(0), home: NodeId(0) }),
    ] {
        assert_eq!(refused(&mut node, input), violation);
    }
    for message in [
        Message::FutexArmed { token: 8 },
        Message::FutexWoken { token: 8 },
        Message::FutexCancelled { token: 8, removed: true },
        Message::FutexWakeDone { token: 8, woken: 0 },
    ] {
        let violation = Violation::UnknownToken { from, kind: message.kind(), token: 8 };
        assert_eq!(refused(&mut node, hears(0, message)), violation);
    }
    for message in [Message::FutexWoken { token: 7 }, Message::FutexCancelled { token: 7, removed: true }] {
        let violation = Violation::NotAsked { from: NodeId(2), kind: message.kind(), token: 7 };
        assert_eq!(refused(&mut node, hears(2, message)), violation);
    }
    for message in [Message::FutexArmed { token: 7 }, Message::FutexCancelled { token: 7, removed: true }] {
        let violation = Violation::OutOfOrder { from, kind: message.kind(), token: 7 };
        assert_eq!(refused(&mut node, hears(0, message)), violation);
    }

    // A cancel that came in time is not preceded by a wake, one that came late is.
    ok(&mut node, Input::Cancel { token: 7, pass_on: false });
    let late = Message::FutexCancelled { token: 7, removed: false };
    let violation = Violation::OutOfOrder { from, kind: late.kind(), token: 7 };
    assert_eq!(refused(&mut node, hears(0, late)), violation);

    ok(&mut node, Input::Wake { token: 9, addr: addr_at(0), count: 2, bitset: ANY });
    let too_many = Message::FutexWakeDone { token: 9, woken: 3 };
    assert_eq!(refused(&mut node, hears(0, too_many)), Violation::WokeTooMany { asked: 2, woken: 3 });

    let mut home = home_with(&[1]);
    let violation = Violation::TokenReused { from: NodeId(1), token: 1 };
    assert_eq!(refused(&mut home, hears(1, wait(1))), violation);
}

#[test]
fn violations_say_what_is_wrong_in_words() {
    let violation = Violation::NotHome { from: NodeId(2), addr: GlobalAddr(16), home: NodeId(1) };
    assert_eq!(violation.to_string(), "node 2 asked this node about futex 0x10, whose home is node 1");
}
