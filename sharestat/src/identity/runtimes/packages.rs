//! Applications that come as trees or images of their own: Flatpak deployments
//! (directories of hard links into an `OSTree` repository) and snaps (squashfs files).

use std::path::Path;

use super::{Store, StoreImage, StoreLayer, component, names_in};
use crate::{
    identity::warning::Warnings,
    model::layers::{LayerKind, Runtime},
};

/// The deployments of a Flatpak installation: `app|runtime/NAME/ARCH/BRANCH/COMMIT`. The
/// repository is a layer too: a file of a deployment is the same inode under both names,
/// and the kernel may know it by either.
#[must_use]
pub fn read_flatpak(root: &Path, warnings: &mut Warnings) -> Store {
    let mut store = Store::default();
    for kind in ["app", "runtime"] {
        let applications = root.join(kind);
        for name in names_in(&applications, warnings) {
            let application = applications.join(&name);
            for arch in directories(&application, warnings) {
                for branch in directories(&application.join(&arch), warnings) {
                    let branch_directory = application.join(&arch).join(&branch);
                    for commit in directories(&branch_directory, warnings) {
                        let layer = store.layers.len();
                        store
                            .layers
                            .push(lower(&commit, &branch_directory.join(&commit)));
                        store.images.push(StoreImage {
                            id: commit,
                            name: Some(format!("{name}/{arch}/{branch}")),
                            runtime: Runtime::Flatpak,
                            layers: vec![layer],
                        });
                    }
                }
            }
        }
    }
    let repository = root.join("repo");
    if repository.is_dir() {
        store.layers.push(lower("repo", &repository));
    }
    store
}

fn lower(key: &str, directory: &Path) -> StoreLayer {
    StoreLayer {
        key: key.to_owned(),
        runtime: Runtime::Flatpak,
        kind: LayerKind::Lower,
        directory: directory.to_path_buf(),
        image_file: None,
        digest: None,
    }
}

/// Real directories below, without the links `current` and `active`.
fn directories(directory: &Path, warnings: &mut Warnings) -> Vec<String> {
    let mut names = names_in(directory, warnings);
    names.retain(|name| {
        component(name, directory, warnings).is_some_and(|part| {
            std::fs::symlink_metadata(directory.join(part)).is_ok_and(|data| data.is_dir())
        })
    });
    names
}

/// Name and revision of a snap from its file, `NAME_REVISION.snap` in `snapd/snaps`.
#[must_use]
pub fn snap_of(image_file: &Path) -> Option<(String, String)> {
    let directory = image_file.parent()?;
    if !directory.ends_with("snapd/snaps") {
        return None;
    }
    let stem = image_file.file_name()?.to_str()?.strip_suffix(".snap")?;
    let (name, revision) = stem.rsplit_once('_')?;
    let both = !name.is_empty() && !revision.is_empty();
    both.then(|| (name.to_owned(), revision.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_deployment_is_an_image_of_one_layer() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let branch = root
            .path()
            .join("runtime/org.example.Platform/x86_64/23.08");
        fs::create_dir_all(branch.join("c0ffee/files")).expect("a directory");
        fs::create_dir_all(root.path().join("repo")).expect("a directory");
        std::os::unix::fs::symlink("c0ffee", branch.join("active")).expect("a link");
        let mut warnings = Warnings::default();
        let store = read_flatpak(root.path(), &mut warnings);
        assert_eq!(warnings.into_list(), Vec::new());
        assert_eq!(store.images.len(), 1);
        assert_eq!(
            store.images[0].name.as_deref(),
            Some("org.example.Platform/x86_64/23.08")
        );
        assert_eq!(store.layers[0].directory, branch.join("c0ffee"));
        assert_eq!(store.layers[1].directory, root.path().join("repo"));
    }

    #[test]
    fn a_snap_is_known_by_its_file() {
        let snap = snap_of(Path::new("/var/lib/snapd/snaps/a_b_12.snap"));
        assert_eq!(snap, Some(("a_b".to_owned(), "12".to_owned())));
        for other in [
            "/home/me/a_1.snap",
            "/var/lib/snapd/snaps/_1.snap",
            "/var/lib/snapd/snaps/a_.snap",
        ] {
            assert_eq!(snap_of(Path::new(other)), None, "{other}");
        }
    }
}
