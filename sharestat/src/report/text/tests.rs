//! What the text looks like, and that it fits.

use super::*;
use crate::report::{
    document::{AdviceEntry, CopyUpEntry, Group},
    sample,
};

fn written(report: &Report, width: Option<u16>) -> String {
    let mut out = Vec::new();
    let layout = Layout {
        width,
        styled: false,
    };
    write(report, layout, &mut out).expect("memory takes everything");
    String::from_utf8(out).expect("text is UTF-8")
}

/// A report whose text does not change with the version.
fn report() -> Report {
    let mut report = sample::report();
    report.tool.version = "0.1.0".to_owned();
    report
}

#[test]
fn every_line_fits_the_terminal() {
    let mut report = sample::report();
    report.files[0].path = format!("/very{}/long/path", "/long".repeat(40));
    for width in 20..=130 {
        for line in written(&report, Some(width)).lines() {
            assert!(
                line.chars().count() <= usize::from(width),
                "at {width}: '{line}'"
            );
        }
    }
}

#[test]
fn without_a_width_a_path_stays_on_one_line() {
    let mut report = sample::report();
    let path = format!("/very{}/long/path", "/long".repeat(40));
    report.files[0].path.clone_from(&path);
    assert!(written(&report, None).contains(&path));
}

#[test]
fn a_file_name_cannot_write_to_the_terminal() {
    let mut report = sample::report();
    report.files[0].path = "/tmp/\u{1b}[2Jgone\n".to_owned();
    let text = written(&report, Some(100));
    assert!(!text.contains('\u{1b}'));
    assert!(text.contains("/tmp/\\u{1b}[2Jgone\\n"));
}

#[test]
fn only_styled_output_has_escape_sequences() {
    let mut out = Vec::new();
    let layout = Layout {
        width: Some(80),
        styled: true,
    };
    write(&sample::report(), layout, &mut out).expect("memory takes everything");
    let styled = String::from_utf8(out).expect("text is UTF-8");
    let plain = styled.replace("\u{1b}[1m", "").replace("\u{1b}[0m", "");
    assert_ne!(styled, plain);
    assert_eq!(plain, written(&sample::report(), Some(80)));
}

#[test]
fn nothing_duplicate_is_said_in_a_word() {
    let mut report = sample::report();
    report.files.retain(|file| file.duplicate_bytes == 0);
    assert!(written(&report, Some(80)).ends_with("\nnone\n"));
}

#[test]
fn layers_copy_ups_and_advice_are_shown_where_there_are_any() {
    let mut report = sample::report();
    report.layers.push(Group {
        name: "app:2 [1/3]".to_owned(),
        id: "c1".to_owned(),
        resident_bytes: 16384,
        duplicate_bytes: 12288,
        exclusive_bytes: 4096,
        saving_share_bytes: 6144.0,
        proportional_bytes: None,
        charged_bytes: None,
        private_bytes: None,
        runtime: Some("docker".to_owned()),
        kind: Some("lower".to_owned()),
        directory: Some("/store/c1".to_owned()),
        images: vec!["app:2".to_owned()],
        layers: Vec::new(),
        containers: Vec::new(),
        pod: None,
    });
    report.copy_ups.push(CopyUpEntry {
        path: "/up/x".to_owned(),
        source: "/low/x".to_owned(),
        equal_bytes: 8192,
        differing_bytes: 0,
        metadata_only: true,
    });
    report.advice.push(AdviceEntry {
        mechanism: "copy-up".to_owned(),
        action: "change it".to_owned(),
        saving_bytes: 8192,
        cause: "8.0 KiB of '/up/x'".to_owned(),
    });
    let expected = "
What to do
 saving  change
8.0 KiB  change it; most of it: 8.0 KiB of '/up/x'

Layers
duplicate   saving  exclusive  resident  name
 12.0 KiB  6.0 KiB    4.0 KiB  16.0 KiB  app:2 [1/3] (lower, docker)
                                           /store/c1

Memory cgroups
duplicate   saving  exclusive  resident  name
 16.0 KiB  8.0 KiB   24.0 KiB  24.0 KiB  /system.slice/a.service
  4.0 KiB  2.0 KiB        0 B   4.0 KiB  gone:41
  4.0 KiB  2.0 KiB        0 B   4.0 KiB  uncharged
      0 B      0 B        0 B   8.0 KiB  unknown

Copied up
  equal  differing  upper file, and what it hides
8.0 KiB        0 B  /up/x (metadata only)
                      /low/x
";
    let text = written(&report, Some(100));
    assert!(text.contains(expected), "{text}");
}

#[test]
fn numbers_are_grouped() {
    assert_eq!(grouped(0), "0");
    assert_eq!(grouped(999), "999");
    assert_eq!(grouped(1000), "1,000");
    assert_eq!(grouped(12_345_678), "12,345,678");
}

#[test]
fn a_wide_terminal_shows_everything() {
    let expected = "Measured    sharestat 0.1.0 on host1, kernel 6.12.1 (x86_64), engine bpf, 1970-01-01T00:00:00Z, took
            0.84 s
Page cache  40.0 KiB resident
Duplicate   12.0 KiB, 37.5 % of the 32.0 KiB hashed; 20.0 KiB distinct
Zero pages  8.0 KiB
Eligible    28.0 KiB could be shared
Coverage    partial: 10 pages seen, 8 hashed, 2 skipped (1 dirty, 1 not reached), 3 events lost
Unresolved  12.0 KiB of files whose layer cannot be told
Note        tmpfs is as of the census

Duplicates by scope
duplicate    part  scope
  4.0 KiB  33.3 %  zero
      0 B   0.0 %  self
  8.0 KiB  66.7 %  host

Savings, overlapping
 saving  groups  mechanism
8.0 KiB       2  content (exact)
8.0 KiB       2  offset (exact)
    0 B       0  zero (exact)

Memory cgroups
duplicate   saving  exclusive  resident  name
 16.0 KiB  8.0 KiB   24.0 KiB  24.0 KiB  /system.slice/a.service
  4.0 KiB  2.0 KiB        0 B   4.0 KiB  gone:41
  4.0 KiB  2.0 KiB        0 B   4.0 KiB  uncharged
      0 B      0 B        0 B   8.0 KiB  unknown

Filesystems
duplicate    saving  exclusive  resident  filesystem
 20.0 KiB  10.0 KiB   24.0 KiB  28.0 KiB  / (ext4)
  4.0 KiB   2.0 KiB        0 B   4.0 KiB  /run/shm (tmpfs)
      0 B       0 B        0 B   8.0 KiB  0:99 (unknown)

Top duplicate files
duplicate   saving  exclusive  resident  file, and what it shares with others
 12.0 KiB  6.0 KiB    4.0 KiB  16.0 KiB  /srv/a/libpython3.so
                                           8.0 KiB with /srv/b/libpython3.so
  8.0 KiB  4.0 KiB    4.0 KiB  12.0 KiB  /srv/b/libpython3.so
                                           8.0 KiB with /srv/a/libpython3.so
  4.0 KiB  2.0 KiB        0 B   4.0 KiB  tmpfs:13 (deleted)
";
    assert_eq!(written(&report(), Some(100)), expected);
}

#[test]
fn a_narrow_terminal_shows_what_matters_most() {
    let expected = "Measured    sharestat 0.1.0 on host1, kernel 6.12.1
            (x86_64), engine bpf, 1970-01-01T00:00:00Z, took
            0.84 s
Page cache  40.0 KiB resident
Duplicate   12.0 KiB, 37.5 % of the 32.0 KiB hashed; 20.0
            KiB distinct
Zero pages  8.0 KiB
Eligible    28.0 KiB could be shared
Coverage    partial: 10 pages seen, 8 hashed, 2 skipped (1
            dirty, 1 not reached), 3 events lost
Unresolved  12.0 KiB of files whose layer cannot be told
Note        tmpfs is as of the census

Duplicates by scope
duplicate    part  scope
  4.0 KiB  33.3 %  zero
      0 B   0.0 %  self
  8.0 KiB  66.7 %  host

Savings, overlapping
 saving  groups  mechanism
8.0 KiB       2  content (exact)
8.0 KiB       2  offset (exact)
    0 B       0  zero (exact)

Memory cgroups
duplicate   saving  name
 16.0 KiB  8.0 KiB  /system.slice/a.service
  4.0 KiB  2.0 KiB  gone:41
  4.0 KiB  2.0 KiB  uncharged
      0 B      0 B  unknown

Filesystems
duplicate    saving  filesystem
 20.0 KiB  10.0 KiB  / (ext4)
  4.0 KiB   2.0 KiB  /run/shm (tmpfs)
      0 B       0 B  0:99 (unknown)

Top duplicate files
duplicate   saving  file, and what it shares with others
 12.0 KiB  6.0 KiB  /srv/a/libpython3.so
                      8.0 KiB with /srv/b/libpython3.so
  8.0 KiB  4.0 KiB  /srv/b/libpython3.so
                      8.0 KiB with /srv/a/libpython3.so
  4.0 KiB  2.0 KiB  tmpfs:13 (deleted)
";
    assert_eq!(written(&report(), Some(60)), expected);
}

#[test]
fn long_lists_of_groups_are_cut_and_say_so() {
    let mut report = sample::report();
    let one = report.memcgs[0].clone();
    report.memcgs = vec![one; owned::MOST_GROUPS + 3];
    let text = written(&report, None);
    assert_eq!(text.matches("a.service").count(), owned::MOST_GROUPS);
    assert!(
        text.contains("\nand 3 more, 72.0 KiB resident: see '--format json'\n"),
        "{text}"
    );
}
