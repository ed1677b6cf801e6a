//! Takes records out of the event ring.

use sharestat_ebpf::records::{Event, HashedEvent};

use super::instrument::EventRing;

/// One record of the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// Pages came, went or were dirtied.
    Event(Event),
    /// Pages were hashed just before they went.
    Hashed(HashedEvent),
}

/// Copies a record out of the ring, where it is aligned to 8 bytes only; `None` for a
/// size that no program writes.
pub(super) fn parse(bytes: &[u8]) -> Option<Record> {
    // SAFETY: both types are `repr(C)`, made of integers without padding, and valid for
    // every bit pattern; the length was compared with the size.
    unsafe {
        match bytes.len() {
            length if length == size_of::<Event>() => Some(Record::Event(
                bytes.as_ptr().cast::<Event>().read_unaligned(),
            )),
            length if length == size_of::<HashedEvent>() => Some(Record::Hashed(
                bytes.as_ptr().cast::<HashedEvent>().read_unaligned(),
            )),
            _ => None,
        }
    }
}

/// Hands over at most `most` waiting records; true when the ring was emptied.
pub(super) fn drain(ring: &mut EventRing, most: usize, take: &mut dyn FnMut(Record)) -> bool {
    for _ in 0..most {
        let Some(item) = ring.next() else { return true };
        if let Some(record) = parse(&item) {
            take(record);
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_another_size_is_no_record() {
        assert_eq!(parse(&[0; 8]), None);
        assert_eq!(parse(&[0; 64]), Some(Record::Event(Event::default())));
        assert_eq!(
            parse(&[0; 192]),
            Some(Record::Hashed(HashedEvent::default()))
        );
    }
}
