//! One metric family of `OpenMetrics` with all its rows, and how families become text.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, text::encode_registry},
    metrics::MetricType,
    registry::{Registry, Unit},
};

/// Names and values of the labels of one row.
pub(crate) type Labels = Vec<(&'static str, String)>;

/// What the rows of a family are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The state at one moment.
    Gauge,
    /// A sum since the start, which only grows; `_total` is appended to its name.
    Counter,
    /// Words as labels, the value is 1; `_info` is appended to its name.
    Info,
}

/// A value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    /// A whole number.
    Whole(u64),
    /// A ratio, or seconds.
    Real(f64),
}

/// One metric with all its rows.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) unit: Option<Unit>,
    pub(crate) kind: Kind,
    pub(crate) rows: Vec<(Labels, Value)>,
}

impl Family {
    /// A gauge of one row or none.
    pub(crate) fn gauge(name: &'static str, help: &'static str, value: Option<Value>) -> Self {
        Self::rows(name, help, Kind::Gauge, single(value))
    }

    /// A counter of one row or none.
    pub(crate) fn counter(name: &'static str, help: &'static str, value: Option<Value>) -> Self {
        Self::rows(name, help, Kind::Counter, single(value))
    }

    /// A family of any number of rows.
    pub(crate) fn rows(
        name: &'static str,
        help: &'static str,
        kind: Kind,
        rows: Vec<(Labels, Value)>,
    ) -> Self {
        Self {
            name,
            help,
            unit: None,
            kind,
            rows,
        }
    }

    /// The same, in bytes: the name gets the unit.
    pub(crate) fn in_bytes(mut self) -> Self {
        self.unit = Some(Unit::Bytes);
        self
    }

    /// The same, in seconds.
    pub(crate) fn in_seconds(mut self) -> Self {
        self.unit = Some(Unit::Seconds);
        self
    }
}

fn single(value: Option<Value>) -> Vec<(Labels, Value)> {
    value
        .map(|value| (Labels::new(), value))
        .into_iter()
        .collect()
}

/// Appends families as text, without the end mark; families without rows are left out.
///
/// # Errors
/// Never in practice: memory takes everything.
pub(crate) fn append(
    text: &mut String,
    prefix: Option<&str>,
    families: Vec<Family>,
) -> Result<(), fmt::Error> {
    let mut registry = prefix.map_or_else(Registry::default, Registry::with_prefix);
    registry.register_collector(Box::new(Families(families)));
    encode_registry(text, &registry)
}

#[derive(Debug)]
struct Families(Vec<Family>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        for family in self.0.iter().filter(|family| !family.rows.is_empty()) {
            encode_family(&mut encoder, family)?;
        }
        Ok(())
    }
}

fn encode_family(encoder: &mut DescriptorEncoder, family: &Family) -> Result<(), fmt::Error> {
    let kind = match family.kind {
        Kind::Gauge => MetricType::Gauge,
        Kind::Counter => MetricType::Counter,
        Kind::Info => MetricType::Info,
    };
    let mut rows =
        encoder.encode_descriptor(family.name, family.help, family.unit.as_ref(), kind)?;
    for (labels, value) in &family.rows {
        if family.kind == Kind::Info {
            rows.encode_info(labels)?;
            continue;
        }
        if labels.is_empty() {
            encode_value(&mut rows, family.kind, *value)?;
        } else {
            encode_value(&mut rows.encode_family(labels)?, family.kind, *value)?;
        }
    }
    Ok(())
}

fn encode_value(row: &mut MetricEncoder, kind: Kind, value: Value) -> Result<(), fmt::Error> {
    match (kind, value) {
        (Kind::Counter, Value::Whole(value)) => {
            row.encode_counter::<NoExemplar, _, u64>(&value, None)
        }
        (Kind::Counter, Value::Real(value)) => {
            row.encode_counter::<NoExemplar, _, u64>(&value, None)
        }
        // The type knows signed numbers only; no memory is that large.
        (_, Value::Whole(value)) => row.encode_gauge(&i64::try_from(value).unwrap_or(i64::MAX)),
        (_, Value::Real(value)) => row.encode_gauge(&value),
    }
}

/// Labels of exemplars; we have none.
type NoExemplar = Vec<(&'static str, String)>;
