//! The measurements that a plan rests on: recordings and reports, told apart by how they
//! begin.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    cli::{
        exit::{Exit, Failure},
        top::replay::failure as replay_failure,
    },
    identity::escape::printable,
    model::memory::HostMemory,
    plan::{
        basis::count,
        containers::{Running, Wanted, assigned, running},
        working_set::{Residency, WorkingSets},
    },
    report::{Host, Report},
    snapshot::{
        file,
        recording::{
            Player,
            reader::{Ending, Reader},
        },
    },
};

/// Moments of a recording that are looked at.
const MOST_MOMENTS: u32 = 500;

/// One measurement.
pub(super) struct Input {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Whether it was complete at its end, where recordings are closed.
    pub(super) complete: bool,
    /// Working sets of recordings, once they were looked at.
    pub(super) sets: Option<WorkingSets>,
}

/// What it is.
pub(super) enum Kind {
    Recording(Box<Player>),
    Report(Box<Report>),
}

/// Opens the files.
pub(super) fn open(files: &[PathBuf]) -> Result<Vec<Input>, Failure> {
    files.iter().map(|file| Input::open(file)).collect()
}

impl Input {
    fn open(path: &Path) -> Result<Self, Failure> {
        let (kind, complete) = if is_recording(path) {
            let reader = Reader::open(path).map_err(replay_failure)?;
            let mut player = Player::new(reader).map_err(replay_failure)?;
            let end = player.outline().length;
            player.go_to(end).map_err(replay_failure)?;
            let whole = matches!(player.outline().ending, Ending::Whole(_));
            let complete = whole && player.moment().measurement.complete;
            (Kind::Recording(Box::new(player)), complete)
        } else {
            let report = file::open(path, None)?.report;
            let complete = report.coverage.complete;
            (Kind::Report(Box::new(report)), complete)
        };
        Ok(Self {
            name: printable(path),
            kind,
            complete,
            sets: None,
        })
    }

    pub(super) fn host(&self) -> &Host {
        match &self.kind {
            Kind::Recording(player) => &player.header().host,
            Kind::Report(report) => &report.host,
        }
    }

    pub(super) fn seed_id(&self) -> &str {
        match &self.kind {
            Kind::Recording(player) => &player.header().seed_id,
            Kind::Report(report) => &report.measurement.seed_id,
        }
    }

    /// What the host and its cgroups used while it was recorded; nothing of a report.
    pub(super) fn memory(&self) -> &[HostMemory] {
        match &self.kind {
            Kind::Recording(player) => &player.outline().memory,
            Kind::Report(_) => &[],
        }
    }

    /// The images of its containers, one for each container.
    pub(super) fn images(&self) -> Vec<String> {
        match &self.kind {
            Kind::Recording(_) => {
                let running = self.running().into_iter();
                running.map(|container| container.image).collect()
            }
            Kind::Report(report) => {
                let containers = report.containers.iter();
                containers
                    .map(|container| container.images.first().unwrap_or(&container.name).clone())
                    .collect()
            }
        }
    }

    /// The names of its containers.
    pub(super) fn names(&self) -> Vec<String> {
        match &self.kind {
            Kind::Recording(_) => {
                let running = self.running().into_iter();
                running.map(|container| container.name).collect()
            }
            Kind::Report(report) => {
                let containers = report.containers.iter();
                containers.map(|container| container.name.clone()).collect()
            }
        }
    }

    /// The containers of a recording at the moment it is at.
    pub(super) fn running(&self) -> Vec<Running> {
        match &self.kind {
            Kind::Recording(player) => running(&player.moment().measurement.identity.layers),
            Kind::Report(_) => Vec::new(),
        }
    }

    /// The image of each container, of those that are wanted.
    pub(super) fn assigned(&self, wanted: &[Option<Wanted>]) -> Vec<Option<usize>> {
        match &self.kind {
            Kind::Recording(_) => assigned(&self.running(), wanted),
            Kind::Report(report) => report
                .containers
                .iter()
                .map(|container| {
                    let image = container.images.first().unwrap_or(&container.name);
                    wanted.iter().position(|wanted| {
                        let wanted = wanted.as_ref();
                        wanted.is_some_and(|wanted| {
                            wanted.takes(&container.name, &container.id, image)
                        })
                    })
                })
                .collect(),
        }
    }

    /// Looks at the moments of a recording after its beginning, and stays at the last one
    /// with the most containers.
    pub(super) fn look(&mut self, wanted: &[Option<Wanted>]) -> Result<(), Failure> {
        let Kind::Recording(player) = &mut self.kind else {
            return Ok(());
        };
        let (begin, end) = (player.outline().begin, player.outline().length);
        let step = end.saturating_sub(begin) / MOST_MOMENTS;
        let mut sets = WorkingSets::new(wanted.len());
        player.go_to(Duration::ZERO).map_err(replay_failure)?;
        let mut at = begin;
        loop {
            player.go_to(at).map_err(replay_failure)?;
            let measurement = player.moment().measurement;
            let running = running(&measurement.identity.layers);
            let images = assigned(&running, wanted);
            let residency = Residency::of(measurement, &running, &images);
            sets.add(player.position(), &residency);
            // Every moment, or those that are so far apart.
            let Some(next) = player.next_moment() else {
                break;
            };
            at = next.max(at + step).min(end);
        }
        let last = sets.last().unwrap_or(end);
        player.go_to(last).map_err(replay_failure)?;
        self.sets = Some(sets);
        Ok(())
    }

    /// Moments that percentiles are of; one of a report.
    pub(super) fn samples(&self) -> usize {
        self.sets.as_ref().map_or(1, WorkingSets::samples)
    }

    /// Goes to the moment at which a percentile of the working set was reached.
    pub(super) fn go_to(&mut self, percentile: Option<f64>) -> Result<(), Failure> {
        let Kind::Recording(player) = &mut self.kind else {
            return Ok(());
        };
        let sets = self.sets.as_ref();
        let moment = match percentile {
            Some(percentile) => sets.and_then(|sets| sets.moment(percentile)),
            None => sets.and_then(WorkingSets::last),
        };
        match moment {
            Some(moment) => player.go_to(moment).map_err(replay_failure),
            None => Ok(()),
        }
    }

    /// Hashed pages in per cent of the resident ones.
    pub(super) fn hashed_percent(&self) -> f64 {
        let (resident, hashed) = match &self.kind {
            Kind::Recording(player) => {
                let totals = player.moment().measurement.index.totals();
                (totals.resident, totals.hashed)
            }
            Kind::Report(report) => {
                let coverage = &report.coverage;
                (coverage.resident_pages, coverage.hashed_pages)
            }
        };
        if resident == 0 {
            return 100.0;
        }
        count(hashed) * 100.0 / count(resident)
    }

    /// The page cache of the containers that are wanted, each layer once.
    pub(super) fn measured(&self, wanted: &[Option<Wanted>]) -> u64 {
        let images = self.assigned(wanted);
        match &self.kind {
            Kind::Recording(player) => {
                let measurement = player.moment().measurement;
                Residency::of(measurement, &self.running(), &images).together
            }
            Kind::Report(report) => {
                let containers = report.containers.iter().zip(&images);
                let shown: Vec<&String> = containers
                    .filter(|(_, image)| image.is_some())
                    .flat_map(|(container, _)| &container.layers)
                    .collect();
                let layers = report.layers.iter();
                layers
                    .filter(|layer| shown.contains(&&layer.id))
                    .map(|layer| layer.resident_bytes)
                    .sum()
            }
        }
    }

    /// A failure that is about this file.
    pub(super) fn refuse(&self, exit: Exit, what: &str) -> Failure {
        Failure::new(exit, format!("'{}' {what}", self.name))
    }
}

/// Whether a file begins like a recording. What cannot be read is told by who reads it.
fn is_recording(path: &Path) -> bool {
    let mut start = [0; 8];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    (read.is_ok() && start == *b"SHSTREC1") || path.extension().is_some_and(|end| end == "ssr")
}
