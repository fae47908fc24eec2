//! The programs that simulated threads run.

pub(crate) mod futex;
mod memory;
mod reach;
mod rwlock;
mod sync;
mod threads;

use std::future::Future;
use std::pin::Pin;

use dstd_addr::{GlobalAddr, Layout, NodeId, PAGE_BYTES};

use crate::cpu::Cpu;
use crate::memory::{WORDS, word};
use crate::rng::Rng;

/// A running program.
pub(crate) type Program = Pin<Box<dyn Future<Output = ()>>>;

/// Where the shared statics lie.
pub(crate) const STATICS: u64 = 0x5555_5600_0000;
/// How many pages of them there are.
pub(crate) const STATIC_PAGES: u64 = 4;

type Start = Box<dyn FnOnce(Cpu) -> Program>;

/// What a scenario runs and what must have come out.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) threads: Vec<(NodeId, Start)>,
    pub(crate) results: Vec<Expected>,
}

/// A word that must have this value at the end.
pub(crate) struct Expected {
    pub(crate) addr: GlobalAddr,
    pub(crate) value: u64,
    pub(crate) what: &'static str,
}

/// What the threads of a run do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scenario {
    /// Random loads, stores and compare-exchanges on a few words.
    Random,
    /// Neighbouring counters, a node each.
    FalseSharing,
    /// One thread writes many pages in sequence, others read them.
    Sweep,
    /// Instructions that need two contended pages at once.
    Straddle,
    /// Counting under a mutex.
    Mutex,
    /// A bounded queue with a mutex and two condition variables.
    Queue,
    /// Rounds separated by a barrier.
    Barrier,
    /// Readers and writers of an `RwLock`.
    RwLock,
    /// Two threads park and unpark each other; timeouts among it.
    Park,
    /// A thread whose word differs must not swallow the wake of one that sleeps.
    Bystander,
    /// More pages than a node may hold, and instructions that need two at once.
    Evict,
    /// Pages are used by all, freed, and used again.
    Discard,
    /// As `Sweep`, in steps of several pages or backwards.
    Steps,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Scenario; 13] = [
        Scenario::Random,
        Scenario::FalseSharing,
        Scenario::Sweep,
        Scenario::Straddle,
        Scenario::Mutex,
        Scenario::Queue,
        Scenario::Barrier,
        Scenario::RwLock,
        Scenario::Park,
        Scenario::Bystander,
        Scenario::Evict,
        Scenario::Discard,
        Scenario::Steps,
    ];

    pub(crate) fn plan(self, nodes: u16, rng: &mut Rng) -> Plan {
        let mut stage = Stage { nodes, rng, used: Vec::new(), plan: Plan::default() };
        match self {
            Scenario::Random => memory::random(&mut stage),
            Scenario::FalseSharing => memory::false_sharing(&mut stage),
            Scenario::Sweep => memory::sweep(&mut stage),
            Scenario::Straddle => memory::straddle(&mut stage),
            Scenario::Mutex => threads::mutex(&mut stage),
            Scenario::Queue => threads::queue(&mut stage),
            Scenario::Barrier => threads::barrier(&mut stage),
            Scenario::RwLock => threads::rwlock(&mut stage),
            Scenario::Park => threads::park(&mut stage),
            Scenario::Bystander => threads::bystander(&mut stage),
            Scenario::Evict => reach::evict(&mut stage),
            Scenario::Discard => reach::discard(&mut stage),
            Scenario::Steps => memory::steps(&mut stage),
        }
        stage.plan
    }
}

/// Where a scenario sets itself up.
struct Stage<'a> {
    nodes: u16,
    rng: &'a mut Rng,
    used: Vec<GlobalAddr>,
    plan: Plan,
}

impl Stage<'_> {
    fn any_node(&mut self) -> NodeId {
        NodeId(self.rng.below(u64::from(self.nodes)) as u16)
    }

    /// A word that nobody else has, in a few pages of heaps, stacks and statics: words of one
    /// scenario often share a page.
    fn place(&mut self) -> GlobalAddr {
        loop {
            let node = self.any_node();
            let start = match self.rng.below(4) {
                0 => STATICS,
                1 => Layout::stacks(node).start,
                _ => Layout::heap(node).start,
            };
            let page = GlobalAddr(start + self.rng.below(3) * PAGE_BYTES).page();
            let addr = word(page, self.rng.below(WORDS as u64) as usize);
            if !self.used.contains(&addr) {
                self.used.push(addr);
                return addr;
            }
        }
    }

    fn thread<F: Future<Output = ()> + 'static>(
        &mut self,
        node: NodeId,
        program: impl FnOnce(Cpu) -> F + 'static,
    ) {
        let start: Start = Box::new(move |cpu| Box::pin(program(cpu)));
        self.plan.threads.push((node, start));
    }

    fn expect(&mut self, addr: GlobalAddr, value: u64, what: &'static str) {
        self.plan.results.push(Expected { addr, value, what });
    }

    /// Runs one thread on every node, and some more anywhere.
    fn crew(&mut self) -> Vec<NodeId> {
        let mut crew: Vec<NodeId> = (0..self.nodes).map(NodeId).collect();
        for _ in 0..self.rng.below(3) {
            let node = self.any_node();
            crew.push(node);
        }
        crew
    }
}
