//! Watching the running kernel from start to document: symbols, types, the static list,
//! the session, and the table in the end.

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{
    code::KernelCode,
    context::DERIVED,
    document::{Document, Measurement, Override, ProbeRow, SCHEMA, StratumRow},
    estimate,
    exercise::{ExerciseOptions, Exercised, exercise},
    facts,
    faults::{self, Counts, Faults},
    sites::{SitesError, TypeTable},
    static_list::{ListError, Source, StaticList},
    summary,
    symbols::{LiveSymbols, SymbolsError},
    table::{self, Table},
    trace::Trace,
    watch::{Effort, Files, Session, Stratum, Tally, WatchOptions, device_of},
};
use crate::{
    kernel::{
        self,
        btf::{VMLINUX, kernel_bytes},
        watcher::{Watcher, WatcherOptions},
    },
    report::Host,
};

/// Watching failed.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The kernel or a privilege.
    #[error(transparent)]
    Kernel(#[from] kernel::Error),
    /// The list of symbols.
    #[error(transparent)]
    Symbols(#[from] SymbolsError),
    /// The list of static sites.
    #[error(transparent)]
    List(#[from] ListError),
    /// The types.
    #[error("cannot read the kernel's types '{VMLINUX}': {0}")]
    Types(io::Error),
    /// The types describe no kernel with folios.
    #[error("the kernel's types '{VMLINUX}' are of no use: {0:?}")]
    NoTypes(super::sites::TypesError),
    /// A path to restrict watching to.
    #[error("cannot look for files below the paths given: {0}")]
    Paths(io::Error),
    /// A workload.
    #[error("{0}")]
    Workload(String),
}

impl From<SitesError> for LiveError {
    fn from(error: SitesError) -> Self {
        Self::List(error.into())
    }
}

/// A session with everything that the document needs.
pub struct Watched {
    /// The session.
    pub session: Session,
    symbols: LiveSymbols,
    types: TypeTable,
    list: Option<StaticList>,
    options: WatchOptions,
    started: Instant,
    faults: Faults,
    faults_before: Counts,
}

impl Watched {
    /// Loads everything; watches nothing yet.
    ///
    /// # Errors
    /// When a privilege, a kernel feature or the list is missing.
    pub fn start(
        watcher: &WatcherOptions,
        options: WatchOptions,
        source: Option<&Source>,
    ) -> Result<Self, LiveError> {
        let symbols = LiveSymbols::read()?;
        let btf = kernel_bytes().map_err(LiveError::Types)?;
        let types = TypeTable::new(&btf).map_err(LiveError::NoTypes)?;
        let watcher = Watcher::start(watcher)?;
        let list = source
            .map(|source| StaticList::obtain(source, &watcher, &symbols, &btf))
            .transpose()?;
        // The census reads page structures with this function.
        let own = symbols
            .all()
            .iter()
            .filter(|symbol| symbol.name.starts_with("copy_from_kernel_nofault"))
            .map(|symbol| (symbol.address, symbols.end_of(symbol.address)))
            .collect();
        let faults = Faults::start(&symbols, None);
        Ok(Self {
            session: Session::new(watcher, Tally::without(own), options.clone()),
            faults,
            faults_before: Counts::new(),
            symbols,
            types,
            list,
            options,
            started: Instant::now(),
        })
    }

    /// Looks at the page cache, so that watching can begin at once.
    ///
    /// # Errors
    /// When a path cannot be read or a program fails.
    pub fn prepare(&mut self, files: &mut Files) -> Result<(), LiveError> {
        files.refresh().map_err(LiveError::Paths)?;
        self.session.look(files)?;
        Ok(())
    }

    /// Watches folios of `files` until `done` says so.
    ///
    /// # Errors
    /// When breakpoints are refused or a program fails.
    pub fn sample(&mut self, files: &mut Files, done: &dyn Fn() -> bool) -> Result<(), LiveError> {
        self.started = Instant::now();
        self.faults_before = self.faults.counts()?;
        // What the preparation took is no part of the measurement.
        self.session.effort = Effort::default();
        self.session.run(files, done)?;
        Ok(())
    }

    /// Does the steps of the workload in `directory`, each watched, and maps what is `given`.
    ///
    /// # Errors
    /// When the directory cannot be used, or watching fails.
    pub fn exercise(
        &mut self,
        directory: &Path,
        options: ExerciseOptions,
        given: &[PathBuf],
        stopped: &dyn Fn() -> bool,
    ) -> Result<Exercised, LiveError> {
        self.started = Instant::now();
        self.faults_before = self.faults.counts()?;
        let session = Some(&mut self.session);
        exercise(
            session,
            directory,
            options,
            given,
            Some(&self.faults),
            stopped,
        )
    }

    /// The document. `done` is a workload whose steps have no hits yet; with steps no rates
    /// are estimated, because the folios were chosen for the steps.
    ///
    /// # Errors
    /// When the kernel's code or counters cannot be read.
    pub fn document(&self, done: Exercised, notes: Vec<String>) -> Result<Document, LiveError> {
        let duration = self.started.elapsed();
        let mut steps = done.steps;
        let counted = faults::since(&self.faults_before, &self.faults.counts()?);
        let mut fault_rows = faults::rows(&faults::since(&done.of_given, &counted), None);
        fault_rows.extend(done.faults);
        let session = &self.session;
        let counts = session.watcher.counts()?;
        let mut code = KernelCode::new(&session.watcher, &self.symbols, &self.types);
        let names: Vec<String> = steps.iter().map(|step| step.name.clone()).collect();
        let table = table::build(
            &session.tally,
            &mut code,
            self.list.as_ref(),
            &names,
            steps.is_empty(),
        )?;
        for (at, (hits, sites)) in &table.steps {
            if let Some(step) = steps.get_mut(*at) {
                (step.hits, step.sites) = (*hits, *sites);
            }
        }
        let measurement = Measurement {
            duration_ns: nanoseconds(duration),
            watched_ns: nanoseconds(session.effort.watched),
            paused_ns: nanoseconds(session.effort.paused),
            census_ns: nanoseconds(session.effort.census),
            arming_ns: nanoseconds(session.effort.arming),
            seed: self.options.seed,
            slots: session.watcher.capacity() as u64,
            cpus: session.watcher.cpus() as u64,
            windows: session.effort.windows,
            max_hz: self.options.max_hz,
            hits: counts.hits,
            lost: counts.lost,
            own_reads: session.tally.own_reads,
            undecoded: table.undecoded,
        };
        let Table {
            mut sites,
            not_of_files,
            explained,
            ..
        } = table;
        let unseen = session.effort.unseen();
        for site in &mut sites {
            site.rate = site.rate.map(|rate| estimate::allowing_for(unseen, rate));
        }
        let overrides = DERIVED
            .iter()
            .filter(|(function, _)| {
                sites
                    .iter()
                    .any(|site| site.stack.iter().any(|frame| frame == function))
            })
            .map(|(function, reason)| Override {
                function: (*function).to_owned(),
                reason: (*reason).to_owned(),
            })
            .collect();
        let mut document = Document {
            schema: SCHEMA.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: Host::read(),
            measurement,
            strata: if steps.is_empty() {
                self.strata()
            } else {
                Vec::new()
            },
            sites,
            not_of_files,
            explained,
            steps,
            faults: fault_rows,
            probes: self.probes(),
            config: facts::config(&self.symbols),
            summary: Vec::new(),
            notes,
            overrides,
        };
        document.notes.extend(limits(&document));
        document.summary = summary::sentences(&document);
        Ok(document)
    }

    /// What was set, and what was not.
    fn probes(&self) -> Vec<ProbeRow> {
        let watcher = &self.session.watcher;
        let list = match &self.list {
            Some(list) => format!("{} sites of {}", list.certain().count(), list.source),
            None => "none was given ('--live', '--image' or '--sites')".to_owned(),
        };
        vec![
            ProbeRow {
                name: "hardware breakpoints".to_owned(),
                set: watcher.capacity() > 0,
                note: format!(
                    "{} of {} registers on each of {} CPUs",
                    watcher.capacity(),
                    kernel::watcher::SLOTS,
                    watcher.cpus()
                ),
            },
            self.faults.row(),
            ProbeRow {
                name: "list of static sites".to_owned(),
                set: self.list.is_some(),
                note: list,
            },
        ]
    }

    fn strata(&self) -> Vec<StratumRow> {
        Stratum::ALL
            .into_iter()
            .zip(&self.session.tally.windows)
            .map(|(stratum, sums)| StratumRow {
                name: stratum.name().to_owned(),
                folios: self.session.population.count(stratum) as u64,
                watched: sums.folios,
                seconds: sums.seconds,
            })
            .filter(|row| row.folios > 0 || row.watched > 0)
            .collect()
    }
}

/// Traces the sites of a static list; only files on the filesystem of `place` count as
/// such, where one is given.
///
/// # Errors
/// When the list cannot be had, or the kernel has no kprobes.
pub fn trace(source: &Source, place: Option<&Path>) -> Result<Trace, LiveError> {
    let device = place.map(device_of).transpose().map_err(LiveError::Paths)?;
    let symbols = LiveSymbols::read()?;
    let btf = kernel_bytes().map_err(LiveError::Types)?;
    let mapping = TypeTable::new(&btf).map_err(LiveError::NoTypes)?.mapping;
    // Only its reading of text is needed, for a list of the running kernel.
    let watcher = Watcher::start(&WatcherOptions::default())?;
    let list = StaticList::obtain(source, &watcher, &symbols, &btf)?;
    drop(watcher);
    Ok(Trace::start(&list, mapping, device)?)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What limits the meaning of the numbers.
fn limits(document: &Document) -> Vec<String> {
    let mut notes = vec![
        "x86 has no breakpoint on reads alone: stores are counted too, and told apart by the \
         instruction"
            .to_owned(),
        "a site is an instruction in the function that its source was inlined into; functions of \
         modules have no prototypes here, so that their context is that of their callers"
            .to_owned(),
        "only heads of folios are watched: code that reads the word of a tail page is not seen"
            .to_owned(),
    ];
    let measurement = &document.measurement;
    if measurement.lost > 0 {
        notes.push(format!(
            "{} accesses were noticed and have no record: the ring was full or in use, so counts are \
             too low",
            measurement.lost
        ));
    }
    if document.steps.is_empty() {
        notes.push(
            "rates are averages over the time watched, for all folios that each census found, \
             estimated from those watched, with 95 % confidence intervals"
                .to_owned(),
        );
    }
    notes
}
