//! Tests that what is in `contrib/` fits this program: metrics that are queried are offered,
//! command lines are taken, capabilities suffice, and the dashboard is one.

use std::collections::{BTreeSet, HashSet};

use clap::CommandFactory as _;
use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

use super::{args::Cli, documents::document};
use crate::{kernel::capabilities::Capability, serve};

/// Names of metrics of ours in queries.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    text.split(|letter| !is_part(letter))
        .filter(|word| {
            ["sharestat_", "process_"]
                .iter()
                .any(|start| word.starts_with(start))
        })
        .collect()
}

fn all_are_offered(text: &str) {
    let offered = serve::example_names();
    let asked = metrics_in(text);
    assert!(asked.len() >= 5, "{asked:?}");
    for name in asked {
        assert!(offered.iter().any(|known| known == name), "'{name}'");
    }
}

fn is_taken(line: &str) {
    let parsed = Cli::command().try_get_matches_from(line.split_whitespace());
    assert!(parsed.is_ok(), "'{line}': {parsed:?}");
}

#[test]
fn rules_ask_for_metrics_that_are_offered() {
    all_are_offered(&document("contrib/prometheus/alerts.yml"));
    all_are_offered(&document("contrib/prometheus/alerts_test.yml"));
    let rules = YamlLoader::load_from_str(&document("contrib/prometheus/alerts.yml"));
    let rules = rules.expect("YAML");
    let rules = rules[0]["groups"][0]["rules"].as_vec().expect("rules");
    for rule in rules.iter().filter(|rule| !rule["alert"].is_badvalue()) {
        for part in ["summary", "description"] {
            let words = rule["annotations"][part].as_str();
            assert!(words.is_some_and(|words| words.len() > 10), "{rule:?}");
        }
    }
}

#[test]
fn the_dashboard_is_one_and_asks_for_metrics_that_are_offered() {
    let text = document("contrib/grafana/sharestat.json");
    let board: Value = serde_json::from_str(&text).expect("JSON");
    for field in ["uid", "title"] {
        assert!(board[field].is_string(), "{field}");
    }
    assert!(board["schemaVersion"].as_u64() >= Some(36));
    let variables = board["templating"]["list"].as_array().expect("variables");
    let variables: HashSet<&str> = variables
        .iter()
        .filter_map(|variable| variable["name"].as_str())
        .collect();
    let panels = board["panels"].as_array().expect("panels");
    let (mut ids, mut taken, mut queries) = (HashSet::new(), HashSet::new(), String::new());
    for panel in panels {
        let title = panel["title"].as_str().expect("a title");
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{title}");
        assert!(panel["type"].is_string() && panel["description"].is_string());
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let place = |side: &str| panel["gridPos"][side].as_u64().expect("a place");
        assert!(place("x") + place("w") <= 24, "{title} is too wide");
        for column in place("x")..place("x") + place("w") {
            for row in place("y")..place("y") + place("h") {
                assert!(taken.insert((column, row)), "{title} covers another");
            }
        }
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty(), "{title}");
        for target in targets {
            let query = target["expr"].as_str().expect("a query");
            assert_eq!(
                query.matches('(').count(),
                query.matches(')').count(),
                "{query}"
            );
            queries.push_str(query);
            queries.push('\n');
        }
    }
    all_are_offered(&queries);
    for piece in text.split('$').skip(1) {
        let name: String = piece
            .trim_start_matches('{')
            .chars()
            .take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
            .collect();
        assert!(
            name == "__rate_interval" || variables.contains(name.as_str()),
            "'${name}' is no variable"
        );
    }
}

#[test]
fn the_unit_starts_this_program_with_what_it_needs() {
    let unit = document("contrib/systemd/sharestat.service");
    let field = |name: &str| {
        let mut lines = unit.lines();
        let value = lines.find_map(|line| line.strip_prefix(name));
        value.unwrap_or_else(|| panic!("no '{name}'"))
    };
    let start = field("ExecStart=").replace("/usr/local/bin/", "");
    is_taken(&start.replace("$SHARESTAT_OPTIONS", ""));
    let options = field("#   SHARESTAT_OPTIONS=");
    is_taken(&start.replace("$SHARESTAT_OPTIONS", options));
    let bounding: Vec<&str> = field("CapabilityBoundingSet=").split(' ').collect();
    for capability in Capability::NEEDED {
        assert!(bounding.contains(&capability.name()), "{capability:?}");
    }
    assert_eq!(field("NoNewPrivileges="), "yes");
}

#[test]
fn the_daemon_set_starts_this_program_with_what_it_needs_and_no_more() {
    let text = document("contrib/kubernetes/daemonset.yaml");
    let documents = YamlLoader::load_from_str(&text).expect("YAML");
    let set = &documents[1];
    assert_eq!(set["kind"].as_str(), Some("DaemonSet"));
    let (spec, labels) = (
        &set["spec"]["template"]["spec"],
        &set["spec"]["selector"]["matchLabels"],
    );
    assert_eq!(labels, &set["spec"]["template"]["metadata"]["labels"]);
    let container = &spec["containers"][0];
    let words = |list: &Yaml| -> Vec<String> {
        let list = list.as_vec().expect("a list");
        list.iter()
            .map(|word| word.as_str().expect("a word").to_owned())
            .collect()
    };
    is_taken(&format!(
        "sharestat {}",
        words(&container["args"]).join(" ")
    ));
    let security = &container["securityContext"];
    assert_eq!(security["privileged"].as_bool(), None);
    assert_eq!(security["allowPrivilegeEscalation"].as_bool(), Some(false));
    assert_eq!(words(&security["capabilities"]["drop"]), ["ALL"]);
    let added: BTreeSet<String> = words(&security["capabilities"]["add"])
        .iter()
        .map(|name| format!("CAP_{name}"))
        .collect();
    let names = ["CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"];
    let wanted = Capability::NEEDED.map(Capability::name);
    let wanted: BTreeSet<String> = wanted.into_iter().chain(names).map(str::to_owned).collect();
    assert_eq!(added, wanted);
    let mounts = container["volumeMounts"].as_vec().expect("mounts");
    assert!(
        mounts
            .iter()
            .all(|mount| mount["readOnly"].as_bool() == Some(true))
    );
    let port = container["ports"][0]["containerPort"].as_i64();
    assert_eq!(port, Some(9934));
}
