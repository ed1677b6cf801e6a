//! Capacity planning: how many containers of a mix fit a host, with and without each way
//! of sharing page cache. Takes measurements or stated sizes, gives a [`document::Plan`].
//! Pure; `docs/plan.md` has the model, its formulas and its assumptions.

pub mod assemble;
pub mod basis;
pub mod by_hand;
pub mod carriers;
pub mod composition;
pub mod containers;
pub mod copied_up;
pub mod curve;
pub mod document;
pub mod forecast;
pub mod mix;
pub mod model;
pub mod of_report;
pub mod picture;
pub mod private;
pub mod sensitivity;
pub mod sizes;
pub mod unchanged;
pub mod working_set;
pub mod write;
