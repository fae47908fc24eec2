//! Stacks of user threads: where they lie, and how runtime code gets off them.

mod alternate;
mod native;
mod pool;
mod switch;

pub(crate) use native::on_native;
pub(crate) use pool::{UserStack, is_guard, return_stacks};
pub(crate) use switch::dstd_stack_enter;
