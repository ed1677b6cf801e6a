//! The mix file (TOML): what the hosts are, and which images run on them how often. Each
//! mistake is one sentence with its line.

use std::{collections::HashSet, path::PathBuf};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::sizes::Sizes;
use crate::compare::check::rule::unknown;

/// More is a slip.
const MOST_REPLICAS: u64 = 1_000_000;
const KEYS: [&str; 2] = ["host", "image"];
const HOST_KEYS: [&str; 3] = ["memory", "base", "reserve"];
const IMAGE_KEYS: [&str; 8] = [
    "name",
    "replicas",
    "containers",
    "private",
    "private_from",
    "cgroups",
    "page_cache",
    "shared",
];

/// What runs, and on what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mix {
    /// The hosts.
    pub host: HostSizes,
    /// The images.
    pub images: Vec<MixImage>,
}

/// The sizes of a host, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostSizes {
    /// Its memory.
    pub memory: Option<u64>,
    /// What it uses without any container, page cache aside.
    pub base: Option<u64>,
    /// What stays free.
    pub reserve: Option<u64>,
}

/// One image of a mix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MixImage {
    /// Its name.
    pub name: String,
    /// How many containers of it one mix has.
    pub replicas: u64,
    /// Which measured containers run it, with `*` for any text; without it, those of the
    /// image with this name.
    pub containers: Option<String>,
    /// What one container uses alone, page cache aside.
    pub private: Private,
    /// The page cache that one container needs, in bytes, where it is stated instead of
    /// measured.
    pub page_cache: Option<u64>,
    /// The part of `page_cache` that is equal in all containers of the image.
    pub shared: Option<u64>,
}

/// Where the private memory of a container is known from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Private {
    /// Not at all.
    #[default]
    Unknown,
    /// Stated, in bytes.
    Stated(u64),
    /// Copies of `memory.stat` of containers.
    Measured(Vec<PathBuf>),
    /// The memory cgroups in recordings with such a path, with `*` for any text.
    Cgroups(String),
}

/// A mistake in a mix file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct MixError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

impl Mix {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// The first mistake, with its line.
    pub fn parse(text: &str) -> Result<Self, MixError> {
        let table = DeTable::parse(text).map_err(|error| MixError {
            line: error.span().map_or(1, |span| line_of(text, span.start)),
            message: format!("not TOML: {}", error.message().replace('\n', ", ")),
        })?;
        let mut reader = Reader {
            text,
            sizes: Sizes::default(),
            names: HashSet::new(),
        };
        let mut mix = Self::default();
        // In the order of the file, so that mixed units are told where they begin.
        let mut keys: Vec<_> = table.get_ref().iter().collect();
        keys.sort_by_key(|(key, value)| (value.span().start, key.span().start));
        for (key, value) in keys {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("host", DeValue::Table(host)) => mix.host = reader.host(host)?,
                ("image", DeValue::Array(images)) => {
                    for image in images {
                        mix.images.push(reader.image(image)?);
                    }
                }
                ("host", _) => return Err(reader.wrong(key, "begin the host with '[host]'")),
                ("image", _) => {
                    return Err(reader.wrong(key, "begin each image with '[[image]]'"));
                }
                (other, _) => {
                    return Err(reader.wrong(key, unknown("key", other, KEYS.into_iter())));
                }
            }
        }
        if mix.images.is_empty() {
            return Err(MixError {
                line: line_of(text, text.len()),
                message: "the mix has no image; begin each with '[[image]]'".to_owned(),
            });
        }
        Ok(mix)
    }
}

fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    before.split(|byte| *byte == b'\n').count()
}

struct Reader<'t> {
    text: &'t str,
    sizes: Sizes,
    /// Of the images so far.
    names: HashSet<String>,
}

type Key<'k> = Spanned<std::borrow::Cow<'k, str>>;
type Value<'v> = Spanned<DeValue<'v>>;

impl Reader<'_> {
    fn wrong<T>(&self, at: &Spanned<T>, message: impl Into<String>) -> MixError {
        MixError {
            line: line_of(self.text, at.span().start),
            message: message.into(),
        }
    }

    fn host(&mut self, table: &DeTable<'_>) -> Result<HostSizes, MixError> {
        let mut host = HostSizes::default();
        for (key, value) in in_order(table) {
            let size = match key.get_ref().as_ref() {
                "memory" => &mut host.memory,
                "base" => &mut host.base,
                "reserve" => &mut host.reserve,
                other => {
                    let message = unknown("key of the host", other, HOST_KEYS.into_iter());
                    return Err(self.wrong(key, message));
                }
            };
            *size = Some(self.size(key, value)?);
        }
        Ok(host)
    }

    fn image(&mut self, value: &Value<'_>) -> Result<MixImage, MixError> {
        let DeValue::Table(table) = value.get_ref() else {
            return Err(self.wrong(
                value,
                "an 'image' is not a table; begin it with '[[image]]'",
            ));
        };
        let mut image = MixImage {
            replicas: 1,
            ..MixImage::default()
        };
        for (key, value) in in_order(table) {
            match key.get_ref().as_ref() {
                "name" => {
                    self.text(key, value)?.clone_into(&mut image.name);
                    if !self.names.insert(image.name.clone()) {
                        let message = format!("there is an image '{}' already", image.name);
                        return Err(self.wrong(value, message));
                    }
                }
                "replicas" => image.replicas = self.replicas(value)?,
                "containers" => image.containers = Some(self.text(key, value)?.to_owned()),
                "private" | "private_from" | "cgroups" if image.private != Private::Unknown => {
                    let message = "give only one of 'private', 'private_from' and 'cgroups'";
                    return Err(self.wrong(key, message));
                }
                "private" => image.private = Private::Stated(self.size(key, value)?),
                "private_from" => image.private = Private::Measured(self.paths(key, value)?),
                "cgroups" => image.private = Private::Cgroups(self.text(key, value)?.to_owned()),
                "page_cache" => image.page_cache = Some(self.size(key, value)?),
                "shared" => image.shared = Some(self.size(key, value)?),
                other => {
                    let message = unknown("key of an image", other, IMAGE_KEYS.into_iter());
                    return Err(self.wrong(key, message));
                }
            }
        }
        self.is_sensible(value, &image)?;
        Ok(image)
    }

    fn is_sensible(&self, value: &Value<'_>, image: &MixImage) -> Result<(), MixError> {
        let name = &image.name;
        let message = if name.is_empty() {
            "the image has no 'name'".to_owned()
        } else if image.page_cache.is_some() && image.containers.is_some() {
            format!(
                "the image '{name}' has 'containers' to be measured and a stated 'page_cache'; give one of them"
            )
        } else if image.shared.is_some() && image.page_cache.is_none() {
            format!("the image '{name}' has 'shared' without 'page_cache', whose part it is")
        } else if image.shared > image.page_cache {
            format!("the image '{name}' has more 'shared' than 'page_cache', whose part it is")
        } else {
            return Ok(());
        };
        Err(self.wrong(value, message))
    }

    fn text<'v>(&self, key: &Key<'_>, value: &'v Value<'_>) -> Result<&'v str, MixError> {
        let text = value.get_ref().as_str().filter(|text| !text.is_empty());
        text.ok_or_else(|| self.wrong(value, format!("'{}' is not text in quotes", key.get_ref())))
    }

    fn size(&mut self, key: &Key<'_>, value: &Value<'_>) -> Result<u64, MixError> {
        let name = key.get_ref();
        let line = line_of(self.text, value.span().start);
        let read = match value.get_ref() {
            DeValue::String(text) => self.sizes.read(name, text, line),
            DeValue::Integer(number) => self.sizes.read(name, number.as_str(), line),
            DeValue::Float(number) => self.sizes.read(name, number.as_str(), line),
            _ => Err(format!("'{name}' is not a size such as \"220MiB\"")),
        };
        read.map_err(|message| MixError { line, message })
    }

    fn replicas(&self, value: &Value<'_>) -> Result<u64, MixError> {
        let digits = match value.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            _ => return Err(self.wrong(value, "'replicas' is not a whole number")),
        };
        let number = digits.replace('_', "").parse::<i64>().unwrap_or(i64::MAX);
        match u64::try_from(number) {
            Ok(0) | Err(_) => Err(self.wrong(
                value,
                format!("'replicas' is {number}; an image of a mix has at least 1"),
            )),
            Ok(number) if number > MOST_REPLICAS => {
                Err(self.wrong(value, format!("'replicas' is larger than {MOST_REPLICAS}")))
            }
            Ok(number) => Ok(number),
        }
    }

    fn paths(&self, key: &Key<'_>, value: &Value<'_>) -> Result<Vec<PathBuf>, MixError> {
        let DeValue::Array(values) = value.get_ref() else {
            return Ok(vec![self.text(key, value)?.into()]);
        };
        if values.is_empty() {
            return Err(self.wrong(value, format!("'{}' names no file", key.get_ref())));
        }
        let paths = values.iter();
        paths
            .map(|value| Ok(self.text(key, value)?.into()))
            .collect()
    }
}

/// The keys of a table as they stand in the file.
fn in_order<'t, 'i>(table: &'t DeTable<'i>) -> Vec<(&'t Key<'i>, &'t Value<'i>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

#[cfg(test)]
#[path = "mix_tests.rs"]
mod tests;
