//! A fixed part of the units, chosen by a hash of their names: the same at every run, from everywhere.

use crate::verdict::Verdict;

use crate::units::cuts;

/// One test function in so many.
const ONE_IN: u64 = 6;

/// The files without the test functions that are not chosen: what is not compiled takes no time. A suite of which none
/// is chosen is small, and stays whole.
pub(crate) fn of_files(files: Vec<(String, String)>) -> Verdict<Vec<(String, String)>> {
    let mut any = false;
    let mut chosen = |(name, text): &(String, String)| {
        let (some, others): (Vec<_>, Vec<_>) =
            cuts::tests(text)?.into_iter().partition(|(test, _)| is_chosen(&format!("{name} {test}")));
        any |= !some.is_empty();
        let others: Vec<_> = others.into_iter().map(|(_, range)| range).collect();
        Ok((name.clone(), cuts::without(text, &others)))
    };
    let part: Vec<_> = files.iter().map(&mut chosen).collect::<Verdict<_>>()?;
    Ok(if any { part } else { files })
}

fn is_chosen(name: &str) -> bool {
    // FNV-1a.
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    hash % ONE_IN == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_about_as_large_as_it_should_be_and_always_the_same() {
        let of = |from: u32| (from..from + 600).filter(|n| is_chosen(&format!("a::b{n}"))).count();
        assert!((50..150).contains(&of(0)), "{}", of(0));
        assert_eq!(of(0), of(0));
    }

    #[test]
    fn files_keep_what_is_no_test() {
        let tests: String = (0..60).map(|n| format!("#[test]\nfn t{n}() {{}}\n")).collect();
        let text = format!("use a::b;\n{tests}fn helper() {{}}\n");
        let files = of_files(vec![("f.rs".to_owned(), text)]).expect("it is Rust");
        let left = files[0].1.matches("#[test]").count();
        assert!((1..40).contains(&left), "{left}");
        assert!(files[0].1.contains("use a::b;") && files[0].1.contains("fn helper"));
        let of_one = |n: u32| of_files(vec![("f.rs".to_owned(), format!("#[test]\nfn t{n}() {{}}\n"))]);
        assert!((0..20).all(|n| of_one(n).is_ok_and(|files| files[0].1.contains("fn t"))));
    }
}
