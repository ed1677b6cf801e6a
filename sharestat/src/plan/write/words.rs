//! Numbers and names as words, the same in every format.

use crate::{
    model::units::Bytes,
    plan::document::{InputEntry, MechanismForecast, Plan, Sensitivity},
};

/// A number that has no limit when it is missing.
pub(super) fn limit(number: Option<u64>) -> String {
    number.map_or_else(|| "no limit".to_owned(), |number| number.to_string())
}

/// A number that may never be reached.
pub(super) fn never(number: Option<u64>) -> String {
    number.map_or_else(|| "never".to_owned(), |number| number.to_string())
}

/// A percentile.
pub(super) fn percentile(percentile: Option<f64>) -> String {
    percentile.map_or_else(
        || "as measured".to_owned(),
        |percentile| format!("p{percentile}"),
    )
}

/// The hosts and the mix in one line.
pub(super) fn title(plan: &Plan) -> String {
    let images = plan.images.iter();
    let mix: Vec<String> = images
        .map(|image| format!("{} {}", image.replicas, image.name))
        .collect();
    let memory = Bytes(plan.host.memory_bytes);
    let kept = match plan.host.reserve_bytes {
        0 => String::new(),
        reserve => format!(" with {} kept free", Bytes(reserve)),
    };
    format!("hosts of {memory}{kept}; the mix is {}", mix.join(", "))
}

/// One measurement in one line.
pub(super) fn input(input: &InputEntry) -> String {
    format!(
        "{} ({}) of {}, kernel {}, {}: {} containers, {} moments, {:.1} % hashed, {}",
        input.file,
        input.kind,
        input.host,
        input.kernel,
        input.started_at,
        input.containers,
        input.moments,
        input.hashed_percent,
        if input.complete {
            "complete"
        } else {
            "partial"
        }
    )
}

/// The headings of the main table, and its cells.
pub(super) fn columns(plan: &Plan) -> Vec<String> {
    let percentiles = plan.forecasts.iter();
    let mut columns = vec!["mechanism".to_owned(), "sure".to_owned()];
    columns.extend(percentiles.map(|forecast| format!("fit, {}", percentile(forecast.percentile))));
    columns.extend(
        [
            "per container",
            "of it page cache",
            "cached once",
            "matters from",
        ]
        .map(str::to_owned),
    );
    if let Some(replicas) = plan.replicas {
        columns.push(format!("hosts for {replicas}"));
    }
    columns
}

/// The cells of one mechanism.
pub(super) fn cells(plan: &Plan, row: &MechanismForecast) -> Vec<String> {
    let mut cells = vec![row.name.clone(), row.confidence.clone()];
    for forecast in &plan.forecasts {
        let mut rows = forecast.mechanisms.iter();
        let found = rows.find(|other| other.name == row.name);
        cells.push(found.map_or_else(String::new, |found| limit(found.containers_per_host)));
    }
    let once = row.common_bytes.saturating_add(row.host_cache_bytes);
    cells.extend([
        Bytes(row.per_container_bytes).to_string(),
        Bytes(row.own_cache_bytes).to_string(),
        Bytes(once).to_string(),
        if row.name == "none" {
            "-".to_owned()
        } else {
            never(row.matters_from)
        },
    ]);
    if plan.replicas.is_some() {
        cells.push(match row.hosts_needed {
            Some(hosts) => hosts.to_string(),
            None => "none fits".to_owned(),
        });
    }
    cells
}

/// The assumptions in their order, each with the range under every mechanism.
pub(super) fn ranges(plan: &Plan) -> Vec<(String, Vec<String>)> {
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    for row in &plan.sensitivity {
        let range = range(row);
        match rows.iter_mut().find(|(words, _)| *words == row.assumption) {
            Some((_, ranges)) => ranges.push(range),
            None => rows.push((row.assumption.clone(), vec![range])),
        }
    }
    rows
}

fn range(row: &Sensitivity) -> String {
    if row.fewest == row.most {
        return limit(row.planned);
    }
    format!("{} to {}", limit(row.fewest), limit(row.most))
}

/// The names of the mechanisms.
pub(super) fn mechanisms(plan: &Plan) -> Vec<String> {
    let planned = plan.planned().map(|planned| &planned.mechanisms);
    planned
        .into_iter()
        .flatten()
        .map(|row| row.name.clone())
        .collect()
}
