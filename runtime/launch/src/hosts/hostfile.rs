//! Host files: a line a host.

use std::path::Path;

use super::spec::{Host, parse_slots};

/// Reads the file at `path`.
pub(super) fn read(path: &Path) -> Result<Vec<Host>, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read the host file {}: {error}", path.display()))?;
    parse(&text).map_err(|(line, why)| format!("{}:{line}: {why}", path.display()))
}

/// The hosts in `text`: `name slots=N [addr=IP] [user=U]` on each line, `#` begins a comment. An
/// error comes with the number of its line.
fn parse(text: &str) -> Result<Vec<Host>, (usize, String)> {
    let mut hosts: Vec<(usize, Host)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let host = parse_line(line).map_err(|why| (number, why))?;
        if let Some((before, _)) = hosts.iter().find(|(_, other)| other.login() == host.login()) {
            return Err((
                number,
                format!("{} is on line {before} already: add to its slots there", host.login()),
            ));
        }
        hosts.push((number, host));
    }
    if hosts.is_empty() {
        return Err((text.lines().count().max(1), "there is no host in this file".to_owned()));
    }
    Ok(hosts.into_iter().map(|(_, host)| host).collect())
}

fn parse_line(line: &str) -> Result<Host, String> {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap_or_default();
    if name.contains(['=', '@']) {
        return Err(format!("{name:?} is no name of a host: write name slots=N [addr=IP] [user=U]"));
    }
    let mut host = Host { name: name.to_owned(), user: None, slots: 1, addr: None };
    let mut seen = Vec::new();
    for word in words {
        let (key, value) = word
            .split_once('=')
            .ok_or_else(|| format!("{word:?} is not understood: write slots=N, addr=IP or user=U"))?;
        if seen.contains(&key) {
            return Err(format!("{key} is there twice"));
        }
        seen.push(key);
        match key {
            "slots" => host.slots = parse_slots(value)?,
            "addr" => {
                host.addr = Some(value.parse().map_err(|_| format!("addr={value}: not an IP address"))?);
            }
            "user" => host.user = Some(value.to_owned()),
            _ => return Err(format!("there is no {key}: write slots=N, addr=IP or user=U")),
        }
    }
    host.checked()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_hosts_and_comments_are_not() {
        let text = "# two hosts\n\n h1  slots=4   # big\nh2 user=me addr=10.0.0.2\n";
        let hosts = parse(text).unwrap();
        let h1 = Host { name: "h1".to_owned(), user: None, slots: 4, addr: None };
        let h2 = Host {
            name: "h2".to_owned(),
            user: Some("me".to_owned()),
            slots: 1,
            addr: Some("10.0.0.2".parse().unwrap()),
        };
        assert_eq!(hosts, [h1, h2]);
    }

    #[test]
    fn errors_name_their_line() {
        for (text, line, part) in [
            ("", 1, "no host"),
            ("# nothing\n#\n", 2, "no host"),
            ("h1\nh2 slots=0", 2, "slots"),
            ("h1\n\n\nh2 slots", 4, "\"slots\""),
            ("h1 color=red", 1, "color"),
            ("h1 addr=h2", 1, "IP"),
            ("h1 slots=1 slots=2", 1, "twice"),
            ("h1\n#\nh1", 3, "line 1"),
            ("slots=4", 1, "name"),
            ("-oProxyCommand=x", 1, "name"),
            ("-x slots=1", 1, "-"),
            ("h1 user=", 1, "missing"),
        ] {
            let (found, why) = parse(text).unwrap_err();
            assert_eq!(found, line, "{text:?}: {why}");
            assert!(why.contains(part), "{text:?}: {why}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let why = read(Path::new("/no/such/file")).unwrap_err();
        assert!(why.contains("/no/such/file"), "{why}");
    }
}
