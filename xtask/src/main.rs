//! `cargo xtask`: everything around the code.
fn main() {}
