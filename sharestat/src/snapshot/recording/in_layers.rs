//! The files of layers that a recording names, by their paths inside the containers: what
//! was cached of images while it was made, at whatever moment.

use std::collections::BTreeSet;

use super::{error::RecordingError, reader::Reader, record::Record};

/// The paths, each as below the root of its layer.
///
/// # Errors
/// When the recording cannot be read or contradicts itself.
pub fn paths(reader: &mut Reader) -> Result<BTreeSet<Box<[u8]>>, RecordingError> {
    let mut paths = BTreeSet::new();
    while let Some(record) = reader.record()? {
        if let Record::Named(_, file) = record
            && let Some(path) = file.place.path_in_layer()
        {
            paths.insert(path.into());
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recording_of_the_demo_names_files_as_its_containers_see_them() {
        let recording = include_bytes!("../../../demo/demo.ssr");
        let mut reader = Reader::of_bytes("demo.ssr", recording).expect("a recording");
        let paths = paths(&mut reader).expect("it is whole");
        assert!(paths.contains(&b"/usr/lib/libcrypto.so.3"[..]), "{paths:?}");
    }
}
