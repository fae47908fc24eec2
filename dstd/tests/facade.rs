//! Programs that say `dstd` where they would say `std`.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]
#![allow(
    clippy::mem_replace_with_default,
    clippy::swap_with_temporary,
    clippy::box_collection,
    clippy::useless_format,
    clippy::assertions_on_constants,
    reason = "each line uses a name of the facade, as plainly as can be"
)]

use dstd::collections::{BTreeMap, HashMap};
use dstd::place;
use dstd::sync::atomic::{AtomicUsize, Ordering};
use dstd::sync::{Arc, Condvar, Mutex, OnceLock, RwLock, mpsc};
use dstd::thread;

#[test]
fn every_stable_module_has_its_name() {
    use dstd::{
        alloc::Layout, any::Any, array::IntoIter, ascii::escape_default, backtrace::Backtrace, borrow::Cow,
        boxed::Box, cell::Cell, char::from_digit, clone::Clone, cmp::Ordering, collections::BTreeSet,
        convert::Infallible, default::Default, env::args, error::Error, f32::consts::E, f64::consts::PI,
        ffi::CStr, fmt::Debug, fs::File, future::Future, hash::Hash, hint::black_box, io::Read, iter::once,
        marker::PhantomData, mem::swap, net::IpAddr, num::NonZeroU8, ops::Range, option::Option,
        os::fd::RawFd, panic::catch_unwind, path::Path, pin::Pin, place::NodeId, primitive::u8,
        process::Command, ptr::NonNull, rc::Rc, result::Result, slice::Iter, str::FromStr, string::String,
        sync::Barrier, task::Poll, thread::Thread, time::Duration, vec::Vec,
    };
    // A type of each module, or what it has instead.
    type Types<'a> = (
        (
            Layout,
            IntoIter<u8, 1>,
            Backtrace,
            Cow<'a, str>,
            Box<dyn Any>,
            Cell<u8>,
            Ordering,
            BTreeSet<u8>,
            Infallible,
        ),
        (
            &'a CStr,
            File,
            PhantomData<u8>,
            IpAddr,
            NonZeroU8,
            Range<u8>,
            Option<u8>,
            RawFd,
            &'a Path,
            Pin<Rc<u8>>,
        ),
        (
            NodeId,
            Command,
            NonNull<u8>,
            Result<u8, Box<dyn Error>>,
            Iter<'a, u8>,
            String,
            Barrier,
            Poll<u8>,
            Thread,
        ),
        (Duration, Vec<Box<dyn Debug>>, Box<dyn Read>, Box<dyn Future<Output = u8>>),
    );
    fn bounds<T: Clone + Default + Hash + FromStr>(mut value: T) -> T {
        swap(&mut value, &mut T::default());
        black_box(value)
    }
    assert!(size_of::<Types<'_>>() > 0);
    assert_eq!((bounds(3_u16), from_digit(7, 8), once(PI).next()), (0, Some('7'), Some(PI)));
    assert!(
        E > 2.0 && escape_default(b'\n').count() == 2 && args().count() > 0 && catch_unwind(|| ()).is_ok()
    );
}

#[test]
fn every_prelude_has_its_name() {
    mod v1 {
        use dstd::prelude::v1::*;
        pub(super) fn boxed() -> Box<String> {
            Box::new(String::new())
        }
    }
    mod edition_2018 {
        #[expect(unused_imports, reason = "that it is there is the test")]
        use dstd::prelude::{rust_2015::*, rust_2018::*, rust_2021::*};
    }
    mod edition_2024 {
        use dstd::prelude::rust_2024::*;
        pub(super) fn is_future<F: Future>(_: &F) -> bool {
            true
        }
    }
    assert!(v1::boxed().is_empty());
    assert!(edition_2024::is_future(&dstd::future::ready(())));
}

#[test]
fn macros_are_reached_by_path_and_by_use() {
    use dstd::{assert, assert_eq, format, matches, thread_local, vec, write};

    thread_local! {
        static COUNT: dstd::cell::Cell<u8> = const { dstd::cell::Cell::new(1) };
    }
    let mut text = dstd::format!("{}", dstd::concat!("a", 1));
    dstd::fmt::Write::write_fmt(&mut text, dstd::format_args!("-{}", COUNT.get())).unwrap();
    assert_eq!(text, format!("{}-1", "a1"));
    assert!(matches!(vec![1, 2].as_slice(), [1, ..]));
    let mut out = dstd::vec![0u8; 0];
    {
        use dstd::io::Write as _;
        dstd::write!(out, "{}", dstd::stringify!(x)).unwrap();
        write!(out, "{}", dstd::env!("CARGO_PKG_NAME")).unwrap();
    }
    dstd::assert_ne!(out, b"x");
    dstd::debug_assert!(!dstd::cfg!(target_os = "none"));
    dstd::println!("{}", dstd::line!());
    dstd::eprintln!("{}", dstd::file!());
    assert!(dstd::panic::catch_unwind(|| dstd::unreachable!("as it should")).is_err());
}

#[test]
fn threads_locks_and_channels() {
    let shared = Arc::new((Mutex::new(HashMap::new()), Condvar::new(), RwLock::new(0), AtomicUsize::new(0)));
    let (sender, receiver) = mpsc::channel();
    let threads: Vec<thread::JoinHandle<()>> = (0..4)
        .map(|number| {
            let (shared, sender) = (Arc::clone(&shared), sender.clone());
            thread::spawn(move || {
                shared.0.lock().unwrap().insert(number, number.to_string());
                shared.1.notify_all();
                *shared.2.write().unwrap() += number;
                shared.3.fetch_add(1, Ordering::SeqCst);
                sender.send(BTreeMap::from([(number, vec![number; 3])])).unwrap();
            })
        })
        .collect();
    drop(sender);
    let full = shared.1.wait_while(shared.0.lock().unwrap(), |map| map.len() < 4).unwrap();
    assert_eq!(full[&3], "3");
    drop(full);
    let all: BTreeMap<_, _> = receiver.into_iter().flatten().collect();
    assert!(all.keys().eq(&[0, 1, 2, 3]));
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!((*shared.2.read().unwrap(), shared.3.load(Ordering::SeqCst)), (6, 4));
}

#[test]
fn values_are_those_of_std() {
    fn takes_std(
        text: std::string::String,
        lock: &std::sync::Mutex<std::vec::Vec<u8>>,
    ) -> std::thread::ThreadId {
        lock.lock().unwrap().extend(text.bytes());
        std::thread::current().id()
    }
    static CELL: OnceLock<u8> = OnceLock::new();
    let lock = Mutex::new(dstd::vec![]);
    assert_eq!(takes_std(dstd::string::String::from("ab"), &lock), thread::current().id());
    assert_eq!((lock.into_inner().unwrap(), *CELL.get_or_init(|| 3)), (vec![97, 98], 3));
}

#[test]
fn a_thread_of_this_node_has_its_pthread() {
    use dstd::os::unix::thread::JoinHandleExt;

    let handle = place::spawn_on(place::here(), || ());
    assert_ne!(handle.as_pthread_t(), 0);
    handle.join().unwrap();
}
