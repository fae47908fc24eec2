//! The symbols of a built program, as `nm` lists them.

use std::path::Path;
use std::process::Command;

use crate::verdict::{Verdict, cannot, while_doing};

/// A named thing in a program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Symbol {
    /// Its path, as in the source.
    pub(crate) name: String,
    /// Where the linker put it.
    pub(crate) section: String,
}

impl Symbol {
    /// The crate that defines it, as far as the name tells.
    pub(crate) fn crate_name(&self) -> &str {
        let path = self.name.trim_start_matches(['<', '&', '*', '[', '(']);
        let path = path.strip_prefix("mut ").unwrap_or(path);
        let end = path.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(path.len());
        if path[end..].starts_with("::") || path[end..].starts_with('[') { &path[..end] } else { "" }
    }
}

/// All symbols of `program`.
pub(crate) fn of(program: &Path) -> Verdict<Vec<Symbol>> {
    let mut nm = Command::new("nm");
    nm.args(["--demangle", "--format=sysv", "--defined-only"]).arg(program);
    let output = nm.output().map_err(while_doing("nm (package binutils)"))?;
    if !output.status.success() {
        return cannot(format!("{nm:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(parse).collect())
}

/// `name |value|class|type|size|line|section`; the name may contain bars.
fn parse(line: &str) -> Option<Symbol> {
    let mut fields = line.rsplitn(7, '|');
    let section = fields.next()?.trim().to_owned();
    let name = fields.nth(5)?.trim().to_owned();
    (!name.is_empty()).then_some(Symbol { name, section })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(name: &str) -> String {
        Symbol { name: name.to_owned(), section: String::new() }.crate_name().to_owned()
    }

    #[test]
    fn a_line_of_nm_is_read() {
        let line = "third::add::SUM |00000000000a1| d | OBJECT|0000008|  |.dstd_bss";
        let symbol = Symbol { name: "third::add::SUM".to_owned(), section: ".dstd_bss".to_owned() };
        assert_eq!(parse(line), Some(symbol));
        assert_eq!(parse("Name                  Value"), None);
    }

    #[test]
    fn a_symbol_names_its_crate() {
        assert_eq!(name_of("dstd_runtime::context::ME"), "dstd_runtime");
        assert_eq!(name_of("<third::A as core::B>::f::X"), "third");
        assert_eq!(name_of("std[1f0c]::io::STDOUT"), "std");
        assert_eq!(name_of("__dstd_data_start"), "");
    }
}
