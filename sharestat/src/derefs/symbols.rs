//! The symbols of the running kernel and its modules, from `/proc/kallsyms`.

use std::{fs, io, rc::Rc};

/// A function of the kernel, or the part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveSymbol {
    /// Where it starts.
    pub address: u64,
    /// Its name, with compiler suffixes such as `.cold`.
    pub name: Rc<str>,
    /// The module it is in.
    pub module: Option<Rc<str>>,
}

/// All functions, by address.
pub struct LiveSymbols {
    symbols: Vec<LiveSymbol>,
    /// First and last address of the kernel's own text.
    pub text: (u64, u64),
}

/// The list of symbols is of no use.
#[derive(Debug, thiserror::Error)]
pub enum SymbolsError {
    /// It cannot be read.
    #[error("cannot read '/proc/kallsyms': {0}")]
    Read(#[from] io::Error),
    /// The kernel hides addresses.
    #[error(
        "'/proc/kallsyms' shows no addresses: run as root, with 'kernel.kptr_restrict' below 2"
    )]
    Hidden,
}

impl LiveSymbols {
    /// Reads the running kernel's list.
    ///
    /// # Errors
    /// When it cannot be read or hides addresses.
    pub fn read() -> Result<Self, SymbolsError> {
        Self::parse(&fs::read_to_string("/proc/kallsyms")?)
    }

    pub(super) fn parse(text: &str) -> Result<Self, SymbolsError> {
        let mut symbols = Vec::new();
        let (mut start, mut end) = (0, 0);
        let mut modules: Vec<Rc<str>> = Vec::new();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let (Some(address), Some(kind), Some(name)) =
                (words.next(), words.next(), words.next())
            else {
                continue;
            };
            let Ok(address) = u64::from_str_radix(address, 16) else {
                continue;
            };
            match name {
                "_stext" => start = address,
                "_etext" => end = address,
                _ => {}
            }
            if !matches!(kind, "t" | "T" | "w" | "W") || name.starts_with("__pfx_") {
                continue;
            }
            let module = words.next().map(|word| {
                let word = word.trim_matches(['[', ']']);
                let known = modules.iter().find(|module| &***module == word);
                known.cloned().unwrap_or_else(|| {
                    let new: Rc<str> = word.into();
                    modules.push(Rc::clone(&new));
                    new
                })
            });
            symbols.push(LiveSymbol {
                address,
                name: name.into(),
                module,
            });
        }
        if start == 0 || end <= start {
            return Err(SymbolsError::Hidden);
        }
        symbols.sort_by(|a, b| (a.address, &a.name).cmp(&(b.address, &b.name)));
        Ok(Self {
            symbols,
            text: (start, end),
        })
    }

    /// The function that `address` is in, its name preferably one that `known` accepts.
    #[must_use]
    pub fn find(&self, address: u64, known: &dyn Fn(&str) -> bool) -> Option<&LiveSymbol> {
        let after = self
            .symbols
            .partition_point(|symbol| symbol.address <= address);
        let start = self.symbols.get(after.checked_sub(1)?)?.address;
        let first = self
            .symbols
            .partition_point(|symbol| symbol.address < start);
        let names = self.symbols.get(first..after)?;
        names
            .iter()
            .find(|symbol| known(source_name(&symbol.name)))
            .or_else(|| names.first())
    }

    /// Where the function that starts at `address` ends: where the next one starts.
    #[must_use]
    pub fn end_of(&self, address: u64) -> u64 {
        let after = self
            .symbols
            .partition_point(|symbol| symbol.address <= address);
        self.symbols
            .get(after)
            .map_or(address, |symbol| symbol.address)
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[LiveSymbol] {
        &self.symbols
    }
}

/// The name in the source: without `.isra.0`, `.constprop.0`, `.cold` and the like.
#[must_use]
pub fn source_name(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "ffffffff81000000 T _stext\nffffffff81000100 t alias\nffffffff81000100 T known\n\
                        ffffffff81000180 t known.cold\nffffffff82000000 T _etext\nffffffff82000010 D data\n\
                        ffffffffc0000000 t xfs_read\t[xfs]\n";

    #[test]
    fn an_address_is_in_the_function_before_it() {
        let symbols = LiveSymbols::parse(LIST).expect("a list");
        let find = |address| {
            symbols
                .find(address, &|name| name == "known")
                .map(|symbol| symbol.name.to_string())
        };
        assert_eq!(find(0xffff_ffff_8100_0123).as_deref(), Some("known"));
        assert_eq!(find(0xffff_ffff_8100_0181).as_deref(), Some("known.cold"));
        assert_eq!(find(0x10), None);
        assert_eq!(symbols.end_of(0xffff_ffff_8100_0100), 0xffff_ffff_8100_0180);
        let module = symbols.find(0xffff_ffff_c000_0004, &|_| false);
        assert_eq!(
            module.and_then(|symbol| symbol.module.as_deref()),
            Some("xfs")
        );
    }

    #[test]
    fn hidden_addresses_are_an_error() {
        let hidden = "0000000000000000 T _stext\n0000000000000000 T _etext\n";
        assert!(matches!(
            LiveSymbols::parse(hidden),
            Err(SymbolsError::Hidden)
        ));
    }
}
