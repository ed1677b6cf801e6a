//! One moment of a measurement as plain values: made from a live view or from a
//! recording, shown by the screen, written by the recorder.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::{
    live::LiveView,
    movement::{Distributions, Flow},
    own_cost::{process_time, resident_memory},
};
use crate::model::{measurement::Measurement, units::Bytes};

/// One moment.
#[derive(Debug)]
pub struct Moment<'a> {
    /// What is resident, and its contents.
    pub measurement: &'a Measurement,
    /// Frames walked by the census that runs, of so many; `None` when none does.
    pub census: Option<(u64, u64)>,
    /// Whether the first census has ended.
    pub counted: bool,
    /// Pages that came and went since the start.
    pub flow: Flow,
    /// Counters of the BPF programs by name.
    pub counters: Vec<(String, u64)>,
    /// Cost of each hook in nanoseconds.
    pub hook_costs: Vec<(String, Histogram<u64>)>,
    /// What the collector measured about its own work.
    pub distributions: &'a Distributions,
    /// Time since the start.
    pub elapsed: Duration,
    /// CPU time that the measuring process has used.
    pub cpu: Duration,
    /// Its resident memory.
    pub rss: Bytes,
}

impl<'a> From<&LiveView<'a>> for Moment<'a> {
    fn from(view: &LiveView<'a>) -> Self {
        let counters = view.counters.iter();
        let costs = view.hook_costs.iter();
        Self {
            measurement: view.measurement,
            census: view.census,
            counted: view.counted,
            flow: view.flow,
            counters: counters
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            hook_costs: costs
                .map(|(name, costs)| ((*name).to_owned(), costs.clone()))
                .collect(),
            distributions: view.distributions,
            elapsed: view.elapsed,
            cpu: process_time(),
            rss: resident_memory(),
        }
    }
}
