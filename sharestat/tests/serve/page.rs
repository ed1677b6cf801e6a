//! The live page in a browser: it has the pictures, and it renews itself.

use std::process::{Command, Stdio};

use super::{
    PAGES, cannot_run, measured,
    served::{Served, duplicates},
};
use crate::skip::skipped;

/// The page as the browser has it after `milliseconds`; `None` without a browser.
fn in_a_browser(url: &str, milliseconds: u32) -> Option<String> {
    let profile = tempfile::tempdir().expect("a directory");
    let browser = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| {
            let asked = Command::new(name)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            asked.is_ok_and(|status| status.success())
        })?;
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--virtual-time-budget={milliseconds}"))
        .arg(url)
        .stderr(Stdio::null())
        .output()
        .expect("it starts");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Answers of the service that were a page, or anything else that was asked for.
fn answers(served: &Served) -> f64 {
    let metrics = served.metrics();
    let sum = metrics.sum("sharestat_http_responses_total");
    sum.expect("it counts its answers")
}

#[test]
fn the_page_has_the_pictures_and_renews_itself_in_a_browser() {
    if cannot_run() {
        return;
    }
    let data = duplicates(PAGES);
    let served = Served::start(data.path(), &["--every", "1s"]);
    measured(&served);
    let url = format!("http://{}/", served.address);
    let before = answers(&served);
    let Some(page) = in_a_browser(&url, 6000) else {
        skipped("there is no Chromium");
        return;
    };
    assert_eq!(page.matches("<svg").count(), 2, "{page}");
    assert!(page.contains("/two"), "{page}");
    assert!(
        page.contains("<p id=\"silent\" role=\"status\"></p>"),
        "{page}"
    );
    // The page, what it asked for by itself in six seconds of the browser's time, and the
    // question how many they are.
    let asked = answers(&served) - before - 1.0;
    assert!(asked >= 3.0, "the page was asked for {asked} times");
}
