//! What a page engine counts. Nothing here influences a step.

/// Counts since the start of the engine.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Counters {
    /// Read faults that asked for a page.
    pub faults_read: u64,
    /// Write faults on absent pages that asked for a page.
    pub faults_write: u64,
    /// Write faults on read-only pages that asked for the right to write.
    pub faults_upgrade: u64,
    /// Faults on pages that were good enough already.
    pub faults_resolved: u64,
    /// Faults on pages that were already asked for.
    pub faults_joined: u64,
    /// Pages that came in by read-ahead: nobody had touched them yet.
    pub pages_ahead: u64,
    /// Pages that a walk asked for when it came to others that were under way.
    pub asked_ahead: u64,
    /// Pages of walks in steps that were asked for before anybody touched them.
    pub asked_in_steps: u64,
    /// Pages asked for by read-ahead that the home did not grant.
    pub pages_ungranted: u64,
    /// Ungranted pages that a thread waited for: asked for again at once.
    pub faults_asked_again: u64,
    /// Times that giving a page away waited for its minimum residence.
    pub residence_waits: u64,
    /// Times that a page which stayed beyond its residence was given away although a thread still needed it.
    pub patience_ends: u64,
    /// Requests at home that found their page busy.
    pub requests_queued: u64,
    /// Pages that were taken back with the one before them, for who walks along them.
    pub taken_ahead: u64,
    /// `PageFetch` sent.
    pub fetches: u64,
    /// `PagePass` sent.
    pub passes: u64,
    /// Requests for a page of another node that did not go that way, since a revocation might
    /// have come after the page.
    pub passes_avoided: u64,
    /// `PageInvalidate` sent.
    pub invalidations: u64,
    /// Foreign pages given up because too many were held.
    pub evictions: u64,
    /// Evictions that a revocation of the same page crossed.
    pub evictions_crossed: u64,
    /// Own pages discarded.
    pub discards: u64,
}

impl Counters {
    /// Faults of this node's threads that asked for a page or a right.
    pub const fn faults(&self) -> u64 {
        self.faults_read + self.faults_write + self.faults_upgrade
    }
}
