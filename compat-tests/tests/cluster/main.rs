//! Programs on several nodes, as a user starts them: processes, the launcher, TCP between them.
//!
//! Each test runs `launch -n N --transport tcp --no-direct -- scenarios NAME` and looks at the exit
//! code, stdout and stderr, and that no process is left.
#![forbid(unsafe_code)]

mod harness;

mod endings;
mod examples;
mod kills;
mod output;
mod report;
mod scenarios;
mod start;
mod stops;
