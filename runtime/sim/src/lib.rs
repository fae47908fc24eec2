//! Seeded simulation of the dstd protocols
