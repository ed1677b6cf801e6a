//! What apt says about packages: stanzas in, versions and dependencies out; and the
//! order of version numbers inside package names.

use std::cmp::Ordering;

/// One version of a package.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Package {
    /// Its version.
    pub(crate) version: String,
    /// What it depends on: names without versions, first alternatives only.
    pub(crate) depends: Vec<String>,
}

/// Reads the first stanza of `apt-cache show`.
pub(crate) fn parse_package(stanzas: &str) -> Option<Package> {
    let stanza = stanzas.split("\n\n").next()?;
    let field = |name: &str| {
        stanza
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    let depends = field("Depends")
        .unwrap_or_default()
        .split(',')
        .filter_map(|dependency| dependency.split_whitespace().next())
        .map(|name| name.split(':').next().unwrap_or(name).to_owned())
        .collect();
    Some(Package {
        version: field("Version")?.to_owned(),
        depends,
    })
}

/// The first version of a suite in the table that `apt-cache madison` prints, which has the
/// newest first: lines such as `hello | 2.10-3 | http://mirror/debian trixie/main amd64 Packages`.
pub(crate) fn version_in<'a>(suite: &str, table: &'a str) -> Option<&'a str> {
    let of_suite = |line: &'a str| {
        let mut cells = line.split('|').skip(1).map(str::trim);
        let (version, source) = (cells.next()?, cells.next()?);
        let place = source.split_whitespace().nth(1)?;
        let is_binary = source.ends_with("Packages");
        (is_binary && place.split('/').next() == Some(suite)).then_some(version)
    };
    table.lines().find_map(of_suite)
}

/// The name of the newest signed cloud kernel of the series `series` (`6.12`) among
/// `names`, for the Debian architecture `architecture`.
pub(crate) fn newest_kernel<'a>(
    names: impl IntoIterator<Item = &'a str>,
    series: &str,
    architecture: &str,
) -> Option<&'a str> {
    let prefix = format!("linux-image-{series}");
    let suffix = format!("-cloud-{architecture}");
    names
        .into_iter()
        .filter(|name| name.ends_with(&suffix))
        .filter(|name| {
            name.strip_prefix(&prefix)
                .is_some_and(|rest| rest.starts_with(['.', '+', '-', '~']))
        })
        .max_by(|one, other| by_numbers(one, other))
}

/// Compares names so that runs of digits count as numbers.
fn by_numbers(one: &str, other: &str) -> Ordering {
    pieces(one).cmp(&pieces(other))
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Piece<'a> {
    Text(&'a str),
    Number(u64),
}

fn pieces(name: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let digits = first.is_ascii_digit();
        let end = rest
            .find(|character: char| character.is_ascii_digit() != digits)
            .unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        pieces.push(match piece.parse() {
            Ok(number) if digits => Piece::Number(number),
            _ => Piece::Text(piece),
        });
        rest = after;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_suite_is_found() {
        let table = "     a | 2.0-1 | http://mirror/debian sid/main amd64 Packages\n     a | \
                     1.9-2 | http://mirror/debian sid/main Sources\n     a | 1.0-1+b2 | \
                     http://mirror/debian trixie/main amd64 Packages\n";
        assert_eq!(version_in("sid", table), Some("2.0-1"));
        assert_eq!(version_in("trixie", table), Some("1.0-1+b2"));
        assert_eq!(version_in("bookworm", table), None);
    }

    #[test]
    fn dependencies_are_names() {
        let stanza = "Package: linux-image-7.3.4-cloud-amd64\nVersion: 7.3.4-1\nDepends: dracut | \
                      initramfs-tools (>= 0.120), linux-binary-7.3.4-cloud-amd64 (= 7.3.4-1), \
                      kmod:any\n\nPackage: older\nVersion: 1\n";
        assert_eq!(
            parse_package(stanza),
            Some(Package {
                version: "7.3.4-1".to_owned(),
                depends: ["dracut", "linux-binary-7.3.4-cloud-amd64", "kmod"]
                    .map(str::to_owned)
                    .to_vec(),
            })
        );
        assert_eq!(parse_package(""), None);
    }

    #[test]
    fn newest_kernel_is_by_number_and_signed() {
        let names = [
            "linux-image-6.1.0-47-cloud-amd64",
            "linux-image-6.12.95+deb12-cloud-amd64",
            "linux-image-6.12.117+deb13-cloud-amd64",
            "linux-image-6.12.117+deb13-cloud-amd64-dbg",
            "linux-image-6.12.118+deb13-cloud-amd64-unsigned",
            "linux-image-6.12.119+deb13-cloud-arm64",
            "linux-image-6.12.120+deb13-amd64",
        ];
        assert_eq!(
            newest_kernel(names, "6.12", "amd64"),
            Some("linux-image-6.12.117+deb13-cloud-amd64")
        );
        assert_eq!(
            newest_kernel(names, "6.1", "amd64"),
            Some("linux-image-6.1.0-47-cloud-amd64")
        );
        assert_eq!(newest_kernel(names, "7.3", "amd64"), None);
    }
}
