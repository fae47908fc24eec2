//! What node 0 reads, when it is on another host: read here ahead of it, one piece at a time.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use super::frames::{PIECE_BYTES, ToAgent};
use super::link::Load;
use crate::sys;

/// How often it is looked whether a terminal may be read now.
const TICK: Duration = Duration::from_millis(100);

/// Starts to send what can be read from stdin to `to`; the next piece for each word of the sender returned.
pub(super) fn forward(to: Sender<Load>) -> io::Result<Sender<()>> {
    let (taken, next) = channel();
    thread::Builder::new().name("stdin".to_owned()).spawn(move || read(&to, &next))?;
    Ok(taken)
}

fn read(to: &Sender<Load>, next: &Receiver<()>) {
    let mut stdin = io::stdin();
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        // In the background a read of the terminal would stop the launcher.
        if !sys::may_read_stdin() {
            thread::sleep(TICK);
            continue;
        }
        match sys::readable(stdin.as_fd(), TICK) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(_) => break,
        }
        match stdin.read(&mut buffer) {
            Ok(0) => break,
            Ok(got) => {
                let said = to.send(Load::Say(ToAgent::Stdin(buffer[..got].to_vec())));
                if said.is_err() || next.recv().is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    drop(to.send(Load::Say(ToAgent::StdinEnd)));
}
