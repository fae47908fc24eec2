//! What lies on this node's pages that are asked for most, told to the statistics.
//!
//! *Cost*, with `--hot-pages` only: a search of 32 words for each request and each own fault; a look at up to 257 notes for a
//! page's 2nd, 4th, 8th.. one.

use dstd_addr::{Kind, PageNo};
use dstd_protocol::{Message, MessageKind};

use crate::alloc;
use crate::context::Context;

/// Whether allocations are traced here: where pages are served and somebody wants to know.
pub(super) fn are_told(context: &Context) -> bool {
    context.config.hot_pages && !context.direct
}

/// Counts that `page` was asked for: by another node's request, or by a fault of this one.
pub(super) fn asked(context: &Context, page: PageNo) {
    let page = page.addr().0;
    if context.layout.kind(page) != Kind::Heap(context.me) {
        return;
    }
    let blocks = &context.stats.blocks;
    if let Some(row) = blocks.ask(page)
        && let Some((of, names)) = alloc::page_of_blocks(page)
    {
        blocks.describe(row, of, names, alloc::trace_of);
    }
}

/// The page that a message asks this node for.
pub(super) fn asked_by(message: Message) -> Option<PageNo> {
    let is_request = message.kind() == MessageKind::PageRequest;
    message.pages().filter(|_| is_request).map(|(first, _)| first)
}
