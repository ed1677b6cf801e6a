//! A planned set of files on a filesystem of each kind, all of it cached by reading.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    corpus::{self, PlannedFile},
    disk::Disk,
    harness::{OrFail, Skip, patience},
    mount::Mount,
    residency,
    scratch::Scratch,
};

/// A filesystem that the instrument must read right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ext4,
    Xfs,
    Btrfs,
    Erofs,
    /// Compressed, so that pages are filled by the decompressor.
    ErofsLz4,
    Squashfs,
    Tmpfs,
    /// `squashfuse_ll`.
    Fuse,
}

impl Kind {
    /// Reading a hole of a tmpfs file allocates nothing.
    pub(crate) const fn caches_holes(self) -> bool {
        !matches!(self, Self::Tmpfs)
    }

    /// tmpfs is its own backing store: its pages are never clean.
    pub(crate) const fn has_clean_state(self) -> bool {
        !matches!(self, Self::Tmpfs)
    }

    /// As the kernel calls it.
    pub(crate) const fn fs_type(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
            Self::Erofs | Self::ErofsLz4 => "erofs",
            Self::Squashfs => "squashfs",
            Self::Tmpfs => "tmpfs",
            Self::Fuse => "fuse",
        }
    }
}

/// A mounted filesystem. Fields drop in this order: server, mount, disk.
pub(crate) struct Filesystem {
    server: Option<Server>,
    mount: Option<Mount>,
    disk: Option<Disk>,
    kind: Kind,
    root: PathBuf,
}

impl Filesystem {
    /// An empty writable one, mounted on `scratch/name`.
    pub(crate) fn empty(kind: Kind, scratch: &Scratch, name: &str) -> Result<Self, Skip> {
        let root = scratch.directory(name);
        let make: &[&str] = match kind {
            Kind::Ext4 => &["mkfs.ext4", "-q", "-F"],
            Kind::Xfs => &["mkfs.xfs", "-q", "-f"],
            Kind::Btrfs => &["mkfs.btrfs", "-q", "-f"],
            Kind::Tmpfs => {
                let mount = Mount::new(Path::new("tmpfs"), &root, "tmpfs", false, "size=64m")?;
                return Ok(Self {
                    server: None,
                    mount: Some(mount),
                    disk: None,
                    kind,
                    root,
                });
            }
            Kind::Erofs | Kind::ErofsLz4 | Kind::Squashfs | Kind::Fuse => {
                panic!("{kind:?} cannot be written")
            }
        };
        let disk = Disk::blank(scratch, &format!("{name}.disk"))?;
        run(Command::new(make[0]).args(&make[1..]).arg(disk.device()))?;
        let mount = Mount::new(disk.device(), &root, kind.fs_type(), false, "")?;
        Ok(Self {
            server: None,
            mount: Some(mount),
            disk: Some(disk),
            kind,
            root,
        })
    }

    /// One with these files, mounted on `scratch/name`. Every page is cached by reading
    /// (tmpfs: by writing), none by having been written.
    pub(crate) fn with_files(
        kind: Kind,
        scratch: &Scratch,
        name: &str,
        files: &[PlannedFile],
    ) -> Result<Self, Skip> {
        let mut filesystem = match kind {
            Kind::Ext4 | Kind::Xfs | Kind::Btrfs | Kind::Tmpfs => {
                let filesystem = Self::empty(kind, scratch, name)?;
                corpus::write_all(files, &filesystem.root);
                filesystem
            }
            Kind::Erofs | Kind::ErofsLz4 | Kind::Squashfs | Kind::Fuse => {
                Self::image(kind, scratch, name, files)?
            }
        };
        if kind.has_clean_state() && filesystem.disk.is_some() {
            filesystem.remount()?;
        }
        filesystem.cache(files);
        Ok(filesystem)
    }

    /// Of which kind it is.
    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    /// Where its files are.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Reads all files until all pages are cached, which tmpfs pages are by being written.
    pub(crate) fn cache(&self, files: &[PlannedFile]) {
        for _ in 0..8 {
            corpus::read_all(files, &self.root);
            if residency::all_cached(files, &self.root, self.kind.caches_holes()) {
                return;
            }
        }
        panic!(
            "read eight times, not all of '{}' is cached",
            self.root.display()
        );
    }

    /// Unmounts and mounts again: afterwards nothing of it is cached.
    pub(crate) fn remount(&mut self) -> Result<(), Skip> {
        let Some(disk) = &self.disk else {
            panic!("{:?} has no disk to mount again", self.kind);
        };
        if let Some(mount) = self.mount.take() {
            mount.unmount();
        }
        let read_only = !matches!(self.kind, Kind::Ext4 | Kind::Xfs | Kind::Btrfs);
        let fs_type = self.kind.fs_type();
        self.mount = Some(Mount::new(
            disk.device(),
            &self.root,
            fs_type,
            read_only,
            "",
        )?);
        Ok(())
    }

    /// Unmounts for good.
    pub(crate) fn unmount(mut self) {
        if let Some(mount) = self.mount.take() {
            mount.unmount();
        }
    }

    /// One made by a tool from a directory.
    fn image(
        kind: Kind,
        scratch: &Scratch,
        name: &str,
        files: &[PlannedFile],
    ) -> Result<Self, Skip> {
        let root = scratch.directory(name);
        let staging = scratch.unseen(&format!("{name}.staging"));
        let image = scratch.unseen(&format!("{name}.image"));
        std::fs::create_dir(&staging).or_fail("making a staging directory");
        corpus::write_all(files, &staging);
        if matches!(kind, Kind::Erofs | Kind::ErofsLz4) {
            let mut make = Command::new("mkfs.erofs");
            if kind == Kind::ErofsLz4 {
                make.arg("-zlz4");
            }
            run(make.arg(&image).arg(&staging))?;
        } else {
            let quiet = ["-noappend", "-no-progress", "-quiet", "-no-xattrs"];
            // Where nobody counts the empty pages that larger blocks leave beyond the end
            // of files, blocks of one page leave none.
            let counted = residency::counts_all_pages();
            let block = ["-b", if counted { "128K" } else { "4K" }];
            run(Command::new("mksquashfs")
                .arg(&staging)
                .arg(&image)
                .args(quiet)
                .args(block))?;
        }
        if kind == Kind::Fuse {
            let server = Server::start(&image, &root)?;
            let mount = Some(Mount::adopt(&root));
            return Ok(Self {
                server: Some(server),
                mount,
                disk: None,
                kind,
                root,
            });
        }
        let disk = Disk::of_image(&image)?;
        let mount = Mount::new(disk.device(), &root, kind.fs_type(), true, "")?;
        Ok(Self {
            server: None,
            mount: Some(mount),
            disk: Some(disk),
            kind,
            root,
        })
    }
}

impl Drop for Filesystem {
    fn drop(&mut self) {
        // The server ends by itself when its filesystem is unmounted.
        self.mount = None;
        self.server = None;
    }
}

/// A FUSE server in the foreground.
struct Server(Child);

impl Server {
    fn start(image: &Path, root: &Path) -> Result<Self, Skip> {
        let outside = device_of(root);
        let child = Command::new("squashfuse_ll")
            .arg("-f")
            .arg(image)
            .arg(root)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Skip(format!("'squashfuse_ll' does not run: {error}")))?;
        let mut server = Self(child);
        let start = Instant::now();
        while device_of(root) == outside {
            if let Some(status) = server.0.try_wait().or_fail("waiting for squashfuse_ll") {
                return Err(Skip(format!("'squashfuse_ll' mounts nothing: {status}")));
            }
            assert!(start.elapsed() < patience(), "squashfuse_ll does not mount");
            thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ended with the mount, or must end now; nobody else waits for it.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn device_of(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).ok().map(|metadata| metadata.dev())
}

/// Runs a tool that makes a filesystem; one that is not installed is a reason to skip.
fn run(command: &mut Command) -> Result<(), Skip> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .output()
        .map_err(|error| Skip(format!("'{tool}' does not run: {error}")))?;
    assert!(
        status.success(),
        "{command:?} failed: {}{}",
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr)
    );
    Ok(())
}
