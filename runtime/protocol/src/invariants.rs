//! What holds of the engines of a program at every moment between steps, as functions that the
//! model, the simulator and tests share. Messages may be on their way.
//!
//! | id | promise |
//! |---|---|
//! | `PAGE-1` | at most one node can write a page, and then no other can read it |
//! | `PAGE-2` | a granted fault retires: once nothing is on its way, nobody waits for a page |
//! | `PAGE-3` | the directory names every node that holds a page, and nobody who was not granted it |
//!
//! All three are guaranteed by `dstd_protocol::page`, provided that XPORT-1 holds and that
//! drivers carry out the outputs of a step before anything else enters the engine.

use core::fmt;

use dstd_addr::{NodeId, PageNo};

use crate::page::{Directory, Local, PageEngine};

/// A promise that does not hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Broken {
    /// The id of the promise.
    pub id: &'static str,
    /// The page it is about.
    pub page: PageNo,
    /// The node that has too much or too little.
    pub node: NodeId,
    /// What is wrong there.
    pub what: &'static str,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} broken for {:?} at node {}: {}", self.id, self.page, self.node, self.what)
    }
}

impl core::error::Error for Broken {}

/// `PAGE-1` for one page, given what each node's threads may do with it.
///
/// # Errors
/// The first node that may read or write beside a writer.
pub fn single_writer(
    page: PageNo,
    locals: impl Iterator<Item = (NodeId, Local)> + Clone,
) -> Result<(), Broken> {
    let Some((writer, _)) = locals.clone().find(|&(_, local)| local == Local::Writable) else {
        return Ok(());
    };
    match locals.into_iter().find(|&(node, local)| node != writer && local != Local::Absent) {
        None => Ok(()),
        Some((node, _)) => Err(Broken { id: "PAGE-1", page, node, what: "has a copy beside a writer" }),
    }
}

/// `PAGE-3` for one page: what `home`'s directory says against what each node has. `passed` is
/// the node that an owner passes the page to, and the right it then has. `settled`
/// says that no message about the page is on its way and nobody waits: then they agree exactly.
///
/// # Errors
/// The first node that has more, or when settled less, than the directory says.
pub fn directory_agrees(
    page: PageNo,
    home: NodeId,
    directory: Directory,
    passed: Option<(NodeId, Local)>,
    locals: impl Iterator<Item = (NodeId, Local)>,
    settled: bool,
) -> Result<(), Broken> {
    let broken = |node, what| Err(Broken { id: "PAGE-3", page, node, what });
    if matches!(directory, Directory::Shared(sharers) if !sharers.contains(home)) {
        return broken(home, "is no sharer of its own shared page");
    }
    for (node, local) in locals {
        let granted = match directory {
            Directory::Exclusive(owner) if owner == node => Local::Writable,
            Directory::Shared(sharers) if sharers.contains(node) => Local::ReadOnly,
            _ => Local::Absent,
        };
        let granted = passed.filter(|&(to, _)| to == node).map_or(granted, |(_, right)| right.max(granted));
        if local > granted {
            return broken(node, "has more than the directory says");
        }
        // The home is never behind its own directory; other nodes are while a grant travels.
        if local < granted && (settled || node == home) {
            return broken(node, "has less than the directory says");
        }
    }
    Ok(())
}

/// All promises about one page. `engines` are those of all nodes, in rank order; `settled` as
/// for [`directory_agrees`].
///
/// # Errors
/// The first promise that does not hold.
pub fn page_holds(engines: &[PageEngine], page: PageNo, settled: bool) -> Result<(), Broken> {
    let locals = engines.iter().map(|engine| (engine.config().me, engine.local(page)));
    single_writer(page, locals.clone())?;
    if let Some((home, directory)) = engines.iter().find_map(|engine| Some((engine, engine.directory(page)?)))
    {
        directory_agrees(page, home.config().me, directory, home.passed_to(page), locals, settled)?;
    }
    match engines.iter().find(|engine| settled && (engine.is_pending(page) || engine.is_busy(page))) {
        None => Ok(()),
        Some(engine) => Err(Broken {
            id: "PAGE-2",
            page,
            node: engine.config().me,
            what: "waits although nothing is on its way",
        }),
    }
}

#[cfg(test)]
mod tests {
    use dstd_addr::NodeSet;

    use super::*;

    const PAGE: PageNo = PageNo(7);

    fn nodes<const N: usize>(locals: [Local; N]) -> impl Iterator<Item = (NodeId, Local)> + Clone {
        (0..).map(NodeId).zip(locals)
    }

    #[test]
    fn a_writer_is_alone() {
        use Local::{Absent, ReadOnly, Writable};
        assert_eq!(single_writer(PAGE, nodes([ReadOnly, ReadOnly, Absent])), Ok(()));
        assert_eq!(single_writer(PAGE, nodes([Absent, Writable, Absent])), Ok(()));
        for locals in [[Writable, Writable], [ReadOnly, Writable], [Writable, ReadOnly]] {
            assert_eq!(single_writer(PAGE, nodes(locals)).map_err(|broken| broken.id), Err("PAGE-1"));
        }
    }

    #[test]
    fn the_directory_never_says_less_than_is_held() {
        use Local::{Absent, ReadOnly, Writable};
        let home = NodeId(0);
        let shared = Directory::Shared(NodeSet::of(home).with(NodeId(1)));
        let exclusive = Directory::Exclusive(NodeId(1));
        let agrees = |directory, locals: [Local; 3], settled| {
            directory_agrees(PAGE, home, directory, None, nodes(locals), settled).is_ok()
        };
        assert!(agrees(shared, [ReadOnly, ReadOnly, Absent], true));
        assert!(agrees(shared, [ReadOnly, Absent, Absent], false));
        assert!(!agrees(shared, [ReadOnly, Absent, Absent], true));
        assert!(!agrees(shared, [Absent, ReadOnly, Absent], false));
        assert!(!agrees(shared, [ReadOnly, ReadOnly, ReadOnly], false));
        assert!(!agrees(shared, [ReadOnly, Writable, Absent], false));
        assert!(agrees(exclusive, [Absent, Writable, Absent], true));
        assert!(!agrees(exclusive, [ReadOnly, Absent, Absent], false));
        assert!(!agrees(Directory::Shared(NodeSet::of(NodeId(1))), [Absent, ReadOnly, Absent], false));
        // On its way from node 1 to node 2.
        let passed = |right, locals: [Local; 3]| {
            directory_agrees(PAGE, home, exclusive, Some((NodeId(2), right)), nodes(locals), false).is_ok()
        };
        assert!(passed(Writable, [Absent, Writable, Absent]) && passed(Writable, [Absent, Absent, Writable]));
        assert!(
            passed(ReadOnly, [Absent, ReadOnly, ReadOnly]) && !passed(ReadOnly, [Absent, Absent, Writable])
        );
        assert!(!passed(Writable, [ReadOnly, Absent, Writable]));
    }
}
