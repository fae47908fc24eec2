//! Long random walks of bigger programs than the model can exhaust: four nodes, pages of two
//! homes, wide windows, threads that stream and threads that contend. Same checks as the model.

#[allow(dead_code, unreachable_pub, reason = "shared between tests")]
mod world;

use dstd_addr::PageNo;
use dstd_protocol::page::Counters;
use world::model::page;
use world::{Action, Op, Setup, World};

/// Steps after which a walk counts as stuck; usual ones take a few thousand.
const STEPS_MAX: u32 = 400_000;
/// Nodes 0 and 1 have pages.
const PAGES_OF_A_NODE: usize = 8;
const SEEDS: u64 = 250;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % end as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

fn program(random: &mut Random, node: usize, pages: &[PageNo]) -> Vec<Op> {
    let mut ops = Vec::new();
    let own: Vec<_> = (0..pages.len()).filter(|index| index / PAGES_OF_A_NODE == node).collect();
    while ops.len() < 24 {
        if !own.is_empty() && random.below(12) == 0 {
            let start = random.pick(&own);
            let most = PAGES_OF_A_NODE - start % PAGES_OF_A_NODE;
            ops.push(Op::Discard { page: pages[start], count: 1 + random.below(most) as u8 });
            continue;
        }
        let touch = |page, kind| match kind {
            0 | 1 => Op::Load(page),
            2 => Op::Add(page),
            _ => Op::Store(page, 5),
        };
        let kind = random.below(4);
        if random.below(3) == 0 {
            ops.push(touch(random.pick(pages), kind));
        } else {
            let start = random.below(pages.len());
            let end = pages.len().min(start + 2 + random.below(8));
            let step = random.pick(&[1, 1, 2, 3]);
            let walk = pages[start..end].iter().step_by(step).map(|&page| touch(page, kind));
            if random.below(3) == 0 { ops.extend(walk.rev()) } else { ops.extend(walk) }
        }
    }
    ops
}

/// Any threads anywhere.
fn anything(random: &mut Random, pages: Vec<PageNo>) -> Setup {
    let nodes = 2 + random.below(3) as u16;
    let threads = 3 + random.below(6);
    let residence_ns = random.pick(&[0, 20, 200]);
    let window_max = random.pick(&[1, 2, 8]);
    let ahead_max = random.pick(&[1, 4, 16]);
    let copies_max = random.pick(&[None, None, Some(1), Some(3), Some(8)]);
    let programs = (0..threads)
        .map(|_| {
            let node = random.below(usize::from(nodes)).max(random.below(2));
            (node, program(random, node, &pages))
        })
        .collect();
    Setup { nodes, residence_ns, window_max, ahead_max, copies_max, pages, programs }
}

/// Node 1 walks over pages of node 0; other threads of it touch the same pages, so also ones
/// that were asked for and have not come; node 2 takes single pages, where the windows end.
fn broken_windows(random: &mut Random, pages: Vec<PageNo>) -> Setup {
    let theirs = &pages[..PAGES_OF_A_NODE];
    let walk: Vec<_> = theirs.iter().cycle().take(3 * theirs.len()).map(|&page| Op::Load(page)).collect();
    let mut programs = vec![(1, walk)];
    for node in [1, 1, 2, 2] {
        let touch = |page| if node == 1 { Op::Load(page) } else { Op::Add(page) };
        programs.push((node, (0..24).map(|_| touch(random.pick(theirs))).collect()));
    }
    let residence_ns = random.pick(&[0, 20]);
    let ahead_max = random.pick(&[1, 8, 16]);
    Setup { nodes: 3, residence_ns, window_max: 8, ahead_max, copies_max: None, pages, programs }
}

/// The counters of all engines at the end of the walk.
fn walk(seed: u64) -> Result<Vec<Counters>, String> {
    let mut random = Random(seed);
    let pages: Vec<_> =
        (0..2).flat_map(|node| (0..PAGES_OF_A_NODE as u64).map(move |index| page(node, index))).collect();
    let setup = match seed % 5 {
        0 => broken_windows(&mut random, pages),
        _ => anything(&mut random, pages),
    };
    // Slow channels: threads do more while messages are on their way.
    let slowness = random.pick(&[0, 2, 6]);
    let mut world = World::new(&setup);
    for step in 0..STEPS_MAX {
        let actions = world.actions(&setup);
        if actions.is_empty() {
            if let Some(broken) = world.broken {
                return Err(format!("step {step}: {broken}"));
            }
            world.check(true)?;
            let finished = world.finished(&setup) && world.engines.iter().all(|engine| engine.is_idle());
            return if finished {
                Ok(world.engines.iter().map(|engine| engine.counters()).collect())
            } else {
                Err(format!("step {step}: nothing can happen any more"))
            };
        }
        world.now_ns += 1;
        let mut action = random.pick(&actions);
        for _ in 0..slowness {
            if matches!(action, Action::Deliver { .. }) {
                action = random.pick(&actions);
            }
        }
        world.act(&setup, action);
    }
    Err(format!("no end after {STEPS_MAX} steps"))
}

#[test]
fn random_programs_end_and_keep_all_promises() {
    let one: Option<u64> =
        std::env::var("DSTD_SEED").ok().map(|seed| seed.parse().expect("DSTD_SEED is a number"));
    let seeds = one.map_or(0..SEEDS, |seed| seed..seed + 1);
    let mut counters = Vec::new();
    for seed in seeds {
        match walk(seed) {
            Ok(counted) => counters.extend(counted),
            Err(what) => panic!(
                "seed {seed}: {what}\nreplay: DSTD_SEED={seed} cargo test -p dstd-protocol --test random_page"
            ),
        }
    }
    if one.is_none() {
        // The walks go where it is interesting.
        let sum = |of: fn(&Counters) -> u64| counters.iter().map(of).sum::<u64>();
        assert!(sum(|c| c.pages_ahead) > 100 && sum(|c| c.pages_ungranted) > 100);
        assert!(sum(|c| c.taken_ahead) > 200 && sum(|c| c.asked_ahead) > 200);
        assert!(sum(|c| c.residence_waits) > 100 && sum(|c| c.requests_queued) > 100);
        assert!(sum(|c| c.evictions) > 1000 && sum(|c| c.evictions_crossed) > 100);
        assert!(sum(|c| c.discards) > 1000);
        assert!(sum(|c| c.faults_joined) > 100 && sum(|c| c.faults_asked_again) > 10);
    }
}
