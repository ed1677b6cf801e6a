//! The same benchmark inside a guest, for what this machine's kernel refuses: kprobes,
//! which the page-cache tools of bcc need.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    cache::Cache,
    guest_build,
    process::Run,
    setup::{
        self, host,
        kernels::{self, Series},
    },
    vm::{self, Cargo, Ending, Guest, MachineOptions, Output},
};

/// Programs that go into the guest when they are installed here: peers, and what the
/// measuring needs.
const PROGRAMS: [&str; 2] = ["cachestat", "chrt"];

/// Runs the groups 'fill' and 'collector' on the kernel `series`; the guest prints the table.
///
/// # Errors
/// When something cannot be provided or the guest dies.
pub(super) fn run(series: Series, rounds: usize) -> Result<i32> {
    let cache = Cache::open()?;
    setup::for_guests(&cache)?;
    let (kernel, _) = kernels::provide(&cache, series)?;
    let ourselves = env::current_exe().context("this program does not know where it is")?;
    let mut cargo = vec![Cargo {
        from: guest_build::sharestat()?,
        to: "/bin/sharestat".to_owned(),
    }];
    with_libraries(&ourselves, "xtask", &mut cargo);
    for program in PROGRAMS {
        if let Some(path) = host::find(program) {
            with_libraries(&path, program, &mut cargo);
        }
    }
    let guest = Guest {
        kernel,
        machine: MachineOptions {
            memory: "2G".to_owned(),
            cpus: 2,
            cpu: "max".to_owned(),
            disks: 1,
            parameters: String::new(),
        },
        time_out: None,
        cargo,
        command: format!(
            "xtask bench fill collector --binary /bin/sharestat --folder /tmp --rounds {rounds}"
        ),
    };
    match vm::boot(&cache, &guest, Output::Streams)? {
        Ending::Exited(code) => Ok(code),
        Ending::Died(console) | Ending::TimedOut(console) | Ending::NotUp(console) => {
            bail!("the guest ended before its benchmark; its console:\n{console}")
        }
    }
}

/// A program of this machine, and what it is linked with.
fn with_libraries(program: &Path, name: &str, cargo: &mut Vec<Cargo>) {
    cargo.push(Cargo {
        from: program.to_owned(),
        to: format!("/bin/{name}"),
    });
    let libraries = Command::new("ldd").arg(program).text().unwrap_or_default();
    for word in libraries
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
    {
        if !cargo.iter().any(|there| there.to == word) {
            cargo.push(Cargo {
                from: PathBuf::from(word),
                to: word.to_owned(),
            });
        }
    }
}
