//! Offsets of the running kernel.
