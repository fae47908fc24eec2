//! Runs a dstd program on several nodes
