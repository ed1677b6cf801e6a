//! The files that are read while the images run: a list with one path a line, as inside the
//! container, or what a recording has seen.

use std::{collections::HashSet, fs, path::Path};

use super::{error::Error, path};
use crate::identity::escape::{path_of, printable};

/// The largest list.
const MOST_BYTES: u64 = 1 << 30;

/// Paths, relative to the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// What they are from.
    name: String,
    paths: HashSet<Vec<u8>>,
}

impl Touched {
    /// Reads a list.
    ///
    /// # Errors
    /// When it cannot be read, is empty, or has a line that is no path inside a container.
    pub fn read(file: &Path) -> Result<Self, Error> {
        let length = fs::metadata(file)
            .map_err(|source| Error::io(file, source))?
            .len();
        let wrong = |why: String| Error::Touched {
            path: printable(file),
            why,
        };
        if length > MOST_BYTES {
            return Err(wrong("it is larger than 1 GiB".to_owned()));
        }
        let text = fs::read(file).map_err(|source| Error::io(file, source))?;
        let mut touched = Self::parse(&text).map_err(wrong)?;
        touched.name = printable(file);
        Ok(touched)
    }

    /// Takes paths that a recording in `file` has seen. Those that no layer can have are
    /// left out.
    ///
    /// # Errors
    /// When there is none.
    pub fn of_recording(
        file: &Path,
        paths: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Result<Self, Error> {
        let name = printable(file);
        let paths: HashSet<Vec<u8>> = paths
            .into_iter()
            .filter_map(|path| path::normal(path.as_ref()).ok())
            .collect();
        if paths.is_empty() {
            let why = "it is a recording in which no file of a layer was seen".to_owned();
            return Err(Error::Touched { path: name, why });
        }
        Ok(Self { name, paths })
    }

    /// The error for a list of which no image has a file.
    pub(super) fn matches_nothing(&self) -> Error {
        let why = match self.paths.iter().min() {
            Some(first) => format!(
                "none of its {} files is in any image; the first is '/{}', and paths are as inside the container",
                self.paths.len(),
                printable(path_of(first))
            ),
            None => "it names no file".to_owned(),
        };
        Error::Touched {
            path: self.name.clone(),
            why,
        }
    }

    /// Reads the text of a list.
    ///
    /// # Errors
    /// When it is empty, or which line is no path inside a container.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let mut paths = HashSet::new();
        for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            let path = path::normal(line).map_err(|why| format!("line {number}: {why}"))?;
            paths.insert(path);
        }
        if paths.is_empty() {
            return Err("it names no file; write one path a line".to_owned());
        }
        Ok(Self {
            paths,
            ..Self::default()
        })
    }

    pub(super) fn has(&self, path: &[u8]) -> bool {
        self.paths.contains(path)
    }

    pub(super) fn len(&self) -> usize {
        self.paths.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        offline::{ForecastOptions, Limits, forecast},
        progress::Progress,
        seed::Seed,
    };

    #[test]
    fn a_list_that_no_image_has_a_file_of_is_refused_by_its_name() {
        let root = tempfile::tempdir().expect("a directory");
        let image = root.path().join("image");
        fs::create_dir_all(image.join("usr")).expect("a directory");
        fs::write(image.join("usr/a"), [7; 4096]).expect("a file");
        let list = root.path().join("list");
        let forecast_of = |lines: &str| {
            fs::write(&list, lines).expect("a file");
            let options = ForecastOptions {
                images: vec![image.clone()],
                touched: Some(Touched::read(&list).expect("a list")),
                seed: Seed::fixed(7),
                limits: Limits::default(),
            };
            forecast(&options, &Progress::default())
        };
        assert!(forecast_of("/usr/a\n/usr/b\n").is_ok());
        // As on the host, not as in the container.
        let refused = forecast_of("/store/diff/usr/a\n").expect_err("nothing of it is there");
        let why = refused.to_string();
        assert!(
            why.contains("list'") && why.contains("'/store/diff/usr/a'"),
            "{why}"
        );
    }

    #[test]
    fn a_recording_without_files_of_layers_is_refused() {
        let none: [&[u8]; 0] = [];
        let refused = Touched::of_recording(Path::new("run.ssr"), none);
        let why = refused.expect_err("nothing").to_string();
        assert!(
            why.contains("'run.ssr'") && why.contains("no file of a layer"),
            "{why}"
        );
        let touched = Touched::of_recording(Path::new("run.ssr"), [b"/usr/lib/x"]);
        assert!(touched.is_ok_and(|touched| touched.has(b"usr/lib/x")));
    }
}
