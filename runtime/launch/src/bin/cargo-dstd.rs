//! `cargo dstd run`: builds a dstd program, then runs it on several nodes.

#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
fn main() {
    std::process::exit(dstd_launch::cargo_main(std::env::args_os()));
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")))]
fn main() {
    eprintln!(
        "dstd: clusters run on Linux, x86-64, glibc; on this system a dstd program is one node: start it by itself"
    );
    std::process::exit(72);
}
