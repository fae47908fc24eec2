//! Runs a dstd program on several nodes.

fn main() {
    std::process::exit(dstd_launch::main(std::env::args_os()));
}
