//! The configuration file of the screen: keys by the names of actions, and how things are
//! shown at first. Options on the command line win over it.

use std::{
    collections::BTreeMap,
    env, fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::args::Delay;
use crate::{
    cli::exit::{Exit, Failure},
    tui::{keys::KeyMap, units::Units},
};

/// What the file may say.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    delay: Option<String>,
    color: Option<bool>,
    ascii: Option<bool>,
    mouse: Option<bool>,
    units: Option<String>,
    /// Action to keys.
    keys: BTreeMap<String, Vec<String>>,
}

/// What holds at first, as far as the command line says nothing else.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Config {
    pub(super) delay: Option<Delay>,
    /// False for monochrome; `None` as the environment says.
    pub(super) color: Option<bool>,
    pub(super) ascii: bool,
    pub(super) mouse: bool,
    pub(super) units: Units,
    pub(super) keys: KeyMap,
}

/// The file's place: `SHARESTAT_CONFIG`, else below `XDG_CONFIG_HOME` or `~/.config`.
fn place(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    if let Some(path) = set("SHARESTAT_CONFIG") {
        return Some(path.into());
    }
    let folder = set("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&set("HOME")?).join(".config")))?;
    Some(folder.join("sharestat/config.toml"))
}

/// Reads the file; without one, everything is as it is built in.
///
/// # Errors
/// When there is one that cannot be read or says what makes no sense.
pub(super) fn read() -> Result<Config, Failure> {
    let Some(path) = place(|name| env::var(name).ok()) else {
        return Ok(Config::default());
    };
    match fs::read_to_string(&path) {
        Ok(text) => parse(&text).map_err(|reason| refused(&path, &reason)),
        Err(error)
            if error.kind() == io::ErrorKind::NotFound
                && env::var_os("SHARESTAT_CONFIG").is_none_or(|name| name.is_empty()) =>
        {
            Ok(Config::default())
        }
        Err(error) => Err(refused(&path, &error.to_string())),
    }
}

fn refused(path: &Path, reason: &str) -> Failure {
    Failure::new(
        Exit::Usage,
        format!(
            "cannot use the configuration file '{}': {reason}",
            path.display()
        ),
    )
}

pub(in crate::cli) fn parse(text: &str) -> Result<Config, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    let keys = file.keys.iter().map(|(action, keys)| {
        let keys = keys.iter().map(String::as_str).collect();
        (action.as_str(), keys)
    });
    let units = match &file.units {
        None => Units::default(),
        Some(name) => Units::named(name).ok_or_else(|| {
            format!("there are no units '{name}'; write binary, decimal, pages or bytes")
        })?,
    };
    Ok(Config {
        delay: file.delay.map(|delay| delay.parse()).transpose()?,
        color: file.color,
        ascii: file.ascii.unwrap_or(false),
        mouse: file.mouse.unwrap_or(false),
        units,
        keys: KeyMap::with_changes(keys).map_err(|error| error.to_string())?,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::tui::{actions::Action, keys::Key};

    #[test]
    fn a_file_changes_keys_and_what_is_shown_at_first() {
        let text = "delay = '500ms'\nunits = 'pages'\nascii = true\ncolor = false\n\
                    [keys]\nquit = ['Q', 'F10']\nhelp = ['h', '?']\nsort-left = ['Left']\n";
        let config = parse(text).expect("a configuration");
        assert_eq!(config.delay, Some(Delay(Duration::from_millis(500))));
        assert_eq!((config.units, config.ascii), (Units::Pages, true));
        assert_eq!((config.color, config.mouse), (Some(false), false));
        assert_eq!(config.keys.action(Key::char('Q')), Some(Action::Quit));
        assert_eq!(config.keys.action(Key::char('q')), None);
        assert_eq!(config.keys.action(Key::char('h')), Some(Action::Help));
    }

    #[test]
    fn nonsense_is_named() {
        for (text, words) in [
            ("colour = true", "colour"),
            ("units = 'miles'", "'miles'"),
            ("delay = '1ms'", "'1ms' is out of range"),
            ("[keys]\nfly = ['f']", "'fly'"),
            ("[keys]\nquit = ['f']", "'freeze'"),
            ("[keys", "line 1"),
        ] {
            let said = parse(text).expect_err(text);
            assert!(said.contains(words), "{text}: {said}");
        }
    }

    #[test]
    fn the_example_in_the_documents_is_one() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/top.md");
        let text = fs::read_to_string(page).expect("the page");
        let example = text.split("```toml\n").nth(1).expect("an example");
        let example = example.split("```").next().expect("it ends");
        parse(example).expect("valid");
    }

    #[test]
    fn the_place_follows_the_environment() {
        let of = |variables: &[(&str, &str)]| {
            place(|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[]), None);
        let home = ("HOME", "/home/a");
        assert_eq!(
            of(&[home]),
            Some("/home/a/.config/sharestat/config.toml".into())
        );
        let xdg = ("XDG_CONFIG_HOME", "/x");
        assert_eq!(of(&[home, xdg]), Some("/x/sharestat/config.toml".into()));
        assert_eq!(of(&[home, ("SHARESTAT_CONFIG", "/c")]), Some("/c".into()));
    }
}
