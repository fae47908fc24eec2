//! Which hosts there are, and which nodes each of them runs.

use std::net::IpAddr;

use dstd_addr::NODES_MAX;

/// A host that runs nodes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Host {
    /// As the user wrote it; what the remote shell is told.
    pub(crate) name: String,
    /// Who logs in there; `None`: as the remote shell decides.
    pub(crate) user: Option<String>,
    /// How many nodes it may run.
    pub(crate) slots: u16,
    /// The address at which its nodes are reached; `None`: found out.
    pub(crate) addr: Option<IpAddr>,
}

impl Host {
    /// Reads `[user@]name[:slots]`; an IPv6 address with slots needs brackets.
    pub(crate) fn parse(text: &str) -> Result<Host, String> {
        let wrong = |why: &str| format!("{text:?} is no host: {why}");
        let (user, rest) = match text.split_once('@') {
            Some((user, rest)) => (Some(user.to_owned()), rest),
            None => (None, text),
        };
        let (name, slots) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (name, after) = rest.split_once(']').ok_or_else(|| wrong("a bracket is not closed"))?;
                let slots = after.strip_prefix(':');
                if slots.is_none() && !after.is_empty() {
                    return Err(wrong("write [address]:slots"));
                }
                (name, slots)
            }
            None => match rest.split_once(':') {
                Some((_, after)) if after.contains(':') => (rest, None),
                Some((name, slots)) => (name, Some(slots)),
                None => (rest, None),
            },
        };
        let slots = slots.map_or(Ok(1), parse_slots).map_err(|why| wrong(&why))?;
        Host { name: name.to_owned(), user, slots, addr: None }.checked().map_err(|why| wrong(&why))
    }

    /// The host itself, unless its name could be taken for something else by a remote shell.
    pub(super) fn checked(self) -> Result<Host, String> {
        for word in self.user.iter().chain([&self.name]) {
            if word.is_empty() {
                return Err("a name is missing".to_owned());
            }
            if word.starts_with('-') {
                return Err("a name must not begin with -".to_owned());
            }
            if word.chars().any(|c| c.is_whitespace() || c.is_control()) {
                return Err("a name must not contain spaces".to_owned());
            }
        }
        Ok(self)
    }

    /// What the remote shell is told.
    pub(crate) fn login(&self) -> String {
        match &self.user {
            Some(user) => format!("{user}@{}", self.name),
            None => self.name.clone(),
        }
    }

    /// Whether this is the host with these names and addresses. Somebody else's login there is another place.
    pub(crate) fn is_here(&self, names: &[String], addresses: &[IpAddr]) -> bool {
        let named = || names.iter().any(|name| name.eq_ignore_ascii_case(&self.name));
        let addressed = || self.name.parse().is_ok_and(|address: IpAddr| addresses.contains(&address));
        self.user.is_none() && (named() || addressed())
    }
}

/// A number of slots from 1 to the most nodes that there can be.
pub(super) fn parse_slots(text: &str) -> Result<u16, String> {
    let slots = text.parse().ok().filter(|slots| (1..=NODES_MAX).contains(slots));
    slots.ok_or_else(|| format!("slots must be a number from 1 to {NODES_MAX}, not {text:?}"))
}

/// Reads the values of `-H`: hosts separated by commas. One that is named again gets more slots.
pub(crate) fn parse_list(values: &[String]) -> Result<Vec<Host>, String> {
    let mut hosts: Vec<Host> = Vec::new();
    for text in values.iter().flat_map(|value| value.split(',')) {
        let host = Host::parse(text)?;
        match hosts.iter_mut().find(|other| other.login() == host.login()) {
            Some(other) => other.slots = other.slots.saturating_add(host.slots),
            None => hosts.push(host),
        }
    }
    Ok(hosts)
}

/// The hosts of a run and its nodes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Cluster {
    /// Those that run a node; the nodes of a host are consecutive.
    pub(crate) hosts: Vec<Seat>,
}

/// A host and its nodes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Seat {
    pub(crate) host: Host,
    /// It is the launcher's own.
    pub(crate) here: bool,
    /// The ranks of its nodes.
    pub(crate) ranks: std::ops::Range<u16>,
}

impl Cluster {
    /// Fills the slots of `hosts` in their order with `nodes` nodes, or with one a slot.
    pub(crate) fn fill(
        hosts: Vec<Host>,
        nodes: Option<u16>,
        is_here: impl Fn(&Host) -> bool,
    ) -> Result<(Cluster, u16), String> {
        let slots: u32 = hosts.iter().map(|host| u32::from(host.slots)).sum();
        let most = u16::try_from(slots).unwrap_or(u16::MAX);
        let nodes = nodes.unwrap_or(most);
        if nodes > NODES_MAX {
            return Err(format!(
                "the hosts have {slots} slots, a program has at most {NODES_MAX} nodes: say how many with -n"
            ));
        }
        if nodes > most {
            return Err(format!(
                "-n {nodes}: the hosts have {slots} slots, give them more (-H name:slots, or slots=N in the host file)"
            ));
        }
        let mut first = 0;
        let mut seats = Vec::new();
        for host in hosts {
            let end = nodes.min(first + host.slots);
            if first < end {
                seats.push(Seat { here: is_here(&host), host, ranks: first..end });
            }
            first = end;
        }
        Ok((Cluster { hosts: seats }, nodes))
    }

    /// How many hosts there are; several names of this one count once.
    pub(crate) fn count(&self) -> usize {
        let elsewhere = self.hosts.iter().filter(|seat| !seat.here).count();
        elsewhere + usize::from(self.hosts.iter().any(|seat| seat.here))
    }

    /// Whether a node runs on another host than the launcher's.
    pub(crate) fn is_remote(&self) -> bool {
        self.hosts.iter().any(|seat| !seat.here)
    }

    /// The place of a node in [`Cluster::hosts`].
    pub(crate) fn host_of(&self, rank: u16) -> usize {
        self.hosts.iter().position(|seat| seat.ranks.contains(&rank)).expect("every node has a host")
    }

    /// This node among those of its host.
    pub(crate) fn local_rank(&self, rank: u16) -> u16 {
        let seat = &self.hosts[self.host_of(rank)];
        let before =
            self.hosts.iter().filter(|other| seat.here && other.here && other.ranks.end <= seat.ranks.start);
        before.map(|other| other.ranks.len() as u16).sum::<u16>() + rank - seat.ranks.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, slots: u16) -> Host {
        Host { name: name.to_owned(), user: None, slots, addr: None }
    }

    #[test]
    fn hosts_have_names_users_and_slots() {
        let with_user = |host: Host| Host { user: Some("me".to_owned()), ..host };
        for (text, expected) in [
            ("h1", host("h1", 1)),
            ("h1:4", host("h1", 4)),
            ("me@h1.example:64", with_user(host("h1.example", 64))),
            ("10.0.0.1:2", host("10.0.0.1", 2)),
            ("fe80::1", host("fe80::1", 1)),
            ("[fe80::1]", host("fe80::1", 1)),
            ("me@[fe80::1]:3", with_user(host("fe80::1", 3))),
        ] {
            assert_eq!(Host::parse(text), Ok(expected), "{text}");
        }
        for wrong in
            ["", ":2", "h:", "h:0", "h:65", "h:x", "-oProxyCommand=x", "@h", "a@-b", "[::1", "[::1]2", "a b"]
        {
            assert!(Host::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_host_that_is_named_again_gets_more_slots() {
        let hosts = parse_list(&["a:2,b".to_owned(), "a,me@a".to_owned()]).unwrap();
        let shown: Vec<_> = hosts.iter().map(|host| (host.login(), host.slots)).collect();
        assert_eq!(shown, [("a".to_owned(), 3), ("b".to_owned(), 1), ("me@a".to_owned(), 1)]);
        assert!(parse_list(&["a,,b".to_owned()]).is_err());
    }

    #[test]
    fn nodes_fill_the_hosts_in_order() {
        let hosts = || vec![host("here", 2), host("b", 3), host("localhost", 1), host("c", 1)];
        let fill =
            |nodes| Cluster::fill(hosts(), nodes, |host| host.name == "here" || host.name == "localhost");
        let (cluster, nodes) = fill(None).unwrap();
        assert_eq!(nodes, 7);
        let of: Vec<_> = (0..nodes).map(|rank| (cluster.host_of(rank), cluster.local_rank(rank))).collect();
        assert_eq!(of, [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 2), (3, 0)]);
        assert_eq!((cluster.count(), cluster.is_remote()), (3, true));
        let (cluster, nodes) = fill(Some(2)).unwrap();
        assert_eq!((nodes, cluster.hosts.len(), cluster.count(), cluster.is_remote()), (2, 1, 1, false));
        assert!(fill(Some(8)).is_err());
        assert!(Cluster::fill(vec![host("a", 64), host("b", 1)], None, |_| false).is_err());
        assert_eq!(Cluster::fill(vec![host("a", 64), host("b", 1)], Some(64), |_| false).unwrap().1, 64);
    }

    #[test]
    fn this_host_is_known_by_name_and_address() {
        let names = ["localhost".to_owned(), "me".to_owned()];
        let addresses: [IpAddr; 2] = ["127.0.0.1".parse().unwrap(), "10.0.0.7".parse().unwrap()];
        for (text, here) in [
            ("localhost", true),
            ("ME", true),
            ("127.0.0.1", true),
            ("10.0.0.7:2", true),
            ("127.0.0.2", false),
            ("you", false),
            ("root@localhost", false),
        ] {
            assert_eq!(Host::parse(text).unwrap().is_here(&names, &addresses), here, "{text}");
        }
    }
}
