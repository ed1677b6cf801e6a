//! The screen of `sharestat top`: draws plain [`frame::Frame`]s, asks for nothing but
//! through [`frame::Command`]s, and knows nothing of how they are made.
//!
//! Keys change [`state::State`], [`draw`] paints it, [`run`] drives the terminal.

pub mod actions;
mod apply;
pub mod batch;
mod chrome;
pub mod columns;
pub mod draw;
mod drive;
pub mod error;
pub mod export;
#[cfg(test)]
mod fixture;
pub mod frame;
mod input;
pub mod keys;
pub mod list;
pub mod overlay;
pub mod pages;
pub mod rows;
mod serial;
pub mod state;
mod terminal;
#[cfg(test)]
mod tests;
pub mod text;
pub mod theme;
pub mod tree;
pub mod units;
mod views;

pub use drive::{Ended, Options, run};
pub use error::TuiError;
