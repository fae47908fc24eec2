//! `cargo dstd run`: builds a dstd program, then runs it on several nodes.

fn main() {
    std::process::exit(dstd_launch::cargo_main(std::env::args_os()));
}
