//! Where in a slot the parts lie: a matter of how libc cuts the stack that it is given.

use std::ops::Range;
use std::sync::OnceLock;

use dstd_addr::{PAGE_BYTES, Slots};

use crate::boot::{Tls, tls};
use crate::fatal::{self, stop};
use crate::{record, statics};

/// The native stack proper: the runtime and destructors of pthread keys run here. Untouched pages cost nothing.
const STACK_BYTES: u64 = 1 << 20;
/// The least that a slot has: a stack, and room for thread-locals in steps of the same size.
pub(super) const SLOT_BYTES_MIN: u64 = 2 * STACK_BYTES;

/// How this program's threads fill their slots; the same on all nodes that run it.
pub(crate) fn slots_of() -> Slots {
    cut(&tls(), &statics::thread_locals())
}

/// libc puts the control block at the end, below it the thread-locals of the program, then those of
/// libraries. The control block starts at a multiple of the strictest alignment; where it is smaller than that, which
/// every page is larger than, nothing else has to be known about it.
fn cut(tls: &Tls, lent: &Range<u64>) -> Slots {
    let bytes = STACK_BYTES + tls.bytes.max(1).next_multiple_of(STACK_BYTES);
    let align = tls.align.max(1);
    let at = |program: [u64; 3]| {
        let [start, size, own_align] = program;
        let first =
            lent.start == start && own_align.is_multiple_of(PAGE_BYTES) && STACK_BYTES.is_multiple_of(align);
        let end = bytes.checked_sub(align)?.checked_sub(size)?;
        (first && !lent.is_empty()).then_some(end..end + (lent.end - lent.start))
    };
    Slots { bytes, locals: tls.program.and_then(at).unwrap_or(0..0) }
}

/// Stops the program when the running thread, on the slot that starts at `slot`, was cut otherwise than
/// other nodes believe.
pub(crate) fn check(slot: u64, layout: Option<&Slots>) {
    static BESIDE: OnceLock<Option<u64>> = OnceLock::new();
    // The size of the program's thread-locals: that far above their start libc must have put the pointer.
    let beside = *BESIDE.get_or_init(|| {
        let [_, size, _] = tls().program?;
        Some(layout.filter(|slots| !slots.locals.is_empty())?.locals.start + size)
    });
    let pointer = record::thread_pointer();
    if beside.is_some_and(|beside| pointer != slot + beside) {
        stop!(
            fatal::CANNOT,
            "this libc puts the thread pointer to {pointer:#x} on the stack at {slot:#x}, which dstd does not know: use glibc"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_thread_locals_end_below_std_s() {
        // Two pages are lent, less than one is not; libraries have some as well.
        let tls = Tls { bytes: 0x3000 + 0x140, align: 0x1000, program: Some([0x8000, 0x3000, 0x1000]) };
        let slots = cut(&tls, &(0x8000..0xa000));
        assert_eq!(slots.bytes, 2 << 20);
        assert_eq!(slots.locals, (2 << 20) - 0x4000..(2 << 20) - 0x2000);
    }

    #[test]
    fn large_thread_locals_take_room_of_their_own() {
        let tls = Tls { bytes: 2 << 20, align: 0x1000, program: Some([0x8000, 2 << 20, 0x1000]) };
        let slots = cut(&tls, &(0x8000..0x9000));
        assert_eq!(slots.bytes, 3 << 20);
        assert_eq!(slots.locals.start, (1 << 20) - 0x1000);
    }

    #[test]
    fn what_is_not_first_or_not_in_whole_pages_is_not_lent() {
        let tls = Tls { bytes: 0x3000, align: 0x1000, program: Some([0x8000, 0x3000, 0x1000]) };
        assert_eq!(cut(&tls, &(0x9000..0xa000)).locals, 0..0);
        assert_eq!(cut(&tls, &(0..0)).locals, 0..0);
        let small = Tls { program: Some([0x8000, 0x3000, 64]), ..tls };
        assert_eq!(cut(&small, &(0x8000..0x9000)).locals, 0..0);
        assert_eq!(cut(&Tls { program: None, ..tls }, &(0x8000..0x9000)).locals, 0..0);
    }
}
