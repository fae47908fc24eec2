//! std's channels between nodes.

use dstd::sync::mpsc::{self, RecvTimeoutError, TryRecvError, TrySendError};
use std::time::Duration;

use crate::cluster;

/// Many senders, one receiver: every string arrives once, those of one sender in order.
pub(crate) fn strings() -> String {
    const EACH: usize = 1_000;
    for receiver in 0..cluster::size() {
        let (sender, strings) = mpsc::channel::<(usize, String)>();
        let threads: Vec<_> = (0..cluster::size())
            .map(|i| {
                let sender = sender.clone();
                cluster::spawn(i, move || {
                    (0..EACH).for_each(|n| sender.send((i, format!("{i} says {n}"))).unwrap());
                })
            })
            .collect();
        drop(sender);
        let heard = cluster::spawn(receiver, move || {
            let mut next = vec![0; cluster::size()];
            for (from, string) in strings {
                assert_eq!(string, format!("{from} says {}", next[from]));
                next[from] += 1;
            }
            next
        });
        assert_eq!(heard.join().unwrap(), vec![EACH; cluster::size()]);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
    format!("{EACH} each")
}

/// Boxes, trait objects and a way to answer travel through a channel.
pub(crate) fn boxes() -> String {
    type Job = Box<dyn FnOnce(u64) -> Box<[u64]> + Send>;
    let (jobs, inbox) = mpsc::channel::<(Job, mpsc::Sender<Box<[u64]>>)>();
    let worker = cluster::spawn(1, move || {
        let mut done = 0;
        for (job, answer) in inbox {
            answer.send(job(done)).unwrap();
            done += 1;
        }
        done
    });
    let (answer, answers) = mpsc::channel();
    for n in 0..200 {
        let base = Box::new(n);
        jobs.send((Box::new(move |x| vec![*base, x, *base * x].into()), answer.clone())).unwrap();
    }
    drop((jobs, answer));
    let sum: u64 = answers
        .into_iter()
        .zip(0..)
        .map(|(values, n)| {
            assert_eq!(*values, [n, n, n * n]);
            values.iter().sum::<u64>()
        })
        .sum();
    assert_eq!(worker.join().unwrap(), 200);
    format!("{sum}")
}

/// Bounded channels, from rendezvous up: nothing is lost, order is kept, the bound holds.
pub(crate) fn bounded() -> String {
    const ITEMS: u64 = 300;
    for bound in [0, 1, 4] {
        for (from, to) in [(0, 1), (1, 0), (1, 2)] {
            let (sender, receiver) = mpsc::sync_channel(bound);
            let feeder = cluster::spawn(from, move || {
                (0..ITEMS).for_each(|n| sender.send(vec![n; 3]).unwrap());
            });
            let sum = cluster::spawn(to, move || {
                receiver
                    .iter()
                    .zip(0..)
                    .map(|(item, n)| {
                        assert_eq!(item, [n; 3]);
                        item.iter().sum::<u64>()
                    })
                    .sum::<u64>()
            });
            feeder.join().unwrap();
            assert_eq!(sum.join().unwrap(), 3 * ITEMS * (ITEMS - 1) / 2);
        }
        let (sender, receiver) = mpsc::sync_channel(bound);
        let full = cluster::spawn(1, move || {
            (0..bound).for_each(|n| sender.try_send(n).unwrap());
            matches!(sender.try_send(bound), Err(TrySendError::Full(n)) if n == bound)
        });
        assert!(full.join().unwrap());
        assert_eq!(receiver.iter().collect::<Vec<_>>(), (0..bound).collect::<Vec<_>>());
    }
    String::from("bounds 0, 1 and 4")
}

/// Both ends learn that the other one is gone, and an empty channel says so in time.
pub(crate) fn disconnect() -> String {
    let (sender, receiver) = mpsc::channel::<String>();
    let receiver = cluster::spawn(1, move || {
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(receiver.recv_timeout(Duration::from_millis(20)), Err(RecvTimeoutError::Timeout));
        receiver
    })
    .join()
    .unwrap();
    let waiter = cluster::spawn(1, move || (receiver.recv(), receiver.recv()));
    sender.send(String::from("last")).unwrap();
    drop(sender);
    assert_eq!(waiter.join().unwrap(), (Ok(String::from("last")), Err(mpsc::RecvError)));

    let (sender, receiver) = mpsc::sync_channel::<String>(0);
    let blocked = cluster::spawn(1, move || sender.send(String::from("unheard")).unwrap_err().0);
    drop(receiver);
    assert_eq!(blocked.join().unwrap(), "unheard");
    String::from("both ends")
}
