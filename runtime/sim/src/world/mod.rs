//! The world of one run: a clock, an agenda, and who does what when.

mod effects;
mod node;
mod thread;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use dstd_addr::{Layout, NodeId, PAGE_BYTES, PageNo};
use dstd_protocol::page::{Config, PageEngine};

use crate::check::{self, books::Books, order::Order};
use crate::cpu::{Cpu, Habits, Slot};
use crate::failure::Checked;
use crate::network::Network;
use crate::program::{Expected, STATIC_PAGES, STATICS, Scenario};
use crate::rng::Rng;
use crate::{Options, Sabotage, Summary};
use node::Node;
use thread::Thread;

/// How many of the last events are told when something breaks.
const TRACE_LINES: usize = 120;

/// What the agenda holds.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A thread goes on.
    Run(usize),
    /// The time of a waiting thread is over, unless it has gone on since.
    Timeout { thread: usize, nap: u64 },
    /// The engine thread of a node does its next piece of work.
    Engine(NodeId),
    /// The page engine of a node may have reached its deadline.
    Due(NodeId),
    /// The oldest message of a link arrives.
    Arrive { from: NodeId, to: NodeId },
    /// A fault event comes up again.
    Echo { node: NodeId, page: PageNo, write: bool, thread: usize },
}

pub(crate) struct World {
    options: Options,
    seed: u64,
    scenario: Scenario,
    rng: Rng,
    now: u64,
    serial: u64,
    steps: u64,
    agenda: BTreeMap<(u64, u64), Event>,
    pub(crate) pages: Vec<PageEngine>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) threads: Vec<Thread>,
    results: Vec<Expected>,
    token_owners: BTreeMap<u64, usize>,
    network: Network,
    /// Acknowledgements that sabotage gives in the name of a sharer.
    forged: BTreeSet<(NodeId, PageNo)>,
    forged_and_sent: BTreeSet<(NodeId, PageNo)>,
    pub(crate) order: Order,
    books: Books,
    /// The most faults one access took.
    worst_access: u32,
    straddles: BTreeMap<u32, u64>,
    trace: Option<VecDeque<String>>,
}

impl World {
    pub(crate) fn new(seed: u64, options: Options, traced: bool) -> World {
        let mut rng = Rng::new(seed);
        let count = rng.between(2, 4) as u16;
        let any = rng.pick(&Scenario::ALL);
        let scenario = options.scenario.unwrap_or(any);
        let layout = Layout::new(count, [STATICS..STATICS + STATIC_PAGES * PAGE_BYTES, 0..0]);
        let residence_ns = rng.pick(&[0, 5_000, 20_000, 50_000]);
        let window_max = rng.pick(&[1, 4, 16]);
        let latency_ns = rng.pick(&[500, 10_000, 30_000]);
        // A generator of its own: seeds that failed once fail the same way.
        let ahead_max = Rng::new(seed.rotate_left(32)).pick(&[1, 8, 32]);
        let early_exit = rng.once_in(2);
        let plan = scenario.plan(count, &mut rng);
        // A generator of its own: seeds that failed once fail the same way.
        let copies_max = match scenario {
            Scenario::Evict => Some(2),
            // What it is about needs its timing.
            Scenario::Bystander => None,
            _ => Rng::new(!seed).pick(&[None, None, Some(2), Some(4), Some(8)]),
        };

        let ranks = || (0..count).map(NodeId);
        let config =
            |me| Config { me, layout: layout.clone(), residence_ns, window_max, ahead_max, copies_max };
        let pages = ranks().map(|me| PageEngine::new(config(me))).collect();
        let nodes = ranks().map(|me| Node::new(me, &layout)).collect();
        let shared_layout = Rc::new(layout.clone());
        let tokens = Rc::new(RefCell::new(0));
        let passes_on = options.sabotage != Some(Sabotage::KeepWake);
        let threads = plan.threads.into_iter().map(|(node, start)| {
            let slot = Rc::new(RefCell::new(Slot::default()));
            let cpu = Cpu {
                node,
                layout: Rc::clone(&shared_layout),
                slot: Rc::clone(&slot),
                rng: Rc::new(RefCell::new(rng.split())),
                tokens: Rc::clone(&tokens),
                habits: Habits { early_exit, passes_on },
            };
            Thread::new(node, slot, start(cpu))
        });
        let threads: Vec<Thread> = threads.collect();
        let mut world = World {
            options,
            seed,
            scenario,
            rng,
            now: 0,
            serial: 0,
            steps: 0,
            agenda: BTreeMap::new(),
            pages,
            nodes,
            threads,
            results: plan.results,
            token_owners: BTreeMap::new(),
            network: Network::new(count, latency_ns),
            forged: BTreeSet::new(),
            forged_and_sent: BTreeSet::new(),
            order: Order::default(),
            books: Books::default(),
            worst_access: 0,
            straddles: BTreeMap::new(),
            trace: traced.then(VecDeque::new),
        };
        for thread in 0..world.threads.len() {
            let start = world.rng.below(50_000);
            world.after(start, Event::Run(thread));
        }
        world.note(|| {
            format!(
                "{scenario:?} on {count} nodes, residence {residence_ns} ns, window {window_max} of {ahead_max}, copies {copies_max:?}, latency {latency_ns} ns"
            )
        });
        world
    }

    /// Runs until nothing is left to happen, then looks at the whole.
    pub(crate) fn run(&mut self) -> Checked<Summary> {
        while let Some(((time, _), event)) = self.agenda.pop_first() {
            self.now = time;
            self.steps += 1;
            check::progress::ends(self.steps, self.options.steps_max)?;
            self.happen(event)?;
        }
        check::progress::all_finished(self)?;
        check::result::exact(&self.results, &self.order)?;
        check::kept::check(self)?;
        check::rest::check(self)?;
        self.books.close(self.pages.iter().map(PageEngine::counters))?;
        Ok(Summary {
            seed: self.seed,
            scenario: self.scenario,
            nodes: self.nodes.len() as u16,
            residence_ns: self.pages[0].config().residence_ns,
            steps: self.steps,
            simulated_ns: self.now,
            loads: self.order.loads,
            stores: self.order.stores,
            faults: self.books.faults,
            worst_access: self.worst_access,
            straddles: self.straddles.clone(),
            sent: self.books.sent,
            pages: self.books.pages,
            late_cancels: self.books.late_cancels,
            crossed_cancels: self.books.crossed_cancels,
        })
    }

    /// What the threads do.
    pub(crate) fn scenario(&self) -> Scenario {
        self.scenario
    }

    /// The last events, the oldest first.
    pub(crate) fn into_trace(self) -> Vec<String> {
        self.trace.into_iter().flatten().collect()
    }

    fn happen(&mut self, event: Event) -> Checked {
        match event {
            Event::Run(thread) => self.run_thread(thread),
            Event::Timeout { thread, nap } => {
                self.time_over(thread, nap);
                Ok(())
            }
            Event::Engine(node) => self.work(node),
            Event::Due(node) => {
                self.due(node);
                Ok(())
            }
            Event::Arrive { from, to } => {
                self.arrive(from, to);
                Ok(())
            }
            Event::Echo { node, page, write, thread } => {
                self.hand_over_fault(node, page, write, thread);
                Ok(())
            }
        }
    }

    fn after(&mut self, delay: u64, event: Event) {
        self.serial += 1;
        self.agenda.insert((self.now + delay, self.serial), event);
    }

    fn node(&mut self, node: NodeId) -> &mut Node {
        &mut self.nodes[node.index()]
    }

    /// Whether this is a run with `sabotage`, and a moment for it.
    fn sabotages(&mut self, sabotage: Sabotage) -> bool {
        self.options.sabotage == Some(sabotage) && self.rng.once_in(4)
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        let now = self.now;
        if let Some(trace) = &mut self.trace {
            if trace.len() == TRACE_LINES {
                // The first line, which describes the run, stays.
                trace.remove(1);
            }
            trace.push_back(format!("{now:>9} {}", line()));
        }
    }
}
