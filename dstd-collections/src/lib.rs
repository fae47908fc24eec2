//! Collections of dstd
