//! The pair of sockets that wakes a sleeper.

use crate::threads::{Arc, Condvar, Mutex};

#[derive(Default)]
struct State {
    /// Bytes unheard, by side.
    rings: [usize; 2],
    ended: bool,
}

/// One end.
pub(super) struct Bell {
    me: usize,
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl Bell {
    pub(super) fn pair() -> [Bell; 2] {
        let shared = Arc::new((Mutex::new(State::default()), Condvar::new()));
        [0, 1].map(|me| Bell { me, shared: Arc::clone(&shared) })
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.shared.0.lock().expect("nobody panics with it"));
        self.shared.1.notify_all();
        changed
    }

    pub(super) fn ring(&self) {
        self.change(|state| state.rings[1 - self.me] += 1);
    }

    pub(super) fn hear(&self) -> bool {
        self.change(|state| {
            state.rings[self.me] = 0;
            state.ended
        })
    }

    pub(super) fn end(&self) {
        self.change(|state| state.ended = true);
    }

    pub(super) fn fd(&self) -> i32 {
        0
    }

    /// What `ppoll` does: sleeps until there is something to hear.
    pub(super) fn sleep(&self) {
        let mut state = self.shared.0.lock().expect("nobody panics with it");
        while state.rings[self.me] == 0 && !state.ended {
            state = self.shared.1.wait(state).expect("nobody panics with it");
        }
    }
}
