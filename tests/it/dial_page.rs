//! The live page in a real browser, against a mock of the dial. Skipped, with a message, where no
//! browser is installed. What it looks like is left in `target/dial/*.png` for a person to see.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::browser::{self, Browser};

mod frames;
mod mock;
mod offline;
mod states;
mod tools;

use mock::{Mock, PAGE};

/// What would take a stranger's words for more than words; and a sign that nobody here uses.
pub(crate) const NOT_IN_PAGES: [&str; 5] = [
    "innerHTML",
    "insertAdjacent",
    "document.write",
    "eval(",
    "\u{2014}",
];

/// Runs a test in one of two browsers, which tests that overlap share; they take turns.
pub(crate) fn in_browser(test: impl FnOnce(&mut Browser)) {
    static SHARED: [Shared; 2] = [const { Mutex::new(Weak::new()) }; 2];
    let Some(name) = browser::find() else {
        return;
    };
    for shared in &SHARED {
        let browser = running(shared, name);
        if let Ok(mut held) = browser.try_lock() {
            test(&mut held);
            return held.close();
        }
    }
    let browser = running(&SHARED[0], name);
    let mut held = browser.lock().unwrap_or_else(|broken| broken.into_inner());
    test(&mut held);
    held.close();
}

/// A browser, while anybody uses it.
type Shared = Mutex<Weak<Mutex<Browser>>>;

fn running(shared: &Shared, name: &'static str) -> Arc<Mutex<Browser>> {
    let mut shared = shared.lock().unwrap();
    let running = shared.upgrade();
    running.unwrap_or_else(|| {
        let browser = Arc::new(Mutex::new(Browser::start(name)));
        *shared = Arc::downgrade(&browser);
        browser
    })
}

pub(crate) fn picture(name: &str) -> PathBuf {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    target.with_file_name("dial").join(format!("{name}.png"))
}

/// Opens the page of a mock and waits for its first frame.
fn open(browser: &mut Browser, mock: &Mock) {
    browser.open(&mock.url());
    browser.wait_until("!!document.documentElement.dataset.state");
}

fn wait_for_state(browser: &mut Browser, state: &str) {
    browser.wait_until(&format!(
        "document.documentElement.dataset.state === '{state}'"
    ));
}

fn text_of(browser: &mut Browser, id: &str) -> String {
    browser.text(&format!("document.getElementById('{id}').textContent"))
}

#[track_caller]
fn wait_for_posts(mock: &Mock, posts: &[&str]) {
    let began = Instant::now();
    while mock.posts() != posts {
        let late = began.elapsed() > Duration::from_secs(10);
        assert!(!late, "{:?} instead of {posts:?}", mock.posts());
        thread::sleep(Duration::from_millis(5));
    }
}

#[track_caller]
fn assert_quiet(browser: &mut Browser, own: &str) {
    assert_eq!(browser.console_errors(), [""; 0]);
    let elsewhere = |url: &&String| !url.starts_with(own) && !url.starts_with("data:");
    let elsewhere: Vec<_> = browser.requests().iter().filter(elsewhere).collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}

const FAINTEST: &str = include_str!("dial_page/contrast.js");

#[track_caller]
fn assert_contrast(browser: &mut Browser) {
    let worst = browser.eval(FAINTEST);
    assert!(worst[0].as_f64().unwrap() >= 4.5, "{worst}");
}

#[test]
fn the_file_is_small_and_asks_nobody_else() {
    assert!(PAGE.len() <= 60 * 1024, "{} bytes", PAGE.len());
    for word in NOT_IN_PAGES {
        assert!(!PAGE.contains(word), "{word}");
    }
    let addresses: Vec<_> = PAGE.match_indices("://").collect();
    let known = ["http://www.w3.org/2000/svg", "https://ui.perfetto.dev"];
    let known: usize = known.iter().map(|url| PAGE.matches(url).count()).sum();
    assert_eq!(addresses.len(), known, "an address that nobody knows");
}

/// Each word has its Korean, with the same places to fill in.
#[test]
fn the_table_of_words_is_whole() {
    let (_, table) = PAGE.split_once("T=Object.fromEntries(`").unwrap();
    let (table, _) = table.split_once('`').unwrap();
    assert_eq!(wordless(table), Vec::<&str>::new());
    assert_eq!(wordless("a|one {0}"), ["a|one {0}"]);
    assert_eq!(
        wordless("a|one {0}|\u{d558}\u{b098}"),
        ["a|one {0}|\u{d558}\u{b098}"]
    );
    assert_eq!(wordless("a|x|y\na|x|y"), ["a|x|y"]);
}

fn wordless(table: &str) -> Vec<&str> {
    let mut keys = std::collections::BTreeSet::new();
    let mut is_good = |row: &str| {
        let parts: Vec<&str> = row.split('|').collect();
        let [key, english, korean] = parts[..] else {
            return false;
        };
        let places = |text: &str| {
            let mut places: Vec<String> = (0..9).map(|n| format!("{{{n}}}")).collect();
            places.retain(|place| text.contains(place));
            places
        };
        keys.insert(key.to_owned()) && places(english) == places(korean) && !korean.is_empty()
    };
    table.lines().filter(|row| !is_good(row)).collect()
}

#[test]
fn a_running_loop_is_drawn_in_both_themes() {
    in_browser(|browser| {
        let mock = Mock::new(frames::running());
        open(browser, &mock);
        wait_for_state(browser, "running");
        for (id, text) in [
            ("word", "RUNNING"),
            ("f-turn", "48,400"),
            ("f-busy", "31%"),
            ("f-long", "1.9 ms #7 ticker"),
            ("f-p99", "400 \u{b5}s"),
            ("q-in", "1,204"),
            ("o-accept", "0 / 1,024"),
        ] {
            assert_eq!(text_of(browser, id), text, "{id}");
        }
        assert!(text_of(browser, "foot").starts_with("lost events 0 "));
        let rows = "[...document.querySelectorAll('#t-body tr')].map(r => r.cells[0].textContent)";
        // Ready before idle, then by number.
        let order = json!(["#7", "#91", "#1", "#12", "#17", "#90"]);
        assert_eq!(browser.eval(rows), order);
        assert_eq!(text_of(browser, "l-ready"), "#91 GET /ping#7 ticker");
        let lanes = browser.eval("document.querySelectorAll('#lanes .c-job').length");
        assert_eq!(lanes, 2, "a job that ended, and one that runs");
        assert_contrast(browser);
        browser.screenshot(&picture("running-light"));
        let paper = "getComputedStyle(document.querySelector('section')).backgroundColor";
        let light = browser.text(paper);
        browser.set_dark(true);
        browser.wait_until("document.documentElement.dataset.theme === 'dark'");
        assert_ne!(browser.text(paper), light);
        assert_contrast(browser);
        browser.wait_until(&format!("{paper} === 'rgb(20, 23, 26)'"));
        browser.screenshot(&picture("running-dark"));
        assert_quiet(browser, &mock.url());
    });
}

#[test]
fn many_slices_are_drawn_on_a_canvas() {
    in_browser(|browser| {
        let mut frame = frames::running();
        let now = frame["t"].as_f64().unwrap();
        let many = (0..600).map(|n| {
            let at = now - 4000.0 + f64::from(n) * 6.0;
            json!(["loop", at, 2.0, "poll", 7, "ticker"])
        });
        frame["slices"] = many.collect();
        let mock = Mock::new(frame);
        open(browser, &mock);
        browser.wait_until("!!document.querySelector('#lanes canvas[role=img]')");
        let summary = "document.querySelector('#lanes canvas').getAttribute('aria-label')";
        assert!(browser.text(summary).contains("600 polls"));
        assert_quiet(browser, &mock.url());
    });
}

#[test]
fn every_picture_has_its_text() {
    in_browser(|browser| {
        let mock = Mock::new(frames::running());
        open(browser, &mock);
        let unnamed = "[...document.querySelectorAll('main svg,main canvas')].filter(x => \
                       x.getAttribute('role') !== 'img' || !x.getAttribute('aria-label')).length";
        assert_eq!(browser.eval(unnamed), 0);
        let phases = "document.querySelectorAll('#phases li').length";
        assert_eq!(browser.eval(phases), 5, "the wheel in words");
        let now = "document.querySelector('#phases [aria-current]').textContent";
        assert!(browser.text(now).contains("wait for the OS"));
        assert_eq!(
            browser.eval("document.getElementById('lanes-t').hidden"),
            true
        );
        browser.eval("document.querySelector('[data-v=table]').click()");
        assert_eq!(
            browser.eval("document.getElementById('lanes').hidden"),
            true
        );
        let first = "[...document.querySelector('#v-body tr').cells].map(c => c.textContent)";
        let row = browser.eval(first);
        assert_eq!(row[0], "48,399");
        assert!(row[7].as_str().unwrap().contains('#'), "what ran: {row}");
        // Whoever wants nothing to move has it from the start.
        open(browser, &mock);
        browser.set_media("prefers-reduced-motion", "reduce");
        browser.wait_until("!document.getElementById('lanes-t').hidden");
        let names = "[...document.querySelectorAll('button,input:not([type=file])')]\
            .filter(x => x.checkVisibility() && !x.textContent.trim() && !x.closest('label') \
            && !x.getAttribute('aria-label')).length";
        assert_eq!(browser.eval(names), 0, "controls without a name");
    });
}

#[test]
fn keys_do_what_the_buttons_do() {
    in_browser(|browser| {
        let mock = Mock::new(frames::running());
        open(browser, &mock);
        browser.press("/");
        assert_eq!(browser.text("document.activeElement.id"), "filter");
        for key in ["c", "o", "n", "n"] {
            browser.press(key);
        }
        browser.wait_until("document.querySelectorAll('#t-body tr').length === 1");
        browser.press("Escape");
        browser.wait_until("document.querySelectorAll('#t-body tr').length === 6");
        browser.press("ArrowDown");
        browser.press("ArrowDown");
        assert_eq!(browser.text("document.activeElement.textContent"), "#91");
        browser.press("Enter");
        browser.wait_until("!document.getElementById('p-task').hidden");
        assert!(text_of(browser, "d-h").starts_with("#91 GET /ping"));
        browser.press("Escape");
        assert_eq!(
            browser.eval("document.getElementById('p-task').hidden"),
            true
        );
        assert_eq!(browser.text("document.activeElement.textContent"), "#91");
        browser.press("f");
        mock.show(frames::freed());
        let sent = "performance.now()";
        let began = browser.eval(sent).as_f64().unwrap();
        browser.wait_until(&format!("{sent} > {began} + 300"));
        assert_eq!(text_of(browser, "f-turn"), "48,400", "frozen");
        browser.press("f");
        browser.wait_until("document.getElementById('f-turn').textContent === '48,401'");
        for (key, shown) in [("e", "exports"), ("?", "help")] {
            browser.press(key);
            let seen = format!("document.getElementById('{shown}').checkVisibility()");
            browser.wait_until(&seen);
            browser.eval("document.getElementById('box').close()");
        }
        browser.press("t");
        browser.wait_until("document.documentElement.dataset.theme === 'dark'");
        browser.press("l");
        browser.wait_until("document.documentElement.lang === 'ko'");
        assert_eq!(text_of(browser, "word"), "실행 중");
        assert_eq!(text_of(browser, "h-tasks"), "태스크");
        browser.screenshot(&picture("running-korean"));
        browser.press("l");
        assert_eq!(text_of(browser, "word"), "RUNNING");
        assert_quiet(browser, &mock.url());
    });
}

#[test]
fn every_word_has_its_korean() {
    in_browser(|browser| {
        let mock = Mock::new(frames::stuck());
        open(browser, &mock);
        let all =
            "[...document.querySelectorAll('[data-t],[data-w] span')].map(x => x.textContent)";
        let english = browser.eval(all);
        browser.press("l");
        let korean = browser.eval(all);
        // Words that are written alike: names of the crate's and of Debian's.
        let pairs = english
            .as_array()
            .unwrap()
            .iter()
            .zip(korean.as_array().unwrap());
        let same: Vec<&Value> = pairs.filter(|(a, b)| a == b).map(|(a, _)| a).collect();
        assert!(same.is_empty(), "{same:?}");
    });
}

#[test]
fn strangers_words_stay_words() {
    in_browser(|browser| {
        let mock = Mock::new(frames::hostile(frames::stuck()));
        open(browser, &mock);
        for frame in [frames::stuck(), frames::paused(), frames::running()] {
            let state = frame["state"].as_str().unwrap().to_owned();
            mock.show(frames::hostile(frame));
            wait_for_state(browser, &state);
            browser.eval("document.querySelector('[data-task=\"102\"]').click()");
            browser.eval("document.querySelectorAll('details').forEach(d => { d.open = true; })");
            assert_eq!(browser.eval("document.querySelectorAll('img').length"), 0);
            assert_eq!(browser.eval("document.scripts.length"), 2);
            assert_eq!(browser.eval("window.hurt === undefined"), true);
            let raw = "/[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u2028-\\u202e]/";
            let raw = format!("{raw}.test(document.querySelector('main').textContent)");
            assert_eq!(browser.eval(&raw), false, "control characters");
            let name = "document.getElementById('t-body').textContent.includes('<img src=x')";
            assert_eq!(browser.eval(name), true, "shown as it is");
            let wide = "document.documentElement.scrollWidth <= innerWidth";
            assert_eq!(browser.eval(wide), true, "{state}");
        }
        assert_quiet(browser, &mock.url());
    });
}
