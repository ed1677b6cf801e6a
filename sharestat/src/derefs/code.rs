//! The running kernel's code: names of addresses, and the instruction behind a hit. Text
//! comes from memory, one function at a time, so that no image is needed.

use std::{collections::HashMap, rc::Rc};

use super::{
    decode::{AccessInstruction, access_before},
    sites::{Subsystem, Subsystems, TypeTable, context_hash_at},
    symbols::{LiveSymbol, LiveSymbols, source_name},
};
use crate::kernel::{Error, watcher::Watcher};

/// Longest function that is read.
const LONGEST: u64 = 256 << 10;

/// Where an address is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Symbol.
    pub symbol: String,
    /// Its address.
    pub start: u64,
    /// The function in the source.
    pub function: String,
    /// The module, where it is in one.
    pub module: Option<String>,
}

/// Looks into the code of the running kernel.
pub struct KernelCode<'a> {
    watcher: &'a Watcher,
    symbols: &'a LiveSymbols,
    /// The kernel's types.
    pub types: &'a TypeTable,
    subsystems: Subsystems,
    texts: HashMap<u64, Rc<[u8]>>,
}

impl<'a> KernelCode<'a> {
    /// Reads nothing yet.
    #[must_use]
    pub fn new(watcher: &'a Watcher, symbols: &'a LiveSymbols, types: &'a TypeTable) -> Self {
        let names = symbols
            .all()
            .iter()
            .filter(|symbol| symbol.module.is_none())
            .map(|symbol| (symbol.address, &*symbol.name));
        Self {
            watcher,
            symbols,
            types,
            subsystems: Subsystems::new(names),
            texts: HashMap::new(),
        }
    }

    fn symbol(&self, address: u64) -> Option<&'a LiveSymbol> {
        self.symbols
            .find(address, &|name| self.types.prototype(name).is_some())
    }

    /// Where `address` is.
    #[must_use]
    pub fn place(&self, address: u64) -> Option<Place> {
        let symbol = self.symbol(address)?;
        Some(Place {
            symbol: symbol.name.to_string(),
            start: symbol.address,
            function: source_name(&symbol.name).to_owned(),
            module: symbol.module.as_deref().map(str::to_owned),
        })
    }

    /// The functions of a stack of which `innermost` is the access itself and the others
    /// are return addresses.
    #[must_use]
    pub fn functions(&self, innermost: u64, stack: &[u64]) -> Vec<&'a str> {
        // A call may be the last instruction of a function: look in front of its end.
        std::iter::once(innermost)
            .chain(stack.iter().skip(1).map(|address| address.wrapping_sub(1)))
            .filter_map(|address| self.symbol(address))
            .map(|symbol| source_name(&symbol.name))
            .collect()
    }

    /// The subsystem of the function at `place`.
    #[must_use]
    pub fn subsystem(&self, place: &Place) -> Subsystem {
        match &place.module {
            Some(module) => Subsystem::of_module(module),
            None => self.subsystems.find(&place.function, place.start),
        }
    }

    fn text(&mut self, start: u64) -> Result<Rc<[u8]>, Error> {
        if let Some(text) = self.texts.get(&start) {
            return Ok(Rc::clone(text));
        }
        let end = self.symbols.end_of(start).min(start + LONGEST);
        let text: Rc<[u8]> = self.watcher.text(start, end)?.into();
        self.texts.insert(start, Rc::clone(&text));
        Ok(text)
    }

    /// The instruction whose access was reported at `behind`.
    ///
    /// # Errors
    /// When the code cannot be read.
    pub fn access(&mut self, behind: u64) -> Result<Option<AccessInstruction>, Error> {
        // The access may be the last instruction of its function.
        let Some(symbol) = self.symbol(behind.wrapping_sub(1)) else {
            return Ok(None);
        };
        let text = self.text(symbol.address)?;
        Ok(access_before(&text, symbol.address, behind))
    }

    /// Hash of the instruction at `address` and those behind it, as in ids of sites.
    ///
    /// # Errors
    /// When the code cannot be read.
    pub fn context_hash(&mut self, start: u64, address: u64) -> Result<Option<u32>, Error> {
        let text = self.text(start)?;
        Ok(context_hash_at(&text, start, address))
    }
}
