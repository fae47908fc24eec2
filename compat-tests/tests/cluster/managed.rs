//! Programs that a batch system starts: `srun -n 3 ./prog`, played by the test, which starts the ranks itself
//! with the variables of Slurm.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::harness::{END, Ended, Run, Running, SCENARIOS, Scratch, alone, kill};
use crate::hosts::namespaces::{HERE, Wire};

/// A job that Slurm runs.
struct Step {
    scratch: Scratch,
    job: u32,
    size: usize,
    /// The hosts, and on which of them each rank runs.
    hosts: Option<(&'static str, usize)>,
}

impl Step {
    fn new(size: usize) -> Step {
        static JOBS: AtomicU32 = AtomicU32::new(0);
        // The port comes from the number of the job: not that of a test that runs beside this one.
        let job = std::process::id() * 100 + JOBS.fetch_add(1, Ordering::Relaxed);
        Step { scratch: Scratch::new(), job, size, hosts: None }
    }

    /// One of its ranks, which runs `scenario`; `before` are words to run it with.
    fn rank(&self, rank: usize, before: &[&str], scenario: &str) -> Run {
        let words: Vec<&str> = before.iter().copied().chain([SCENARIOS, scenario]).collect();
        let (list, hosts) = self.hosts.unwrap_or(("this-host", 1));
        let home = self.scratch.file("");
        let run = alone(words[0], words[1..].iter().copied()).variable("HOME", &home.display().to_string());
        [
            ("SLURM_JOB_ID", self.job.to_string()),
            ("SLURM_STEP_ID", "3".to_owned()),
            ("SLURM_PROCID", rank.to_string()),
            ("SLURM_STEP_NUM_TASKS", self.size.to_string()),
            ("SLURM_LOCALID", (rank / hosts).to_string()),
            ("SLURM_STEP_NUM_NODES", hosts.to_string()),
            ("SLURM_STEP_NODELIST", list.to_owned()),
        ]
        .into_iter()
        .fold(run, |run, (name, value)| run.variable(name, &value))
    }

    /// Starts all ranks, the last one first.
    fn start(&self, scenario: &str) -> Vec<Running> {
        let mut running: Vec<_> =
            (0..self.size).rev().map(|rank| self.rank(rank, &[], scenario).start()).collect();
        running.reverse();
        running
    }

    fn finish(&self, scenario: &str) -> Vec<Ended> {
        self.start(scenario).into_iter().map(Running::finish).collect()
    }
}

#[test]
fn ranks_become_nodes() {
    for scenario in ["reads_dyn", "parallelism", "println_order"] {
        for (rank, ended) in (0..).zip(Step::new(3).finish(scenario)) {
            if rank == 0 {
                ended.ok(scenario);
            } else {
                ended.with_code(0);
            }
        }
    }
}

#[test]
fn the_protocol_serves_them_too() {
    let step = Step::new(2);
    let run = |rank| step.rank(rank, &[], "reads_dyn").variable("DSTD_NO_DIRECT", "1").start();
    let (second, first) = (run(1), run(0));
    first.finish().ok("reads_dyn");
    second.finish().with_code(0);
}

#[test]
fn one_task_is_one_node() {
    Step::new(1).finish("reads_dyn").remove(0).ok("reads_dyn");
}

#[test]
fn the_code_is_node_0s() {
    let ended = Step::new(2).finish("exit_last");
    assert_eq!(ended.iter().map(|ended| ended.code).collect::<Vec<_>>(), [7, 0]);
}

#[test]
fn a_rank_that_dies_ends_the_others_with_words() {
    let step = Step::new(3);
    let mut running = step.start("run_on");
    let stdout = running[0].wait_for("all run\n");
    let pid = stdout.lines().find_map(|line| line.strip_prefix("node 1 is process ")?.parse().ok());
    kill(pid.expect("it says so"));
    let ended: Vec<Ended> = running.drain(..).map(|running| running.within(END).finish()).collect();
    assert_eq!(ended.iter().map(|ended| ended.code).collect::<Vec<_>>(), [70, 137, 70]);
    for other in [0, 2] {
        assert!(ended[other].stderr.contains("lost its connection to node"), "{}", ended[other].stderr);
    }
}

fn secret_file(path: &Path, byte: u8, mode: u32) {
    fs::write(path, [byte; 32]).expect("the directory is ours");
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

#[test]
fn a_secret_that_others_can_read_is_none() {
    let step = Step::new(2);
    let file = step.scratch.file("secret");
    for (mode, words) in [(0o644, "chmod 600"), (0o600, "bytes")] {
        secret_file(&file, 1, mode);
        if mode == 0o600 {
            fs::write(&file, [1; 31]).expect("it is ours");
        }
        let run = step.rank(0, &[], "reads_dyn").variable("DSTD_SECRET_FILE", &file.display().to_string());
        run.finish().with_code(67).says(&["secret", words]);
    }
    let missing = step.scratch.file("missing").display().to_string();
    let run = step.rank(1, &[], "reads_dyn").variable("DSTD_SECRET_FILE", &missing);
    run.finish().with_code(67).says(&[&missing]);
}

#[test]
fn a_rank_with_another_secret_is_refused() {
    let step = Step::new(2);
    let run = |rank: u8| {
        let file = step.scratch.file(&format!("secret{rank}"));
        secret_file(&file, rank, 0o600);
        step.rank(rank.into(), &[], "reads_dyn").variable("DSTD_SECRET_FILE", &file.display().to_string())
    };
    let first = run(0).start();
    run(1).finish().with_code(67).says(&["secret"]);
    // It waits for the other one: nobody comes any more.
    kill(first.launcher());
    first.finish().with_code(137);
}

#[test]
fn several_hosts_meet_at_the_first() {
    let Some(wire) = Wire::new() else { return };
    let step = Step { hosts: Some((HERE, 2)), ..Step::new(3) };
    let entries = wire.entries();
    let mut running: Vec<_> =
        (0..3).map(|rank| step.rank(rank, &entries[rank % 2], "reads_dyn").start()).collect();
    running.drain(1..).for_each(|running| drop(running.finish().with_code(0)));
    running.remove(0).finish().ok("reads_dyn");
}

#[test]
fn hosts_without_a_meeting_place_are_told_what_to_say() {
    let step = Step { hosts: Some(("localhost", 2)), ..Step::new(2) };
    step.rank(0, &[], "reads_dyn").finish().with_code(65).says(&["localhost", "DSTD_MEET"]);
}
