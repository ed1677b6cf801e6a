//! Who a record of the kernel speaks of.

use sharestat_ebpf::records::{Event, FrameRecord};

use crate::model::inode::{Dev, InodeKey};

impl From<&FrameRecord> for InodeKey {
    fn from(frame: &FrameRecord) -> Self {
        Self {
            address: frame.inode,
            dev: Dev(frame.dev),
            ino: frame.ino,
            generation: frame.generation,
            subvolume: frame.subvolume,
        }
    }
}

impl From<&Event> for InodeKey {
    fn from(event: &Event) -> Self {
        Self {
            address: event.inode,
            dev: Dev(event.dev),
            ino: event.ino,
            generation: event.generation,
            subvolume: event.subvolume,
        }
    }
}
