//! The standard library for a cluster: use dstd instead of std
