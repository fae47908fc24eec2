//! The programs: what they are, how they are built and what they are given to do.

use super::input::Input;
use crate::registry::Published;

/// A program that somebody published, and a piece of work for it.
pub(crate) struct Program {
    /// The package that it is in.
    pub(crate) package: Published,
    /// Its name, where that is not the package's.
    pub(crate) bin: &'static str,
    /// In a few words.
    pub(crate) what: &'static str,
    /// By what its threads start and talk.
    pub(crate) threads: &'static str,
    /// What cargo is told of features.
    pub(crate) features: &'static [&'static str],
    /// Variables that it reads.
    pub(crate) variables: &'static [(&'static str, &'static str)],
    pub(crate) input: Input,
    /// One after another, in the directory of the input.
    pub(crate) commands: &'static [&'static [&'static str]],
    /// The file that is its standard input.
    pub(crate) stdin: Option<&'static str>,
    pub(crate) order: Order,
    /// Whether it is among the few that CI builds.
    pub(crate) sample: bool,
}

/// What the program promises of its output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    /// Always the same.
    Fixed,
    /// The same lines, in any order.
    Lines,
}

const FOUR_OF_RAYON: &[(&str, &str)] = &[("RAYON_NUM_THREADS", "4")];
const HASH: &[&str] = &["--num-threads", "4", "large"];
const PLAIN: Program = Program {
    package: ("", ""),
    bin: "",
    what: "",
    threads: "",
    features: &[],
    variables: &[],
    input: Input::Nothing,
    commands: &[],
    stdin: None,
    order: Order::Fixed,
    sample: false,
};

/// All of them.
pub(crate) const PROGRAMS: &[Program] = &[
    Program {
        package: ("b3sum", "1.8.7"),
        bin: "b3sum",
        what: "hashes files",
        threads: "rayon, over a mapped file",
        input: Input::Large,
        // One run may end before a thread of another node has taken a part.
        commands: &[HASH; 6],
        ..PLAIN
    },
    Program {
        package: ("cw", "0.7.0"),
        bin: "cw",
        what: "counts words",
        threads: "crossbeam scope and channel",
        input: Input::Tree,
        commands: &[&["--threads", "4", "--files-from", "list"]],
        sample: true,
        ..PLAIN
    },
    Program {
        package: ("ddh", "0.13.0"),
        bin: "ddh",
        what: "finds duplicate files",
        threads: "rayon, mpsc",
        variables: FOUR_OF_RAYON,
        input: Input::Tree,
        commands: &[&["-d", "tree", "-o", "no", "-v", "duplicates"]],
        order: Order::Lines,
        ..PLAIN
    },
    Program {
        package: ("dirstat-rs", "0.3.7"),
        bin: "ds",
        what: "disk usage as a tree",
        threads: "rayon",
        variables: FOUR_OF_RAYON,
        input: Input::Tree,
        commands: &[&["-d", "3", "-m", "0", "tree"]],
        order: Order::Lines,
        ..PLAIN
    },
    Program {
        package: ("diskus", "0.9.0"),
        bin: "diskus",
        what: "disk usage in one number",
        threads: "rayon, std::thread, crossbeam channel",
        input: Input::Tree,
        commands: &[&["-j", "4", "-b", "tree"]],
        ..PLAIN
    },
    Program {
        package: ("fcp", "0.2.2"),
        bin: "fcp",
        what: "copies trees of files",
        threads: "rayon",
        variables: FOUR_OF_RAYON,
        input: Input::Tree,
        commands: &[&["tree", "copy"]],
        ..PLAIN
    },
    Program {
        package: ("fd-find", "10.5.0"),
        bin: "fd",
        what: "finds files",
        threads: "ignore (std::thread::scope), crossbeam channel",
        // Its allocator of choice would be a second one.
        features: &["--no-default-features"],
        input: Input::Tree,
        commands: &[
            &["--threads", "4", "f[0-5]", "tree"],
            &["--threads", "4", "--extension", "rs", ".", "tree", "--exec", "wc", "-c"],
        ],
        order: Order::Lines,
        ..PLAIN
    },
    Program {
        package: ("loc", "0.5.0"),
        bin: "loc",
        what: "counts lines of code",
        threads: "std::thread, deque",
        input: Input::Tree,
        commands: &[&["tree"], &["--sort", "lines", "tree/d1"]],
        ..PLAIN
    },
    Program {
        package: ("rargs", "0.3.0"),
        bin: "rargs",
        what: "xargs with patterns: runs commands",
        threads: "threadpool",
        input: Input::Tree,
        commands: &[&["-j", "4", "-p", "tree/(?P<dir>.*)/(?P<file>[^/]*)$", "wc", "-c", "tree/{dir}/{file}"]],
        stdin: Some("list"),
        order: Order::Lines,
        ..PLAIN
    },
    Program {
        package: ("ripgrep", "15.2.0"),
        bin: "rg",
        what: "searches text",
        threads: "ignore (std::thread::scope), crossbeam deque, mpsc",
        input: Input::Tree,
        commands: &[
            &["-j", "4", "-n", "needle", "tree"],
            &["-j", "4", "--sort", "path", "-c", "fn ", "tree"],
        ],
        order: Order::Lines,
        ..PLAIN
    },
    Program {
        package: ("rtrace", "1.0.0"),
        bin: "rtrace",
        what: "traces rays",
        threads: "threadpool, sync_channel, Arc",
        commands: &[&["--width=256", "--height=192", "--samples-per-pixel=2", "--num-cores=4", "out.tga"]],
        sample: true,
        ..PLAIN
    },
    Program {
        package: ("rustracer", "1.0.1"),
        bin: "rustracer",
        what: "traces rays",
        threads: "rayon",
        variables: FOUR_OF_RAYON,
        commands: &[&["demo", "--width=80", "--height=60", "--algorithm=flat", "out.png"]],
        ..PLAIN
    },
    Program {
        package: ("sd", "1.0.0"),
        bin: "sd",
        what: "replaces text in files",
        threads: "rayon, over mapped files",
        variables: FOUR_OF_RAYON,
        input: Input::Tree,
        commands: &[&["needle", "pin", "tree/d0/f0.rs", "tree/d0/f1.txt", "tree/d1/f0.rs", "tree/d2/f4.rs"]],
        ..PLAIN
    },
    Program {
        package: ("tokei", "12.1.2"),
        bin: "tokei",
        what: "counts lines of code",
        threads: "rayon, ignore, crossbeam channel, dashmap, parking_lot",
        variables: FOUR_OF_RAYON,
        input: Input::Tree,
        commands: &[&["--files", "--sort", "code", "tree"]],
        order: Order::Lines,
        ..PLAIN
    },
    Program {
        package: ("xsv", "0.13.0"),
        bin: "xsv",
        what: "statistics of tables",
        threads: "threadpool, crossbeam channel",
        input: Input::Table,
        commands: &[
            &["index", "table.csv"],
            // Of words: means of numbers depend on which thread is ready first, in the last digit.
            &["stats", "-j", "4", "--select", "word", "--everything", "table.csv"],
            &["frequency", "-j", "4", "--limit", "0", "table.csv"],
        ],
        order: Order::Lines,
        ..PLAIN
    },
];
