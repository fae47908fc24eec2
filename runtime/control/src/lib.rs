//! What the launcher and the nodes of a dstd program say to each other
