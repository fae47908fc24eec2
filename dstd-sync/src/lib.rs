//! Locks, channels and atomics of dstd
