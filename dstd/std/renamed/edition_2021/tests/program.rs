//! A program of edition 2021, renamed: closures that capture parts, arrays by value, scoped threads,
//! channels, processes, files.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

use std::borrow::Cow;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::ffi::{CString, OsStr};
use std::fs::{self, File};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::io::{Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Barrier, Condvar, LazyLock, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};
use std::{cmp::Reverse, env, mem, ops::ControlFlow, thread};

mod inner {
    pub(super) mod deeper {
        /// The prelude and the macros must be dstd's in every module.
        pub(crate) fn words(text: &str) -> Vec<String> {
            let words = vec![text.to_string(), format!("{text:>4}")];
            <Vec<_>>::from_iter(words)
        }
    }
}

struct Pair {
    left: Vec<u8>,
    right: String,
}

#[test]
fn the_program_got_dstd() {
    assert!(std::place::nodes().any(|node| node == std::place::here()));
    assert_eq!(inner::deeper::words("ab"), ["ab", "  ab"]);
}

#[test]
fn scoped_threads_capture_disjoint_fields() {
    let mut pair = Pair { left: vec![1, 2, 3], right: String::from("r") };
    let barrier = Barrier::new(2);
    let (left, right) = thread::scope(|s| {
        let left = s.spawn(|| {
            barrier.wait();
            pair.left.push(4);
            pair.left.len()
        });
        let right = s.spawn(|| {
            barrier.wait();
            pair.right.push('!');
            pair.right.len()
        });
        (left.join().unwrap(), right.join().unwrap())
    });
    assert_eq!((left, right, pair.right.as_str()), (4, 2, "r!"));
}

#[test]
fn channels_time_out_and_disconnect() {
    let (sender, receiver) = mpsc::sync_channel::<Box<dyn Fn(u32) -> u32 + Send>>(1);
    assert!(matches!(receiver.try_recv(), Err(TryRecvError::Empty)));
    assert!(matches!(receiver.recv_timeout(Duration::from_millis(1)), Err(RecvTimeoutError::Timeout)));
    let adder = thread::spawn(move || receiver.into_iter().fold(1, |value, f| f(value)));
    for number in [2, 3, 4] {
        sender.send(Box::new(move |value| value * number)).unwrap();
    }
    drop(sender);
    assert_eq!(adder.join().unwrap(), 24);
}

#[test]
fn lazy_values_weak_pointers_and_conditions() {
    static TABLE: LazyLock<HashMap<&str, NonZeroU32>> =
        LazyLock::new(|| HashMap::from([("one", NonZeroU32::MIN)]));
    static ONCE: OnceLock<String> = OnceLock::new();
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let opener = thread::spawn({
        let gate: Weak<_> = Arc::downgrade(&gate);
        move || {
            let gate = gate.upgrade().unwrap();
            *gate.0.lock().unwrap() = true;
            gate.1.notify_one();
        }
    });
    let open = gate.1.wait_while(gate.0.lock().unwrap(), |open| !*open).unwrap();
    assert!(*open);
    drop(open);
    opener.join().unwrap();
    assert_eq!(
        thread::spawn(|| TABLE["one"].get() + ONCE.get_or_init(|| "x".into()).len() as u32).join().unwrap(),
        2
    );
}

#[test]
fn files_sockets_and_processes() -> Result<(), Box<dyn std::error::Error>> {
    let path: PathBuf = env::temp_dir().join(format!("dstd-std-2021-{}", std::process::id()));
    let mut file = File::options().create(true).truncate(true).read(true).write(true).open(&path)?;
    file.write_all(b"hello")?;
    file.seek(SeekFrom::Start(1))?;
    file.write_all(&"é".bytes().collect::<Vec<_>>())?;
    assert_eq!(fs::read_to_string(&path)?, "hélo");
    fs::remove_file(&path)?;
    assert_eq!(Path::new("a/b.c").extension().and_then(OsStr::to_str), Some("c"));

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let client =
        thread::spawn(move || TcpStream::connect(address).and_then(|mut stream| stream.write_all(b"ping")));
    let mut received = String::new();
    std::io::Read::read_to_string(&mut listener.accept()?.0, &mut received)?;
    client.join().unwrap()?;
    assert_eq!(received, "ping");

    let output = Command::new("echo").arg(CString::new("said")?.to_str()?).output()?;
    assert_eq!(String::from_utf8_lossy(&output.stdout), Cow::Borrowed("said\n"));
    Ok(())
}

#[test]
fn order_hash_memory_and_time() {
    let mut heap = BinaryHeap::from([Reverse(3), Reverse(1), Reverse(2)]);
    assert_eq!(heap.pop(), Some(Reverse(1)));
    let state = RandomState::new();
    let hash = |value: &str| state.hash_one(value);
    let mut hasher = state.build_hasher();
    "a".hash(&mut hasher);
    1_u8.hash(&mut hasher);
    assert_eq!(hasher.finish(), state.hash_one(("a", 1_u8)));
    assert_eq!(hash("a"), hash("a"));
    let mut set = BTreeSet::from([1, 2, 3]);
    assert_eq!(mem::take(&mut set).range(2..).copied().collect::<Vec<_>>(), [2, 3]);
    let flow = (1..).try_for_each(|n| if n == 5 { ControlFlow::Break(n) } else { ControlFlow::Continue(()) });
    assert_eq!(flow, ControlFlow::Break(5));
    assert!(Instant::now().elapsed() < Duration::MAX);
}
