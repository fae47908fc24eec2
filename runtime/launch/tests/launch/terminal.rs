//! A job in a terminal: ^C, ^\, ^Z and fg, the background, a closed window.

use std::time::Duration;

use crate::run::{children, send, state_of, wait_gone, wait_until};
use crate::shell::Terminal;

fn is_stopped(pid: u32) -> bool {
    state_of(pid) == Some('T')
}

fn wait_stopped(pids: &[u32]) {
    wait_until("they do not stop", || pids.iter().all(|&pid| is_stopped(pid)));
}

/// Three nodes that wait for USR1, and their processes.
fn waiting(options: &str) -> (Terminal, Vec<u32>) {
    let terminal = Terminal::start("fg", false, options, &["signal", "9", &libc::SIGUSR1.to_string()]);
    terminal.wait_screen("waiting", 3);
    let pids: Vec<u32> = children(terminal.pid).into_iter().map(|(pid, _)| pid).collect();
    assert_eq!(pids.len(), 3);
    (terminal, pids)
}

fn stop_and_continue(terminal: &mut Terminal, pids: &[u32], held: Duration) {
    terminal.press(b"\x1a");
    assert_eq!(terminal.event(), format!("stopped {}", libc::SIGTSTP));
    wait_stopped(pids);
    std::thread::sleep(held);
    terminal.tell_shell("fg");
    wait_until("they do not go on", || !pids.iter().any(|&pid| is_stopped(pid)));
}

fn ends_well(terminal: &Terminal) {
    send(terminal.pid, libc::SIGUSR1);
    assert_eq!(terminal.event(), "ended 0", "{}", terminal.screen());
    terminal.wait_screen("got", 3);
}

pub(super) fn an_interrupt_is_node_0s() {
    let mut terminal = Terminal::start("fg", false, "-n 3", &["hang", "0"]);
    terminal.wait_screen("up ", 3);
    terminal.press(b"\x03");
    assert_eq!(terminal.event(), "ended 130");
    assert!(terminal.screen().contains("interrupt sent to node 0"), "{}", terminal.screen());
}

pub(super) fn a_second_interrupt_ends_all() {
    let mut terminal = Terminal::start("fg", false, "-n 2 --grace 100ms", &["deaf", "0"]);
    terminal.wait_screen("deaf", 1);
    terminal.press(b"\x03");
    terminal.wait_screen("again within 2 s", 1);
    terminal.press(b"\x03");
    assert_eq!(terminal.event(), "ended 130");
}

pub(super) fn quit_ends_all() {
    let mut terminal = Terminal::start("fg", false, "-n 3", &["hang", "0"]);
    terminal.wait_screen("up ", 3);
    terminal.press(b"\x1c");
    assert_eq!(terminal.event(), "ended 131");
}

pub(super) fn a_stopped_job_is_continued_as_often_as_wanted() {
    let (mut terminal, pids) = waiting("-n 3");
    for _ in 0..3 {
        stop_and_continue(&mut terminal, &pids, Duration::ZERO);
    }
    ends_well(&terminal);
}

/// The time itself is the point: the program may run for less than it was stopped.
pub(super) fn time_stands_still_for_a_stopped_job() {
    let (mut terminal, pids) = waiting("-n 3 --timeout 8s");
    stop_and_continue(&mut terminal, &pids, Duration::from_secs(9));
    ends_well(&terminal);
}

pub(super) fn reading_in_the_background_stops_the_whole_job() {
    let mut terminal = Terminal::start("bg", false, "-n 2", &["stdin", "0"]);
    assert_eq!(terminal.event(), format!("stopped {}", libc::SIGTTIN));
    let pids: Vec<u32> = children(terminal.pid).into_iter().map(|(pid, _)| pid).collect();
    wait_stopped(&pids);
    terminal.tell_shell("fg");
    terminal.press(b"typed\n\x04");
    assert_eq!(terminal.event(), "ended 0", "{}", terminal.screen());
    // Once as the terminal's echo, once as the program prints it.
    terminal.wait_screen("typed", 2);
}

pub(super) fn writing_in_the_background_is_as_the_terminal_says() {
    let terminal = Terminal::start("bg", false, "-n 2", &["ok", "0", "hello"]);
    assert_eq!(terminal.event(), "ended 0");
    terminal.wait_screen("hello", 1);
    let mut terminal = Terminal::start("bg", true, "-n 2", &["ok", "0", "hello"]);
    assert_eq!(terminal.event(), format!("stopped {}", libc::SIGTTOU));
    terminal.tell_shell("fg");
    assert_eq!(terminal.event(), "ended 0");
    terminal.wait_screen("hello", 1);
}

pub(super) fn a_closed_window_ends_all() {
    for culprit in ["0", "1"] {
        let mut terminal = Terminal::start("fg", false, "-n 2 --grace 100ms", &["deaf", culprit]);
        terminal.wait_screen("deaf", 1);
        let pids = children(terminal.pid);
        assert_eq!(pids.len(), 2);
        terminal.close();
        pids.into_iter().for_each(|(pid, _)| wait_gone(pid));
        wait_gone(terminal.pid);
    }
}
