//! Children whose memory is at other nodes during the fork, or lies over all of them.

use dstd::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use dstd::thread;
use std::io::{Read, Write, pipe};

use super::{LENT, code_of, first_wrong, fork};
use crate::cluster;

/// Children of all nodes read and write a block over all nodes: theirs is a copy.
pub(crate) fn striped() -> String {
    const WORDS: usize = (40 << 20) / 8;
    let mut words: Vec<usize> = (0..WORDS).collect();
    for i in 0..cluster::size() {
        words = cluster::spawn(i, move || {
            // Pages of every stripe have been written here, and elsewhere before.
            words.iter_mut().step_by(100_000).for_each(|word| *word += WORDS);
            let right = |words: &[usize]| {
                words
                    .iter()
                    .enumerate()
                    .all(|(at, word)| *word == if at % 100_000 == 0 { at + (i + 1) * WORDS } else { at })
            };
            let child = fork(|| {
                let grandchild = fork(|| i32::from(!right(&words)));
                let seen = first_wrong([code_of(grandchild) == 0, right(&words)]);
                words.fill(7);
                seen
            });
            assert_eq!(code_of(child), 0);
            assert!(right(&words));
            words
        })
        .join()
        .unwrap();
    }
    format!("{} nodes", cluster::size())
}

/// Forks while another node writes to the forking thread's stack and thread-locals: the child has them as they were, and
/// its parent goes on at once.
pub(crate) fn lent_stack() -> String {
    const FORKS: usize = 40;
    for i in 0..cluster::size() {
        cluster::spawn(i, move || LENT.with(|lent| forks_with_a_lent_stack(i, FORKS, lent))).join().unwrap();
    }
    format!("{} forks", FORKS * cluster::size())
}

fn forks_with_a_lent_stack(i: usize, forks: usize, lent: &AtomicUsize) {
    // As large as a page, so that it shares pages with the frames around it.
    let words = [const { AtomicUsize::new(0) }; 512];
    let (stop, round) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        cluster::scoped(scope, i + 1, || {
            while !stop.load(Ordering::SeqCst) {
                words.iter().for_each(|word| {
                    word.fetch_add(1, Ordering::SeqCst);
                });
                lent.fetch_add(1, Ordering::SeqCst);
            }
        });
        while lent.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        for now in 0..forks {
            round.store(now, Ordering::SeqCst);
            let (mut go, mut say) = pipe().unwrap();
            let child = fork(|| {
                let mut byte = [0];
                if go.read_exact(&mut byte).is_err() {
                    return 100;
                }
                first_wrong([
                    round.load(Ordering::SeqCst) == now,
                    words[0].load(Ordering::SeqCst) > 0,
                    lent.load(Ordering::SeqCst) > 0,
                ])
            });
            round.store(usize::MAX, Ordering::SeqCst);
            say.write_all(&[1]).unwrap();
            assert_eq!(code_of(child), 0);
        }
        stop.store(true, Ordering::SeqCst);
    });
}
