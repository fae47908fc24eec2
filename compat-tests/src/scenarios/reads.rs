//! What one node built, the others read.

use dstd::collections::{BTreeMap, HashMap};
use dstd::sync::Arc;
use dstd::{place, thread};

use crate::cluster;

const ENTRIES: u64 = 20_000;

fn strings() -> Vec<String> {
    (0..ENTRIES).map(|i| format!("string number {i}")).collect()
}

fn tree() -> BTreeMap<u64, String> {
    (0..ENTRIES).map(|i| (i * 7, format!("leaf {i}"))).collect()
}

/// Every node reads, through an `Arc` and through a plain borrow, what the last node built.
pub(crate) fn collections() -> String {
    let (strings, tree) = place::call(cluster::last(), || (Arc::new(strings()), Arc::new(tree())));
    let sums = cluster::everywhere({
        let (strings, tree) = (Arc::clone(&strings), Arc::clone(&tree));
        move |_| check(&strings, &tree)
    });
    assert!(sums.iter().all(|sum| *sum == sums[0]));
    let borrowed = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..cluster::size()).map(|i| cluster::scoped(scope, i, || check(&strings, &tree))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(borrowed, sums);
    assert_eq!(Arc::strong_count(&strings), 1);
    format!("{} bytes", sums[0])
}

fn check(strings: &[String], tree: &BTreeMap<u64, String>) -> usize {
    assert_eq!(strings.len() as u64, ENTRIES);
    for (i, string) in strings.iter().enumerate() {
        assert_eq!(string.strip_prefix("string number ").and_then(|n| n.parse().ok()), Some(i));
    }
    assert!(tree.iter().zip(0..).all(|((key, leaf), i)| *key == i * 7 && *leaf == format!("leaf {i}")));
    assert_eq!(tree.range(7_000..7_070).count(), 10);
    strings.iter().chain(tree.values()).map(String::len).sum()
}

/// Collections move to a node, grow there, come back, and are taken apart elsewhere.
pub(crate) fn moved() -> String {
    let mut strings = strings();
    let mut map: HashMap<String, Vec<u64>> = HashMap::new();
    let rounds = (2 * cluster::size()).min(8);
    for round in 0..rounds {
        (strings, map) = cluster::spawn(round + 1, move || {
            let at = format!("round {round}");
            map.entry(at.clone()).or_default().extend(0..1_000);
            strings.push(at);
            strings.retain(|string| !string.ends_with(&format!("{round}7")));
            (strings, map)
        })
        .join()
        .unwrap();
    }
    assert_eq!(map.len(), rounds);
    assert!(map.values().all(|numbers| numbers.iter().sum::<u64>() == 499_500));
    // Gone are the numbers whose last digits are `round` and 7 (7 itself has but one digit).
    let gone = rounds * ENTRIES as usize / 100 - 1;
    let expected = ENTRIES as usize - gone + rounds;
    assert_eq!(strings.len(), expected);
    cluster::spawn(1, move || drop((strings, map))).join().unwrap();
    format!("{rounds} rounds")
}

trait Shape: Send + Sync {
    fn area(&self) -> u64;
    fn name(&self) -> String {
        "shape".to_owned()
    }
}

struct Square(u64);
struct Sheet {
    sides: Vec<u64>,
    name: String,
}

impl Shape for Square {
    fn area(&self) -> u64 {
        self.0 * self.0
    }
}

impl Shape for Sheet {
    fn area(&self) -> u64 {
        self.sides.iter().product()
    }
    fn name(&self) -> String {
        self.name.clone()
    }
}

/// Trait objects and boxed closures work on every node, wherever they were made.
pub(crate) fn dyn_traits() -> String {
    let made = cluster::everywhere(|i| {
        let side = i as u64 + 2;
        let shapes: Vec<Box<dyn Shape>> = vec![
            Box::new(Square(side)),
            Box::new(Sheet { sides: vec![side, 3, 5], name: format!("sheet {i}") }),
        ];
        let words = [format!("from {i}")];
        let call: Box<dyn Fn(u64) -> String + Send + Sync> = Box::new(move |x| format!("{x} {}", words[0]));
        (shapes, call)
    });
    let made = Arc::new(made);
    let areas = cluster::everywhere({
        let made = Arc::clone(&made);
        move |reader| {
            let mut areas = 0;
            for (i, (shapes, call)) in made.iter().enumerate() {
                assert_eq!(shapes[0].name(), "shape");
                assert_eq!(shapes[1].name(), format!("sheet {i}"));
                assert_eq!(call(reader as u64), format!("{reader} from {i}"));
                areas += shapes.iter().map(|shape| shape.area()).sum::<u64>();
            }
            areas
        }
    });
    let expected = (2..2 + cluster::size() as u64).map(|side| side * side + 15 * side).sum::<u64>();
    assert!(areas.iter().all(|area| *area == expected));
    let made = Arc::into_inner(made).expect("all readers have been joined");
    cluster::spawn(1, move || drop(made)).join().unwrap();
    format!("area {expected}")
}
