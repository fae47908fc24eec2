//! A program of edition 2018, renamed: what it writes is std, what it gets is dstd.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::convert::{TryFrom, TryInto};
use std::error::Error;
use std::fmt;
use std::io::{self, BufRead, BufReader, Cursor, Read, Write};
use std::iter::FromIterator;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, RwLock};
use std::thread;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
struct Record {
    name: String,
    size: u8,
}

#[derive(Debug)]
struct TooLarge(u64);

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} is too large", self.0)
    }
}

impl Error for TooLarge {}

impl TryFrom<u64> for Record {
    type Error = TooLarge;

    fn try_from(size: u64) -> Result<Record, TooLarge> {
        let size = u8::try_from(size).map_err(|_| TooLarge(size))?;
        Ok(Record { name: format!("r{}", size), size })
    }
}

fn parse(text: &str) -> Result<Record, Box<dyn Error + Send + Sync>> {
    let number: u64 = text.trim().parse()?;
    let record = number.try_into()?;
    if record == Record::default() {
        return Err("nothing".into());
    }
    Ok(record)
}

#[test]
fn the_program_got_dstd() {
    // Names that std itself does not have.
    assert!(std::place::nodes().len() >= 1);
    let _: ::std::thread::JoinHandle<()> = std::place::spawn_on(::std::place::here(), || ());
}

#[test]
fn errors_boxes_and_conversions() {
    assert_eq!(parse("7").unwrap().name, "r7");
    assert_eq!(parse("256").unwrap_err().to_string(), "256 is too large");
    assert_eq!(parse("0").map(|r| r.size).unwrap_or(0), 0);
    assert!(parse("x").unwrap_err().downcast_ref::<std::num::ParseIntError>().is_some());
    let any: Box<dyn Any> = Box::new(Record::default());
    assert!(any.downcast::<Record>().is_ok());
}

#[test]
fn collections_and_input() {
    let mut lines = BufReader::new(Cursor::new("b 1\na 2\nb 3\n")).lines();
    let mut map: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    while let Some(Ok(line)) = lines.next() {
        let mut words = line.split(' ');
        let key = words.next().unwrap().to_owned();
        map.entry(key).or_default().push(words.next().unwrap().parse().unwrap());
    }
    assert_eq!(map["b"], vec![1, 3]);
    let queue = VecDeque::from_iter(map.keys().cloned());
    let set: HashSet<_> = queue.into_iter().collect();
    assert!(set.contains("a"));
    let mut text = String::new();
    io::repeat(b'x').take(3).read_to_string(&mut text).unwrap();
    let mut out = Vec::new();
    writeln!(out, "{}", text).unwrap();
    assert_eq!(out, b"xxx\n");
}

#[test]
fn threads_share_and_panic() {
    static START: Once = Once::new();
    static STARTS: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static OWN: RefCell<Rc<u8>> = RefCell::new(Rc::new(1)));

    let table = Arc::new(RwLock::new(HashMap::new()));
    let log = Arc::new(Mutex::new(Vec::with_capacity(4)));
    let stop = Arc::new(AtomicBool::new(false));
    let threads = (0..4u8)
        .map(|number| {
            let (table, log, stop) = (table.clone(), log.clone(), stop.clone());
            thread::Builder::new()
                .name(format!("thread {}", number))
                .spawn(move || {
                    START.call_once(|| {
                        STARTS.fetch_add(1, Ordering::SeqCst);
                    });
                    OWN.with(|own| *own.borrow_mut() = Rc::new(number));
                    table.write().unwrap().insert(number, thread::current().name().map(str::to_string));
                    log.lock().unwrap().push(number);
                    while !stop.load(Ordering::Acquire) {
                        thread::park_timeout(Duration::from_millis(1));
                    }
                    OWN.with(|own| **own.borrow())
                })
                .unwrap()
        })
        .collect::<Vec<_>>();
    stop.store(true, Ordering::Release);
    let results: Vec<u8> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(results, [0, 1, 2, 3]);
    assert_eq!(STARTS.load(Ordering::SeqCst), 1);
    assert_eq!(table.read().unwrap()[&2].as_ref().unwrap(), "thread 2");
    assert_eq!(log.lock().unwrap().len(), 4);
    assert!(thread::spawn(|| panic!("{}", "expected")).join().unwrap_err().is::<String>());
}
