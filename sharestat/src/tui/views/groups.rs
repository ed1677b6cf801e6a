//! Layers, images, containers and cgroups: what to say while there are none.

use super::super::{pages::View, state::State};

/// Why there are no rows: not looked for (and why), or none found.
pub(in super::super) fn empty(state: &State, view: View) -> String {
    let what = view.title().to_lowercase();
    if view == View::Derefs {
        return "no derefs were loaded: 'top --derefs FILE', a result of 'derefs watch --format json'"
            .to_owned();
    }
    if view == View::Memcgs {
        return "which memory cgroups are charged is not known: the user engine cannot tell"
            .to_owned();
    }
    match &state.frame().identity.missing {
        Some(reason) => format!("{what} are not known: {reason}"),
        None => format!("no {what} found on this host"),
    }
}
