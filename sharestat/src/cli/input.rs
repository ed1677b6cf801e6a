//! Files that commands read: standard input, `-`, is one of them, and there is one of it.

use std::path::{Path, PathBuf};

use super::exit::{Exit, Failure};

/// Whether a path is standard input.
pub(super) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Refuses to read standard input twice: the second time there would be nothing.
pub(super) fn once<'p>(files: impl IntoIterator<Item = &'p PathBuf>) -> Result<(), Failure> {
    let stdin = files.into_iter().filter(|file| is_stdin(file)).count();
    if stdin > 1 {
        return Err(Failure::new(
            Exit::Usage,
            "standard input can be read only once: give one '-' and the names of the other files",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_dash_is_read_and_two_are_refused() {
        let files = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert!(once(&files(&["-", "a.json", "./-"])).is_ok());
        let failure = once(&files(&["-", "a.json", "-"])).expect_err("two");
        assert_eq!(failure.exit(), Exit::Usage);
    }
}
