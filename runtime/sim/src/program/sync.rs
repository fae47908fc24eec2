//! Locks as std builds them on a futex.

use dstd_addr::GlobalAddr;

use super::futex;
use crate::cpu::{Cpu, Waited};

const ALL: u32 = i32::MAX as u32;

/// std's futex `Mutex`: 0 free, 1 locked, 2 locked with waiters.
#[derive(Clone, Copy)]
pub(crate) struct Mutex(pub(crate) GlobalAddr);

impl Mutex {
    pub(crate) async fn lock(self, cpu: &Cpu) {
        if cpu.cas(self.0, 0, 1).await.is_ok() {
            return;
        }
        let mut state = self.spin(cpu).await;
        if state == 0 {
            match cpu.cas(self.0, 0, 1).await {
                Ok(_) => return,
                Err(found) => state = found,
            }
        }
        loop {
            if state != 2 && cpu.swap(self.0, 2).await == 0 {
                return;
            }
            futex::wait(cpu, self.0, 2, None).await;
            state = self.spin(cpu).await;
        }
    }

    async fn spin(self, cpu: &Cpu) -> u64 {
        let mut state = cpu.load(self.0).await;
        for _ in 0..3 {
            if state != 1 {
                break;
            }
            cpu.pause(100).await;
            state = cpu.load(self.0).await;
        }
        state
    }

    pub(crate) async fn unlock(self, cpu: &Cpu) {
        if cpu.swap(self.0, 0).await == 2 {
            futex::wake(cpu, self.0, 1).await;
        }
    }
}

/// std's futex `Condvar`.
#[derive(Clone, Copy)]
pub(crate) struct Condvar(pub(crate) GlobalAddr);

impl Condvar {
    /// Says whether it was woken in time.
    pub(crate) async fn wait(self, cpu: &Cpu, mutex: Mutex, timeout_ns: Option<u64>) -> bool {
        let seen = cpu.load(self.0).await;
        mutex.unlock(cpu).await;
        let waited = futex::wait(cpu, self.0, seen, timeout_ns).await;
        mutex.lock(cpu).await;
        waited != Waited::TimedOut
    }

    pub(crate) async fn notify_one(self, cpu: &Cpu) {
        cpu.add(self.0, 1).await;
        futex::wake(cpu, self.0, 1).await;
    }

    pub(crate) async fn notify_all(self, cpu: &Cpu) {
        cpu.add(self.0, 1).await;
        futex::wake(cpu, self.0, ALL).await;
    }
}

/// std's `Barrier`: a mutex, a condition, a count and a generation.
#[derive(Clone, Copy)]
pub(crate) struct Barrier {
    pub(crate) mutex: Mutex,
    pub(crate) turned: Condvar,
    pub(crate) count: GlobalAddr,
    pub(crate) generation: GlobalAddr,
    pub(crate) threads: u64,
}

impl Barrier {
    pub(crate) async fn wait(&self, cpu: &Cpu) {
        self.mutex.lock(cpu).await;
        let generation = cpu.load(self.generation).await;
        let arrived = cpu.load(self.count).await + 1;
        if arrived < self.threads {
            cpu.store(self.count, arrived).await;
            while cpu.load(self.generation).await == generation {
                self.turned.wait(cpu, self.mutex, None).await;
            }
        } else {
            cpu.store(self.count, 0).await;
            cpu.store(self.generation, generation + 1).await;
            self.turned.notify_all(cpu).await;
        }
        self.mutex.unlock(cpu).await;
    }
}

/// std's thread parker.
#[derive(Clone, Copy)]
pub(crate) struct Parker(pub(crate) GlobalAddr);

const EMPTY: u64 = 0;
const NOTIFIED: u64 = 1;
const PARKED: u64 = u64::MAX;

impl Parker {
    pub(crate) async fn park(self, cpu: &Cpu) {
        if cpu.add(self.0, PARKED).await == NOTIFIED {
            return;
        }
        loop {
            futex::wait(cpu, self.0, PARKED, None).await;
            if cpu.cas(self.0, NOTIFIED, EMPTY).await.is_ok() {
                return;
            }
        }
    }

    /// Says whether it was unparked.
    pub(crate) async fn park_timeout(self, cpu: &Cpu, timeout_ns: u64) -> bool {
        if cpu.add(self.0, PARKED).await == NOTIFIED {
            return true;
        }
        futex::wait(cpu, self.0, PARKED, Some(timeout_ns)).await;
        cpu.swap(self.0, EMPTY).await == NOTIFIED
    }

    pub(crate) async fn unpark(self, cpu: &Cpu) {
        if cpu.swap(self.0, NOTIFIED).await == PARKED {
            futex::wake(cpu, self.0, 1).await;
        }
    }
}
