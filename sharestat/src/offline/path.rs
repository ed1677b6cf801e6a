//! Paths inside layers: relative to the root, without `.`; `..` is refused.

/// The longest path that Linux takes (`PATH_MAX`).
const MOST: usize = 4096;

/// The path as components joined by `/`, without one at the start; empty for the root.
///
/// # Errors
/// What is wrong with it.
pub(super) fn normal(path: &[u8]) -> Result<Vec<u8>, &'static str> {
    if path.len() > MOST {
        return Err("a path is longer than 4096 bytes");
    }
    if path.contains(&0) {
        return Err("a path has a zero byte in it");
    }
    let mut normal = Vec::with_capacity(path.len());
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err("a path leads out of the layer with '..'"),
            name => {
                if !normal.is_empty() {
                    normal.push(b'/');
                }
                normal.extend_from_slice(name);
            }
        }
    }
    Ok(normal)
}

/// The path of the directory and the name in it.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

/// The directories that a path is in, deepest first; the root last, as the empty path.
#[cfg(test)]
pub(super) fn parents(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(path);
    std::iter::from_fn(move || {
        let path = rest.filter(|path| !path.is_empty())?;
        let parent = split(path).0;
        rest = Some(parent);
        Some(parent)
    })
}

/// A path below a directory.
pub(super) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() {
        return name.to_vec();
    }
    [directory, b"/", name].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_relative_and_stay_inside() {
        assert_eq!(normal(b"./usr//lib/./x/"), Ok(b"usr/lib/x".to_vec()));
        assert_eq!(normal(b"/etc/passwd"), Ok(b"etc/passwd".to_vec()));
        assert!(normal(b"a/../../etc").is_err());
        assert!(normal(&[b'a'; 5000]).is_err());
        let above: Vec<&[u8]> = parents(b"a/b/c").collect();
        assert_eq!(above, [&b"a/b"[..], b"a", b""]);
    }

    proptest! {
        #[test]
        fn whatever_is_taken_has_plain_components(path in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(normal) = normal(&path) {
                let mut parts = normal.split(|byte| *byte == b'/');
                prop_assert!(normal.is_empty() || parts.all(|part| !part.is_empty() && part != b"." && part != b".."));
            }
        }
    }
}
