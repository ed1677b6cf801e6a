//! The page cache at each percentile of the working set, and what is refused because it
//! would be a guess.

use super::{
    args::PlanArgs,
    inputs::{Input, Kind},
    mix::Question,
    speakers::counts,
};
use crate::{
    cli::exit::{Exit, Failure},
    plan::{
        basis::Cache,
        by_hand,
        composition::{Composer, MECHANISMS},
        forecast::Scenario,
        of_report,
    },
};

/// Below this a measurement covers too little, in per cent.
const ENOUGH: f64 = 90.0;
const LEFT_OUT: &str = "belong to containers that are in no image of the mix, or are measured better elsewhere, and are left out";
const USUAL: [f64; 3] = [50.0, 90.0, 99.0];

/// The percentiles to plan for; a single `None` when there is one sample.
pub(super) fn percentiles(
    inputs: &[Input],
    speakers: &[Option<usize>],
    arguments: &PlanArgs,
) -> Result<Vec<Option<f64>>, Failure> {
    let speaking = inputs.iter().enumerate();
    let speaking: Vec<&Input> = speaking
        .filter(|(number, _)| speakers.contains(&Some(*number)))
        .map(|(_, input)| input)
        .collect();
    let single = speaking.iter().find(|input| input.samples() < 2);
    let asked = &arguments.percentile;
    match (single, speaking.is_empty(), asked.is_empty()) {
        (None, false, true) => Ok(USUAL.map(Some).into()),
        (None, false, false) => {
            let mut percentiles: Vec<f64> = asked.clone();
            percentiles.sort_by(f64::total_cmp);
            percentiles.dedup();
            Ok(percentiles.into_iter().map(Some).collect())
        }
        (_, _, true) => Ok(vec![None]),
        (Some(input), _, false) => Err(input.refuse(
            Exit::Usage,
            "is a single sample, which has no percentiles; leave '--percentile' out, or record for a while with 'sharestat record'",
        )),
        (None, true, false) => Err(Failure::new(
            Exit::Usage,
            "page cache that is stated has no percentiles; leave '--percentile' out, or give a recording",
        )),
    }
}

/// The page cache at one percentile.
pub(super) fn scenario(
    inputs: &mut [Input],
    speakers: &[Option<usize>],
    question: &Question,
    percentile: Option<f64>,
    arguments: &PlanArgs,
    notes: &mut Vec<String>,
) -> Result<Scenario, Failure> {
    for input in inputs.iter_mut() {
        input.go_to(percentile)?;
    }
    let images = question.images.len();
    let measured = speakers.iter().any(Option::is_some);
    let names: &[&str] = if measured {
        &MECHANISMS
    } else {
        &["none", by_hand::STATED]
    };
    let mut caches: Vec<Cache> = names
        .iter()
        .map(|name| by_hand::cache(name, &question.images))
        .collect();
    // The host is that of the measurement with most containers.
    let host = (0..inputs.len())
        .filter(|number| speakers.contains(&Some(*number)))
        .max_by_key(|number| counts(&inputs[*number], question).iter().sum::<u64>());
    let speaking = (0..inputs.len()).filter(|number| speakers.contains(&Some(*number)));
    let mut composer = Composer::new(speaking.count());
    for (number, input) in inputs.iter().enumerate() {
        if !speakers.contains(&Some(number)) {
            continue;
        }
        enough(input, arguments.accept_poor_coverage, notes)?;
        let mut assigned = input.assigned(&question.wanted);
        let theirs = |image: &mut Option<usize>| {
            // A container of an image that another measurement speaks for.
            let other = image.is_some_and(|image| speakers[image] != Some(number));
            if other {
                *image = None;
            }
        };
        assigned.iter_mut().for_each(theirs);
        let with_host = host == Some(number);
        match &input.kind {
            Kind::Recording(player) => {
                let measurement = player.moment().measurement;
                composer.add(measurement, &input.running(), &assigned, with_host);
            }
            Kind::Report(report) => {
                add(
                    &mut caches,
                    &of_report::caches(report, &assigned, images, with_host),
                );
            }
        }
    }
    if composer.left_out().0 > 0 && !notes.iter().any(|note| note.ends_with(LEFT_OUT)) {
        notes.push(format!("{} of page cache {LEFT_OUT}", composer.left_out()));
    }
    if measured {
        add(&mut caches, &composer.finish(images));
    }
    Ok(Scenario { percentile, caches })
}

/// Adds page cache of further images. The least sure part says how sure all is.
fn add(caches: &mut [Cache], more: &[Cache]) {
    const LESS_SURE: [&str; 4] = ["exact", "stated", "probable", "estimated"];
    let rank = |cache: &Cache| {
        let empty = cache.own.iter().all(|own| *own <= 0.0) && cache.common.is_empty();
        let position = LESS_SURE.iter().position(|word| *word == cache.confidence);
        if empty { None } else { position }
    };
    for (cache, more) in caches.iter_mut().zip(more) {
        let surer = rank(cache).max(rank(more));
        cache.merge(more);
        cache.confidence = surer.map_or(cache.confidence, |position| LESS_SURE[position]);
    }
}

/// Refuses a measurement that covers too little, unless that is accepted.
pub(super) fn enough(
    input: &Input,
    accepted: bool,
    notes: &mut Vec<String>,
) -> Result<(), Failure> {
    let percent = input.hashed_percent();
    let lack = match (percent >= ENOUGH, input.complete) {
        (true, true) => return Ok(()),
        (true, false) => {
            "is partial: it was cut short, or not everything resident was seen".to_owned()
        }
        (false, _) => format!(
            "knows the contents of {percent:.1} % of the page cache only, and {ENOUGH} % are needed"
        ),
    };
    if accepted {
        notes.push(format!("'{}' {lack}", input.name));
        return Ok(());
    }
    Err(input.refuse(
        Exit::Incomplete,
        &format!(
            "{lack}; record with a larger '--cpu-budget' or for longer, or plan all the same with '--accept-poor-coverage'"
        ),
    ))
}
