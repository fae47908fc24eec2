//! Programs on several nodes, as a user starts them: processes, the launcher, TCP between them.
//!
//! Each test runs `launch -n N --transport tcp --no-direct -- scenarios NAME` and looks at the exit
//! code, stdout and stderr, and that no process is left.
#![deny(unsafe_code)]

mod harness;

mod builds;
mod endings;
mod examples;
mod kills;
mod output;
mod refusals;
mod report;
mod scenarios;
mod start;
mod stops;
