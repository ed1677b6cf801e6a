//! One module per claim that the instrument makes.

mod avoidable;
mod bad_input;
mod coverage;
mod deep_paths;
mod derefs;
mod digests;
mod erofs_sharing;
mod image_files;
mod interruption;
mod leaves_nothing_behind;
mod live;
mod live_layers;
mod lost_events;
mod memcgs;
mod names;
mod overlay;
mod planning;
mod refusals;
mod scan_changes_nothing;
mod scan_equals_plan;
mod scopes;
mod subvolumes;
mod unresolved;
mod whole_files;
mod whole_host;
