//! Page cache charged to a memory cgroup, and its reclaim, with cgroup v2 or v1.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
};

use crate::harness::{OrFail, Skip};

/// A memory cgroup of ours; dropping it moves this process back and removes it.
pub(crate) struct Memcg {
    parent: PathBuf,
    directory: PathBuf,
    reclaim: &'static str,
    version: Version,
    before: PathBuf,
}

impl Memcg {
    /// A child of the root, where the machine has a memory controller mounted.
    pub(crate) fn new(name: &str) -> Result<Self, Skip> {
        let (parent, version) = memory_hierarchy()
            .ok_or_else(|| Skip("no memory cgroup hierarchy is mounted".to_owned()))?;
        if version == Version::Two {
            fs::write(parent.join("cgroup.subtree_control"), "+memory")
                .or_fail("handing the memory controller down");
        }
        let before = parent.join(own_group(version).trim_start_matches('/'));
        let directory = parent.join(name);
        if !directory.is_dir() {
            fs::create_dir(&directory).or_fail("making a cgroup");
        }
        let reclaim = match version {
            Version::One => "memory.force_empty",
            Version::Two => "memory.reclaim",
        };
        Ok(Self {
            parent,
            directory,
            reclaim,
            version,
            before,
        })
    }

    /// Runs `work` inside, so that what it caches is charged to the group.
    pub(crate) fn charge(&self, work: impl FnOnce()) {
        enter(&self.directory).or_fail("entering a cgroup");
        work();
        self.leave();
    }

    /// Reclaims everything that is charged to the group.
    pub(crate) fn reclaim(&self) {
        let file = self.directory.join(self.reclaim);
        let amount = if self.reclaim == "memory.reclaim" {
            "1G"
        } else {
            "0"
        };
        match fs::write(&file, amount) {
            // memory.reclaim: there was less than asked for, as intended.
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {}
            result => result.or_fail(format_args!("reclaiming by '{}'", file.display())),
        }
    }

    /// Its path in the hierarchy, as it is seen from here.
    pub(crate) fn path(&self) -> String {
        let below = self.directory.strip_prefix(&self.parent);
        format!("/{}", below.or_fail("a path below its parent").display())
    }

    /// The page cache that the kernel says is charged to it.
    pub(crate) fn file_bytes(&self) -> u64 {
        let path = self.directory.join("memory.stat");
        let text = fs::read_to_string(&path).or_fail("reading 'memory.stat'");
        let wanted = match self.version {
            Version::One => "cache",
            Version::Two => "file",
        };
        let mut values = text.lines().filter_map(|line| line.split_once(' '));
        let value = values.find(|(name, _)| *name == wanted);
        value.map_or(0, |(_, value)| {
            value.trim().parse().or_fail("a number of bytes")
        })
    }

    fn leave(&self) {
        if enter(&self.before).is_err() {
            // An inner group of v2 takes no processes; the root always does.
            enter(&self.parent).or_fail("leaving a cgroup");
        }
    }
}

impl Drop for Memcg {
    fn drop(&mut self) {
        if fs::read_to_string(self.directory.join("cgroup.procs"))
            .is_ok_and(|pids| pids.lines().any(|pid| pid == process::id().to_string()))
        {
            let _ = enter(&self.before).or_else(|_| enter(&self.parent));
        }
        // Stays when something is left in it; the next case uses it again.
        let _ = fs::remove_dir(&self.directory);
    }
}

fn enter(group: &Path) -> std::io::Result<()> {
    fs::write(group.join("cgroup.procs"), process::id().to_string())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// Mount point of the hierarchy with the memory controller.
fn memory_hierarchy() -> Option<(PathBuf, Version)> {
    let mounts = fs::read_to_string("/proc/self/mounts").or_fail("reading '/proc/self/mounts'");
    mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (point, fs_type, options) = (words.next()?, words.next()?, words.next()?);
        let point = PathBuf::from(point);
        match fs_type {
            "cgroup" if options.split(',').any(|option| option == "memory") => {
                Some((point, Version::One))
            }
            "cgroup2" => fs::read_to_string(point.join("cgroup.controllers"))
                .is_ok_and(|names| names.split_whitespace().any(|name| name == "memory"))
                .then_some((point, Version::Two)),
            _ => None,
        }
    })
}

fn own_group(version: Version) -> String {
    let text = fs::read_to_string("/proc/self/cgroup").or_fail("reading '/proc/self/cgroup'");
    let group = text.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let ours = match version {
            Version::One => controllers.split(',').any(|name| name == "memory"),
            Version::Two => controllers.is_empty(),
        };
        ours.then(|| path.to_owned())
    });
    group.unwrap_or_else(|| "/".to_owned())
}
