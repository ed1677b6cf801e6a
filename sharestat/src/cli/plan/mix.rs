//! What is to be planned, from the mix file and the arguments: images with their private
//! memory, and the sizes of a host.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{args::PlanArgs, inputs::Input, private};
use crate::{
    cli::exit::{Exit, Failure},
    identity::escape::printable,
    model::units::Bytes,
    plan::{
        containers::{Wanted, as_measured},
        document::{HostEntry, Known},
        mix::{Mix, MixImage, Private},
    },
};

/// What is to be planned.
pub(super) struct Question {
    pub(super) host: HostEntry,
    pub(super) images: Vec<MixImage>,
    /// Which containers each image takes; none of those that are stated.
    pub(super) wanted: Vec<Option<Wanted>>,
    /// Where the mix file is, whose paths are relative to it.
    pub(super) folder: PathBuf,
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
        let wanted = mix.images.iter();
        let wanted = wanted.map(|image| image.page_cache.is_none().then(|| Wanted::by(image)));
        Ok(Self {
            host: host(arguments, &mix, inputs, &mut notes)?,
            wanted: wanted.collect(),
            folder: folder.unwrap_or(Path::new("")).to_owned(),
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
    let (base, base_from) = base(arguments, mix, inputs, notes);
    let reserve = arguments.reserve.or(mix.host.reserve).unwrap_or(0);
    let used = reserve.saturating_add(base);
    if used >= memory {
        return Err(Failure::new(
            Exit::Usage,
            format!(
                "nothing is left for containers: of {} a host uses {} and keeps {} free",
                Bytes(memory),
                Bytes(base),
                Bytes(reserve)
            ),
        ));
    }
    Ok(HostEntry {
        memory_bytes: memory,
        base_bytes: base,
        base_from,
        reserve_bytes: reserve,
    })
}

/// What a host uses without containers, in bytes, and where that is known from.
fn base(
    arguments: &PlanArgs,
    mix: &Mix,
    inputs: &[Input],
    notes: &mut Vec<String>,
) -> (u64, Known) {
    if let Some(base) = arguments.base.or(mix.host.base) {
        return (base, Known::Stated);
    }
    if let Some((base, name)) = private::base(&mix.images, inputs) {
        notes.push(format!(
            "what a host uses without containers is {base}, as it was in '{name}'; '--base' states something else"
        ));
        return (base.0, Known::Measured);
    }
    notes.push(
        "what a host uses without containers counts as 0; give it as '--base', page cache aside"
            .to_owned(),
    );
    (0, Known::Unknown)
}
