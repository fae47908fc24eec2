//! The futex calls of a user thread, as the runtime's driver makes them.

use dstd_addr::GlobalAddr;
use dstd_protocol::futex::Input;

use crate::cpu::{Cpu, Op, Signal, Waited};

/// FUTEX_BITSET_MATCH_ANY.
const ANY: u32 = u32::MAX;

/// Waits while the word is `expected`, as FUTEX_WAIT does.
pub(crate) async fn wait(cpu: &Cpu, addr: GlobalAddr, expected: u64, timeout_ns: Option<u64>) -> Waited {
    if cpu.layout.home(addr.page()) == Some(cpu.node) {
        return Waited::from_answer(cpu.issue(Op::KernelWait { addr, expected, timeout_ns }).await);
    }
    if cpu.habits.early_exit && cpu.load(addr).await != expected {
        return Waited::Differs;
    }
    let token = cpu.token();
    cpu.issue(Op::Call { input: Input::Wait { token, addr, bitset: ANY } }).await;
    match cpu.listen(token, timeout_ns).await {
        Some(Signal::Armed) => {}
        None => return leave(cpu, addr, token, Waited::TimedOut).await,
        Some(other) => {
            cpu.check(false, || format!("{other:?} before armed"));
            return Waited::Woken;
        }
    }
    if cpu.load(addr).await != expected {
        return leave(cpu, addr, token, Waited::Differs).await;
    }
    if let Some(signal) = cpu.listen(token, timeout_ns).await {
        cpu.check(signal == Signal::Woken, || format!("a sleeping waiter is told {signal:?}"));
        return Waited::Woken;
    }
    cpu.issue(Op::Call { input: Input::Cancel { token, pass_on: false } }).await;
    match last_signal(cpu, token).await {
        Signal::Woken => Waited::Woken,
        _ => Waited::TimedOut,
    }
}

/// Leaves the queue without having slept: a wake that came is for somebody else.
async fn leave(cpu: &Cpu, addr: GlobalAddr, token: u64, reason: Waited) -> Waited {
    let pass_on = cpu.habits.passes_on;
    cpu.issue(Op::Call { input: Input::Cancel { token, pass_on } }).await;
    if last_signal(cpu, token).await == Signal::Woken && pass_on {
        wake(cpu, addr, 1).await;
    }
    reason
}

async fn last_signal(cpu: &Cpu, token: u64) -> Signal {
    loop {
        match cpu.listen(token, None).await {
            Some(Signal::Armed) | None => {}
            Some(signal) => {
                let last = matches!(signal, Signal::Woken | Signal::Cancelled);
                cpu.check(last, || format!("a leaving waiter is told {signal:?}"));
                return signal;
            }
        }
    }
}

/// Wakes up to `count` waiters, as FUTEX_WAKE does; says how many.
pub(crate) async fn wake(cpu: &Cpu, addr: GlobalAddr, count: u32) -> u64 {
    let at_home = cpu.layout.home(addr.page()) == Some(cpu.node);
    if at_home && cpu.issue(Op::RemoteWaiters).await == 0 {
        return cpu.issue(Op::KernelWake { addr, count, bitset: ANY }).await;
    }
    let token = cpu.token();
    cpu.issue(Op::Call { input: Input::Wake { token, addr, count, bitset: ANY } }).await;
    match cpu.listen(token, None).await {
        Some(Signal::WakeDone(woken)) => u64::from(woken),
        other => {
            cpu.check(false, || format!("a waker is told {other:?}"));
            0
        }
    }
}
