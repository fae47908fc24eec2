//! The text of the linker script that gathers a program's statics.
//!
//! Text in, text out. An input section goes to the first place in the text that wants it; where the places
//! end up is what `INSERT` says. The sections it makes, in their order:
//!
//! ```text
//! .data           C objects, and whatever nothing below wants: private to a node
//! .dstd_own_data  initialised statics of the toolchain's crates and of the runtime: private
//! .dstd_data      initialised statics of the program and its crates; some of std's: SHARED
//! .bss            as .data
//! .dstd_own_bss   zeroed statics of the toolchain's crates and of the runtime: private
//! .dstd_tid       std's counter of thread ids: private, in a known place
//! .dstd_bss       zeroed statics of the program and its crates: SHARED
//!
//! .dstd_tls       thread-locals of the program and its crates: LENT, first in the block of a thread
//! .dstd_own_tdata initialised thread-locals of the toolchain's crates and of the runtime: private
//! .tdata          thread-locals of C objects, and whatever nothing above wants: private
//! .dstd_own_tbss  as .dstd_own_tdata, zeroed
//! .tbss           as .tdata, zeroed
//! ```
//! The shared and lent sections begin and end on a page boundary; each shared static begins a page of its own, so that
//! what one node writes does not take along what another one writes (`SUBALIGN`). What is zeroed takes no room in the
//! file, but for lent thread-locals: zeroed ones could not come before initialised ones otherwise.
//!
//! A static is told to be private in two ways, each enough in a plain build. By the file it comes
//! from: exact names of the toolchain's libraries, names of the runtime's crates. By
//! its section's name, which carries the mangled path of the static: that still holds when link-time optimisation
//! has melted the crates together.

/// Names of writable data sections, apart from constants that the loader relocates (`.data.rel.ro*`:
/// they belong to the read-only part) and the unwinder's pointer (`.data.DW.ref.*`: also read by
/// threads that must not fault). The patterns of a linker script know no negation, so
/// the names are told apart letter by letter.
const DATA: &str = ".data .data.[!rD]* .data.r[!e]* .data.re[!l]* .data.rel .data.rel[!.]* .data.rel.[!r]* \
                    .data.D[!W]* .data.DW[!.]*";
const BSS: &str = ".bss .bss.* COMMON";
/// Names of sections of thread-locals.
const TLS: &str = ".tdata .tdata.* .tbss .tbss.*";
/// What makes the lent section one with contents (see `statics::bounds`).
const TLS_ANCHOR: &str = ".tdata.dstd_anchor";

/// std's standard output and input: one lock and one buffer for the whole program, so that lines
/// printed by different nodes neither mix nor overtake each other.
const STD_SHARED: [(&str, &str); 2] =
    [(".data._RNvNtNtCs", "_3std2io5stdio6STDOUT"), (".data._RNvNvNtNtCs", "_3std2io5stdio5stdin8INSTANCE")];

/// The counts of the empty `Arc<str>` and `Arc<[T]>` that `default()` hands out: the handles travel
/// between nodes, so the counts are the program's.
const EMPTY_ARC: (&str, &str) = (".data._RNvNtCs", "_5alloc4sync18STATIC_INNER_SLICE");

/// std's counter of thread ids, which each node starts in a range of its own.
const STD_THREAD_IDS: (&str, &str) = (".bss._RNvNvMNtNtCs", "_3std6thread2idNtB4_8ThreadId3new7COUNTER");

/// Pointers that the compiler makes for optional C functions (std's, of the program when melted together).
const WEAK_POINTERS: &str = "_rust_extern_with_linkage_*";

/// How deep in a crate's modules and functions a static of the runtime may lie to be known by name.
const DEPTH_MAX: usize = 7;

/// What lld reads as the library `dstd_ld`: a pointer to the script named `script`.
///
/// Two readers, two meanings. To lld, `OUTPUT_FORMAT(none)` in this place names sections `none` of a
/// file called OUTPUT_FORMAT, which does not exist. GNU ld does not take such scripts as
/// libraries, but before it would refuse, it looks for a foreign output format, finds this one,
/// and searches on: it takes the empty archive of the same name, and the program links with all statics private.
/// (The script proper has to be a file of its own, since GNU ld stops at the brackets of its patterns.)
pub(crate) fn entry(script: &str) -> String {
    format!("SECTIONS {{ .dstd_none : {{ OUTPUT_FORMAT(none) }} }} INSERT AFTER .data;\nINCLUDE {script}\n")
}

/// What the script is made from.
pub(crate) struct Parts<'a> {
    /// Names of the writable sections in the toolchain's libraries.
    pub(crate) toolchain_sections: &'a [String],
    /// File names of the toolchain's libraries.
    pub(crate) toolchain_files: &'a [String],
    /// Names of the crates that the runtime consists of.
    pub(crate) runtime_crates: &'a [&'a str],
}

/// The script.
pub(crate) fn script(parts: &Parts<'_>) -> String {
    let files = private_files(parts);
    let own_data = private_sections(parts, ".data.");
    let own_bss = private_sections(parts, ".bss.");
    let own_tdata = private_sections(parts, ".tdata.");
    let own_tbss = private_sections(parts, ".tbss.");
    let stdio = STD_SHARED.map(pattern).join(" ");
    let empty_arc = pattern(EMPTY_ARC);
    let tid = pattern(STD_THREAD_IDS);
    format!(
        "\
/* Gathers the statics that the nodes of a dstd program share. Made by dstd-runtime's build script. */
SECTIONS {{
  .dstd_own_data : ALIGN(16) {{
    __dstd_own_start = .;
    *({own_data})
    __dstd_own_end = .;
  }}
  .dstd_data : ALIGN(4096) SUBALIGN(4096) {{
    __dstd_data_start = .;
    *({stdio})
    __dstd_stdio_end = .;
    . = ALIGN(4096);
    *({empty_arc})
    *.rcgu.o(EXCLUDE_FILE({files}) {DATA})
    . = ALIGN(4096);
    __dstd_data_end = .;
  }}
}} INSERT AFTER .data;
SECTIONS {{
  .dstd_tid : ALIGN(8) {{
    __dstd_tid_start = .;
    *({tid})
    __dstd_tid_end = .;
  }}
  .dstd_own_bss : ALIGN(16) {{
    *({own_bss})
  }}
  .dstd_bss : ALIGN(4096) SUBALIGN(4096) {{
    __dstd_bss_start = .;
    *.rcgu.o(EXCLUDE_FILE({files}) {BSS})
    . = ALIGN(4096);
    __dstd_bss_end = .;
  }}
}} INSERT AFTER .bss;
SECTIONS {{
  .dstd_own_tdata : {{
    *({own_tdata})
  }}
  .dstd_own_tbss : {{
    *({own_tbss})
  }}
}} INSERT BEFORE .init_array;
SECTIONS {{
  .dstd_tls : ALIGN(4096) {{
    __dstd_tls_start = .;
    KEEP(*({TLS_ANCHOR}))
    *.rcgu.o(EXCLUDE_FILE({files}) {TLS})
    . = ALIGN(4096);
    __dstd_tls_end = .;
  }}
}} INSERT BEFORE .dstd_own_tdata;
SECTIONS {{
  .tdata : {{
    *(.tdata .tdata.*)
  }}
}} INSERT AFTER .dstd_own_tdata;
SECTIONS {{
  .tbss : {{
    *(.tbss .tbss.*)
  }}
}} INSERT AFTER .dstd_own_tbss;
"
    )
}

/// Patterns of the files whose statics are private.
fn private_files(parts: &Parts<'_>) -> String {
    let toolchain = parts.toolchain_files.iter().map(|file| format!("*{file}:*"));
    // The second form is the runtime itself, being tested.
    let runtime =
        parts.runtime_crates.iter().map(|name| format!("*/lib{name}-*.rlib:* */{name}-*.{name}.*.rcgu.o"));
    toolchain.chain(runtime).collect::<Vec<_>>().join(" ")
}

/// Patterns of the sections below `prefix` that are private.
///
/// Link-time optimisation can split a static and puts suffixes on its name, hence the stars.
fn private_sections(parts: &Parts<'_>, prefix: &str) -> String {
    let toolchain = parts
        .toolchain_sections
        .iter()
        .filter(|section| section.starts_with(prefix) && !has_own_place(section))
        .map(|section| format!("{section}*"));
    let runtime =
        parts.runtime_crates.iter().flat_map(|name| mangled(name).map(move |m| format!("{prefix}{m}")));
    toolchain.chain(runtime).chain([format!("{prefix}{WEAK_POINTERS}")]).collect::<Vec<_>>().join(" ")
}

/// Patterns of the mangled names of `crate_name`'s statics: the old scheme, then the new one, where
/// the crate comes after one `N` and a letter for each level of modules.
fn mangled(crate_name: &str) -> impl Iterator<Item = String> {
    let name = format!("{}{crate_name}", crate_name.len());
    let new = {
        let name = name.clone();
        (0..DEPTH_MAX).map(move |depth| format!("_RNv{}Cs*_{name}[0-9]*", "N[a-zA-Z]".repeat(depth)))
    };
    core::iter::once(format!("_ZN{name}*")).chain(new)
}

fn has_own_place(section: &str) -> bool {
    let is = |(head, tail): (&str, &str)| section.starts_with(head) && section.ends_with(tail);
    STD_SHARED.into_iter().chain([EMPTY_ARC, STD_THREAD_IDS]).any(is)
}

fn pattern((head, tail): (&str, &str)) -> String {
    format!("{head}*{tail}*")
}
