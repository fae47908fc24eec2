//! The launcher, built beside the scenarios so that their tests find it.

fn main() {
    std::process::exit(dstd_launch::main(std::env::args_os()));
}
