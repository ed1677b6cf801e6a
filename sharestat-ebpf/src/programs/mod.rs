//! The BPF programs and their shared parts.

mod access;
mod arch;
mod cache_events;
mod calibrate;
mod census;
mod contents;
mod counters;
mod fault;
mod folio;
mod frame_state;
mod globals;
mod hash;
mod identity;
mod inode;
mod memcg;
mod owners;
mod page_hash;
mod page_tree;
mod reclaim;
mod removal;
mod runs;
mod trace;
mod watch;
