//! Handles of threads, and closures and results of all sizes.

use dstd::sync::Arc;
use dstd::sync::atomic::{AtomicUsize, Ordering};
use dstd::sync::mpsc;
use dstd::{place, thread};
use std::hint::black_box;

use crate::cluster;

/// A handle may be joined by another thread than the spawner, and used after its thread has ended.
pub(crate) fn elsewhere() -> String {
    let size = cluster::size();
    for i in 0..size {
        let worker = cluster::spawn(i, move || vec![i; 1_000]);
        let known = worker.thread().clone();
        let (sum, id) = cluster::spawn(i + 1, move || {
            let id = worker.thread().id();
            (worker.join().unwrap().into_iter().sum::<usize>(), id)
        })
        .join()
        .unwrap();
        assert_eq!((sum, id), (1_000 * i, known.id()));
        known.unpark();
        cluster::spawn(i + 2, move || known.unpark()).join().unwrap();
    }
    let (tell, told) = mpsc::channel();
    let blocked = cluster::spawn(1, move || told.recv().unwrap());
    assert!(!blocked.is_finished());
    tell.send(5).unwrap();
    while !blocked.is_finished() {
        thread::yield_now();
    }
    assert_eq!(blocked.join().unwrap(), 5);
    format!("{size} handles")
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A thread whose handle is dropped runs on, and its result is dropped once.
pub(crate) fn dropped() -> String {
    let drops = Arc::new(AtomicUsize::new(0));
    let count = 4 * cluster::size();
    for i in 0..count {
        let counted = Counted(Arc::clone(&drops));
        drop(cluster::spawn(i, move || counted));
    }
    while drops.load(Ordering::SeqCst) < count {
        thread::yield_now();
    }
    let panics = cluster::spawn(1, {
        let counted = Counted(Arc::clone(&drops));
        move || std::panic::panic_any(counted)
    });
    let payload = panics.join().unwrap_err();
    assert_eq!(drops.load(Ordering::SeqCst), count);
    drop(payload);
    assert_eq!(drops.load(Ordering::SeqCst), count + 1);
    format!("{count} results")
}

#[derive(Clone, Copy, PartialEq, Debug)]
#[repr(align(128))]
struct Aligned([u8; 3]);

/// Closures and results without bytes, with many, and with a wide alignment.
pub(crate) fn sizes() -> String {
    const BYTES: usize = 100_000;
    for i in 0..cluster::size() {
        cluster::spawn(i, || ()).join().unwrap();
        let never: Option<std::convert::Infallible> = cluster::spawn(i, || None).join().unwrap();
        assert!(never.is_none());
        let aligned = Aligned([i as u8; 3]);
        let back = cluster::spawn(i, move || {
            assert_eq!((&raw const aligned).addr() % 128, 0);
            (1_u8, black_box(aligned))
        });
        assert_eq!(back.join().unwrap(), (1, aligned));
        let big = [i as u8 + 1; BYTES];
        let builder = thread::Builder::new().stack_size(16 << 20);
        let thread = place::on(cluster::nth(i), || {
            builder.spawn(move || {
                let mut big = black_box(big);
                big.iter_mut().for_each(|byte| *byte *= 2);
                big
            })
        });
        assert_eq!(thread.unwrap().join().unwrap(), [2 * i as u8 + 2; BYTES]);
        let called = place::call(cluster::nth(i), move || black_box(big));
        assert_eq!(called, big);
    }
    format!("up to {BYTES} bytes")
}
