//! The demo's page in a real browser. Skipped, with a message, where none is installed. What it
//! looks like is left in `target/dial/demo-*.png`.

use std::fs;

use serde_json::{Value, json};

use super::NAMES;
use super::watched::Watched;
use crate::dial_page::{NOT_IN_PAGES, in_browser, picture};
use crate::support::browser::Browser;
use crate::support::examples;

const FAINTEST: &str = include_str!("../dial_page/contrast.js");

const STEP: &str = "document.documentElement.dataset.step";
const STATE: &str = "document.documentElement.dataset.state";

/// A second is not long for a machine that stands still.
const ATTEMPTS: usize = 5;

fn text_of(browser: &mut Browser, id: &str) -> String {
    browser.text(&format!("document.getElementById('{id}').textContent"))
}

/// Shows the demo in the browser, and closes its page before it ends: a page that lost its demo
/// has errors to tell, which the next test would hear.
fn shown(words: &[&str], test: impl FnOnce(&mut Browser, &mut Watched)) {
    in_browser(|browser| {
        let mut demo = Watched::start(words);
        browser.open(&format!("http://{}/", demo.address));
        browser.wait_until(&format!("!!{STEP}"));
        test(browser, &mut demo);
        browser.close();
    });
}

/// Waits until this is so while the loop is stuck; asks for another run where it was not.
#[track_caller]
fn while_stuck(browser: &mut Browser, is_so: &str) {
    let seen = format!("({STATE} === 'stuck' && {is_so})");
    for _ in 0..ATTEMPTS {
        browser.wait_until(&format!("{seen} || {STEP} === 'over'"));
        if browser.eval(STEP) != json!("over") {
            return;
        }
        browser.press("r");
        browser.wait_until(&format!("{STEP} !== 'over'"));
    }
    panic!("never seen: {is_so}");
}

fn wait_for_the_end(browser: &mut Browser) {
    browser.wait_until(&format!("{STEP} === 'over'"));
}

#[track_caller]
fn assert_quiet(browser: &mut Browser, demo: &Watched) {
    assert_eq!(browser.console_errors(), [""; 0]);
    let page = format!("http://{}/", demo.address);
    let server = format!("{}/yours?", demo.state()["server"].as_str().unwrap());
    let known = |url: &&String| {
        [&page, &server, "data:"]
            .iter()
            .any(|known| url.starts_with(*known))
    };
    let elsewhere: Vec<_> = browser
        .requests()
        .iter()
        .filter(|url| !known(url))
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}

#[track_caller]
fn assert_contrast(browser: &mut Browser) {
    let worst = browser.eval(FAINTEST);
    assert!(worst[0].as_f64().unwrap() >= 4.5, "{worst}");
}

#[track_caller]
fn assert_fits(browser: &mut Browser) {
    let overhang = "document.documentElement.scrollWidth - innerWidth";
    assert_eq!(browser.eval(overhang), 0, "pixels of sideways scroll");
}

#[test]
fn the_file_is_small_and_asks_nobody_else() {
    let page = examples().join("blocking_vs_offloaded/page.html");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.len() <= 28 * 1024, "{} bytes", page.len());
    for word in NOT_IN_PAGES {
        assert!(!page.contains(word), "{word}");
    }
    let addresses = page.matches("://").count();
    assert_eq!(
        addresses,
        page.matches("http://www.w3.org/2000/svg").count()
    );
}

#[test]
fn the_page_of_the_run_is_pictured_in_both_themes() {
    // Asleep it needs no processor, which the browser takes.
    shown(&["--how=sleep"], |browser, demo| {
        // Light requests that wait for the loop, and the one that holds it.
        let waits = "document.querySelectorAll('#a-lane .c-wait').length >= 5";
        while_stuck(browser, waits);
        assert_eq!(
            browser.eval("document.querySelectorAll('#a-lane .c-loop').length"),
            2
        );
        assert!(text_of(browser, "a-n").starts_with("loop stuck "));
        if NAMES {
            let place = "document.getElementById('w-at').textContent.includes('heavy.rs:')";
            while_stuck(browser, &format!("{place} && {waits}"));
            assert_eq!(text_of(browser, "w-fn"), "heavy_sync_operation");
            assert!(text_of(browser, "w-say").starts_with("Called from task GET /bad-practice"));
        }
        assert_contrast(browser);
        browser.screenshot(&picture("demo-light"));
        wait_for_the_end(browser);
        browser.set_dark(true);
        browser.wait_until("document.documentElement.dataset.theme === 'dark'");
        assert_contrast(browser);
        browser.screenshot(&picture("demo-dark"));

        // What the program prints, on the page.
        let facts = demo.state()["facts"].clone();
        let rows = "[...document.querySelectorAll('#t-lat tbody tr')].map(r => \
                    [...r.cells].map(c => c.textContent.replace(/,/g, '')))";
        let table = browser.eval(rows);
        for (row, which) in [(0, "a"), (1, "b")] {
            for (cell, name) in [(1, "p50"), (2, "p90"), (3, "p99"), (4, "max")] {
                let number = facts[which][name].as_f64().unwrap();
                let shown: f64 = table[row][cell].as_str().unwrap().parse().unwrap();
                // A browser rounds halves up.
                assert!((shown - number).abs() < 0.051, "{number} in {table}");
            }
            assert_eq!(
                table[row][5],
                facts[which]["over_100ms"].to_string(),
                "{table}"
            );
        }
        let verdict = "[...document.querySelectorAll('#v-list li')].map(x => x.textContent)";
        let verdict = browser.eval(&format!("{verdict}.join(' ')"));
        assert_eq!(verdict, facts["verdict"]);
        let summary = "document.querySelector('#a-lane svg[role=img]').getAttribute('aria-label')";
        let summary = browser.text(summary);
        let waited = format!("{} of 20 light requests waited", facts["a"]["waited"]);
        assert!(summary.contains(&waited), "{summary}");
        assert!(text_of(browser, "polite").contains("B offloaded is over"));

        browser.set_viewport(320, 800);
        browser.wait_until("document.querySelector('#a-lane svg').clientWidth < 320");
        assert_fits(browser);
        browser.press("l");
        assert_fits(browser);
        assert_quiet(browser, demo);

        // It is told of the end, and asks no more.
        let last = demo.state()["facts"].clone();
        demo.press_enter();
        browser.wait_until(&format!("{STEP} === 'ended'"));
        let runs = "document.getElementById('b-run').getAttribute('aria-disabled')";
        assert_eq!(browser.eval(runs), "true");
        assert_eq!(browser.console_errors(), [""; 0]);
        demo.ends_after_reports(&last);
    });
}

#[test]
fn keys_do_what_the_buttons_of_the_demo_do() {
    shown(&["--how=sleep", "--heavy=3"], |browser, demo| {
        // One's own requests wait as all others do.
        browser.press("p");
        while_stuck(
            browser,
            "document.querySelectorAll('#y-lane .dot:not(.ok)').length >= 3",
        );
        browser.wait_until("document.querySelectorAll('#y-lane .dot.ok').length >= 20");
        wait_for_the_end(browser);
        browser.press("p");
        assert_eq!(
            browser.eval("document.getElementById('s-yours').checkVisibility()"),
            false
        );

        // B is over sooner: its own axis ends there.
        let ends = "[...document.querySelectorAll('#b-lane text')].some(x => x.textContent === \
                    '3,000')";
        assert_eq!(browser.eval(ends), true, "the same axis as A");
        browser.press("x");
        assert_eq!(browser.eval(ends), false, "an axis of its own");
        let workers = "[...document.querySelectorAll('#b-lane .c-job')].length";
        assert_eq!(browser.eval(workers), 6, "three requests on three workers");

        browser.press("v");
        let rows = "document.querySelectorAll('#a-twin tbody tr').length";
        assert_eq!(browser.eval(rows), 23);
        assert_eq!(
            browser.eval("document.getElementById('a-lane').checkVisibility()"),
            false
        );
        assert_contrast(browser);
        browser.press("v");

        browser.press("m");
        browser.wait_until("document.querySelectorAll('#box pre').length === 2");
        let texts = "[...document.querySelectorAll('#box pre')].map(x => x.textContent)";
        let texts = browser.eval(texts);
        assert!(
            texts[0].as_str().unwrap().contains("GET /bad-practice"),
            "{texts}"
        );
        assert!(
            texts[1].as_str().unwrap().contains("GET /good-practice"),
            "{texts}"
        );
        assert!(!texts.to_string().contains("/yours"), "{texts}");
        browser.eval("document.getElementById('b-close').click()");

        browser.eval("navigator.clipboard.writeText = async text => { window.copied = text; }");
        browser.press("c");
        browser.wait_until("!!window.copied");
        let copied = browser.text("window.copied");
        let lines: Vec<_> = copied.lines().collect();
        assert_eq!(lines[0], "ms\tp50\tp90\tp99\tmax\t>100 ms");
        assert!(lines[1].starts_with("A blocking\t") && lines[2].starts_with("B offloaded\t"));
        // A download in a headless browser leaves nothing to see: who is asked is seen.
        let asks = "document.getElementById('b-trace').addEventListener('click', e => { \
                    window.asked = !e.defaultPrevented; e.preventDefault(); })";
        browser.eval(asks);
        browser.press("j");
        assert_eq!(browser.eval("window.asked"), true);
        browser.press("t");
        browser.wait_until("document.documentElement.dataset.theme === 'dark'");
        let run = demo.state()["run"].as_u64().unwrap();
        browser.press("r");
        browser.wait_until(&format!("{STEP} === 'a'"));
        assert_eq!(demo.state()["run"], run + 1);
        assert_quiet(browser, demo);
    });
}

#[test]
fn the_demos_page_speaks_korean_and_need_not_move() {
    shown(&["--how=sleep"], |browser, demo| {
        browser.set_media("prefers-reduced-motion", "reduce");
        browser.eval(
            "window.drawn = 0; new MutationObserver(() => { window.drawn += 1; })\
             .observe(document.getElementById('b-lane'), { childList: true })",
        );
        browser.wait_until(&format!("{STEP} === 'b'"));
        wait_for_the_end(browser);
        let drawn = browser.eval("window.drawn").as_u64().unwrap();
        assert!(drawn <= 12, "{drawn} pictures in four seconds");
        let all = "[...document.querySelectorAll('[data-t],[data-w] span,#word,#plan,#w-h,\
                   #w-say,#v-h,#v-list,#f-say,#a-n,#b-n,tbody th')].map(x => x.textContent)";
        let english = browser.eval(all);
        browser.press("l");
        assert_eq!(browser.text("document.documentElement.lang"), "ko");
        let korean = browser.eval(all);
        let pairs = english
            .as_array()
            .unwrap()
            .iter()
            .zip(korean.as_array().unwrap());
        let is_same = |(a, b): &(&Value, &Value)| a == b;
        let same: Vec<_> = pairs.filter(is_same).collect();
        // A run that showed nothing says so in the program's words.
        let is_shown = demo.state()["facts"]["ok"] == true;
        assert!(!is_shown || same.is_empty(), "{same:?}");
        let reads = "document.querySelector('#a-lane svg').getAttribute('aria-label')";
        assert!(browser.text(reads).contains("가벼운 요청"));
        assert_fits(browser);
        browser.press("l");
        assert_eq!(browser.eval(all), english);
        assert_quiet(browser, demo);
    });
}
