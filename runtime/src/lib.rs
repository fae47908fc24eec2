//! The runtime below the dstd facades
