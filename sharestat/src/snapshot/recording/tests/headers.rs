//! Headers that this version cannot read.

use super::*;

#[test]
fn a_header_of_a_later_schema_is_told_as_newer_and_another_as_foreign() {
    let later = ("sharestat.recording/v2", "made by a newer version");
    let other = ("sharestat.recordings", "no recording of sharestat");
    for (schema, why) in [later, other] {
        let mut header = Header::new(&measurement(), Host::read(), Vec::new(), Vec::new());
        schema.clone_into(&mut header.schema);
        let mut bytes = Vec::new();
        writer::Writer::begin(&mut bytes, &header).expect("memory takes everything");
        let refused = Reader::in_memory("later", bytes).expect_err("it is refused");
        let said = refused.to_string();
        assert!(said.contains(why) && said.contains(schema), "{said}");
    }
}
