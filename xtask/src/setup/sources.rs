//! Reads where apt gets its packages from: one-line `sources.list` files and deb822
//! `*.sources` files, as `sources.list(5)` defines them. Text in, [`Source`]s out.

/// One place of packages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Source {
    /// Address of the archive.
    pub(crate) uri: String,
    /// Suites taken from it.
    pub(crate) suites: Vec<String>,
    /// Components taken from each suite.
    pub(crate) components: Vec<String>,
    /// Path of the keyring that its releases must be signed with.
    pub(crate) signed_by: Option<String>,
}

impl Source {
    /// The `sources.list` line for `suite`.
    pub(crate) fn line(&self, suite: &str) -> String {
        let options = self
            .signed_by
            .as_ref()
            .map_or_else(String::new, |keyring| format!("[signed-by={keyring}] "));
        format!(
            "deb {options}{} {suite} {}\n",
            self.uri,
            self.components.join(" ")
        )
    }
}

/// Reads a `sources.list` file; lines that name no binary packages are left out.
pub(crate) fn parse_lines(text: &str) -> Vec<Source> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Source> {
    let line = line.split('#').next()?.trim();
    let rest = line.strip_prefix("deb")?;
    if !rest.starts_with([' ', '\t', '[']) {
        return None;
    }
    let rest = rest.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(options) => options.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace().map(str::to_owned);
    Some(Source {
        uri: words.next()?,
        suites: vec![words.next()?],
        components: words.collect(),
        signed_by: options
            .split_whitespace()
            .find_map(|option| option.strip_prefix("signed-by="))
            .and_then(keyring_path),
    })
}

/// Reads a deb822 file; disabled stanzas and those without binary packages are left out.
/// A stanza with several addresses becomes one source each.
pub(crate) fn parse_deb822(text: &str) -> Vec<Source> {
    let text: String = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| [line.trim_end(), "\n"])
        .collect();
    text.split("\n\n").flat_map(parse_stanza).collect()
}

fn parse_stanza(stanza: &str) -> Vec<Source> {
    let fields = fields(stanza);
    let words = |name: &str| -> Vec<String> {
        fields
            .iter()
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .flat_map(|(_, value)| value.split_whitespace().map(str::to_owned))
            .collect()
    };
    let enabled = words("Enabled").first().is_none_or(|value| value != "no");
    if !enabled || !words("Types").contains(&"deb".to_owned()) {
        return Vec::new();
    }
    words("URIs")
        .into_iter()
        .map(|uri| Source {
            uri,
            suites: words("Suites"),
            components: words("Components"),
            signed_by: words("Signed-By")
                .first()
                .and_then(|value| keyring_path(value)),
        })
        .collect()
}

/// Splits a stanza into its fields; a line that starts with a blank continues the field
/// before it.
fn fields(stanza: &str) -> Vec<(&str, String)> {
    let mut fields: Vec<(&str, String)> = Vec::new();
    for line in stanza.lines() {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields.push((name.trim(), value.trim().to_owned()));
        }
    }
    fields
}

/// Keyrings can be paths, fingerprints or whole keys in the file; only a path can be
/// used from another file.
fn keyring_path(value: &str) -> Option<String> {
    value.starts_with('/').then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(uri: &str, suites: &[&str], components: &[&str], signed_by: Option<&str>) -> Source {
        Source {
            uri: uri.to_owned(),
            suites: suites.iter().map(|&suite| suite.to_owned()).collect(),
            components: components
                .iter()
                .map(|&component| component.to_owned())
                .collect(),
            signed_by: signed_by.map(str::to_owned),
        }
    }

    #[test]
    fn one_line_sources_are_read() {
        let text = "# a comment\n\
                    deb http://mirror.example/debian trixie main contrib # ours\n\
                    deb-src http://mirror.example/debian trixie main\n\
                    deb [arch=amd64 signed-by=/k.gpg] https://other.example/x sid main\n\
                    debris\n";
        assert_eq!(
            parse_lines(text),
            [
                source(
                    "http://mirror.example/debian",
                    &["trixie"],
                    &["main", "contrib"],
                    None
                ),
                source(
                    "https://other.example/x",
                    &["sid"],
                    &["main"],
                    Some("/k.gpg")
                ),
            ]
        );
    }

    #[test]
    fn deb822_stanzas_are_read() {
        let text = "Types: deb\n# snapshot of some day\nURIs: http://mirror.example/debian\n\
                    Suites: trixie trixie-updates\nComponents: main\nSigned-By: /k.gpg\n\n\
                    Types: deb-src\nURIs: http://src.example/\nSuites: trixie\n\n\
                    types: deb deb-src\nuris: http://a.example\n http://b.example\nsuites: sid\n\
                    components: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n\n\
                    Types: deb\nEnabled: no\nURIs: http://off.example\nSuites: sid\n";
        assert_eq!(
            parse_deb822(text),
            [
                source(
                    "http://mirror.example/debian",
                    &["trixie", "trixie-updates"],
                    &["main"],
                    Some("/k.gpg")
                ),
                source("http://a.example", &["sid"], &["main"], None),
                source("http://b.example", &["sid"], &["main"], None),
            ]
        );
    }

    #[test]
    fn line_for_another_suite_keeps_the_keyring() {
        let source = source(
            "http://m.example/debian",
            &["trixie"],
            &["main"],
            Some("/k.gpg"),
        );
        assert_eq!(
            source.line("sid"),
            "deb [signed-by=/k.gpg] http://m.example/debian sid main\n"
        );
    }
}
