//! The heap over plain test memory: no fixed addresses, so it runs under Miri as well.

mod canary;
mod idle;
mod model;
mod notes;
mod support;
mod threads;
