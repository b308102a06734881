//! What is done with the page: freeze it, export one task, type on another keyboard; and what it
//! says when there is more than it shows, or nothing comes.

use serde_json::json;

use super::mock::Mock;
use super::{assert_quiet, frames, in_browser, open, text_of, wait_for_posts, wait_for_state};

const SLICES: &str = "document.querySelectorAll('#lanes .c-poll').length";

#[test]
fn a_frozen_page_keeps_its_lanes_and_exports_what_was_frozen() {
    in_browser(|browser| {
        let mock = Mock::new(frames::running());
        open(browser, &mock);
        browser.wait_until(&format!("{SLICES} > 10"));
        let drawn = browser.eval(SLICES);
        browser.press("f");
        wait_for_posts(&mock, &["freeze"]);
        // Half a minute later all of it would have been forgotten.
        let mut later = frames::freed();
        later["t"] = json!(later["t"].as_f64().unwrap() + 30_000.0);
        later["slices"] = json!([]);
        mock.show(later);
        browser.eval("new Promise(done => setTimeout(done, 300))");
        browser.eval("dispatchEvent(new Event('resize'))");
        assert_eq!(browser.eval(SLICES), drawn);
        let links =
            "[...document.querySelectorAll('#exp-list a')].map(a => a.getAttribute('href'))";
        let frozen = json!(["trace.json?frozen", "dump", "recording?frozen"]);
        assert_eq!(browser.eval(links), frozen);
        browser.press("f");
        wait_for_posts(&mock, &["freeze", "freeze?do=go"]);
        let live = json!(["trace.json", "dump", "recording"]);
        assert_eq!(browser.eval(links), live);
        browser.wait_until("document.getElementById('f-turn').textContent === '48,401'");
        assert_quiet(browser, &mock.url());
    });
}

#[test]
fn one_task_is_exported_by_keys() {
    in_browser(|browser| {
        let mock = Mock::new(frames::running());
        open(browser, &mock);
        let tools = "document.getElementById('d-btns').checkVisibility()";
        assert_eq!(browser.eval(tools), false);
        browser.press("d");
        browser.eval("document.querySelector('#t-body [data-task=\"90\"]').click()");
        browser.press("d");
        let said = "document.getElementById('d-say').textContent";
        browser.wait_until(&format!("{said} === 'dump of stacks&task=90'"));
        browser.eval("navigator.clipboard.writeText = async text => { window.copied = text; }");
        browser.press("m");
        browser.wait_until("(window.copied || '').startsWith('sequenceDiagram')");
        let asked = browser.requests().last().unwrap().clone();
        assert!(asked.ends_with("mermaid?last=10s&request=33"), "{asked}");
        browser.eval(
            "document.getElementById('b-trace').addEventListener('click', \
             e => { e.preventDefault(); window.trace = e.target.closest('a').href; })",
        );
        browser.press("j");
        browser.wait_until("(window.trace || '').endsWith('/trace.json?last=10s')");
        // A task that is at no request has no diagram.
        browser.eval("document.querySelector('#t-body [data-task=\"7\"]').click()");
        assert_eq!(browser.eval("document.getElementById('b-mm').hidden"), true);
        assert_eq!(browser.text(said), "", "that was of another");
        assert_quiet(browser, &mock.url());
    });
}

#[test]
fn the_life_of_a_task_is_no_countdown() {
    in_browser(|browser| {
        let mock = Mock::new(frames::running());
        open(browser, &mock);
        browser.eval("document.querySelector('#t-body [data-task=\"1\"]').click()");
        for left in (10..30).rev() {
            let mut frame = frames::running();
            frame["tasks"][0][3] = json!(format!("a timer, due in {left} ms"));
            mock.show(frame);
            let facts = "document.getElementById('d-kv').textContent";
            browser.wait_until(&format!("{facts}.includes('due in {left} ms')"));
        }
        let life = "document.getElementById('d-life').rows.length";
        assert!(
            browser.eval(life).as_u64() <= Some(2),
            "{}",
            text_of(browser, "d-life")
        );
    });
}

#[test]
fn what_is_not_shown_is_counted() {
    in_browser(|browser| {
        let mock = Mock::new(frames::crowded());
        open(browser, &mock);
        for (id, words) in [
            ("t-n", "507, 2 running or ready, 501 more not shown"),
            ("o-n", "75 fds watched, 70 more not shown"),
            (
                "w-n",
                "77 of 100 busy, 0 queued, 40 done, 36 more not shown",
            ),
            ("l-n", "352"),
        ] {
            assert_eq!(text_of(browser, id), words, "{id}");
        }
        assert!(text_of(browser, "s-n").starts_with("1,234 in "));
        // One that is not among those shown has not ended.
        browser.eval("document.querySelector('#t-body [data-task=\"17\"]').click()");
        let mut frame = frames::crowded();
        frame["tasks"]
            .as_array_mut()
            .unwrap()
            .retain(|task| task[0] != 17);
        mock.show(frame.clone());
        let title = "document.getElementById('d-h').textContent";
        browser.wait_until(&format!("{title} === '#17 lost   It is not shown.'"));
        frame["tasks_more"] = json!(0);
        mock.show(frame);
        browser.wait_until(&format!("{title} === '#17 lost   It has ended.'"));
        assert_quiet(browser, &mock.url());
    });
}

/// As a fifth page is.
#[test]
fn a_page_that_is_refused_says_so_and_asks_again() {
    in_browser(|browser| {
        let mock = Mock::new(frames::running());
        mock.refuse(true);
        browser.open(&mock.url());
        let said = "document.getElementById('say-1').textContent";
        browser.wait_until(&format!(
            "{said} === 'No stream. Do four pages look already?'"
        ));
        // Not at once and for ever.
        let asked = browser
            .requests()
            .iter()
            .filter(|url| url.ends_with("/events"));
        assert!((1..=3).contains(&asked.count()));
        mock.refuse(false);
        wait_for_state(browser, "running");
        assert_eq!(browser.eval("document.getElementById('say').hidden"), true);
    });
}

#[test]
fn keys_are_known_by_their_place_on_a_hangul_keyboard() {
    in_browser(|browser| {
        let mock = Mock::new(frames::running());
        open(browser, &mock);
        let press = |key: &str, code: &str| {
            format!("dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}', code: '{code}'}}))")
        };
        browser.eval(&press("\u{3139}", "KeyF"));
        wait_for_posts(&mock, &["freeze"]);
        browser.eval(&press("Process", "KeyF"));
        wait_for_posts(&mock, &["freeze", "freeze?do=go"]);
        // By its letter, where that is Latin: this is Dvorak's u.
        browser.eval(&press("u", "KeyF"));
        browser.eval(&press("f", "KeyY"));
        wait_for_posts(&mock, &["freeze", "freeze?do=go", "freeze"]);
    });
}
