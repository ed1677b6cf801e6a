//! The `sharestat` command.
fn main() {}
