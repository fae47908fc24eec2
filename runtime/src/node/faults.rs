//! The page faults of this node's threads, and whether threads have run since.

use dstd_addr::{GlobalAddr, Kind, PageNo};
use dstd_protocol::page;
use dstd_transport::{Outbox, Transport};

use super::{Engine, blocks};
use crate::fatal::{self, stop};
use crate::page::Fault;

impl Engine {
    pub(super) fn local_faults(&mut self, out: &mut dyn Transport) -> usize {
        let mut faults = core::mem::take(&mut self.faults);
        faults.clear();
        if let Err(error) = self.memory.read_faults(&mut faults) {
            stop!(fatal::INTERNAL, "cannot read page faults: {error}");
        }
        let found = faults.len();
        for &fault in &faults {
            self.runs.stopped(fault);
        }
        for &fault in &faults {
            self.fault(out, fault);
        }
        self.faults = faults;
        found
    }

    fn fault(&mut self, out: &mut dyn Outbox, fault: Fault) {
        let page = GlobalAddr(fault.address).page();
        match self.context.layout.kind(fault.address) {
            Kind::Heap(_) | Kind::Stack(_) | Kind::Striped(_) | Kind::Static => {
                self.page_fault(out, page, fault);
            }
            // In a domain only a slot that never had a thread has no page there.
            Kind::ThreadLocal(owner) if self.context.direct => {
                self.ask_what_it_is(out, owner, fault.address);
            }
            Kind::ThreadLocal(_) => self.page_fault(out, page, fault),
            Kind::Native(owner) | Kind::Private(owner) if owner != self.context.me => {
                self.ask_what_it_is(out, owner, fault.address);
            }
            kind => stop!(
                fatal::CANNOT,
                "node {} touched {:#x}, which is {kind:?}",
                self.context.me,
                fault.address
            ),
        }
    }

    fn page_fault(&mut self, out: &mut dyn Outbox, page: PageNo, fault: Fault) {
        let Fault { write, thread, .. } = fault;
        let before = self.pages.counters().faults();
        self.page(out, page::Input::Fault { page, write, thread }, &[]);
        if self.pages.counters().faults() != before {
            if self.tells_blocks {
                blocks::asked(self.context, page);
            }
            self.hot.count(self.context, fault, &self.page_outputs, (&self.pages, &self.memory));
        }
    }

    /// Tells the page engine which of the threads that it watches have run.
    pub(super) fn watched(&mut self, out: &mut dyn Outbox) -> usize {
        if !self.runs.is_watching() {
            return 0;
        }
        let answers = self.runs.answers();
        for &(thread, late) in &answers {
            self.page(out, page::Input::Ran { thread, late }, &[]);
        }
        answers.len()
    }
}
