//! The page engine: single writer or many readers for every 4 KiB page, decided at its home.

mod io;

pub use io::{Body, Config, Input, Output};
