//! The list of files as CSV (RFC 4180): one heading, one line per file, numbers plain.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use super::{Report, document::FileEntry};

type Column = (&'static str, fn(&FileEntry) -> String);

/// The columns: name of the field, and its value. Partners are paths, one per line.
const COLUMNS: [Column; 15] = [
    ("path", |file| file.path.clone()),
    ("fs", |file| file.fs.clone()),
    ("dev", |file| file.dev.clone()),
    ("ino", |file| file.ino.to_string()),
    ("resident_bytes", |file| file.resident_bytes.to_string()),
    ("duplicate_bytes", |file| file.duplicate_bytes.to_string()),
    ("exclusive_bytes", |file| file.exclusive_bytes.to_string()),
    ("saving_share_bytes", |file| {
        file.saving_share_bytes.to_string()
    }),
    ("deleted", |file| file.deleted.to_string()),
    ("avoidable_reads_bytes", |file| {
        file.avoidable_reads_bytes.to_string()
    }),
    ("avoidable_reclaim_bytes", |file| {
        file.avoidable_reclaim_bytes.to_string()
    }),
    ("layer", |file| file.layer.clone().unwrap_or_default()),
    ("images", |file| file.images.join("\n")),
    ("containers", |file| file.containers.join("\n")),
    ("partners", |file| {
        let paths = file.partners.iter().map(|partner| partner.path.as_str());
        paths.collect::<Vec<_>>().join("\n")
    }),
];

/// Writes the files of a report.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(report: &Report, mut out: impl Write) -> io::Result<()> {
    let headings = COLUMNS.iter().map(|(field, _)| (*field).to_owned());
    line(&mut out, headings)?;
    for file in &report.files {
        line(&mut out, COLUMNS.iter().map(|(_, cell)| cell(file)))?;
    }
    Ok(())
}

pub(crate) fn line(mut out: impl Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    for (position, cell) in cells.enumerate() {
        let separator = if position == 0 { "" } else { "," };
        write!(out, "{separator}{}", quoted(&cell))?;
    }
    write!(out, "\r\n")
}

/// A cell with a comma, a quote or a line break stands in quotes, quotes doubled.
fn quoted(cell: &str) -> Cow<'_, str> {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\"")).into()
    } else {
        cell.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn awkward_paths_are_quoted() {
        assert_eq!(quoted("/plain path"), "/plain path");
        assert_eq!(quoted("/a,b"), "\"/a,b\"");
        assert_eq!(quoted("/say \"x\"\n"), "\"/say \"\"x\"\"\n\"");
    }

    #[test]
    fn one_line_per_file_below_the_heading() {
        let mut out = Vec::new();
        write(&sample::report(), &mut out).expect("memory takes everything");
        let text = String::from_utf8(out).expect("paths are text");
        let expected = "\
path,fs,dev,ino,resident_bytes,duplicate_bytes,exclusive_bytes,saving_share_bytes,deleted,avoidable_reads_bytes,avoidable_reclaim_bytes,layer,images,containers,partners\r
/srv/a/libpython3.so,/,8:1,11,16384,12288,4096,6144,false,0,0,,,,/srv/b/libpython3.so\r
/srv/b/libpython3.so,/,8:1,12,12288,8192,4096,4096,false,0,0,,,,/srv/a/libpython3.so\r
tmpfs:13,/run/shm,0:24,13,4096,4096,0,2048,true,0,0,,,,\r
0:99:14,0:99,0:99,14,8192,0,0,0,false,0,0,,,,\r
";
        assert_eq!(text, expected);
    }
}
