//! Feeds the parsers of this folder: see [`crate::fuzzing`].

use sharestat_ebpf::records::{FrameRecord, Identity, OWNERS, OwnerRecord, PATH_BYTES};

use super::{
    batch::Batch,
    btf::KernelTypes,
    collector::in_order,
    doctor,
    events::{self, Record},
    layout, names,
};
use crate::model::{
    index::ContentIndex,
    inode::InodeKey,
    units::{ContentHash, PageIndex},
};

/// A BTF blob, and everything that is looked up in one; also as ELF of a kcore.
pub(crate) fn btf(input: &[u8]) -> bool {
    let _ = doctor::has_segments(input);
    let Ok(types) = KernelTypes::from_bytes(input) else {
        return false;
    };
    let _ = layout::layout_and_gaps(&types);
    let _ = types.array_length("folio", &["mapping"]);
    let _ = types.arguments("f");
    let _ = types.has_function("f");
    types.size_of("folio").is_some()
}

/// Records of the ring as user space takes them, applied to an index; what is left is the
/// path of an identity, behind its state.
pub(crate) fn ring(input: &[u8]) -> bool {
    let (records, rest) = input.as_chunks::<64>();
    let mut index = ContentIndex::new(ContentHash(0));
    let mut batch = Batch::default();
    let mut frames = Vec::new();
    let mut whole = false;
    for bytes in records.iter().take(256) {
        let Some(Record::Event(event)) = events::parse(bytes) else {
            continue;
        };
        whole = true;
        let key = InodeKey::from(&event);
        let inode = index.intern(key, true);
        let (first, pages) = (PageIndex(event.index), u64::from(event.pages % 4096));
        index.add(inode, first, pages, 1);
        if event.kind > 1 {
            index.remove(inode, first, pages / 2, 2, &mut |_| {});
        }
        index.dirty(inode, first, pages);
        if batch.room() > 0 {
            batch.push(inode, &key, first, event.memcg);
        }
        frames.push(FrameRecord {
            inode: event.inode,
            index: event.index,
            order: event.order,
            ..FrameRecord::default()
        });
    }
    in_order(&mut frames);
    let results: Vec<(u8, u64)> = rest.iter().map(|byte| (*byte, 1)).collect();
    let _ = batch.runs(&results).count();
    if let Some((state, path)) = rest.split_first() {
        let used = path.len().min(PATH_BYTES);
        let mut names = [0; PATH_BYTES];
        names[..used].copy_from_slice(&path[..used]);
        let _ = names::path_in_fs(&identity(*state, &names));
    }
    whole
}

/// An inode with these names, of which more may be said to be there than are.
pub(super) const fn identity(state: u8, path: &[u8; PATH_BYTES]) -> Identity {
    Identity {
        inode: 0,
        ino: 0,
        size: 0,
        subvolume: 0,
        magic: 0,
        superblock: 0,
        dev: 0,
        generation: 0,
        rdev: 0,
        nlink: 1,
        mode: 0,
        valid: 1,
        path_state: state & 3,
        path_bytes: (state as u32) << 8,
        owners_counted: 0,
        shared: 0,
        deleted: 0,
        mapped_writably: 0,
        reserved: 0,
        owners: [OwnerRecord {
            inode: 0,
            ino: 0,
            dev: 0,
            generation: 0,
        }; OWNERS],
        fs_type: [0; 32],
        fs_id: [0; 32],
        path: *path,
    }
}
