//! Why a program ended, and with which status: a pure function of what is known of each node.
//!
//! | what happened | origin | node | code |
//! |---|---|---|---|
//! | `main` returned or panicked | main | 0 | node 0's status |
//! | `process::exit` somewhere | exit | where | node 0's status |
//! | a node died: signal, or status without a goodbye | node | the first | 128 + signal, its status, or 70 for status 0 |
//! | dstd stopped the program (64 to 72) | launcher | who said so, if a node did | that code |
//! | the launcher was told to stop it | launcher | - | 128 + signal |
//!
//! Among several deaths the root cause is the first, but a node that says it lost a peer points to
//! that peer, and a KILL that was not ours comes first: nothing in the program can be its cause.

use std::time::Duration;

use dstd_control::exit;
use dstd_control::stats::{Ending, ExitKind, Phase};

use crate::sys::{Status, signal_name};

/// What is known of a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fact {
    /// How far it came.
    pub(crate) phase: Phase,
    /// What it said about its end.
    pub(crate) ending: Ending,
    /// How it ended; `None`: it still runs.
    pub(crate) status: Option<Status>,
    /// Which end was its, counted over all nodes.
    pub(crate) order: usize,
    /// It was told to end before it did.
    pub(crate) told_to_end: bool,
}

/// Why the launcher ends a program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Cause {
    /// Nodes did not come together; `code` is 64 to 72.
    Start { code: i32, node: Option<u16>, reason: String },
    /// It took longer than the user wants.
    Timeout(Duration),
    /// The launcher got a signal.
    Signal(i32),
    /// The connection to another host has closed; why.
    Host(String),
}

/// Who ended the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    Main,
    Exit,
    Node,
    Launcher,
}

/// Why a program ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Verdict {
    pub(crate) origin: Origin,
    /// Where it began to end.
    pub(crate) node: Option<u16>,
    /// The launcher's exit status.
    pub(crate) code: i32,
    pub(crate) reason: String,
}

/// Whether node `rank` ended as no node of a healthy program does.
pub(crate) fn failed(facts: &[Fact], rank: u16) -> bool {
    let fact = &facts[usize::from(rank)];
    let Some(status) = fact.status else { return false };
    match (&fact.ending, status) {
        (Ending::Goodbye { .. }, Status::Exit(_)) => false,
        (Ending::Goodbye { .. }, Status::Signal { .. }) => rank == 0 || !fact.told_to_end,
        // A peer that left in good order has closed its connections.
        (Ending::Lost { peer }, _) if facts.get(usize::from(*peer)).is_some_and(Fact::left_in_order) => false,
        _ => !fact.told_to_end,
    }
}

impl Fact {
    fn left_in_order(&self) -> bool {
        self.said_goodbye().is_some()
    }

    fn said_goodbye(&self) -> Option<(ExitKind, u16, Status)> {
        match (&self.ending, self.status) {
            (Ending::Goodbye { kind, origin, .. }, Some(status @ Status::Exit(_))) => {
                Some((*kind, *origin, status))
            }
            _ => None,
        }
    }
}

/// The node that failed first, by rank.
pub(crate) fn root(facts: &[Fact]) -> Option<u16> {
    // What goes wrong after node 0 has left in good order does not change how the program ended.
    let over = facts.first().filter(|fact| fact.left_in_order()).map_or(usize::MAX, |fact| fact.order);
    let failed = || (0..).zip(facts).filter(|(rank, fact)| fact.order < over && failed(facts, *rank));
    let first = |wanted: &dyn Fn(&Fact) -> bool| {
        failed().filter(|(_, fact)| wanted(fact)).min_by_key(|(_, fact)| fact.order).map(|(rank, _)| rank)
    };
    let killed = |fact: &Fact| matches!(fact.status, Some(Status::Signal { signal: libc::SIGKILL, .. }));
    let is_witness = |fact: &Fact| matches!(fact.ending, Ending::Lost { .. });
    first(&killed).or_else(|| first(&|fact| !is_witness(fact))).or_else(|| first(&|_| true))
}

/// A peer that a failed node lost, and that has not ended itself: it may be about to.
pub(crate) fn lost_and_running(facts: &[Fact]) -> Option<u16> {
    let peer = match facts.get(usize::from(root(facts)?))?.ending {
        Ending::Lost { peer } => peer,
        _ => return None,
    };
    facts.get(usize::from(peer)).is_some_and(|fact| fact.status.is_none()).then_some(peer)
}

/// Why the program ended; all that matters has ended.
pub(crate) fn judge(facts: &[Fact], cause: Option<&Cause>, started: bool) -> Verdict {
    let launcher = |code, node, reason| Verdict { origin: Origin::Launcher, node, code, reason };
    match cause {
        Some(Cause::Start { code, node, reason }) => return launcher(*code, *node, reason.clone()),
        Some(Cause::Timeout(wait)) => {
            return launcher(exit::TIMEOUT, None, format!("it was not done within {wait:?} (--timeout)"));
        }
        // Whatever was seen elsewhere follows from it.
        Some(Cause::Host(words)) => return launcher(exit::HOST, None, words.clone()),
        Some(Cause::Signal(_)) | None => {}
    }
    if let Some(rank) = root(facts)
        && !died_of(&facts[usize::from(rank)], cause)
    {
        return failure(rank, &facts[usize::from(rank)], facts.len(), started);
    }
    if let Some((kind, origin, status)) = facts.first().and_then(Fact::said_goodbye) {
        let code = status.code();
        if code == 0 && facts.iter().any(|fact| fact.status.is_none()) {
            let reason = "main ended on node 0, but other nodes could not be ended".to_owned();
            return launcher(exit::INTERNAL, None, reason);
        }
        return match kind {
            ExitKind::Main => {
                let reason = "main ended on node 0".to_owned();
                Verdict { origin: Origin::Main, node: Some(0), code, reason }
            }
            ExitKind::Exit => {
                let reason = format!("process::exit was called on node {origin}");
                Verdict { origin: Origin::Exit, node: Some(origin), code, reason }
            }
        };
    }
    match cause {
        Some(Cause::Signal(signal)) => {
            launcher(128 + signal, None, format!("the launcher got {}", signal_name(*signal)))
        }
        _ => launcher(exit::INTERNAL, None, "no node says why the program ended".to_owned()),
    }
}

/// Whether the signal that ended a node is what the launcher got: somebody sent it to both, as
/// `timeout` and systemd do.
fn died_of(fact: &Fact, cause: Option<&Cause>) -> bool {
    match (fact.status, cause) {
        (Some(Status::Signal { signal, .. }), Some(Cause::Signal(sent))) => signal == *sent,
        _ => false,
    }
}

fn failure(rank: u16, fact: &Fact, size: usize, started: bool) -> Verdict {
    let status = fact.status.expect("a node that failed has ended");
    let node = Some(rank);
    match &fact.ending {
        Ending::Stop { code, reason } => {
            return Verdict { origin: Origin::Launcher, node, code: *code, reason: reason.clone() };
        }
        Ending::Lost { peer } => {
            let reason = format!("lost its connection to node {peer}");
            return Verdict { origin: Origin::Launcher, node, code: exit::INTERNAL, reason };
        }
        Ending::None | Ending::Goodbye { .. } => {}
    }
    match status {
        Status::Signal { signal, core } => {
            let when =
                if started || fact.phase == Phase::Running { "" } else { ", before all nodes had started" };
            let dumped = if core { ", core dumped" } else { "" };
            let reason = format!("killed by signal {signal} ({}{dumped}){when}", signal_name(signal));
            Verdict { origin: Origin::Node, node, code: status.code(), reason }
        }
        Status::Lost => Verdict {
            origin: Origin::Launcher,
            node,
            code: exit::HOST,
            reason: "its host was lost".to_owned(),
        },
        Status::Exit(code) if !started && fact.phase != Phase::Running => {
            let reason = match fact.phase {
                Phase::Born if exit::is_ours(code) => format!("ended with status {code} before it joined"),
                Phase::Born => {
                    format!("ended with status {code} before it joined: is the program built with dstd?")
                }
                _ => format!("ended with status {code} before all {size} nodes had started"),
            };
            // A node that could not say why still tells by its status.
            let code = if exit::is_ours(code) { code } else { exit::TIMEOUT };
            Verdict { origin: Origin::Launcher, node, code, reason }
        }
        Status::Exit(0) => {
            let reason = "left with status 0 without a goodbye".to_owned();
            Verdict { origin: Origin::Node, node, code: exit::INTERNAL, reason }
        }
        Status::Exit(code) => {
            let reason = format!("left with status {code} without a goodbye");
            Verdict { origin: Origin::Node, node, code, reason }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running() -> Fact {
        Fact { phase: Phase::Running, ending: Ending::None, status: None, order: 0, told_to_end: false }
    }

    fn ended(order: usize, status: Status, ending: Ending) -> Fact {
        Fact { order, status: Some(status), ending, ..running() }
    }

    fn goodbye(kind: ExitKind, origin: u16, code: i32) -> Ending {
        Ending::Goodbye { kind, origin, code }
    }

    const fn signal(signal: i32) -> Status {
        Status::Signal { signal, core: false }
    }

    fn told(fact: Fact) -> Fact {
        Fact { told_to_end: true, ..fact }
    }

    fn short(facts: &[Fact]) -> (Origin, Option<u16>, i32) {
        let verdict = judge(facts, None, true);
        assert!(!verdict.reason.is_empty());
        (verdict.origin, verdict.node, verdict.code)
    }

    #[test]
    fn the_programs_own_end_wins_with_node_0s_status() {
        for code in [0, 1, 66, 101, 255] {
            let main = goodbye(ExitKind::Main, 0, code);
            let facts = [ended(1, Status::Exit(code), main.clone()), ended(0, Status::Exit(0), main)];
            assert_eq!(short(&facts), (Origin::Main, Some(0), code));
            let exit = goodbye(ExitKind::Exit, 1, code);
            let facts = [ended(0, Status::Exit(code), exit.clone()), ended(1, Status::Exit(0), exit)];
            assert_eq!(short(&facts), (Origin::Exit, Some(1), code));
        }
    }

    #[test]
    fn a_node_that_was_given_up_is_no_success() {
        for (code, expected) in [(0, (Origin::Launcher, None, 70)), (3, (Origin::Main, Some(0), 3))] {
            let facts = [ended(0, Status::Exit(code), goodbye(ExitKind::Main, 0, code)), running()];
            assert_eq!(short(&facts), expected);
        }
    }

    #[test]
    fn deaths_have_the_code_a_shell_gives_them() {
        for (status, code) in [
            (signal(libc::SIGKILL), 137),
            (signal(libc::SIGABRT), 134),
            (signal(libc::SIGSEGV), 139),
            (Status::Exit(3), 3),
            (Status::Exit(70), 70),
            (Status::Exit(0), 70),
        ] {
            for rank in [0, 1] {
                let mut facts = [running(), running()];
                facts[rank] = ended(0, status, Ending::None);
                assert_eq!(short(&facts), (Origin::Node, Some(rank as u16), code), "{status:?}");
            }
        }
    }

    #[test]
    fn the_first_death_is_the_root_unless_it_points_elsewhere() {
        let abort = |order| ended(order, signal(libc::SIGABRT), Ending::None);
        let witness = |order, peer| ended(order, Status::Exit(70), Ending::Lost { peer });
        let kill = |order| ended(order, signal(libc::SIGKILL), Ending::None);
        assert_eq!(root(&[abort(1), abort(0), running()]), Some(1));
        assert_eq!(root(&[witness(0, 2), witness(1, 2), abort(2)]), Some(2));
        assert_eq!(root(&[abort(0), witness(1, 2), kill(2)]), Some(2));
        assert_eq!(root(&[witness(1, 1), witness(0, 0)]), Some(1));
        assert_eq!(root(&[running(), running()]), None);
        assert_eq!(lost_and_running(&[witness(0, 1), running()]), Some(1));
        assert_eq!(lost_and_running(&[witness(0, 1), kill(1)]), None);
        assert_eq!(lost_and_running(&[abort(0), running()]), None);
    }

    #[test]
    fn a_death_we_ordered_is_nobodys_fault() {
        let facts = [
            ended(0, signal(libc::SIGABRT), Ending::None),
            told(ended(1, signal(libc::SIGKILL), Ending::None)),
        ];
        assert_eq!(short(&facts), (Origin::Node, Some(0), 134));
        let main = goodbye(ExitKind::Main, 0, 5);
        let facts = [ended(0, Status::Exit(5), main), told(ended(1, signal(libc::SIGTERM), Ending::None))];
        assert_eq!(short(&facts), (Origin::Main, Some(0), 5));
    }

    #[test]
    fn a_crash_after_the_goodbye_is_a_crash() {
        let main = goodbye(ExitKind::Main, 0, 0);
        let facts = [ended(0, signal(libc::SIGSEGV), main), running()];
        assert_eq!(short(&facts), (Origin::Node, Some(0), 139));
    }

    #[test]
    fn what_happens_after_node_0_left_in_good_order_does_not_count() {
        let main = || ended(1, Status::Exit(0), goodbye(ExitKind::Main, 0, 0));
        let late = ended(2, signal(libc::SIGSEGV), Ending::None);
        assert_eq!(short(&[main(), late]), (Origin::Main, Some(0), 0));
        let early = ended(0, Status::Exit(0), Ending::None);
        assert_eq!(short(&[main(), early]), (Origin::Node, Some(1), 70));
        let witness = ended(0, Status::Exit(70), Ending::Lost { peer: 0 });
        assert_eq!(short(&[main(), witness]), (Origin::Main, Some(0), 0));
    }

    #[test]
    fn dstds_own_stop_is_told_apart_from_the_programs_same_code() {
        let stop = Ending::Stop { code: 72, reason: "node 1 touched a thread-local of node 0".to_owned() };
        let facts = [running(), ended(0, Status::Exit(72), stop)];
        assert_eq!(short(&facts), (Origin::Launcher, Some(1), 72));
        let main = goodbye(ExitKind::Main, 0, 72);
        assert_eq!(short(&[ended(0, Status::Exit(72), main)]), (Origin::Main, Some(0), 72));
    }

    #[test]
    fn before_the_start_a_plain_end_is_69_and_says_why_that_may_be() {
        let mut facts = [ended(0, Status::Exit(1), Ending::None), running()];
        facts[0].phase = Phase::Born;
        let verdict = judge(&facts, None, false);
        assert_eq!((verdict.origin, verdict.code), (Origin::Launcher, 69));
        assert!(verdict.reason.contains("is the program built with dstd?"), "{}", verdict.reason);
        facts[0].status = Some(Status::Exit(64));
        let verdict = judge(&facts, None, false);
        assert!(verdict.code == 64 && !verdict.reason.contains("built with dstd"), "{}", verdict.reason);
        facts[0].phase = Phase::Booting;
        facts[0].status = Some(Status::Exit(67));
        assert_eq!(judge(&facts, None, false).code, 67);
        facts[0].status = Some(signal(libc::SIGILL));
        assert!(judge(&facts, None, false).reason.contains("before all nodes had started"));
        let verdict = judge(&facts, None, false);
        assert_eq!((verdict.origin, verdict.code), (Origin::Node, 132));
    }

    #[test]
    fn what_the_launcher_decided_counts_before_what_followed() {
        let dead = [told(ended(0, signal(libc::SIGTERM), Ending::None))];
        let timeout = Cause::Timeout(Duration::from_secs(2));
        let verdict = judge(&dead, Some(&timeout), true);
        assert_eq!((verdict.origin, verdict.code), (Origin::Launcher, 69));
        assert!(verdict.reason.contains("2s (--timeout)"), "{}", verdict.reason);
        let start = Cause::Start { code: 66, node: None, reason: "builds differ".to_owned() };
        let verdict = judge(&dead, Some(&start), false);
        assert_eq!((verdict.code, verdict.reason.as_str()), (66, "builds differ"));
        let verdict = judge(&dead, Some(&Cause::Signal(libc::SIGTERM)), true);
        assert_eq!((verdict.origin, verdict.node, verdict.code), (Origin::Launcher, None, 143));
        let both = [ended(0, signal(libc::SIGTERM), Ending::None)];
        let verdict = judge(&both, Some(&Cause::Signal(libc::SIGTERM)), true);
        assert_eq!((verdict.origin, verdict.node, verdict.code), (Origin::Launcher, None, 143));
        let crash = [ended(0, signal(libc::SIGSEGV), Ending::None)];
        let verdict = judge(&crash, Some(&Cause::Signal(libc::SIGTERM)), true);
        assert_eq!((verdict.origin, verdict.node, verdict.code), (Origin::Node, Some(0), 139));
        let orderly = [ended(0, Status::Exit(4), goodbye(ExitKind::Main, 0, 4))];
        let verdict = judge(&orderly, Some(&Cause::Signal(libc::SIGTERM)), true);
        assert_eq!((verdict.origin, verdict.code), (Origin::Main, 4));
    }
}
