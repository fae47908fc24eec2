//! Refuses to be one of several nodes, before `main`.
//!
//! *Why not safe code*: a constructor is a function pointer in a section that the system's loader reads.

/// What sysexits and the launcher call unfit: this program cannot run so.
const CANNOT: i32 = 72;

extern "C" fn check() {
    match std::env::var("DSTD_SIZE") {
        Ok(size) if size != "1" => {
            eprintln!(
                "dstd: this program was built for a target on which dstd programs have one node: run it \
                 without the launcher, or build it for x86_64-unknown-linux-gnu"
            );
            std::process::exit(CANNOT);
        }
        _ => {}
    }
}

// SAFETY: the section holds pointers to functions of this type, which loaders call once, before `main`.
#[used]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(windows, unsafe(link_section = ".CRT$XCU"))]
#[cfg_attr(not(any(target_vendor = "apple", windows)), unsafe(link_section = ".init_array"))]
static CHECK: extern "C" fn() = check;

/// A reference that makes the linker take this file.
pub fn keep() {
    core::hint::black_box(&raw const CHECK);
}
