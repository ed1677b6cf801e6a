//! The whole document: text at two widths, JSON and its schema.

use super::{finding::*, *};

fn sample() -> Doctor {
    let findings = vec![
        Finding::ok(Area::Privileges, "CAP_BPF", "may load BPF programs").needed_by(&[Use::Scan]),
        Finding::new(
            Area::Kernel,
            "field folio.mapping",
            State::Missing,
            "the kernel's BTF has no member 'mapping' in 'struct folio'",
        )
        .loss("no measurement with BPF: an offset would have to be guessed")
        .remedy("a sharestat that knows this kernel, or '--engine user'")
        .needed_by(&[Use::Scan, Use::Live])
        .lack(Lack::Support),
        Finding::not_tried(Area::Engine, "calibration", "needs the layout").needed_by(&[Use::Scan]),
        Finding::new(
            Area::Hooks,
            "__remove_mapping",
            State::Degraded,
            "no: the kernel's policy refuses trampolines (EPERM)",
        )
        .loss("large folios that reclaim takes before their turn are not hashed")
        .needed_by(&[Use::UserEngine]),
        Finding::new(
            Area::Memory,
            "/proc/kcore",
            State::NotNeeded,
            "not built into this kernel",
        ),
    ];
    let mut doctor = Doctor::new("6.18.44".to_owned(), "x86_64".to_owned(), findings);
    // The pictures below must not change with every release.
    doctor.tool.version = "test".to_owned();
    doctor
}

const AT_60: &str = "\
sharestat test on Linux 6.18.44 (x86_64)

privileges
  ✓ ok         CAP_BPF
      may load BPF programs

kernel
  ✗ missing    field folio.mapping
      the kernel's BTF has no member 'mapping' in 'struct
      folio'
      loss: no measurement with BPF: an offset would have to
            be guessed
      remedy: a sharestat that knows this kernel, or
              '--engine user'

engine
  ? not tried  calibration
      needs the layout

hooks
  ! degraded   __remove_mapping
      no: the kernel's policy refuses trampolines (EPERM)
      loss: large folios that reclaim takes before their
            turn are not hashed

memory
  - not needed /proc/kcore
      not built into this kernel

verdict
  ✗ scan               does not work: see field
                       folio.mapping
  ✗ top (live)         does not work: see field
                       folio.mapping
  ✓ scan --engine user works, limited by: __remove_mapping
  ✓ derefs             works

exit code 4: 'scan' lacks something that the kernel or this
build does not have
";

const AT_120: &str = "\
sharestat test on Linux 6.18.44 (x86_64)

privileges
  ✓ ok         CAP_BPF              may load BPF programs

kernel
  ✗ missing    field folio.mapping  the kernel's BTF has no member 'mapping' in 'struct folio'
                                    loss: no measurement with BPF: an offset would have to be guessed
                                    remedy: a sharestat that knows this kernel, or '--engine user'

engine
  ? not tried  calibration          needs the layout

hooks
  ! degraded   __remove_mapping     no: the kernel's policy refuses trampolines (EPERM)
                                    loss: large folios that reclaim takes before their turn are not hashed

memory
  - not needed /proc/kcore          not built into this kernel

verdict
  ✗ scan               does not work: see field folio.mapping
  ✗ top (live)         does not work: see field folio.mapping
  ✓ scan --engine user works, limited by: __remove_mapping
  ✓ derefs             works

exit code 4: 'scan' lacks something that the kernel or this build does not have
";

#[test]
fn at_60_columns_what_was_found_stands_below_the_name() {
    assert_eq!(sample().to_text(60), AT_60);
}

#[test]
fn at_120_columns_what_was_found_stands_beside_the_name() {
    assert_eq!(sample().to_text(120), AT_120);
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in 20..140 {
        for line in sample().to_text(width).lines() {
            assert!(line.chars().count() <= width, "{width}: '{line}'");
        }
    }
}

#[test]
fn json_has_every_documented_field() {
    let json = serde_json::to_value(sample()).expect("it serialises");
    assert_eq!(json["schema"], SCHEMA);
    assert_eq!(json["tool"]["name"], "sharestat");
    assert_eq!(json["verdict"]["exit_code"], 4);
    assert_eq!(json["findings"][1]["state"], "missing");
    assert_eq!(json["findings"][1]["lack"], "support");
    assert_eq!(json["findings"][4]["state"], "not_needed");
    let required = Doctor::json_schema()["$defs"]["Finding"]["required"].clone();
    for name in required.as_array().expect("a list of fields") {
        let name = name.as_str().expect("a name");
        assert!(json["findings"][0].get(name).is_some(), "{name}");
    }
}

#[test]
fn the_published_schema_is_the_one_of_this_build() {
    let published = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/doctor.schema.json");
    let text = serde_json::to_string_pretty(&Doctor::json_schema()).expect("it serialises") + "\n";
    if std::env::var_os("SHARESTAT_UPDATE_DOCS").is_some() {
        std::fs::write(published, &text).expect("the schema is written");
    }
    assert_eq!(
        std::fs::read_to_string(published).expect("docs/doctor.schema.json is there"),
        text,
        "run the tests once with SHARESTAT_UPDATE_DOCS=1"
    );
}
