//! The files whose pages the kernel keeps once (EROFS with `inode_share`): the pages lie on
//! an inode without a name, and its owners are asked about one by one.

use super::{Answer, Question};
use crate::{
    kernel::{error::Error, instrument::Instrument},
    model::inode::{Dev, InodeKey},
};

/// What to say where the owners of shared pages cannot be told.
pub(super) const UNKNOWN: &str = "pages that EROFS keeps for several files (inode_share) were found, and not whose they are ('sharestat doctor' says under 'erofs fields' whether the types of EROFS can be read); with '--path' they were left out";

/// Whether pages of an inode could be those of other inodes: it has no number, and lies on
/// a filesystem without a device.
pub(super) const fn may_keep_for_others(key: &InodeKey) -> bool {
    key.ino == 0 && key.dev.major() == 0
}

/// Asks about all owners of all these inodes; each gets its list, in the same order.
/// Owners that are gone meanwhile are left out.
pub(super) fn ask(
    instrument: &Instrument,
    keepers: &[&Answer],
) -> Result<Vec<Vec<(InodeKey, Answer)>>, Error> {
    let owners = (0..).zip(keepers);
    let asked: Vec<(usize, InodeKey)> = owners
        .flat_map(|(keeper, answer)| answer.owners.iter().map(move |owner| (keeper, *owner)))
        .collect();
    let questions: Vec<Question> = asked.iter().map(|(_, key)| Question::from(key)).collect();
    let mut told: Vec<Vec<(InodeKey, Answer)>> = vec![Vec::new(); keepers.len()];
    instrument.identify(&questions, &mut |number, identity| {
        if let Some((keeper, key)) = asked.get(number)
            && let Some(list) = told.get_mut(*keeper)
            && identity.valid == 1
        {
            list.push((*key, Answer::from(identity)));
        }
    })?;
    Ok(told)
}

/// The filesystems that owners are on.
pub(super) fn devices(all: &[Vec<(InodeKey, Answer)>]) -> impl Iterator<Item = Dev> {
    all.iter().flatten().map(|(key, _)| key.dev)
}
