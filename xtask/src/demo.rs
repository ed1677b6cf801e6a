//! `cargo xtask demo-recording`: makes the recording that `sharestat demo` plays, in a guest:
//! containers of three images in a store like Podman's. Nothing of this machine gets into it.

use std::{fs, time::Duration};

use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    vm::{Scenario, ScenarioOptions},
    workspace,
};

/// Largest recording that may be put into the binary.
const MOST_BYTES: usize = 100_000;

/// Builds, records the scenario and puts the recording where the next build embeds it.
///
/// # Errors
/// When something cannot be provided or built, or the guest fails.
pub(crate) fn record(options: ScenarioOptions) -> Result<()> {
    let scenario = Scenario {
        name: "demo.sh",
        text: include_str!("demo.sh"),
        argument: String::new(),
        time_out: Duration::from_mins(5),
    };
    let mut lines = String::new();
    scenario.run(options, &mut |line| lines.push_str(line.trim()))?;
    let bytes = STANDARD
        .decode(&lines)
        .context("the guest did not send a recording")?;
    ensure!(
        bytes.len() <= MOST_BYTES,
        "the recording has {} bytes; at most {MOST_BYTES} go into the binary",
        bytes.len()
    );
    let place = workspace::root().join("sharestat/demo/demo.ssr");
    fs::write(&place, &bytes).with_context(|| format!("cannot write '{}'", place.display()))?;
    eprintln!("{} bytes in '{}'", bytes.len(), place.display());
    Ok(())
}
