//! What a thread is: identity, name, stack, thread-locals, how often it runs.

use dstd::collections::HashSet;
use dstd::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use dstd::sync::{Arc, Barrier, Mutex};
use dstd::{place, thread};
use std::cell::RefCell;
use std::hint::black_box;

use crate::cluster;

/// Thread ids are unique in the cluster, stay the same, and the handle knows them.
pub(crate) fn ids() -> String {
    let mut ids = HashSet::from([thread::current().id()]);
    let mut texts = HashSet::from([format!("{:?}", thread::current().id())]);
    for round in 0..5 {
        let threads: Vec<_> = (0..4 * cluster::size())
            .map(|i| {
                cluster::spawn(i + round, || {
                    let id = thread::current().id();
                    thread::yield_now();
                    assert_eq!(id, thread::current().id());
                    id
                })
            })
            .collect();
        for thread in threads {
            let id = thread.thread().id();
            assert_eq!(thread.join().unwrap(), id);
            assert!(ids.insert(id), "{id:?} was used twice");
            texts.insert(format!("{id:?}"));
        }
    }
    assert_eq!(ids.len(), 1 + 20 * cluster::size());
    assert_eq!(texts.len(), ids.len());
    format!("{} ids", ids.len())
}

/// Names and stack sizes are kept.
pub(crate) fn names() -> String {
    assert_eq!(thread::current().name(), Some("main"));
    for i in 0..cluster::size() {
        let builder = thread::Builder::new().name(format!("named {i}")).stack_size(8 << 20);
        let thread = place::on(cluster::nth(i), || {
            builder.spawn(|| (place::here(), thread::current().name().map(str::to_owned))).unwrap()
        });
        assert_eq!(thread.thread().name(), Some(&*format!("named {i}")));
        assert_eq!(thread.join().unwrap(), (cluster::nth(i), Some(format!("named {i}"))));
        let unnamed = cluster::spawn(i, || thread::current().name().map(str::to_owned));
        assert_eq!(unnamed.thread().name(), None);
        assert_eq!(unnamed.join().unwrap(), None);
        thread::scope(|scope| {
            let builder = thread::Builder::new().name(String::from("scoped"));
            let thread = place::on(cluster::nth(i), || {
                builder.spawn_scoped(scope, || thread::current().name() == Some("scoped")).unwrap()
            });
            assert!(thread.join().unwrap());
        });
    }
    format!("{} nodes", cluster::size())
}

struct Bell(Arc<AtomicUsize>);

impl Drop for Bell {
    fn drop(&mut self) {
        for _ in 0..100 {
            thread::yield_now();
        }
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

thread_local! {
    static BELLS: RefCell<Vec<Bell>> = const { RefCell::new(Vec::new()) };
}

/// When `join` returns, the destructors of the thread's thread-locals have run.
pub(crate) fn local_destructors() -> String {
    let rung = Arc::new(AtomicUsize::new(0));
    let mut expected = 0;
    for i in 0..4 * cluster::size() {
        let bells = [Bell(Arc::clone(&rung)), Bell(Arc::clone(&rung))];
        cluster::spawn(i, move || BELLS.with_borrow_mut(|mine| mine.extend(bells))).join().unwrap();
        expected += 2;
        assert_eq!(rung.load(Ordering::SeqCst), expected);
        thread::scope(|scope| {
            let rung = &rung;
            cluster::scoped(scope, i, move || {
                BELLS.with_borrow_mut(|mine| mine.push(Bell(Arc::clone(rung))));
            })
            .join()
            .unwrap();
            expected += 1;
            assert_eq!(rung.load(Ordering::SeqCst), expected);
        });
    }
    format!("{expected} destructors")
}

/// Sixty-four threads on every node, all alive at once.
pub(crate) fn many() -> String {
    const EACH: usize = 64;
    let count = EACH * cluster::size();
    let barrier = Arc::new(Barrier::new(count + 1));
    let arrived = Arc::new(Mutex::new(vec![0_usize; cluster::size()]));
    let threads: Vec<_> = (0..count)
        .map(|i| {
            let (barrier, arrived) = (Arc::clone(&barrier), Arc::clone(&arrived));
            cluster::spawn(i, move || {
                arrived.lock().unwrap()[i % cluster::size()] += 1;
                barrier.wait();
                i
            })
        })
        .collect();
    barrier.wait();
    assert_eq!(*arrived.lock().unwrap(), vec![EACH; cluster::size()]);
    let sum: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(sum, count * (count - 1) / 2);
    format!("{count} threads")
}

#[inline(never)]
fn depth(levels: u64, above: &[u64; 128]) -> u64 {
    let mut frame = [levels; 128];
    frame[0] = above[127] + 1;
    let frame = black_box(frame);
    if levels == 0 { frame[0] } else { depth(levels - 1, &frame) + (frame[5] - levels) }
}

/// Recursion uses the stack it asked for, and a good part of the default one.
pub(crate) fn deep_recursion() -> String {
    for i in 0..cluster::size() {
        let builder = thread::Builder::new().stack_size(64 << 20);
        let deep = place::on(cluster::nth(i), || builder.spawn(|| depth(12_000, &[3; 128])).unwrap());
        let usual = cluster::spawn(i, || depth(500, &[3; 128]));
        // The last frame counts one above what the frame before it is filled with.
        assert_eq!(deep.join().unwrap(), 2);
        assert_eq!(usual.join().unwrap(), 2);
    }
    format!("{} nodes", cluster::size())
}

/// Every closure runs exactly once, and what it owns is dropped exactly once.
pub(crate) fn at_most_once() -> String {
    const CLOSURES: usize = 300;
    let runs: Arc<Vec<AtomicU32>> = Arc::new((0..CLOSURES).map(|_| AtomicU32::new(0)).collect());
    let owned = Arc::new(());
    let threads: Vec<_> = (0..CLOSURES)
        .filter_map(|i| {
            let (runs, owned) = (Arc::clone(&runs), Arc::clone(&owned));
            let work = move || {
                runs[i].fetch_add(1, Ordering::SeqCst);
                Arc::strong_count(&owned)
            };
            if i % 3 == 0 {
                assert!(place::call(cluster::nth(i / 3), work) > 0);
                None
            } else {
                Some(cluster::spawn(i, work))
            }
        })
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap() > 0));
    assert!(runs.iter().all(|run| run.load(Ordering::SeqCst) == 1));
    assert_eq!(Arc::strong_count(&owned), 1);
    assert_eq!(Arc::strong_count(&runs), 1);
    format!("{CLOSURES} closures")
}

/// The parallelism of the cluster is the sum of what its nodes have.
pub(crate) fn parallelism() -> String {
    let each =
        place::nodes().map(|node| place::call(node, || std::thread::available_parallelism().unwrap().get()));
    let sum: usize = each.sum();
    let seen = cluster::everywhere(|_| thread::available_parallelism().unwrap().get());
    assert!(seen.iter().all(|seen| *seen == sum), "{seen:?} is not the sum {sum}");
    String::from("of all nodes")
}

/// Where threads run that nobody placed: first with all of them alive, then one after the other.
pub(crate) fn placement() -> String {
    let count = 4 * cluster::size();
    let barrier = Barrier::new(count);
    let together = thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    place::here().to_string()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    println!("together {}", together.join(" "));
    let alone: Vec<_> =
        (0..count).map(|_| thread::spawn(|| place::here().to_string()).join().unwrap()).collect();
    println!("alone {}", alone.join(" "));
    let (told, tells) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Barrier::new(count + 1)));
    for _ in 0..count {
        let (told, tells) = (Arc::clone(&told), Arc::clone(&tells));
        drop(thread::spawn(move || {
            told.lock().unwrap().push(place::here().to_string());
            tells.wait();
        }));
    }
    tells.wait();
    println!("detached {}", told.lock().unwrap().join(" "));
    format!("{count} threads")
}
