//! What is to be planned, from the mix file and the arguments: images with their private
//! memory, and the sizes of a host.

use std::{fs, path::Path};

use super::{args::PlanArgs, inputs::Input};
use crate::{
    cli::exit::{Exit, Failure},
    identity::escape::printable,
    model::units::Bytes,
    plan::{
        containers::{Wanted, as_measured},
        document::HostEntry,
        mix::{Mix, MixImage, Private},
        private::MemoryStat,
    },
};

/// What is to be planned.
pub(super) struct Question {
    pub(super) host: HostEntry,
    pub(super) images: Vec<MixImage>,
    /// Which containers each image takes; none of those that are stated.
    pub(super) wanted: Vec<Option<Wanted>>,
    /// Private memory of each image in bytes, and where it is known from.
    pub(super) private: Vec<(u64, &'static str)>,
    pub(super) notes: Vec<String>,
}

impl Question {
    pub(super) fn of(arguments: &PlanArgs, inputs: &[Input]) -> Result<Self, Failure> {
        let mut mix = match &arguments.mix {
            Some(path) => read(path)?,
            None => Mix {
                images: from_arguments(arguments, inputs),
                ..Mix::default()
            },
        };
        if mix.images.is_empty() {
            return Err(no_containers(inputs));
        }
        for (name, bytes) in &arguments.private {
            let found = mix.images.iter_mut().find(|image| image.name == *name);
            match found {
                Some(image) => image.private = Private::Stated(*bytes),
                None => return Err(no_image(name, &mix.images)),
            }
        }
        let mut notes = Vec::new();
        let folder = arguments.mix.as_deref().and_then(Path::parent);
        let private: Result<Vec<_>, Failure> = mix
            .images
            .iter()
            .map(|image| private(image, folder.unwrap_or(Path::new("")), &mut notes))
            .collect();
        let wanted = mix.images.iter();
        let wanted = wanted.map(|image| image.page_cache.is_none().then(|| Wanted::by(image)));
        Ok(Self {
            host: host(arguments, &mix, inputs, &mut notes)?,
            wanted: wanted.collect(),
            private: private?,
            images: mix.images,
            notes,
        })
    }
}

fn read(path: &Path) -> Result<Mix, Failure> {
    let text = fs::read_to_string(path).map_err(|error| {
        let why = format!("cannot read the mix '{}': {error}", printable(path));
        Failure::new(Exit::Usage, why)
    })?;
    Mix::parse(&text)
        .map_err(|error| Failure::new(Exit::Usage, format!("in '{}': {error}", printable(path))))
}

/// Stated images, else what ran in the measurement with most containers.
fn from_arguments(arguments: &PlanArgs, inputs: &[Input]) -> Vec<MixImage> {
    let largest = inputs.iter().map(Input::images).max_by_key(Vec::len);
    let mut images = as_measured(largest.unwrap_or_default().into_iter());
    images.extend(arguments.images.iter().map(|(name, bytes)| MixImage {
        name: name.clone(),
        replicas: 1,
        page_cache: Some(*bytes),
        ..MixImage::default()
    }));
    images
}

fn no_image(name: &str, images: &[MixImage]) -> Failure {
    let names: Vec<&str> = images.iter().map(|image| image.name.as_str()).collect();
    Failure::new(
        Exit::Usage,
        format!(
            "there is no image '{name}' to have private memory; there are {}",
            names.join(", ")
        ),
    )
}

fn no_containers(inputs: &[Input]) -> Failure {
    let names: Vec<String> = inputs
        .iter()
        .map(|input| format!("'{}'", input.name))
        .collect();
    Failure::new(
        Exit::Usage,
        format!(
            "there is no running container in {}; measure while containers run, or state their page cache with '--image NAME=SIZE'",
            names.join(", ")
        ),
    )
}

/// What a container of an image uses alone.
fn private(
    image: &MixImage,
    folder: &Path,
    notes: &mut Vec<String>,
) -> Result<(u64, &'static str), Failure> {
    let files = match &image.private {
        Private::Unknown => return Ok((0, "unknown")),
        Private::Stated(bytes) => return Ok((*bytes, "stated")),
        Private::Measured(files) => files,
    };
    let mut sum = 0_u64;
    for file in files {
        let path = folder.join(file);
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
        if stat.is_squeezed() {
            notes.push(format!(
                "'{}' read pages again that were reclaimed: the working set of '{}' is larger than what was resident",
                printable(&path),
                image.name
            ));
        }
        sum = sum.saturating_add(stat.private());
    }
    Ok((sum / files.len().max(1) as u64, "measured"))
}

fn host(
    arguments: &PlanArgs,
    mix: &Mix,
    inputs: &[Input],
    notes: &mut Vec<String>,
) -> Result<HostEntry, Failure> {
    let measured = inputs.first().map(|input| input.host().memory_bytes);
    let Some(memory) = arguments.memory.or(mix.host.memory).or(measured) else {
        return Err(Failure::new(
            Exit::Usage,
            "the memory of a host is not known; give it as '--memory 64GiB', or as 'memory' of the '[host]' in the mix",
        ));
    };
    let base = arguments.base.or(mix.host.base);
    if base.is_none() {
        notes.push(
            "what a host uses without containers counts as 0; give it as '--base', page cache aside"
                .to_owned(),
        );
    }
    let reserve = arguments.reserve.or(mix.host.reserve).unwrap_or(0);
    let used = reserve.saturating_add(base.unwrap_or(0));
    if used >= memory {
        return Err(Failure::new(
            Exit::Usage,
            format!(
                "nothing is left for containers: of {} a host uses {} and keeps {} free",
                Bytes(memory),
                Bytes(base.unwrap_or(0)),
                Bytes(reserve)
            ),
        ));
    }
    Ok(HostEntry {
        memory_bytes: memory,
        base_bytes: base.unwrap_or(0),
        reserve_bytes: reserve,
    })
}
