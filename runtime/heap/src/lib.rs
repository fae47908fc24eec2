//! Turns the addresses of the dstd heap into memory
