//! Where the shared statics lie, as the link script says.

use core::fmt;
use core::ops::Range;

use dstd_addr::PAGE_BYTES;

// A table of the script's symbols, filled by the linker. They are weak: a program that was linked
// without the script has zeroes here. (Taken in Rust, the address of an extern static would be assumed not to be 0.)
core::arch::global_asm!(
    ".pushsection .data.rel.ro.dstd_bounds,\"aw\",@progbits",
    ".balign 8",
    ".hidden dstd_statics_bounds",
    ".globl dstd_statics_bounds",
    "dstd_statics_bounds:",
    ".weak __dstd_data_start",
    ".weak __dstd_data_end",
    ".weak __dstd_bss_start",
    ".weak __dstd_bss_end",
    ".weak __dstd_tid_start",
    ".weak __dstd_tid_end",
    ".weak __dstd_own_start",
    ".weak __dstd_own_end",
    ".quad __dstd_data_start, __dstd_data_end",
    ".quad __dstd_bss_start, __dstd_bss_end",
    ".quad __dstd_tid_start, __dstd_tid_end",
    ".weak __dstd_tls_start",
    ".weak __dstd_tls_end",
    ".quad __dstd_own_start, __dstd_own_end",
    ".quad __dstd_tls_start, __dstd_tls_end",
    ".popsection",
    // First among the program's thread-locals. A section with contents may hold zeroed thread-locals before
    // others that are initialised; without contents it would have to come last.
    ".pushsection .tdata.dstd_anchor,\"awT\",@progbits",
    ".balign 8",
    ".quad 0",
    ".popsection",
);

/// The linker's table: start and end of each section.
#[repr(C)]
pub(super) struct Bounds {
    data: [u64; 2],
    bss: [u64; 2],
    /// std's counter of thread ids.
    pub(super) tid: [u64; 2],
    /// Initialised statics that were recognised as std's or the runtime's.
    own: [u64; 2],
    /// The initial values of the program's thread-locals.
    tls: [u64; 2],
}

unsafe extern "C" {
    safe static dstd_statics_bounds: Bounds;
}

/// The table of this program.
pub(super) fn bounds() -> &'static Bounds {
    &dstd_statics_bounds
}

/// Why this program has no shared statics, as a remark about the program and what to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub(crate) enum Unshared {
    /// The linker did not take the script.
    NoScript,
    /// std's statics were not recognised: they are among the program's.
    UnknownStd,
}

impl fmt::Display for Unshared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unshared::NoScript => f.write_str(
                "it was linked without dstd's script; link it with rust-lld, the default of rustc on this target",
            ),
            Unshared::UnknownStd => f.write_str(
                "its standard library's statics cannot be told from its own; build it with the standard \
                 library that comes with the toolchain",
            ),
        }
    }
}

impl core::error::Error for Unshared {}

/// The page-aligned address ranges of the shared statics: those with initial values, then those
/// born zero. Either can be empty. The same on every node that runs this binary without address randomisation.
///
/// # Errors
/// When the program was linked so that it has none: the reason.
pub(crate) fn ranges() -> Result<[Range<u64>; 2], Unshared> {
    find(bounds())
}

/// Where the initial values of the program's thread-locals lie, in whole pages; empty when they cannot be
/// told from others.
pub(crate) fn thread_locals() -> Range<u64> {
    let [start, end] = bounds().tls;
    let whole = start.is_multiple_of(PAGE_BYTES) && end.is_multiple_of(PAGE_BYTES);
    if ranges().is_ok() && whole { start..end } else { 0..0 }
}

fn find(bounds: &Bounds) -> Result<[Range<u64>; 2], Unshared> {
    let range = |[start, end]: [u64; 2]| start..end;
    let ranges = [range(bounds.data), range(bounds.bss)];
    let aligned = |range: &Range<u64>| {
        range.start != 0 && range.start.is_multiple_of(PAGE_BYTES) && range.end.is_multiple_of(PAGE_BYTES)
    };
    if !ranges.iter().all(aligned) {
        return Err(Unshared::NoScript);
    }
    // std always has initialised statics that stay private, whatever the program uses of it.
    if range(bounds.own).is_empty() {
        return Err(Unshared::UnknownStd);
    }
    Ok(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Bounds = Bounds {
        data: [0x1000, 0x3000],
        bss: [0x5000, 0x5000],
        tid: [0x4000, 0x4008],
        own: [0x10, 0x20],
        tls: [0; 2],
    };

    #[test]
    fn whole_pages_are_ranges_even_when_empty() {
        assert_eq!(find(&GOOD), Ok([0x1000..0x3000, 0x5000..0x5000]));
    }

    #[test]
    fn without_the_script_there_are_none() {
        let absent = Bounds { data: [0; 2], bss: [0; 2], tid: [0; 2], own: [0; 2], tls: [0; 2] };
        assert_eq!(find(&absent), Err(Unshared::NoScript));
        assert_eq!(find(&Bounds { bss: [0x5000, 0x5010], ..GOOD }), Err(Unshared::NoScript));
    }

    #[test]
    fn a_std_that_is_not_apart_is_refused() {
        assert_eq!(find(&Bounds { own: [0x10, 0x10], ..GOOD }), Err(Unshared::UnknownStd));
    }
}
