//! From a path in a mount namespace to the place its pages live in: the filesystem and
//! the path inside it. Overlay mounts on the way are replaced by their real layers.

use std::{
    collections::HashMap,
    ffi::OsString,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
};

use super::{
    escape::path_of,
    mounts::{Mount, MountTable, join},
    overlay,
};
use crate::model::layers::LayerRoot;

/// An overlay may lie on an overlay, no deeper (`FILESYSTEM_MAX_STACK_DEPTH`, 2).
const MAX_STACK_DEPTH: usize = 2;
/// As path lookup in the kernel (`MAXSYMLINKS`, `include/linux/namei.h`).
const MAX_LINKS: usize = 40;

/// Finds places in one mount namespace.
pub struct Locator<'t> {
    /// Where the root of the namespace is seen from here: empty for our own,
    /// `/proc/PID/root` for another.
    seen_at: PathBuf,
    by_point: HashMap<&'t [u8], &'t Mount>,
}

impl<'t> Locator<'t> {
    /// For the namespace of a mount table whose root is seen at `seen_at`.
    #[must_use]
    pub fn new(table: &'t MountTable, seen_at: &Path) -> Self {
        let point = |mount: &'t Mount| (mount.mount_point.as_os_str().as_bytes(), mount);
        Self {
            seen_at: seen_at.to_path_buf(),
            by_point: table.visible().map(point).collect(),
        }
    }

    /// A path of the namespace as this process can open it.
    #[must_use]
    pub fn from_here(&self, path: &Path) -> PathBuf {
        if self.seen_at.as_os_str().is_empty() {
            return path.to_path_buf();
        }
        join(&self.seen_at, path.strip_prefix("/").unwrap_or(path))
    }

    /// The path without symbolic links. Links are followed one by one, because those of
    /// another namespace must not lead into ours.
    ///
    /// # Errors
    /// When a part does not exist or cannot be looked at.
    pub fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
        let mut open: Vec<OsString> = parts(path).collect();
        let mut real = PathBuf::from("/");
        let mut links = 0;
        while let Some(part) = open.pop() {
            match Path::new(&part).components().next() {
                None | Some(Component::CurDir) => continue,
                Some(Component::RootDir | Component::Prefix(_)) => {
                    real = PathBuf::from("/");
                    continue;
                }
                Some(Component::ParentDir) => {
                    real.pop();
                    continue;
                }
                Some(Component::Normal(_)) => {}
            }
            real.push(&part);
            match fs::read_link(self.from_here(&real)) {
                Ok(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(io::Error::from_raw_os_error(libc::ELOOP));
                    }
                    real.pop();
                    open.extend(parts(&target));
                }
                // Not a link (readlink(2)).
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(real)
    }

    /// Where the files of a directory live, for a path without symbolic links. One place,
    /// or one for each layer when the directory lies on an overlay mount.
    #[must_use]
    pub fn places(&self, real: &Path) -> Vec<LayerRoot> {
        let mut places = Vec::new();
        self.add_places(real, 0, &mut places);
        places
    }

    /// The mount that a path without symbolic links lies on.
    #[must_use]
    pub fn mount_of(&self, real: &Path) -> Option<&'t Mount> {
        real.ancestors()
            .find_map(|above| self.by_point.get(above.as_os_str().as_bytes()))
            .copied()
    }

    fn add_places(&self, real: &Path, depth: usize, places: &mut Vec<LayerRoot>) {
        let Some(mount) = self.mount_of(real) else {
            return;
        };
        let below = real.strip_prefix(&mount.mount_point).unwrap_or(real);
        let in_fs = join(path_of(&mount.root), below);
        if !overlay::is_overlay(mount) {
            places.push(LayerRoot {
                dev: mount.dev,
                path_in_fs: in_fs.into_os_string().into_encoded_bytes(),
            });
        } else if depth < MAX_STACK_DEPTH {
            let inside = in_fs.strip_prefix("/").unwrap_or(&in_fs);
            for layer in overlay::named_layers(&mount.super_options) {
                // What a relative name was relative to is not known here.
                if layer.is_absolute()
                    && let Ok(real) = self.real_path(&layer)
                {
                    self.add_places(&join(&real, inside), depth + 1, places);
                }
            }
        }
    }
}

/// The parts of a path, last one first, a leading slash as a part of its own.
fn parts(path: &Path) -> impl Iterator<Item = OsString> {
    path.components()
        .rev()
        .map(|part| part.as_os_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inode::Dev;

    fn table(text: &str) -> MountTable {
        MountTable::parse(text.as_bytes()).expect("the text is a mount table")
    }

    #[test]
    fn a_bind_mount_leads_to_the_place_it_shows() {
        let table = table("1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 /real /srv rw - xfs b rw\n");
        let places = Locator::new(&table, Path::new("")).places(Path::new("/srv/x"));
        assert_eq!(
            places,
            [LayerRoot {
                dev: Dev::new(8, 2),
                path_in_fs: b"/real/x".to_vec()
            }]
        );
    }

    #[test]
    fn a_directory_on_an_overlay_is_its_directories_in_the_layers() {
        let place = tempfile::tempdir().expect("a temporary directory");
        let top = place.path().canonicalize().expect("it exists");
        for name in ["up", "low"] {
            fs::create_dir(top.join(name)).expect("a directory");
        }
        let shown = top.display();
        let table = table(&format!(
            "1 0 8:1 / / rw - ext4 a rw\n2 1 0:9 / {shown}/m rw - overlay o rw,lowerdir={shown}/low,upperdir={shown}/up\n"
        ));
        let places = Locator::new(&table, Path::new("")).places(&top.join("m/store/1"));
        let paths: Vec<PathBuf> = places
            .iter()
            .map(|place| path_of(&place.path_in_fs).to_path_buf())
            .collect();
        assert_eq!(paths, [top.join("up/store/1"), top.join("low/store/1")]);
    }

    #[test]
    fn links_of_another_namespace_stay_in_it() {
        let place = tempfile::tempdir().expect("a temporary directory");
        let top = place.path();
        fs::create_dir_all(top.join("store/id/diff")).expect("a directory");
        fs::create_dir_all(top.join("store/l")).expect("a directory");
        let link = |target: &str, name: &str| {
            std::os::unix::fs::symlink(target, top.join(name)).expect("a link");
        };
        link("../id/diff", "store/l/ABC");
        link("/store", "var");
        link("loop", "loop");
        let empty = MountTable::default();
        let locator = Locator::new(&empty, top);
        let real = locator.real_path(Path::new("/var/l/ABC"));
        assert_eq!(real.expect("it exists"), Path::new("/store/id/diff"));
        let above = locator.real_path(Path::new("/../../store"));
        assert_eq!(above.expect("it exists"), Path::new("/store"));
        let error = locator.real_path(Path::new("/loop")).expect_err("a loop");
        assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
        let deep = format!("/{}", "a/".repeat(2000));
        assert!(locator.real_path(Path::new(&deep)).is_err());
    }
}
