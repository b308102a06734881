//! What applications are made of, over the wire.

mod routes;
mod nests;
mod layers;
mod proxies;
mod cors;
#[cfg(feature = "compression")]
mod compression;
mod extracting;
mod forms;
mod metrics;
mod test_client;
mod multipart;
#[cfg(feature = "json")]
mod json;
