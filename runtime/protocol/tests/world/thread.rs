//! Threads: a few instructions on words of shared pages, and the futex calls of std.

use dstd_addr::{Layout, NodeId, PageNo};
use dstd_protocol::futex::{Input, Output};
use dstd_protocol::page;

use super::World;

/// One instruction. Each is atomic once its page may be used.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Op {
    /// Reads the word.
    Load(PageNo),
    /// Writes a word.
    Store(PageNo, u8),
    /// Adds one; panics of a lost update show as a stale read.
    Add(PageNo),
    /// Copies the word of one page to another: needs both at once.
    Copy { from: PageNo, to: PageNo },
    /// Reads; goes to `then` when the word is `word`.
    IfEqual { page: PageNo, word: u8, then: u8 },
    /// Replaces `old` by `new` and goes to `then`, or goes on.
    Cas { page: PageNo, old: u8, new: u8, then: u8 },
    /// Writes `new`; goes to `then` when `old` was there, or goes on.
    Swap { page: PageNo, new: u8, old: u8, then: u8 },
    /// futex(FUTEX_WAIT).
    Wait { page: PageNo, word: u8 },
    /// futex(FUTEX_WAKE).
    Wake { page: PageNo, count: u32 },
    /// Has own pages discarded and waits for that.
    Discard { page: PageNo, count: u8 },
    /// Claims to be alone until `Leave`.
    Enter,
    /// No longer alone.
    Leave,
    /// Goes to another instruction.
    Goto(u8),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Stage {
    Ready,
    /// The engine was told of a wait.
    Asked(u64),
    /// Queued at the home: reads the word again. Whether a wake has come already.
    Armed(u64, bool),
    Asleep(u64),
    Cancelling(u64),
    AsleepInKernel,
    Waking(u64),
    Discarding(u64),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Thread {
    pub node: usize,
    /// The page whose fault blocks it.
    pub fault: Option<PageNo>,
    /// Whether it has run since a page was there for it.
    pub has_run: bool,
    /// Its engine wants to know that; whether it had not when the engine asked.
    pub watched: Option<bool>,
    next: u8,
    stage: Stage,
    alone: bool,
    /// Futex calls so far, for tokens.
    calls: u8,
}

impl Thread {
    pub fn new(node: usize) -> Thread {
        Thread {
            node,
            fault: None,
            has_run: true,
            watched: None,
            next: 0,
            stage: Stage::Ready,
            alone: false,
            calls: 0,
        }
    }

    pub fn finished(&self, ops: &[Op]) -> bool {
        usize::from(self.next) >= ops.len() && self.stage == Stage::Ready
    }

    pub fn can_run(&self, ops: &[Op]) -> bool {
        self.fault.is_none() && !self.finished(ops) && matches!(self.stage, Stage::Ready | Stage::Armed(..))
    }

    fn go_on(&mut self) {
        self.stage = Stage::Ready;
        self.next += 1;
    }
}

fn home(page: PageNo) -> usize {
    let mut ranks = (0..dstd_addr::NODES_MAX).map(NodeId);
    ranks.find(|&rank| Layout::partition(rank).contains(&page.addr().0)).expect("a heap page").index()
}

impl World {
    pub(super) fn run(&mut self, thread: usize, ops: &[Op]) {
        let op = ops[usize::from(self.threads[thread].next)];
        if let (Stage::Armed(token, woken), Op::Wait { page, word }) = (self.threads[thread].stage, op) {
            self.read_again(thread, token, woken, page, word);
            return;
        }
        match op {
            Op::Load(page) => self.update(thread, page, |_| (None, None)),
            Op::Store(page, word) => self.update(thread, page, |_| (Some(word), None)),
            Op::Add(page) => self.update(thread, page, |word| (Some(word.wrapping_add(1)), None)),
            Op::Copy { from, to } => {
                let Some(word) = self.touch(thread, from, false) else { return };
                self.update(thread, to, |_| (Some(word), None));
            }
            Op::IfEqual { page, word, then } => {
                self.update(thread, page, |seen| (None, (seen == word).then_some(then)));
            }
            Op::Cas { page, old, new, then } => self.update(thread, page, |seen| {
                if seen == old { (Some(new), Some(then)) } else { (Some(seen), None) }
            }),
            Op::Swap { page, new, old, then } => {
                self.update(thread, page, |seen| (Some(new), (seen == old).then_some(then)));
            }
            Op::Wait { page, word } => self.wait(thread, page, word),
            Op::Wake { page, count } => self.wake(thread, page, count),
            Op::Discard { page, count } => {
                let token = self.token(thread);
                self.threads[thread].stage = Stage::Discarding(token);
                let discard = page::Input::Discard { first: page, count: count.into(), token };
                self.step_page(self.threads[thread].node, self.now_ns, discard, &[]);
            }
            Op::Enter => {
                if self.threads.iter().any(|thread| thread.alone) {
                    self.break_with(format!("thread {thread} entered although another is inside"));
                }
                self.threads[thread].alone = true;
                self.threads[thread].go_on();
            }
            Op::Leave => {
                self.threads[thread].alone = false;
                self.threads[thread].go_on();
            }
            Op::Goto(next) => self.threads[thread].next = next,
        }
    }

    /// Reads a word and perhaps writes one; the closure says what to write and where to go.
    fn update(&mut self, thread: usize, page: PageNo, with: impl Fn(u8) -> (Option<u8>, Option<u8>)) {
        // Whether a page must be writable depends on the instruction alone, as on hardware.
        let writes = with(0).0.is_some();
        let Some(word) = self.touch(thread, page, writes) else { return };
        let (new, then) = with(word);
        if let Some(new) = new {
            self.write(thread, page, new);
        }
        match then {
            Some(then) => self.threads[thread].next = then,
            None => self.threads[thread].go_on(),
        }
    }

    fn token(&mut self, thread: usize) -> u64 {
        let calls = &mut self.threads[thread].calls;
        *calls += 1;
        thread as u64 * 256 + u64::from(*calls)
    }

    fn wait(&mut self, thread: usize, page: PageNo, word: u8) {
        let node = self.threads[thread].node;
        if home(page) == node {
            // The kernel compares and queues in one step.
            let Some(seen) = self.touch(thread, page, false) else { return };
            if seen == word {
                self.kernels[node].push_back((page, thread));
                self.threads[thread].stage = Stage::AsleepInKernel;
            } else {
                self.threads[thread].go_on();
            }
            return;
        }
        let token = self.token(thread);
        self.threads[thread].stage = Stage::Asked(token);
        self.step_futex(node, Input::Wait { token, addr: page.addr(), bitset: u32::MAX });
    }

    fn read_again(&mut self, thread: usize, token: u64, woken: bool, page: PageNo, word: u8) {
        let Some(seen) = self.touch(thread, page, false) else { return };
        match (seen == word, woken) {
            (true, true) => self.threads[thread].go_on(),
            (true, false) => self.threads[thread].stage = Stage::Asleep(token),
            (false, true) => self.wake(thread, page, 1),
            (false, false) => {
                self.threads[thread].stage = Stage::Cancelling(token);
                self.step_futex(self.threads[thread].node, Input::Cancel { token, pass_on: true });
            }
        }
    }

    fn wake(&mut self, thread: usize, page: PageNo, count: u32) {
        let node = self.threads[thread].node;
        if home(page) == node && self.futexes[node].remote_waiters() == 0 {
            self.kernel_wake(node, page, count);
            self.threads[thread].go_on();
            return;
        }
        let token = self.token(thread);
        self.threads[thread].stage = Stage::Waking(token);
        self.step_futex(node, Input::Wake { token, addr: page.addr(), count, bitset: u32::MAX });
    }

    fn kernel_wake(&mut self, node: usize, page: PageNo, count: u32) -> u32 {
        let mut woken = 0;
        while woken < count {
            let Some(place) = self.kernels[node].iter().position(|&(waits_for, _)| waits_for == page) else {
                break;
            };
            if let Some((_, thread)) = self.kernels[node].remove(place) {
                self.threads[thread].go_on();
                woken += 1;
            }
        }
        woken
    }

    pub(super) fn step_futex(&mut self, node: usize, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let mut outputs = Vec::new();
            if let Err(violation) = self.futexes[node].step(input, &mut outputs) {
                self.break_with(violation.to_string());
            }
            for output in outputs {
                match output {
                    Output::Send { to, message } => self.send(node, to, message, Vec::new()),
                    Output::KernelWake { ticket, addr, count, .. } => {
                        let woken = self.kernel_wake(node, addr.page(), count);
                        inputs.push(Input::KernelWoke { ticket, woken });
                    }
                    Output::Armed { token } => self.told(node, token, Told::Armed),
                    Output::Woken { token } => self.told(node, token, Told::Woken),
                    Output::Cancelled { token } => self.told(node, token, Told::Cancelled),
                    Output::WakeDone { token, .. } => self.told(node, token, Told::WakeDone),
                }
            }
        }
    }

    pub(super) fn discarded(&mut self, node: usize, token: u64) {
        let thread = &mut self.threads[(token / 256) as usize];
        if thread.stage == Stage::Discarding(token) && thread.node == node {
            thread.go_on();
        } else {
            self.break_with(format!("node {node} has discarded for {token}, which nobody waits for"));
        }
    }

    fn told(&mut self, node: usize, token: u64, told: Told) {
        let thread = &mut self.threads[(token / 256) as usize];
        match (thread.stage, told) {
            (Stage::Asked(now), Told::Armed) if now == token => thread.stage = Stage::Armed(token, false),
            (Stage::Armed(now, false), Told::Woken) if now == token => {
                thread.stage = Stage::Armed(token, true);
            }
            (Stage::Asleep(now), Told::Woken) if now == token => thread.go_on(),
            (Stage::Cancelling(now), Told::Cancelled) if now == token => thread.go_on(),
            (Stage::Waking(now), Told::WakeDone) if now == token => thread.go_on(),
            (stage, _) => {
                self.break_with(format!("node {node} tells a thread in {stage:?}: {told:?} {token}"))
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Told {
    Armed,
    Woken,
    Cancelled,
    WakeDone,
}
