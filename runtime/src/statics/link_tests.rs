//! What the link script did to this test program, and what it relies on in the toolchain.

#[path = "../../link/rlib.rs"]
mod rlib;
#[path = "../../link/script.rs"]
mod script;

use std::collections::BTreeSet;
use std::ops::Range;
use std::process::Command;

const TID: &str = ".bss._RNvNvMNtNtCsx_3std6thread2idNtB4_8ThreadId3new7COUNTER";

/// A variable of this program: its mangled name and its address in the file.
struct Variable {
    name: String,
    address: u64,
}

/// What the symbol table of this program says.
#[derive(Default)]
struct Symbols {
    variables: Vec<Variable>,
    /// Their addresses count from the start of a thread's block.
    thread_locals: Vec<Variable>,
    /// The ranges of the shared sections, and of the lent thread-locals.
    shared: [Range<u64>; 3],
}

/// Reads the symbol table of this program.
fn symbols() -> Symbols {
    let elf = std::fs::read("/proc/self/exe").expect("this program can read itself");
    let u16_at = |at: usize| u16::from_le_bytes(elf[at..at + 2].try_into().expect("two bytes"));
    let u32_at = |at: usize| u32::from_le_bytes(elf[at..at + 4].try_into().expect("four bytes"));
    let u64_at = |at: usize| u64::from_le_bytes(elf[at..at + 8].try_into().expect("eight bytes"));
    let header = |index: u32| u64_at(0x28) as usize + index as usize * usize::from(u16_at(0x3a));
    let part = |header: usize| {
        u64_at(header + 0x18) as usize..(u64_at(header + 0x18) + u64_at(header + 0x20)) as usize
    };

    const SYMTAB: u32 = 2;
    const OBJECT: u8 = 1;
    const THREAD_LOCAL: u8 = 6;
    const BOUNDS: [&str; 6] = [
        "__dstd_data_start",
        "__dstd_data_end",
        "__dstd_bss_start",
        "__dstd_bss_end",
        "__dstd_tls_start",
        "__dstd_tls_end",
    ];
    let table = (0..u32::from(u16_at(0x3c))).map(header).find(|&header| u32_at(header + 4) == SYMTAB);
    let table = table.expect("test programs are not stripped");
    let names = part(header(u32_at(table + 0x28))).start;
    let (mut variables, mut thread_locals) = (Vec::new(), Vec::new());
    let mut bounds = [0; BOUNDS.len()];
    for symbol in part(table).step_by(24) {
        let name =
            elf[names + u32_at(symbol) as usize..].split(|&byte| byte == 0).next().expect("ends with 0");
        let name = String::from_utf8_lossy(name).into_owned();
        let address = u64_at(symbol + 8);
        match (BOUNDS.iter().position(|&bound| bound == name), elf[symbol + 4] & 15) {
            (Some(index), _) => bounds[index] = address,
            (None, OBJECT) => variables.push(Variable { name, address }),
            (None, THREAD_LOCAL) => thread_locals.push(Variable { name, address }),
            (None, _) => {}
        }
    }
    let shared = [0, 2, 4].map(|at| bounds[at]..bounds[at + 1]);
    Symbols { variables, thread_locals, shared }
}

/// This program is the runtime and what it uses: nothing of it may be shared (ISO-1). A crate that
/// fails here has a writable static. Used by the runtime alone, it can go to the list in `build.rs`; if
/// programs may use it as well, the runtime has to do without.
#[test]
fn nothing_of_the_runtime_is_shared() {
    let Symbols { variables, shared, .. } = symbols();
    assert!(!shared[0].is_empty(), "linked without the script");
    let shared: Vec<_> = variables
        .iter()
        .filter(|variable| shared[..2].iter().any(|range| range.contains(&variable.address)))
        .map(|variable| variable.name.as_str())
        .collect();
    let meant = ["3std2io5stdio6STDOUT", "3std2io5stdio5stdin8INSTANCE", "5alloc4sync18STATIC_INNER_SLICE"];
    let others: Vec<_> =
        shared.iter().filter(|name| !meant.iter().any(|meant| name.contains(meant))).collect();
    assert_eq!(others, [&""; 0], "statics that would be shared with the program");
    assert!(shared.iter().any(|name| name.contains(meant[0])), "std's stdout is not shared: {shared:?}");
}

/// Neither is a thread-local of it lent.
#[test]
fn nothing_of_the_runtime_is_lent() {
    let Symbols { thread_locals, shared: [_, _, lent], .. } = symbols();
    assert_eq!(lent.end - lent.start, dstd_addr::PAGE_BYTES, "the anchor alone takes one page");
    let found: Vec<_> = thread_locals
        .iter()
        .filter(|local| local.address < lent.end - lent.start)
        .map(|local| local.name.as_str())
        .collect();
    assert_eq!(found, [""; 0], "thread-locals that would be lent with the program's");
    assert!(thread_locals.iter().any(|local| local.name.contains("3std")), "std has thread-locals");
}

/// The names that the script gives to statics of std are those of this toolchain.
#[test]
fn the_toolchain_has_the_statics_that_the_script_names() {
    let rustc =
        Command::new("rustc").args(["--print", "target-libdir"]).output().expect("rustc is installed");
    let libdir = String::from_utf8(rustc.stdout).expect("a path");
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(libdir.trim_end()).expect("the toolchain's libraries") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "rlib") {
            rlib::writable_sections(&std::fs::read(path).expect("can be read"), &mut names);
        }
    }
    for tail in [
        "_3std2io5stdio6STDOUT",
        "_3std2io5stdio5stdin8INSTANCE",
        "_5alloc4sync18STATIC_INNER_SLICE",
        "_3std6thread2idNtB4_8ThreadId3new7COUNTER",
    ] {
        assert!(names.iter().any(|name| name.ends_with(tail)), "{tail} is not among {names:#?}");
    }
    assert!(names.iter().all(|name| !name.contains(".rel.ro")), "constants are no statics");
}

#[test]
fn damaged_libraries_are_passed_over() {
    let mut names = BTreeSet::new();
    let mut archive = b"!<arch>\n".to_vec();
    archive.extend_from_slice(format!("{:<48}{:<10}`\n", "cut.o", 20).as_bytes());
    archive.extend_from_slice(b"\x7fELF\x02\x01");
    for len in 0..archive.len() {
        rlib::writable_sections(&archive[..len], &mut names);
    }
    rlib::writable_sections(b"no archive", &mut names);
    assert!(names.is_empty());
}

#[test]
fn statics_with_a_place_of_their_own_are_not_private_as_well() {
    let sections = [
        TID,
        ".bss._RNvNtCsx_3std5alloc4HOOK",
        ".data._RNvNtNtCsx_3std2io5stdio6STDOUT",
        ".tbss._RNvNtNtCsx_3std6thread7current7CURRENT",
        ".tdata._RNvNtNtNtNtCsx_3std3sys12thread_local11destructors4list5DTORS",
    ];
    let text = script::script(&script::Parts {
        toolchain_sections: &sections.map(str::to_owned),
        toolchain_files: &["libstd-0123.rlib".to_owned()],
        runtime_crates: &["dstd_runtime"],
    });
    assert!(!text.contains(TID));
    assert!(!text.contains(sections[2]));
    assert_eq!(text.matches(".bss._RNvNtCsx_3std5alloc4HOOK*").count(), 1);
    assert_eq!(
        text.matches("EXCLUDE_FILE(*libstd-0123.rlib:*").count(),
        3,
        "all shared sections leave it out"
    );
    for name in &sections[3..] {
        assert_eq!(text.matches(&format!("{name}*")).count(), 1);
    }
    assert!(text.contains(".data._ZN12dstd_runtime*"), "the old mangling");
    assert!(text.contains(".tbss._ZN12dstd_runtime*"), "the old mangling");
    assert!(text.contains(".bss._RNvN[a-zA-Z]Cs*_12dstd_runtime[0-9]*"), "the new mangling, one module deep");
    assert!(script::entry("x.ld").ends_with("INCLUDE x.ld\n"));
}
