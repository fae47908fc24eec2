//! Moves frames between the nodes of a dstd program
