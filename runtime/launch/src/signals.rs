//! Signals sent to the launcher, as events.
//!
//! | signal | what the job does with it |
//! |---|---|
//! | INT | to node 0; again within 2 s: TERM to all, grace, KILL; once more: KILL |
//! | TERM, HUP | TERM, grace, KILL; once more: KILL. TERM goes to all, or, where node 0 handles it, to the nodes that do |
//! | USR1, USR2, QUIT | to the nodes that handle it; to all, if none does |
//! | TSTP, TTIN, TTOU | stops the nodes, then the launcher; continued together, and no timer has moved |
//! | XFSZ | as TERM; blocked, so that a log that is too long for `ulimit -f` is an error and no death |
//!
//! Node 0 is in the launcher's process group: it may read the terminal, and what the terminal sends
//! (^C, ^Z, ^\) the kernel delivers to it directly, so the launcher passes on only what somebody
//! sent with kill. The other nodes have a group each, which the launcher can kill with all that they
//! started; being in the background they ignore TTIN and TTOU, so that reading the terminal is an
//! error there instead of a halt. A signal that the launcher was told to ignore (nohup) stays ignored.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::job::Event;
use crate::sys::{self, Blocked, Mask};

const SIGNALS: [i32; 10] = [
    libc::SIGINT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
    libc::SIGXFSZ,
];

/// How often the thread looks whether it is still wanted.
const TICK: Duration = Duration::from_millis(50);

/// Turns signals into events while it lives.
pub(crate) struct Signals {
    blocked: Arc<Blocked>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Signals {
    /// Blocks the signals on this thread and starts one that waits for them.
    pub(crate) fn watch(events: Sender<Event>) -> io::Result<Signals> {
        let blocked = Arc::new(Blocked::new(&SIGNALS)?);
        let over = Arc::new(AtomicBool::new(false));
        let thread = {
            let (blocked, over) = (Arc::clone(&blocked), Arc::clone(&over));
            std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
                loop {
                    let arrived = blocked.wait(TICK);
                    // Relaxed: the flag carries nothing but itself.
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    if let Some(arrived) = arrived
                        && events.send(Event::Signal(arrived)).is_err()
                    {
                        return;
                    }
                }
            })?
        };
        Ok(Signals { blocked, over, thread: Some(thread) })
    }

    /// What was blocked before: a node starts with that.
    pub(crate) fn mask_before(&self) -> Mask {
        self.blocked.before()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It waits for this signal, so it need not wait for its tick.
            sys::signal_thread(&thread, libc::SIGTSTP);
            thread.join().expect("the signal thread does not panic");
        }
        self.blocked.restore();
    }
}
