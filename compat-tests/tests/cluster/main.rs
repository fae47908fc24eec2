//! Programs on several nodes, as a user starts them: processes, the launcher, TCP or shared memory between them.
//!
//! Most tests run `launch -n N --transport KIND --no-direct -- scenarios NAME` and look at the exit
//! code, stdout and stderr, and that no process is left.
#![deny(unsafe_code)]

mod harness;

mod bounded;
mod builds;
mod doctor;
mod endings;
mod examples;
mod forks;
mod hosts;
mod hot_pages;
mod kills;
mod links;
mod managed;
mod memory;
mod ordinary;
mod output;
mod refusals;
mod report;
mod scenarios;
mod signals;
mod spread;
mod start;
mod stops;
mod units;
