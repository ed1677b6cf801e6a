//! The HTML report in a real browser: from a file, without errors, with the right
//! numbers, sorted by mouse and by keyboard, on narrow and wide windows.
//!
//! `SHARESTAT_PICTURES=DIR` keeps pictures of it, as base64.

use std::{env, fs};

use serde_json::Value;

use crate::{
    devtools::{Browser, installed},
    place::Place,
    skip::skipped,
};

/// The values of a column of the table 'Files'.
fn column(browser: &mut Browser, number: u32) -> Vec<f64> {
    let found = browser.value(&format!(
        "[...files.tBodies[0].rows].map(row => Number(row.cells[{number}].dataset.value))"
    ));
    let values = found.as_array().expect("a list").iter();
    values
        .map(|value| value.as_f64().expect("a number"))
        .collect()
}

fn is_descending(values: &[f64]) -> bool {
    values.is_sorted_by(|one, other| one >= other)
}

#[test]
fn the_page_works_in_a_browser() {
    let Some(program) = installed() else {
        skipped("no Chromium in the search path");
        return;
    };
    let place = Place::new();
    let json = place.sharestat(&["report", "demo.ssr", "--format", "json", "--top", "0"]);
    let report: Value = serde_json::from_slice(&json.stdout).expect("a report");
    let written = place.sharestat(&["report", "demo.ssr", "-o", "demo.html", "--top", "0"]);
    assert!(written.status.success(), "{written:?}");
    let mut browser = Browser::start(&program);
    browser.look(1600, false);
    browser.open(&place.path().join("demo.html"));
    shows_the_numbers(&mut browser, &report);
    sorts(&mut browser);
    fits(&mut browser);
    let errors = browser.errors();
    assert!(errors.is_empty(), "{errors:?}");
}

fn shows_the_numbers(browser: &mut Browser, report: &Value) {
    browser.value(
        "globalThis.files = [...document.querySelectorAll('h2')]\
         .find(head => head.textContent === 'Files').nextElementSibling.querySelector('table'); 0",
    );
    let heading = browser.value("document.querySelector('h1').textContent");
    let text = heading.as_str().expect("a heading");
    assert!(text.ends_with("of duplicate page cache"), "{text}");
    let listed = report["files"].as_array().expect("files");
    let number = |field: &str| -> Vec<f64> {
        let values = listed.iter().map(|file| file[field].as_f64());
        values
            .map(|value| value.expect("a number").round())
            .collect()
    };
    assert_eq!(column(browser, 1), number("duplicate_bytes"));
    assert_eq!(column(browser, 4), number("resident_bytes"));
    // Savings, the timeline, the treemap; the heat map is a table.
    let pictures = browser.value("document.querySelectorAll('figure svg').length");
    assert_eq!(pictures, 3);
    let titled = browser.value(
        "[...document.querySelectorAll('figure svg rect > title')].some(title => title.textContent.includes('/'))",
    );
    assert_eq!(titled, true, "no rectangle of the treemap says its path");
    let advised = browser.value("document.querySelectorAll('main > ul > li > strong').length");
    assert_eq!(
        advised.as_u64(),
        report["advice"].as_array().map(|lines| lines.len() as u64)
    );
    let heat = browser.value("document.querySelectorAll('td.heat').length");
    assert!(heat.as_u64().is_some_and(|cells| cells >= 4), "{heat}");
}

fn sorts(browser: &mut Browser) {
    let place = browser.value(
        "(() => { const button = files.tHead.rows[0].cells[4].querySelector('button'); \
         button.scrollIntoView({block: 'center'}); const at = button.getBoundingClientRect(); \
         return [at.x + at.width / 2, at.y + at.height / 2]; })()",
    );
    let (x, y) = (place[0].as_f64().expect("x"), place[1].as_f64().expect("y"));
    browser.click(x, y);
    let sorted = column(browser, 4);
    assert!(is_descending(&sorted), "{sorted:?}");
    assert!(
        sorted.first() > sorted.last(),
        "nothing to sort: {sorted:?}"
    );
    browser.click(x, y);
    let sorted: Vec<f64> = column(browser, 4).into_iter().rev().collect();
    assert!(is_descending(&sorted), "{sorted:?}");
    // From the button of the first column by Tab to the second, and Enter.
    browser.value("files.tHead.rows[0].cells[0].querySelector('button').focus(); 0");
    browser.press("Tab");
    let focused = browser.value("document.activeElement.textContent");
    assert_eq!(focused, "duplicate");
    browser.press("Enter");
    let order = browser.value("files.tHead.rows[0].cells[1].getAttribute('aria-sort')");
    assert_eq!(order, "descending");
    let sorted = column(browser, 1);
    assert!(is_descending(&sorted), "{sorted:?}");
}

/// The page itself never scrolls sideways, and its text has room and contrast.
fn fits(browser: &mut Browser) {
    let mut colours = Vec::new();
    for (width, dark) in [(400, false), (400, true), (1600, false), (1600, true)] {
        browser.look(width, dark);
        let fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth";
        assert_eq!(
            browser.value(fits),
            true,
            "wider than its window of {width}"
        );
        colours.push(browser.value("getComputedStyle(document.body).backgroundColor"));
        if let Some(folder) = env::var_os("SHARESTAT_PICTURES") {
            let name = format!("{width}-{}.b64", if dark { "dark" } else { "light" });
            let path = std::path::Path::new(&folder).join(name);
            fs::write(path, browser.picture()).expect("written");
        }
    }
    assert_ne!(colours[0], colours[1], "light and dark look the same");
}
