//! The parts of a plan: forecasts at all percentiles, what the inputs were, and how far
//! the model is from each of them.

use super::{
    args::PlanArgs,
    inputs::{Input, Kind},
    mix::Question,
    private,
    scenarios::{percentiles, scenario},
    speakers::{counts, speakers},
};
use crate::{
    cli::exit::Failure,
    model::units::Bytes,
    plan::{
        assemble::{Parts, planned},
        basis::{Cache, whole},
        document::{Check, ImageEntry, InputEntry, Percentile},
        forecast,
        model::{ImageLoad, Load},
        private::PrivateMemory,
    },
};

/// Fewer moments tell little of the 99th percentile.
const MANY_MOMENTS: usize = 100;

/// Looks at the inputs and puts the parts together.
pub(super) fn parts(
    inputs: &mut [Input],
    question: &Question,
    arguments: &PlanArgs,
) -> Result<Parts, Failure> {
    for input in inputs.iter_mut() {
        input.look(&question.wanted)?;
    }
    let speakers = speakers(inputs, question)?;
    let percentiles = percentiles(inputs, &speakers, arguments)?;
    let mut notes = question.notes.clone();
    let mut scenarios = Vec::new();
    for at in &percentiles {
        scenarios.push(scenario(
            inputs, &speakers, question, *at, arguments, &mut notes,
        )?);
    }
    if percentiles.iter().any(Option::is_some) {
        notes.extend(few_moments(inputs));
    }
    let at = planned(&percentiles);
    let cache = scenarios.iter().find(|scenario| scenario.percentile == at);
    let checks = match cache.and_then(|scenario| scenario.caches.first()) {
        Some(cache) => checks(inputs, question, cache, at)?,
        None => Vec::new(),
    };
    let private = private::of_images(question, inputs, &speakers, &mut notes)?;
    let memory = inputs.iter().flat_map(Input::memory);
    notes.extend(memory.flat_map(|memory| memory.notes.clone()));
    let mut told = std::collections::HashSet::new();
    notes.retain(|note| told.insert(note.clone()));
    let images = images(inputs, &speakers, question, &private, &percentiles);
    Ok(Parts {
        question: forecast::Question {
            load: load(question, &images),
            replicas: arguments.replicas,
            at: arguments.containers.clone(),
            matters: arguments.matters / 100.0,
        },
        host: question.host,
        inputs: inputs.iter().map(|input| entry(input, question)).collect(),
        images,
        scenarios,
        checks,
        notes,
    })
}

fn load(question: &Question, images: &[ImageEntry]) -> Load {
    let host = question.host;
    let image = |image: &ImageEntry| ImageLoad {
        replicas: image.replicas,
        private: Bytes(image.private_bytes).to_f64(),
        refaulted: Bytes(image.refaulted_bytes.unwrap_or(0)).to_f64(),
    };
    Load {
        images: images.iter().map(image).collect(),
        base: Bytes(host.base_bytes).to_f64(),
        capacity: Bytes(host.memory_bytes.saturating_sub(host.reserve_bytes)).to_f64(),
    }
}

fn few_moments(inputs: &[Input]) -> impl Iterator<Item = String> {
    let few = inputs
        .iter()
        .filter(|input| input.sets.is_some() && input.samples() < MANY_MOMENTS);
    few.map(|input| {
        format!(
            "'{}' has {} moments with all its containers: high percentiles are its largest ones",
            input.name,
            input.samples()
        )
    })
}

/// The model without sharing, with as many containers as each input has, against it.
fn checks(
    inputs: &mut [Input],
    question: &Question,
    cache: &Cache,
    percentile: Option<f64>,
) -> Result<Vec<Check>, Failure> {
    let mut checks = Vec::new();
    for input in inputs {
        input.go_to(percentile)?;
        let counts = counts(input, question);
        let measured = input.measured(&question.wanted);
        let containers = counts.iter().sum();
        if containers == 0 || measured == 0 {
            continue;
        }
        let forecast = cache.bytes(&counts) - cache.base;
        checks.push(Check {
            input: input.name.clone(),
            containers,
            measured_bytes: measured,
            forecast_bytes: whole(forecast),
            error_percent: (forecast / Bytes(measured).to_f64() - 1.0) * 100.0,
        });
    }
    Ok(checks)
}

fn images(
    inputs: &[Input],
    speakers: &[Option<usize>],
    question: &Question,
    private: &[PrivateMemory],
    percentiles: &[Option<f64>],
) -> Vec<ImageEntry> {
    let entry = |(number, image): (usize, &crate::plan::mix::MixImage)| {
        let input = speakers[number].and_then(|input| inputs.get(input));
        let private = private[number];
        let sets = input.and_then(|input| input.sets.as_ref());
        let at = |percentile: &f64| {
            let bytes = sets?.of_image(number, *percentile)?;
            Some(Percentile {
                percentile: *percentile,
                bytes,
            })
        };
        ImageEntry {
            name: image.name.clone(),
            replicas: image.replicas,
            measured: input.map_or(0, |input| counts(input, question)[number]),
            private_bytes: private.bytes.0,
            private_from: private.from,
            refaulted_bytes: private.refaulted.map(|again| again.0),
            working_set: percentiles.iter().flatten().filter_map(at).collect(),
        }
    };
    question.images.iter().enumerate().map(entry).collect()
}

fn entry(input: &Input, question: &Question) -> InputEntry {
    let (kind, started_at) = match &input.kind {
        Kind::Recording(player) => ("recording", player.header().started_at.to_string()),
        Kind::Report(report) => ("report", report.measurement.started_at.clone()),
    };
    InputEntry {
        file: input.name.clone(),
        kind: kind.to_owned(),
        host: input.host().name.clone(),
        kernel: input.host().kernel.clone(),
        started_at,
        seed_id: input.seed_id().to_owned(),
        containers: counts(input, question).iter().sum(),
        moments: input.samples() as u64,
        hashed_percent: input.hashed_percent(),
        complete: input.complete,
    }
}
