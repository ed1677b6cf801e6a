//! The measurement as a service: metrics, a page and a report over HTTP.
//!
//! A collector publishes to a [`Board`]; clients read it and never wait for it, nor it for
//! them. What is not fresh is withdrawn, not served.

mod access;
mod answers;
mod board;
mod error;
mod listen;
mod metrics;
mod own;
mod publisher;
mod server;
mod tls;

#[cfg(test)]
#[path = "../../tests/serve/openmetrics.rs"]
pub(crate) mod syntax;

pub use access::{Access, Token};
pub use answers::Answers;
pub use board::Board;
pub use error::Error;
pub use listen::listen;
#[cfg(test)]
pub(crate) use metrics::example_names;
pub use publisher::Publisher;
pub use server::{Limits, Server};
pub use tls::acceptor;
