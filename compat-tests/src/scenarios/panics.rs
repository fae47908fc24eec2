//! Panics of threads on other nodes.

use dstd::sync::atomic::{AtomicUsize, Ordering};
use dstd::sync::{Arc, Mutex, RwLock};
use dstd::{place, thread};
use std::panic::{self, AssertUnwindSafe};

use crate::cluster;

#[derive(Debug, PartialEq)]
struct Custom {
    code: u32,
    words: Vec<String>,
}

/// `join` returns what was thrown: text, formatted text, a type of our own.
pub(crate) fn payloads() -> String {
    for i in 0..cluster::size() {
        let named = place::on(cluster::nth(i), || {
            thread::Builder::new().name(format!("thrower-{i}")).spawn(|| panic!("plain text")).unwrap()
        });
        let payload = named.join().unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"plain text"));

        let payload = cluster::spawn(i, move || panic!("formatted {i}")).join().unwrap_err();
        assert_eq!(*payload.downcast::<String>().unwrap(), format!("formatted {i}"));

        let thrown = cluster::spawn(i, move || -> u8 {
            panic::panic_any(Custom { code: 77, words: vec![format!("from {i}")] })
        });
        let payload = thrown.join().unwrap_err().downcast::<Custom>().unwrap();
        assert_eq!(*payload, Custom { code: 77, words: vec![format!("from {i}")] });

        let empty: Vec<u64> = Vec::new();
        let payload = cluster::spawn(i, move || empty[3]).join().unwrap_err();
        let text = payload.downcast_ref::<String>().unwrap();
        assert_eq!(text, "index out of bounds: the len is 0 but the index is 3");
    }
    format!("{} nodes", cluster::size())
}

/// A panic poisons the locks its thread held, for every node.
pub(crate) fn poison() -> String {
    let mutex = Arc::new(Mutex::new(1));
    let rwlock = Arc::new(RwLock::new(String::from("before")));
    let thrown = cluster::spawn(1, {
        let (mutex, rwlock) = (Arc::clone(&mutex), Arc::clone(&rwlock));
        move || {
            let mut number = mutex.lock().unwrap();
            let mut text = rwlock.write().unwrap();
            *number = 2;
            text.push_str(" and after");
            panic!("with both locks");
        }
    });
    assert!(thrown.join().is_err());
    let seen = cluster::everywhere({
        let (mutex, rwlock) = (Arc::clone(&mutex), Arc::clone(&rwlock));
        move |_| {
            assert!(mutex.is_poisoned() && rwlock.is_poisoned());
            let number = *mutex.lock().unwrap_err().into_inner();
            let text = rwlock.read().unwrap_err().into_inner().clone();
            (number, text)
        }
    });
    assert!(seen.iter().all(|(number, text)| *number == 2 && text == "before and after"));
    mutex.clear_poison();
    assert_eq!(cluster::spawn(2, move || *mutex.lock().unwrap()).join().unwrap(), 2);
    String::from("mutex and rwlock")
}

struct Watch(Arc<AtomicUsize>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.fetch_add(if thread::panicking() { 100 } else { 1 }, Ordering::SeqCst);
    }
}

/// Unwinding runs destructors where it happens, and can be caught there.
pub(crate) fn unwinds() -> String {
    let seen = Arc::new(AtomicUsize::new(0));
    for i in 0..cluster::size() {
        let watch = Watch(Arc::clone(&seen));
        let inner = Arc::clone(&seen);
        let thread = cluster::spawn(i, move || {
            let _outer = watch;
            let caught = panic::catch_unwind(|| {
                let _inner = Watch(inner);
                panic!("caught at once");
            });
            assert!(caught.is_err() && !thread::panicking());
            panic::resume_unwind(Box::new(5_u8));
        });
        let payload = thread.join().unwrap_err();
        assert_eq!(*payload.downcast::<u8>().unwrap(), 5);
    }
    // Twice while panicking on each node: `resume_unwind` counts as panicking too.
    assert_eq!(seen.load(Ordering::SeqCst), 200 * cluster::size());
    format!("{} destructors", 2 * cluster::size())
}

/// A scope notices the panic of a thread that nobody joined.
pub(crate) fn in_scope() -> String {
    let mut touched = [false; 3];
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
        thread::scope(|scope| {
            for (i, touched) in touched.iter_mut().enumerate() {
                cluster::scoped(scope, i, move || {
                    *touched = true;
                    assert!(i != 1, "thread {i} of the scope");
                });
            }
        });
    }));
    let payload = outcome.unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"a scoped thread panicked"));
    assert_eq!(touched, [true; 3]);
    let joined = thread::scope(|scope| {
        let thread = cluster::scoped(scope, 1, || panic!("joined"));
        thread.join().unwrap_err().downcast_ref::<&str>().copied()
    });
    assert_eq!(joined, Some("joined"));
    String::from("both ways")
}
