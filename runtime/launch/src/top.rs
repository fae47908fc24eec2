//! `dstd-launch top`: what the nodes of a running program do, from their statistics.
//!
//! The launcher keeps the memory of the statistics open; whoever may look into the launcher (the same user) can map it.
//! Nobody is stopped and nothing is sent. Nodes of other hosts tell their launcher numbers at their end only: look at
//! them with `top` on their host, at the process `dstd-launch agent`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use dstd_control::stats::hot::HotPage;
use dstd_control::stats::{NAME, Phase, StatsBlock};
use dstd_control::{exit, parse_duration};

use crate::args;
use crate::report::words::add_page;
use crate::report::{Node, pages};
use crate::symbols::Symbols;

/// Pages in a view.
const PAGES_SHOWN: usize = 5;
/// How soon to look again whether nodes that start have begun to run.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

#[derive(Parser, Debug)]
#[command(name = "dstd-launch top", bin_name = "dstd-launch top", version, args_override_self = true)]
#[command(
    about = "Shows what the nodes of a running program do: faults and bytes a second, the hottest pages"
)]
#[command(after_help = "Exit status: 0 the program has ended or all views were shown, 64 there is none.")]
struct TopCommand {
    /// The job's name (`-v` says it), or the launcher's process [default: the only one that runs]
    #[arg(value_name = "JOB")]
    job: Option<String>,
    /// Time between two views
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_duration)]
    interval: Duration,
    /// End after N views
    #[arg(short, long, value_name = "N")]
    count: Option<u32>,
}

/// Shows a job until it ends, and returns the status to exit with; `args` begin with the word `top`.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> i32 {
    let command = match TopCommand::try_parse_from(args) {
        Ok(command) => command,
        Err(error) => return args::spoken(&error),
    };
    match watch(&command) {
        Ok(()) => 0,
        Err(words) => {
            eprintln!("dstd: {words}");
            exit::USAGE
        }
    }
}

fn watch(command: &TopCommand) -> Result<(), String> {
    let pid = match &command.job {
        Some(job) => process_of(job).ok_or_else(|| format!("{job} is no name of a job and no process"))?,
        None => only_launcher()?,
    };
    let mut symbols = None;
    let (mut before, mut since) = (Vec::new(), Instant::now());
    let mut shown = 0;
    let mut starting = false;
    while command.count != Some(shown) {
        thread::sleep(match (before.is_empty(), starting) {
            (true, false) => Duration::ZERO,
            (true, true) => LOOK_AGAIN.min(command.interval),
            (false, _) => command.interval,
        });
        let cannot = |error| format!("cannot look into process {pid}: {error}");
        let was_there = starting || !before.is_empty();
        let files = match files(pid) {
            Ok(files) => files,
            Err(_) if was_there => return Ok(()),
            Err(error) => return Err(cannot(error)),
        };
        if files.is_empty() {
            return if was_there { Ok(()) } else { Err(format!("process {pid} runs no nodes on this host")) };
        }
        let blocks = blocks(&files).map_err(cannot)?;
        if blocks.is_empty() {
            if !starting && before.is_empty() && !show(&format!("launcher {pid}: its nodes start\n")) {
                return Ok(());
            }
            starting = true;
            continue;
        }
        let symbols =
            symbols.get_or_insert_with(|| program_of(pid).map_or(Symbols::none(), |at| Symbols::of(&at)));
        let now = nodes(&blocks);
        if !before.is_empty() {
            let text = view(pid, &now, &before, since.elapsed(), symbols);
            if !show(&format!("{text}\n")) {
                return Ok(());
            }
            shown += 1;
        }
        (before, since) = (now, Instant::now());
    }
    Ok(())
}

/// Shows this in place of what was shown before; false when nobody reads on, so that nothing is left to do.
fn show(text: &str) -> bool {
    let clear = if io::stdout().is_terminal() { "\x1b[H\x1b[2J" } else { "" };
    io::stdout().lock().write_all(format!("{clear}{text}").as_bytes()).is_ok()
}

/// The launcher of a job: its process, or the one that the job's name ends with.
fn process_of(job: &str) -> Option<u32> {
    job.parse().ok().or_else(|| u32::from_str_radix(job.rsplit_once('-')?.1, 16).ok())
}

fn only_launcher() -> Result<u32, String> {
    let processes = fs::read_dir("/proc").map_err(|error| format!("cannot read /proc: {error}"))?;
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let found: Vec<u32> = pids.filter(|&pid| !files(pid).unwrap_or_default().is_empty()).collect();
    match found[..] {
        [pid] => Ok(pid),
        [] => Err("no program of several nodes runs here".to_owned()),
        _ => Err(format!("several programs run here: say which launcher's process you mean: {found:?}")),
    }
}

/// The statistics that a process holds open.
fn files(pid: u32) -> io::Result<Vec<PathBuf>> {
    let name = format!("/memfd:{} ", NAME.to_string_lossy());
    let open = fs::read_dir(format!("/proc/{pid}/fd"))?.flatten().map(|entry| entry.path());
    Ok(open
        .filter(|path| fs::read_link(path).is_ok_and(|to| to.to_string_lossy().starts_with(&name)))
        .collect())
}

/// The nodes of a launcher that have begun to run, by rank, from the statistics it holds open.
fn blocks(files: &[PathBuf]) -> io::Result<Vec<StatsBlock>> {
    let mut blocks = Vec::new();
    for path in files {
        blocks.extend(block(path)?.filter(|block| block.phase() == Phase::Running));
    }
    blocks.sort_by_key(rank);
    // While a node is being started the launcher has its block twice.
    blocks.dedup_by_key(|block| rank(block));
    Ok(blocks)
}

/// The statistics of a node; `None` where the launcher has closed them since, or does not yet know what is in them.
fn block(path: &Path) -> io::Result<Option<StatsBlock>> {
    let open = File::options().read(true).write(true).open(path);
    match open.and_then(|file| StatsBlock::watch(file.as_fd())) {
        Ok(block) => Ok(Some(block)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn rank(block: &StatsBlock) -> u16 {
    block.rank.load(std::sync::atomic::Ordering::Relaxed) as u16
}

fn nodes(blocks: &[StatsBlock]) -> Vec<Node> {
    let size = blocks.last().map_or(0, |block| rank(block).saturating_add(1));
    blocks.iter().map(|block| Node::new(rank(block), size, "", 0, 0, block)).collect()
}

/// The program that the children of a launcher run.
fn program_of(pid: u32) -> Option<PathBuf> {
    let exe = |pid: u32| fs::read_link(format!("/proc/{pid}/exe")).ok();
    let launcher = exe(pid)?;
    let threads = fs::read_dir(Path::new("/proc").join(pid.to_string()).join("task")).ok()?.flatten();
    let children = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let children: Vec<u32> =
        children.flat_map(|line| line.split(' ').flat_map(str::parse).collect::<Vec<_>>()).collect();
    children.into_iter().filter_map(exe).find(|program| *program != launcher)
}

/// What happened between two looks.
fn view(pid: u32, now: &[Node], before: &[Node], passed: Duration, symbols: &Symbols) -> String {
    let per_second = |count: u64| (count as f64 / passed.as_secs_f64().max(1e-6)).round();
    let mut text = format!("launcher {pid}: {} nodes\n", now.len());
    text.push_str("node   to     faults/s  messages/s     bytes/s\n");
    let mut recent = Vec::new();
    for node in now {
        let Some(earlier) = before.iter().find(|earlier| earlier.rank == node.rank) else { continue };
        for (peer, was) in node.peers.iter().zip(&earlier.peers) {
            let faults = peer.faults.saturating_sub(was.faults);
            let messages = peer.messages.saturating_sub(was.messages);
            let bytes = peer.bytes.saturating_sub(was.bytes);
            if faults > 0 || messages > 0 {
                let rates = [faults, messages, bytes].map(per_second);
                text.push_str(&format!(
                    "{:>4} {:>4} {:>12} {:>11} {:>11}\n",
                    node.rank, peer.rank, rates[0], rates[1], rates[2]
                ));
            }
        }
        let mut newest = Node::absent(node.rank, 0, "");
        (newest.hot, newest.image_bias) = (newer(node, earlier), node.image_bias);
        newest.blocks = node.blocks.clone();
        recent.push(newest);
    }
    let hottest = pages::merge(&recent, symbols, PAGES_SHOWN);
    hottest.iter().for_each(|page| add_page(&mut text, page));
    if let Some(advice) = pages::advice(&hottest, symbols) {
        text.push_str(advice);
        text.push('\n');
    }
    text
}

/// The pages that faulted since `earlier`, with what was counted since.
fn newer(node: &Node, earlier: &Node) -> Vec<HotPage> {
    let mut pages = node.hot.clone();
    for page in &mut pages {
        let same = |was: &&HotPage| was.page == page.page && was.excess == page.excess;
        if let Some(was) = earlier.hot.iter().find(same) {
            page.reads = page.reads.saturating_sub(was.reads);
            page.writes = page.writes.saturating_sub(was.writes);
        }
    }
    pages.retain(|page| page.reads > 0 || page.writes > 0);
    pages
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;
    use std::sync::atomic::Ordering;

    use dstd_control::stats::hot::{HotFault, PageKind};

    use super::*;

    #[test]
    fn a_job_is_named_by_its_launchers_process_or_its_name() {
        assert_eq!(process_of("4711"), Some(4711));
        assert_eq!(process_of("19a1b2c3d4e-1f40"), Some(0x1f40));
        assert_eq!(process_of("word_count"), None);
    }

    #[test]
    fn what_is_closed_or_not_whole_is_passed_over() {
        let (running, file) = StatsBlock::create().unwrap();
        running.set_phase(Phase::Running);
        let (_starting, second) = StatsBlock::create().unwrap();
        let path = |file: &std::os::fd::OwnedFd| PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let missing = PathBuf::from("/proc/self/fd/dstd");
        let files = [missing, PathBuf::from("/dev/null"), path(&file), path(&second)];
        let found = blocks(&files).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].phase(), Phase::Running);
        // A directory cannot be opened so: that is no end of a program.
        assert!(blocks(&[PathBuf::from("/proc/self")]).is_err());
    }

    #[test]
    fn whatever_nodes_have_written_there_is_a_view() {
        let (before, wild) = (StatsBlock::private().unwrap(), StatsBlock::private().unwrap());
        let mut numbers = wild.snapshot();
        // All but the version.
        numbers[8..].fill(0xff);
        wild.restore(&numbers).unwrap();
        before.rank.store(u64::MAX, Ordering::Relaxed);
        let [before, now] = [before, wild].map(|block| nodes(std::slice::from_ref(&block)));
        let text = view(7, &now, &before, Duration::from_secs(1), &Symbols::none());
        assert!(text.contains("page 0xffffffffffffffff (static, home 65535)"), "{text}");
    }

    #[test]
    fn a_view_tells_what_happened_since_the_last() {
        let block = StatsBlock::private().unwrap();
        let fault = HotFault { address: 0x5010, write: true, kind: PageKind::Heap, home: 0 };
        block.rank.store(1, Ordering::Relaxed);
        block.peers[0].faults.store(100, Ordering::Relaxed);
        block.add_sent(0, 1, 1000);
        block.hot.fault(4096, fault);
        block.hot.fault(4096, HotFault { address: 0x9000, ..fault });
        let before = nodes(std::slice::from_ref(&block));
        block.peers[0].faults.store(140, Ordering::Relaxed);
        block.add_sent(0, 1, 500);
        block.hot.fault(4096, fault);
        let now = nodes(std::slice::from_ref(&block));
        let text = view(7, &now, &before, Duration::from_secs(2), &Symbols::none());
        let rates: Vec<&str> = text.lines().nth(2).unwrap().split_whitespace().collect();
        assert_eq!(rates, ["1", "0", "20", "1", "250"], "{text}");
        assert!(text.contains("page 0x5000 (heap, home 0): 1 faults"), "{text}");
        assert!(!text.contains("0x9000"), "{text}");
    }
}
