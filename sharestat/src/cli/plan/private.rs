//! What one container of each image uses alone: as it is stated, from copies of
//! `memory.stat`, or from the cgroups in the measurements; and what a host uses without
//! containers.

use std::{collections::HashSet, fs, path::PathBuf};

use wildmatch::WildMatch;

use super::{
    inputs::{Input, Kind},
    mix::Question,
};
use crate::{
    cli::exit::{Exit, Failure},
    identity::escape::printable,
    model::{
        memory::{CgroupMemory, MemoryStat},
        units::Bytes,
    },
    plan::{
        document::Known,
        mix::{MixImage, Private},
        private::{Chosen, PrivateMemory, host_without},
    },
};

/// Cgroups that a refusal names.
const NAMED: usize = 12;
/// Pages that were read again matter from this part of the page cache on, one in so many.
const MUCH: u64 = 10;

/// Private memory of each image of the mix. `speakers` has the number of the measurement
/// of each one.
pub(super) fn of_images(
    question: &Question,
    inputs: &[Input],
    speakers: &[Option<usize>],
    notes: &mut Vec<String>,
) -> Result<Vec<PrivateMemory>, Failure> {
    let mut all = Vec::new();
    for (number, image) in question.images.iter().enumerate() {
        let speaker = speakers.get(number).copied().flatten();
        let speaker = speaker.and_then(|speaker| inputs.get(speaker));
        let private = match &image.private {
            Private::Stated(bytes) => PrivateMemory::stated(*bytes),
            Private::Measured(files) => of_files(question, image, files, notes)?,
            Private::Cgroups(pattern) => of_cgroups(image, pattern, speaker, inputs)?,
            Private::Unknown => speaker
                .and_then(|input| of_containers(question, number, input))
                .unwrap_or_else(PrivateMemory::unknown),
        };
        let asked = private.refaulted.filter(|again| again.0 > 0);
        notes.extend(asked.map(|again| {
            format!(
                "each container of '{}' read {again} again that had been reclaimed: its working set is larger than what was resident, by so much at most",
                image.name
            )
        }));
        all.push(private);
    }
    Ok(all)
}

/// The mean of copies of `memory.stat`.
fn of_files(
    question: &Question,
    image: &MixImage,
    files: &[PathBuf],
    notes: &mut Vec<String>,
) -> Result<PrivateMemory, Failure> {
    let mut sum = 0_u64;
    for file in files {
        let path = question.folder.join(file);
        let wrong = |why: String| {
            let why = format!(
                "cannot take the private memory of '{}' from '{}': {why}",
                image.name,
                printable(&path)
            );
            Failure::new(Exit::Usage, why)
        };
        let text = fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        let stat = MemoryStat::parse(&text).map_err(wrong)?;
        if Bytes::of_pages(stat.refaults.saturating_mul(MUCH).min(u64::MAX >> 12)) > stat.file {
            notes.push(format!(
                "'{}' read pages again that were reclaimed: the working set of '{}' is larger than what was resident",
                printable(&path),
                image.name
            ));
        }
        if stat.kernel.is_none() {
            notes.push(format!(
                "'{}' is of cgroup v1, which does not say what the kernel uses: private memory of '{}' is without it",
                printable(&path),
                image.name
            ));
        }
        sum = sum.saturating_add(stat.private().0);
    }
    Ok(PrivateMemory {
        bytes: Bytes(sum / files.len().max(1) as u64),
        from: Known::Measured,
        refaulted: None,
    })
}

/// The mean of the cgroups with such a path, in the measurement that speaks for the image,
/// else in that with most of them.
fn of_cgroups(
    image: &MixImage,
    pattern: &str,
    speaker: Option<&Input>,
    inputs: &[Input],
) -> Result<PrivateMemory, Failure> {
    let pattern_of_paths = WildMatch::new(pattern);
    let of_input = |input: &Input| {
        Chosen::of(input.memory(), |cgroup| {
            pattern_of_paths.matches(&cgroup.path)
        })
    };
    let spoken = speaker.map(of_input).filter(|chosen| !chosen.is_empty());
    let most = || inputs.iter().map(of_input).max_by_key(Chosen::len);
    let mean = spoken.or_else(most).and_then(|chosen| chosen.mean());
    mean.ok_or_else(|| no_cgroup(image, pattern, inputs))
}

fn no_cgroup(image: &MixImage, pattern: &str, inputs: &[Input]) -> Failure {
    let moments = inputs.iter().flat_map(Input::memory);
    let paths = moments.flat_map(|moment| &moment.cgroups);
    let mut paths: Vec<&str> = paths.map(|cgroup| cgroup.path.as_str()).collect();
    paths.sort_unstable();
    paths.dedup();
    let known = match paths.as_slice() {
        [] => "no measurement here has memory of cgroups, which recordings have".to_owned(),
        known if known.len() > NAMED => {
            let (first, others) = known.split_at(NAMED);
            format!("there are {} and {} more", first.join(", "), others.len())
        }
        known => format!("there are {}", known.join(", ")),
    };
    Failure::new(
        Exit::Usage,
        format!(
            "no memory cgroup has a path like '{pattern}', as 'cgroups' of the image '{}' says; {known}",
            image.name
        ),
    )
}

/// The mean of the image's containers, where runtimes name their cgroups.
fn of_containers(question: &Question, image: usize, input: &Input) -> Option<PrivateMemory> {
    let assigned = input.assigned(&question.wanted);
    let is_of_image = |number: usize| assigned.get(number) == Some(&Some(image));
    match &input.kind {
        Kind::Recording(_) => {
            let running = input.running().into_iter().enumerate();
            let ids: HashSet<String> = running
                .filter(|(number, _)| is_of_image(*number))
                .map(|(_, container)| container.id)
                .filter(|id| !id.is_empty())
                .collect();
            let is_one = |cgroup: &CgroupMemory| {
                let container = cgroup.container.as_ref();
                container.is_some_and(|container| ids.contains(container))
            };
            Chosen::of(input.memory(), is_one).mean()
        }
        Kind::Report(report) => {
            let containers = report.containers.iter().enumerate();
            let known: Vec<u64> = containers
                .filter(|(number, _)| is_of_image(*number))
                .filter_map(|(_, container)| container.private_bytes)
                .collect();
            let count = u64::try_from(known.len()).ok().filter(|count| *count > 0)?;
            let sum = known.into_iter().fold(0, u64::saturating_add);
            Some(PrivateMemory {
                bytes: Bytes(sum / count),
                from: Known::Measured,
                refaulted: None,
            })
        }
    }
}

/// What a host uses without containers, as the recording with most of them tells, and the
/// name of that.
pub(super) fn base(images: &[MixImage], inputs: &[Input]) -> Option<(Bytes, String)> {
    let recorded = inputs.iter().filter(|input| !input.memory().is_empty());
    let input = recorded.max_by_key(|input| input.names().len())?;
    let patterns = images.iter().filter_map(|image| match &image.private {
        Private::Cgroups(pattern) => Some(WildMatch::new(pattern)),
        _ => None,
    });
    let patterns: Vec<WildMatch> = patterns.collect();
    let of_containers = Chosen::of(input.memory(), |cgroup| {
        cgroup.container.is_some() || patterns.iter().any(|pattern| pattern.matches(&cgroup.path))
    });
    let base = host_without(input.memory(), &of_containers)?;
    Some((base, input.name.clone()))
}

#[cfg(test)]
#[path = "private_tests.rs"]
mod tests;
