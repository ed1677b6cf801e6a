//! One row per accessing instruction: puts together what was watched, the code that did
//! it, and the static list. In: a [`Tally`]. Out: rows of the document.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    code::KernelCode,
    context::{Class, Context, classify},
    document::{Explained, SiteRow, StaticRow, percent},
    estimate,
    sites::{Kind, hands_out_mapping},
    static_list::StaticList,
    watch::{Subject, Sums, Tally},
};
use crate::kernel::Error;

/// The rows, and what could not be told.
pub struct Table {
    /// Sites that touched folios of files.
    pub sites: Vec<SiteRow>,
    /// Those that never did.
    pub not_of_files: Vec<SiteRow>,
    /// Hits whose instruction could not be told.
    pub undecoded: u64,
    /// The comparison with the static list.
    pub explained: Option<Explained>,
    /// Hits and sites by step.
    pub steps: BTreeMap<usize, (u64, u64)>,
}

/// What is gathered for one row.
#[derive(Default)]
struct Gathered {
    hits: u64,
    shareable: u64,
    other: u64,
    contexts: HashMap<Context, u64>,
    stacks: HashMap<Vec<String>, u64>,
    callers: BTreeMap<String, u64>,
    steps: BTreeSet<usize>,
    ips: BTreeSet<u64>,
}

/// Where hits happened.
struct Site {
    address: u64,
    instruction: Option<String>,
    kind: Option<Kind>,
}

/// Builds the table. `steps` are the names of a workload's steps; `rates` says whether the
/// folios that were watched are a sample of all.
///
/// # Errors
/// When the kernel's code cannot be read.
pub fn build(
    tally: &Tally,
    code: &mut KernelCode<'_>,
    list: Option<&StaticList>,
    steps: &[String],
    rates: bool,
) -> Result<Table, Error> {
    let mut sites: BTreeMap<u64, (Site, Gathered)> = BTreeMap::new();
    let mut at_ip: HashMap<u64, u64> = HashMap::new();
    let mut undecoded = 0;
    for (key, hits) in &tally.hits {
        let address = if let Some(known) = at_ip.get(&key.ip) {
            *known
        } else {
            let site = locate(code, list, key.ip)?;
            let address = site.address;
            sites
                .entry(address)
                .or_insert_with(|| (site, Gathered::default()));
            at_ip.insert(key.ip, address);
            address
        };
        let Some((site, row)) = sites.get_mut(&address) else {
            continue;
        };
        undecoded += if site.instruction.is_none() { *hits } else { 0 };
        row.ips.insert(key.ip);
        // The store that takes the mapping away leaves none behind.
        let of_file = key.subject == Subject::File
            || (key.subject == Subject::Bare && site.kind == Some(Kind::Store));
        if !of_file {
            row.other += hits;
            continue;
        }
        row.hits += hits;
        row.shareable += if key.shareable { *hits } else { 0 };
        row.steps.insert(key.step);
        let functions = code.functions(address, &key.stack);
        let context = classify(code.types, &functions, site.kind == Some(Kind::Compare));
        *row.contexts.entry(context).or_default() += hits;
        if let [function, caller, ..] = &*functions
            && hands_out_mapping(code.types, function)
        {
            *row.callers.entry((*caller).to_owned()).or_default() += hits;
        }
        let stack = functions.iter().map(|name| (*name).to_owned()).collect();
        *row.stacks.entry(stack).or_default() += hits;
    }
    let explained = list.map(|list| explain(list, &sites));
    let mut table = Table {
        sites: Vec::new(),
        not_of_files: Vec::new(),
        undecoded,
        explained,
        steps: steps_of(tally, &sites, &at_ip),
    };
    for (_, (site, row)) in sites {
        let of_file = row.hits > 0;
        let made = make_row(tally, code, list, steps, rates, &site, &row)?;
        if of_file {
            table.sites.push(made);
        } else {
            table.not_of_files.push(made);
        }
    }
    let order = |a: &SiteRow, b: &SiteRow| {
        (b.hits, b.other_hits)
            .cmp(&(a.hits, a.other_hits))
            .then_with(|| a.id.cmp(&b.id))
    };
    distinct_ids(&mut table.sites);
    table.sites.sort_by(order);
    table.not_of_files.sort_by(order);
    Ok(table)
}

fn locate(code: &mut KernelCode<'_>, list: Option<&StaticList>, ip: u64) -> Result<Site, Error> {
    Ok(match code.access(ip)? {
        Some(access) => Site {
            address: access.address,
            kind: Some(
                // The analysis of the whole function knows better what becomes of a value.
                list.and_then(|list| list.sites.get(&access.address))
                    .map_or(access.kind, |site| site.kind),
            ),
            instruction: Some(access.text),
        },
        None => Site {
            address: ip.wrapping_sub(1),
            kind: None,
            instruction: None,
        },
    })
}

fn most_frequent<T: Ord + Clone>(counts: &HashMap<T, u64>) -> Option<&T> {
    counts
        .iter()
        .max_by(|a, b| a.1.cmp(b.1).then_with(|| b.0.cmp(a.0)))
        .map(|(value, _)| value)
}

fn make_row(
    tally: &Tally,
    code: &mut KernelCode<'_>,
    list: Option<&StaticList>,
    steps: &[String],
    rates: bool,
    site: &Site,
    row: &Gathered,
) -> Result<SiteRow, Error> {
    let place = code.place(site.address);
    let start = place.as_ref().map_or(0, |place| place.start);
    let kind = site.kind.map_or("unknown", Kind::name).to_owned();
    let known = list.and_then(|list| list.sites.get(&site.address));
    let function = place.as_ref().map_or_else(
        || format!("{:#x}", site.address),
        |place| place.function.clone(),
    );
    let id = if let Some(known) = known {
        known.id.clone()
    } else {
        let hash = code.context_hash(start, site.address)?.unwrap_or(0);
        format!("{function}:{kind}:{hash:08x}")
    };
    let context = most_frequent(&row.contexts).cloned();
    let mut classes: BTreeMap<String, u64> = BTreeMap::new();
    for (context, hits) in &row.contexts {
        *classes.entry(context.class.name().to_owned()).or_default() += hits;
    }
    let mut commands: BTreeMap<&str, u64> = BTreeMap::new();
    for ip in &row.ips {
        for (command, hits) in tally.commands.get(ip).into_iter().flatten() {
            *commands.entry(command).or_default() += hits;
        }
    }
    let mut commands: Vec<(&str, u64)> = commands.into_iter().collect();
    commands.sort_by_key(|(_, hits)| std::cmp::Reverse(*hits));
    let sums_of = |stratum: usize| {
        let mut sums = Sums::default();
        for more in row
            .ips
            .iter()
            .filter_map(|ip| tally.sums.get(&(*ip, stratum)))
        {
            sums.hits += more.hits;
            for (sum, more) in [
                (&mut sums.products, more.products),
                (&mut sums.seconds, more.seconds),
            ] {
                sum.iter_mut()
                    .zip(more)
                    .for_each(|(sum, more)| *sum += more);
            }
        }
        sums
    };
    let rate = rates
        .then(|| {
            let parts = tally.windows.iter().enumerate();
            let parts: Vec<_> = parts.map(|(at, windows)| (sums_of(at), *windows)).collect();
            estimate::rate(&parts, tally.seconds)
        })
        .flatten();
    Ok(SiteRow {
        id,
        symbol: place
            .as_ref()
            .map_or_else(|| function.clone(), |place| place.symbol.clone()),
        offset: site.address.wrapping_sub(start),
        module: place.as_ref().and_then(|place| place.module.clone()),
        instruction: site.instruction.clone(),
        kind,
        subsystem: place
            .as_ref()
            .map_or_else(|| "other".to_owned(), |place| code.subsystem(place).name()),
        function,
        hits: row.hits,
        shareable_hits: row.shareable,
        other_hits: row.other,
        class: context
            .as_ref()
            .map_or("unknown", |context| context.class.name())
            .to_owned(),
        context: context.as_ref().and_then(describe),
        classes,
        commands: commands
            .into_iter()
            .take(3)
            .map(|(name, _)| name.to_owned())
            .collect(),
        callers: row.callers.clone(),
        steps: row
            .steps
            .iter()
            .filter_map(|step| steps.get(*step).cloned())
            .collect(),
        rate,
        in_static_list: list.map(|_| known.is_some()),
        stack: most_frequent(&row.stacks).cloned().unwrap_or_default(),
        source: known.map_or_else(Vec::new, |known| known.source.clone()),
    })
}

/// The words about a context: who decides, how far up, by which argument.
fn describe(context: &Context) -> Option<String> {
    let function = context.function.as_ref()?;
    let up = match context.frames_up {
        0 => String::new(),
        frames => format!(" {frames} up"),
    };
    if context.class == Class::None && context.argument.is_none() {
        return None;
    }
    Some(match &context.argument {
        Some(argument) => format!("{function}{up}: {argument}"),
        None => format!("{function}{up}"),
    })
}

fn explain(list: &StaticList, sites: &BTreeMap<u64, (Site, Gathered)>) -> Explained {
    let hit = |address: &u64| sites.get(address).is_some_and(|(_, row)| row.hits > 0);
    let mut not_reached: Vec<StaticRow> = list
        .certain()
        .filter(|(address, _)| !hit(address))
        .map(|(_, site)| StaticRow {
            id: site.id.clone(),
            place: format!("{}+{:#x}", site.symbol, site.offset),
            kind: site.kind.name().to_owned(),
            subsystem: site.subsystem.name(),
            class: site.class().to_owned(),
        })
        .collect();
    not_reached.sort_by(|a, b| a.id.cmp(&b.id));
    let hits = |keep: &dyn Fn(&u64) -> bool| {
        sites
            .iter()
            .filter(|(address, _)| keep(address))
            .map(|(_, (_, row))| row.hits)
            .sum()
    };
    Explained {
        source: list.source.clone(),
        static_sites: list.certain().count() as u64,
        reached: list.certain().filter(|(address, _)| hit(address)).count() as u64,
        hits_explained: hits(&|address| list.sites.contains_key(address)),
        hits: hits(&|_| true),
        not_reached,
    }
}

fn steps_of(
    tally: &Tally,
    sites: &BTreeMap<u64, (Site, Gathered)>,
    at_ip: &HashMap<u64, u64>,
) -> BTreeMap<usize, (u64, u64)> {
    let mut hits: BTreeMap<usize, u64> = BTreeMap::new();
    let mut reached: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
    for (key, count) in &tally.hits {
        let Some(address) = at_ip.get(&key.ip) else {
            continue;
        };
        if sites.get(address).is_some_and(|(_, row)| row.hits > 0) {
            *hits.entry(key.step).or_default() += count;
            reached.entry(key.step).or_default().insert(*address);
        }
    }
    hits.into_iter()
        .map(|(step, count)| {
            let sites = reached.get(&step).map_or(0, BTreeSet::len);
            (step, (count, sites as u64))
        })
        .collect()
}

/// Copies of the same code have the same id: number them by address order.
fn distinct_ids(rows: &mut [SiteRow]) {
    let mut taken: HashMap<String, u32> = HashMap::new();
    for row in rows {
        let nth = taken.entry(row.id.clone()).or_default();
        *nth += 1;
        if *nth > 1 {
            row.id = format!("{}.{nth}", row.id);
        }
    }
}

impl Explained {
    /// Hits at static sites, in percent.
    #[must_use]
    pub fn percent(&self) -> f64 {
        percent(self.hits_explained, self.hits)
    }
}
