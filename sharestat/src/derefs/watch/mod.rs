//! `derefs watch`: samples page-cache folios, watches their `mapping` with hardware
//! breakpoints on all CPUs, and counts who touches it. In: a [`Watcher`]. Out: a [`Tally`].
//!
//! [`Watcher`]: crate::kernel::watcher::Watcher

mod files;
mod pace;
mod session;
mod strata;
mod tally;

pub use files::{Files, device_of};
pub use session::{Effort, Session, WatchOptions, now};
pub use strata::{Population, Share, Shares, Stratum};
pub use tally::{HitKey, Span, Subject, Sums, Tally, WindowSums};
