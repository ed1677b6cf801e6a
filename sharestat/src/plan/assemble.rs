//! Puts a [`Plan`] together: forecasts at every percentile, sensitivity, and the
//! assumptions in words.

use super::{
    document::{Check, HostEntry, ImageEntry, InputEntry, Known, Plan, SCHEMA},
    forecast::{Question, Scenario, forecast},
    sensitivity::sensitivity,
};
use crate::report::document::Tool;

/// The percentile to plan for, where there are several.
const PLANNED: f64 = 90.0;

/// Everything a plan is made from.
#[derive(Debug)]
pub struct Parts {
    /// The hosts.
    pub host: HostEntry,
    /// What was measured.
    pub inputs: Vec<InputEntry>,
    /// The images.
    pub images: Vec<ImageEntry>,
    /// The page cache at each percentile.
    pub scenarios: Vec<Scenario>,
    /// What is asked.
    pub question: Question,
    /// The model against the inputs.
    pub checks: Vec<Check>,
    /// What else there is to say.
    pub notes: Vec<String>,
}

/// The percentile that is planned for: 90 where it is there, else the last.
#[must_use]
pub fn planned(percentiles: &[Option<f64>]) -> Option<f64> {
    let is_planned = |percentile: &Option<f64>| *percentile == Some(PLANNED);
    match percentiles.iter().find(|percentile| is_planned(percentile)) {
        Some(found) => *found,
        None => percentiles.last().copied().flatten(),
    }
}

/// Asks the model.
#[must_use]
pub fn plan(parts: Parts) -> Plan {
    let Parts {
        host,
        inputs,
        images,
        scenarios,
        question,
        checks,
        notes,
    } = parts;
    let percentiles: Vec<Option<f64>> = scenarios.iter().map(|one| one.percentile).collect();
    let planned_percentile = planned(&percentiles);
    let scenarios = worth_telling(scenarios);
    let (planned, others): (Vec<Scenario>, Vec<Scenario>) = scenarios
        .iter()
        .cloned()
        .partition(|scenario| scenario.percentile == planned_percentile);
    let sensitivity = planned.first().map_or_else(Vec::new, |planned| {
        sensitivity(&question.load, planned, &others)
    });
    Plan {
        schema: SCHEMA.to_owned(),
        tool: Tool {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
        host,
        assumptions: assumptions(&inputs, &images, &scenarios),
        inputs,
        images,
        replicas: question.replicas,
        forecasts: scenarios
            .iter()
            .map(|scenario| forecast(scenario, &question))
            .collect(),
        planned_percentile,
        sensitivity,
        checks,
        notes,
    }
}

/// `copy-up` and `image-file` reach files that most hosts do not have: they are left out
/// where they save nothing at any percentile.
fn worth_telling(mut scenarios: Vec<Scenario>) -> Vec<Scenario> {
    for name in ["copy-up", "image-file"] {
        let saves = |scenario: &Scenario| {
            let mut caches = scenario.caches.iter();
            let cache = caches.find(|cache| cache.name == name);
            let none = scenario.caches.first();
            cache.zip(none).is_some_and(|(cache, none)| {
                let mut own = cache.own.iter().zip(&none.own);
                cache.base < none.base || own.any(|(own, alone)| own < alone)
            })
        };
        if !scenarios.iter().any(saves) {
            for scenario in &mut scenarios {
                scenario.caches.retain(|cache| cache.name != name);
            }
        }
    }
    scenarios
}

fn assumptions(
    inputs: &[InputEntry],
    images: &[ImageEntry],
    scenarios: &[Scenario],
) -> Vec<String> {
    let mut all = vec![
        "memory is what the host itself uses, private memory of containers, and page cache; \
         a host is full when these need all that is not reserved"
            .to_owned(),
        "one more container of an image does as the measured ones did: same files, same private \
         memory"
            .to_owned(),
    ];
    if !inputs.is_empty() {
        all.push(
            "contents that two measured containers have in common all containers have, and those \
             of one container each further one has of its own"
                .to_owned(),
        );
        all.push("pages without a hash are shared under no mechanism".to_owned());
    }
    if inputs.iter().any(|input| input.kind == "report") {
        all.push(
            "where only sums are known, containers share alike; give recordings for what each \
             has"
            .to_owned(),
        );
    }
    let forecast = |name: &str| {
        let mut caches = scenarios.iter().flat_map(|scenario| &scenario.caches);
        caches.any(|cache| cache.name == name)
    };
    if forecast("copy-up") {
        all.push(
            "each further container copies up as many pages unchanged as the measured ones did \
             on the average"
                .to_owned(),
        );
        if inputs.iter().any(|input| input.kind == "report") {
            all.push(
                "where a report does not list all files that were copied up, each of its \
                 containers has an equal part of what 'copy-up' saves"
                    .to_owned(),
            );
        }
    }
    if forecast("image-file") {
        all.push(
            "image files are the host's: further containers use those that are cached already"
                .to_owned(),
        );
    }
    let once = images.iter().filter(|image| image.measured == 1);
    let once: Vec<&str> = once.map(|image| image.name.as_str()).collect();
    if !once.is_empty() {
        all.push(format!(
            "of {} one container was measured: its lower layers are taken to be there once for \
             all of them",
            once.join(", ")
        ));
    }
    let unknown = images
        .iter()
        .filter(|image| image.private_from == Known::Unknown);
    let unknown: Vec<&str> = unknown.map(|image| image.name.as_str()).collect();
    if !unknown.is_empty() {
        all.push(format!(
            "private memory of {} is not known and counts as 0: fewer containers fit",
            unknown.join(", ")
        ));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{basis::Cache, write::sample};

    #[test]
    fn the_ninetieth_percentile_is_planned_for_where_it_is_known() {
        assert_eq!(planned(&[None]), None);
        assert_eq!(planned(&[Some(50.0), Some(90.0), Some(99.0)]), Some(90.0));
        assert_eq!(planned(&[Some(50.0), Some(95.0)]), Some(95.0));
    }

    #[test]
    fn sharing_never_fits_fewer_containers() {
        let plan = sample::plan();
        assert_eq!(plan.planned_percentile, Some(90.0));
        for forecast in &plan.forecasts {
            let fits = |name: &str| {
                let mut rows = forecast.mechanisms.iter();
                let row = rows.find(|row| row.name == name).expect("it is listed");
                row.containers_per_host.expect("there is a limit")
            };
            assert!(fits("none") < fits("content"));
        }
    }

    /// What `none` is, and the same with 10 bytes less for each container.
    fn scenario(percentile: f64, saved: f64) -> Scenario {
        let none = Cache {
            own: vec![100.0],
            ..Cache::empty("none", "exact", 1)
        };
        let copy_up = Cache {
            own: vec![100.0 - saved],
            ..Cache::empty("copy-up", "exact", 1)
        };
        Scenario {
            percentile: Some(percentile),
            caches: vec![none, copy_up],
        }
    }

    #[test]
    fn copy_up_is_told_where_it_saves_at_any_percentile() {
        let names = |scenarios: Vec<Scenario>| -> Vec<Vec<String>> {
            let told = worth_telling(scenarios);
            told.into_iter()
                .map(|scenario| {
                    scenario
                        .caches
                        .into_iter()
                        .map(|cache| cache.name)
                        .collect()
                })
                .collect()
        };
        let nothing = names(vec![scenario(50.0, 0.0), scenario(90.0, 0.0)]);
        assert_eq!(nothing, [["none"], ["none"]]);
        // Each percentile has the same mechanisms, so that they can be compared.
        let once = names(vec![scenario(50.0, 0.0), scenario(90.0, 10.0)]);
        assert_eq!(once, [["none", "copy-up"], ["none", "copy-up"]]);
        let words = assumptions(&[], &[], &[scenario(90.0, 10.0)]).join("\n");
        assert!(
            words.contains("copies up as many pages unchanged"),
            "{words}"
        );
        let words = assumptions(&[], &[], &[]).join("\n");
        assert!(!words.contains("copies up"), "{words}");
    }
}
