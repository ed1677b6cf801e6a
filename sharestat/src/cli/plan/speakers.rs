//! Which measurement speaks for which image: the one with most containers of it. Where
//! several speak, contents are compared between them, so their seeds must be equal.

use super::{
    inputs::{Input, Kind},
    mix::Question,
};
use crate::cli::exit::{Exit, Failure};

/// How many containers of each image a measurement has.
pub(super) fn counts(input: &Input, question: &Question) -> Vec<u64> {
    let mut counts = vec![0; question.wanted.len()];
    for image in input.assigned(&question.wanted).into_iter().flatten() {
        counts[image] += 1;
    }
    counts
}

/// The number of the measurement for each image; `None` for images that are stated.
pub(super) fn speakers(
    inputs: &[Input],
    question: &Question,
) -> Result<Vec<Option<usize>>, Failure> {
    let counts: Vec<Vec<u64>> = inputs.iter().map(|input| counts(input, question)).collect();
    let mut speakers = Vec::new();
    for (number, wanted) in question.wanted.iter().enumerate() {
        if wanted.is_none() {
            speakers.push(None);
            continue;
        }
        // Of several with as many containers the first.
        let best = counts.iter().enumerate().rev();
        let best = best.max_by_key(|(_, counts)| counts[number]);
        match best.filter(|(_, counts)| counts[number] > 0) {
            Some((input, _)) => speakers.push(Some(input)),
            None => return Err(not_measured(inputs, &question.images[number].name)),
        }
    }
    let recordings = inputs.iter().enumerate().filter(|(number, input)| {
        speakers.contains(&Some(*number)) && matches!(input.kind, Kind::Recording(_))
    });
    let seeds: Vec<(&str, &str)> = recordings
        .map(|(_, input)| (input.name.as_str(), input.seed_id()))
        .collect();
    seeds_are_equal(&seeds)?;
    Ok(speakers)
}

fn not_measured(inputs: &[Input], image: &str) -> Failure {
    let mut known: Vec<String> = inputs
        .iter()
        .flat_map(|input| [input.images(), input.names()].concat())
        .collect();
    known.sort_unstable();
    known.dedup();
    let known = match known.as_slice() {
        [] => "none runs there".to_owned(),
        known => format!("there are {}", known.join(", ")),
    };
    let words = format!(
        "no measured container is of the image '{image}'; {known}; say which with 'containers' in the mix, or state its 'page_cache'"
    );
    Failure::new(Exit::Usage, words)
}

/// Refuses to compare hashes that were made with different seeds: `speaking` are names
/// and seed ids.
pub(super) fn seeds_are_equal(speaking: &[(&str, &str)]) -> Result<(), Failure> {
    let Some(((name, seed), others)) = speaking.split_first() else {
        return Ok(());
    };
    match others.iter().find(|(_, other)| other != seed) {
        None => Ok(()),
        Some((other_name, other)) => Err(Failure::new(
            Exit::Usage,
            format!(
                "contents of '{name}' (seed {seed}) and '{other_name}' (seed {other}) cannot be compared, because their seeds differ; record both with the same '--seed', or all images in one recording"
            ),
        )),
    }
}
