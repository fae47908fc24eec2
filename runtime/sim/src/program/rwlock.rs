//! std's futex `RwLock`, which decides by the number of threads that a wake reached.

use dstd_addr::GlobalAddr;

use super::futex;
use crate::cpu::Cpu;

const READ_LOCKED: u64 = 1;
const MASK: u64 = (1 << 30) - 1;
const WRITE_LOCKED: u64 = MASK;
const MAX_READERS: u64 = MASK - 1;
const READERS_WAITING: u64 = 1 << 30;
const WRITERS_WAITING: u64 = 1 << 31;

#[derive(Clone, Copy)]
pub(crate) struct RwLock {
    pub(crate) state: GlobalAddr,
    pub(crate) writer_notify: GlobalAddr,
}

fn is_unlocked(state: u64) -> bool {
    state & MASK == 0
}

fn is_write_locked(state: u64) -> bool {
    state & MASK == WRITE_LOCKED
}

fn has_readers_waiting(state: u64) -> bool {
    state & READERS_WAITING != 0
}

fn has_writers_waiting(state: u64) -> bool {
    state & WRITERS_WAITING != 0
}

fn is_read_lockable(state: u64) -> bool {
    state & MASK < MAX_READERS && !has_readers_waiting(state) && !has_writers_waiting(state)
}

fn is_read_lockable_after_wakeup(state: u64) -> bool {
    state & MASK < MAX_READERS
        && has_readers_waiting(state)
        && !has_writers_waiting(state)
        && !is_write_locked(state)
        && !is_unlocked(state)
}

impl RwLock {
    pub(crate) async fn read(self, cpu: &Cpu) {
        let mut has_slept = false;
        let mut state = cpu.load(self.state).await;
        loop {
            if is_read_lockable(state) || has_slept && is_read_lockable_after_wakeup(state) {
                match cpu.cas(self.state, state, state + READ_LOCKED).await {
                    Ok(_) => return,
                    Err(found) => state = found,
                }
                continue;
            }
            if !has_readers_waiting(state)
                && let Err(found) = cpu.cas(self.state, state, state | READERS_WAITING).await
            {
                state = found;
                continue;
            }
            futex::wait(cpu, self.state, state | READERS_WAITING, None).await;
            has_slept = true;
            state = cpu.load(self.state).await;
        }
    }

    pub(crate) async fn read_unlock(self, cpu: &Cpu) {
        let state = cpu.add(self.state, READ_LOCKED.wrapping_neg()).await - READ_LOCKED;
        if is_unlocked(state) && has_writers_waiting(state) {
            self.wake_writer_or_readers(cpu, state).await;
        }
    }

    pub(crate) async fn write(self, cpu: &Cpu) {
        let mut state = match cpu.cas(self.state, 0, WRITE_LOCKED).await {
            Ok(_) => return,
            Err(found) => found,
        };
        let mut other_writers_waiting = 0;
        loop {
            if is_unlocked(state) {
                match cpu.cas(self.state, state, state | WRITE_LOCKED | other_writers_waiting).await {
                    Ok(_) => return,
                    Err(found) => state = found,
                }
                continue;
            }
            if !has_writers_waiting(state)
                && let Err(found) = cpu.cas(self.state, state, state | WRITERS_WAITING).await
            {
                state = found;
                continue;
            }
            other_writers_waiting = WRITERS_WAITING;
            let seen = cpu.load(self.writer_notify).await;
            state = cpu.load(self.state).await;
            if is_unlocked(state) || !has_writers_waiting(state) {
                continue;
            }
            futex::wait(cpu, self.writer_notify, seen, None).await;
            state = cpu.load(self.state).await;
        }
    }

    pub(crate) async fn write_unlock(self, cpu: &Cpu) {
        let state = cpu.add(self.state, WRITE_LOCKED.wrapping_neg()).await - WRITE_LOCKED;
        if has_writers_waiting(state) || has_readers_waiting(state) {
            self.wake_writer_or_readers(cpu, state).await;
        }
    }

    async fn wake_writer_or_readers(self, cpu: &Cpu, mut state: u64) {
        if state == WRITERS_WAITING {
            match cpu.cas(self.state, state, 0).await {
                Ok(_) => {
                    self.wake_writer(cpu).await;
                    return;
                }
                Err(found) => state = found,
            }
        }
        if state == READERS_WAITING + WRITERS_WAITING {
            if cpu.cas(self.state, state, READERS_WAITING).await.is_err() {
                return;
            }
            if self.wake_writer(cpu).await {
                return;
            }
            state = READERS_WAITING;
        }
        if state == READERS_WAITING && cpu.cas(self.state, state, 0).await.is_ok() {
            futex::wake(cpu, self.state, i32::MAX as u32).await;
        }
    }

    async fn wake_writer(self, cpu: &Cpu) -> bool {
        cpu.add(self.writer_notify, 1).await;
        futex::wake(cpu, self.writer_notify, 1).await > 0
    }
}
