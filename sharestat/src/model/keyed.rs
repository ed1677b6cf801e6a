//! Hash tables for keys that are numbers of the kernel or our own: a quick hash with a
//! seed of its own per table, instead of one that withstands an adversary who measures.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// A hash map with a quick hash.
pub type KeyedMap<K, V> = HashMap<K, V, RandomState>;
