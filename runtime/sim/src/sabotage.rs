//! Ways to break a run on purpose: a checker that stays silent about them is worth nothing.

/// A mistake that the simulated driver or network makes now and then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sabotage {
    /// A page that is taken away stays mapped.
    SkipUnmap,
    /// Of pages that are taken away together only the first is.
    ShortRange,
    /// Writers are not stopped before a page is sent.
    SkipProtect,
    /// An invalidation is acknowledged before the sharer has heard of it.
    ForgeAck,
    /// The home is told that a page is installed that its owner has only just sent (PAGE-3).
    ForgeInstalled,
    /// An owner sends a page to who asked for it before its own threads are stopped.
    PassEarly,
    /// An acknowledgement of an invalidation is lost.
    ForgetAck,
    /// A page is unmapped or protected after the other nodes have been told that it was.
    RevokeLate,
    /// Messages leave before the outputs that follow them have been carried out.
    SendEarly,
    /// Two messages of one link change places (XPORT-1).
    Overtake,
    /// A page is installed with the bytes of another one.
    WrongBytes,
    /// A `FutexWoken` is lost.
    DropWake,
    /// A thread whose word differs keeps the wake that came for another.
    KeepWake,
    /// The number of remote waiters is never published: wakes at home stay in the kernel.
    HideWaiters,
    /// The threads that wait for a page are woken, and the messages of the step leave, before it is installed.
    WakeEarly,
    /// The threads that wait for an installed page are not woken.
    ForgetFaulted,
    /// An eviction is not told to the home (PAGE-3).
    EvictSilently,
    /// A discard is acknowledged before the holder has heard of it.
    ForgeDiscarded,
    /// A discarded page keeps its bytes.
    SkipFresh,
    /// A request is sent twice: a second one for a page is under way.
    AskTwice,
    /// A page engine is not told that a thread has run.
    ForgetRan,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Sabotage; 21] = [
        Sabotage::SkipUnmap,
        Sabotage::ShortRange,
        Sabotage::SkipProtect,
        Sabotage::ForgeAck,
        Sabotage::ForgeInstalled,
        Sabotage::PassEarly,
        Sabotage::ForgetAck,
        Sabotage::RevokeLate,
        Sabotage::SendEarly,
        Sabotage::Overtake,
        Sabotage::WrongBytes,
        Sabotage::DropWake,
        Sabotage::KeepWake,
        Sabotage::HideWaiters,
        Sabotage::WakeEarly,
        Sabotage::ForgetFaulted,
        Sabotage::EvictSilently,
        Sabotage::ForgeDiscarded,
        Sabotage::SkipFresh,
        Sabotage::AskTwice,
        Sabotage::ForgetRan,
    ];
}
