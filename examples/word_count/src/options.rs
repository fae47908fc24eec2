//! The command line.

/// What the command line asks for.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Options {
    pub(crate) file: String,
    /// How many words to print.
    pub(crate) top: usize,
    /// How many threads count, and how many collect; by default as many as can run at once.
    pub(crate) threads: Option<usize>,
}

const USAGE: &str = "usage: word_count FILE [--top K] [--threads N]";
const TOP_DEFAULT: usize = 10;
const THREADS_MAX: usize = 1024;

/// Reads the arguments that follow the program's name.
pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut file = None;
    let mut options = Options { file: String::new(), top: TOP_DEFAULT, threads: None };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--top" => options.top = number(&arg, args.next())?,
            "--threads" => {
                let threads = number(&arg, args.next())?;
                if !(1..=THREADS_MAX).contains(&threads) {
                    return Err(format!("--threads must be from 1 to {THREADS_MAX}"));
                }
                options.threads = Some(threads);
            }
            flag if flag.starts_with("--") => return Err(format!("unknown option {flag}\n{USAGE}")),
            _ if file.is_none() => file = Some(arg),
            _ => return Err(format!("more than one file is given\n{USAGE}")),
        }
    }
    options.file = file.ok_or_else(|| format!("no file is given\n{USAGE}"))?;
    Ok(options)
}

fn number(flag: &str, value: Option<String>) -> Result<usize, String> {
    let value = value.ok_or_else(|| format!("{flag} needs a number"))?;
    value.parse().map_err(|_| format!("{flag} needs a number, not {value:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Options, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn flags_may_come_in_any_order() {
        let expected = Options { file: "t".into(), top: 3, threads: Some(2) };
        assert_eq!(parsed("t --top 3 --threads 2"), Ok(expected));
        assert_eq!(parsed("--threads 2 --top 3 t"), parsed("t --top 3 --threads 2"));
        assert_eq!(parsed("t"), Ok(Options { file: "t".into(), top: TOP_DEFAULT, threads: None }));
    }

    #[test]
    fn what_cannot_be_understood_is_said() {
        for (line, says) in [
            ("", "no file"),
            ("a b", "more than one file"),
            ("a --top", "--top needs a number"),
            ("a --top x", "not \"x\""),
            ("a --threads 0", "from 1"),
            ("a --fast", "unknown option --fast"),
        ] {
            assert!(parsed(line).expect_err("it is wrong").contains(says), "{line}");
        }
    }
}
