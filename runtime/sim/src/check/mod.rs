//! What must hold, a rule in a file.

pub(crate) mod books;
pub(crate) mod kept;
pub(crate) mod order;
pub(crate) mod progress;
pub(crate) mod rest;
pub(crate) mod result;
pub(crate) mod single_writer;
