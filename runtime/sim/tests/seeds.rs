//! A hundred seeds, every scenario, and every seed that ever failed.

use dstd_sim::{MessageKind, Options, Scenario, Summary, failed_once, run};

fn must_pass(seed: u64, options: Options) -> Summary {
    match run(seed, options) {
        Ok(summary) => summary,
        Err(failure) => panic!("{options:?}\n{failure}"),
    }
}

/// A seed proves little where nothing rare happens.
#[test]
fn rare_paths_are_taken() {
    let mut seen = [0; 17];
    let mut sent = [0; MessageKind::ALL.len()];
    for seed in 0..100 {
        let summary = must_pass(seed, Options::default());
        sent.iter_mut().zip(summary.sent).for_each(|(sum, count)| *sum += count);
        let Summary { pages, late_cancels, crossed_cancels, .. } = summary;
        let counts = [
            pages.faults_upgrade,
            pages.faults_resolved,
            pages.faults_joined,
            pages.pages_ahead,
            pages.taken_ahead,
            pages.asked_ahead,
            pages.asked_in_steps,
            pages.pages_ungranted,
            pages.residence_waits,
            pages.requests_queued,
            pages.invalidations,
            pages.passes_avoided,
            late_cancels,
            crossed_cancels,
            pages.evictions,
            pages.evictions_crossed,
            pages.discards,
        ];
        seen.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    for (kind, sent) in MessageKind::ALL.into_iter().zip(sent) {
        let simulated = !matches!(kind, MessageKind::Free | MessageKind::Ship);
        assert_eq!(sent > 0, simulated, "{sent} {} messages", kind.name());
    }
    assert!(seen.iter().all(|&count| count > 0), "some path is never taken: {seen:?}");
}

/// `DSTD_SIM_SEEDS` and `DSTD_SIM_FROM` choose others than the first hundred.
#[test]
fn a_hundred_seeds_pass() {
    let number = |name, default| match std::env::var(name) {
        Ok(text) => text.parse().expect("a number of seeds, or the first of them"),
        Err(_) => default,
    };
    let (from, seeds): (u64, u64) = (number("DSTD_SIM_FROM", 0), number("DSTD_SIM_SEEDS", 100));
    let mut worst = (0, 0);
    for seed in from..from + seeds {
        let summary = must_pass(seed, Options::default());
        // With a shorter residence than threads take to wake up progress is a matter of luck.
        if summary.residence_ns >= 20_000 {
            worst = worst.max((summary.worst_access, seed));
        }
    }
    assert!(worst.0 < 100, "PAGE-2: seed {} has an access that faults {} times", worst.1, worst.0);
}

#[test]
fn every_scenario_passes_and_does_something() {
    for scenario in Scenario::ALL {
        let options = Options { scenario: Some(scenario), ..Options::default() };
        let runs = (1_000..1_010).map(|seed| must_pass(seed, options));
        let (faults, messages, worst) = runs.fold((0, 0, 0), |(faults, messages, worst), summary| {
            let sent = summary.sent.iter().sum::<u64>();
            (faults + summary.faults, messages + sent, summary.worst_access.max(worst))
        });
        println!("{scenario:?}: {worst} faults for one access at worst");
        assert!(faults > 0 && messages > 0, "{scenario:?} crosses no node");
    }
}

#[test]
fn seeds_that_failed_once_pass() {
    for (seed, scenario) in failed_once() {
        must_pass(seed, Options { scenario: Some(scenario), ..Options::default() });
    }
}

#[test]
fn a_seed_always_gives_the_same_run() {
    for seed in 0..5 {
        assert_eq!(must_pass(seed, Options::default()), must_pass(seed, Options::default()));
    }
}
