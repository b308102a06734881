//! What applications are made of, over real sockets.

mod metrics;
