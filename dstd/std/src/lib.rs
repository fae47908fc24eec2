//! The dstd facade that a program renames to std
