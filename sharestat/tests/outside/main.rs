//! What programs that are not ours make of our files: `DuckDB` of tables, a validator of
//! JSON documents and SARIF, a reader of test results, a browser of HTML. Each is asked when it is there, else the test says
//! that it was skipped. `cargo xtask test native` provides the Python they need.

#[path = "../skip/mod.rs"]
mod skip;

mod browser;
mod devtools;
mod documents;
mod place;
mod results;
mod tables;
