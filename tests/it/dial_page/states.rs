//! Stuck, paused, silent, hidden, narrow: what is shown, and what is sent.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::mock::Mock;
use super::{
    assert_contrast, assert_quiet, frames, in_browser, open, picture, text_of, wait_for_posts,
    wait_for_state,
};

#[test]
fn a_stuck_loop_names_the_function_and_the_line() {
    in_browser(|browser| {
        let mock = Mock::new(frames::running());
        open(browser, &mock);
        assert_eq!(text_of(browser, "live"), "");
        mock.show(frames::stuck());
        wait_for_state(browser, "stuck");
        // Not fibonacci: that is std's, and it is the caller who is asked to move.
        assert_eq!(text_of(browser, "k-fn"), "heavy_sync_operation");
        assert_eq!(text_of(browser, "k-at"), "examples/blocked.rs:41");
        assert_eq!(text_of(browser, "k-verdict"), "on CPU (736 ms of 740 ms)");
        assert_eq!(text_of(browser, "k-task"), "#88 GET /bad-practice");
        assert!(text_of(browser, "k-same").starts_with("same place in 3 of 3 samples"));
        assert!(text_of(browser, "k-try").contains("spawn_blocking"));
        let waiting = text_of(browser, "k-wait");
        for who in [
            "#91 GET /ping",
            "4 timers700 ms late",
            "2 posts",
            "4 connections",
        ] {
            assert!(waiting.contains(who), "{who} in {waiting}");
        }
        assert_eq!(text_of(browser, "since"), "740 ms and counting");
        let said = "Loop stuck in heavy_sync_operation, examples/blocked.rs line 41";
        assert_eq!(text_of(browser, "live"), said);
        let live = "document.getElementById('live').getAttribute('aria-live')";
        assert_eq!(browser.text(live), "assertive");
        let begins = "document.getElementById('k-stack').rows[0].textContent";
        assert!(browser.text(begins).contains("heavy_sync_operation"));
        browser.press("s");
        browser.wait_until("document.getElementById('k-stack').rows.length === 6");
        assert!(browser.text(begins).contains("fibonacci"));
        assert_eq!(text_of(browser, "k-report"), frames::REPORT);
        browser.press("s");
        assert_contrast(browser);
        browser.screenshot(&picture("stuck-light"));
        browser.set_dark(true);
        browser.wait_until("document.documentElement.dataset.theme === 'dark'");
        assert_contrast(browser);
        browser.screenshot(&picture("stuck-dark"));
        mock.show(frames::freed());
        wait_for_state(browser, "running");
        assert_eq!(text_of(browser, "live"), "The loop runs again after 1.00 s");
        assert_eq!(
            browser.eval("document.getElementById('stuck').hidden"),
            true
        );
        assert_quiet(browser, &mock.url());
    });
}

#[test]
fn the_gate_is_worked_by_keys_and_buttons() {
    in_browser(|browser| {
        let mock = Mock::new(frames::running());
        open(browser, &mock);
        browser.press(" ");
        wait_for_posts(&mock, &["gate?do=pause"]);
        mock.show(frames::paused());
        wait_for_state(browser, "paused");
        assert_eq!(text_of(browser, "since"), "before turn 48,400");
        let next = text_of(browser, "z-next");
        assert!(next.contains("1 due, worst 2.31 s late"), "{next}");
        assert!(next.contains("#91 GET /ping, #7 ticker"), "{next}");
        assert_eq!(text_of(browser, "z-h"), "What happened in turn 48,399");
        assert!(text_of(browser, "z-lines").contains("33        let n = stream"));
        assert_contrast(browser);
        browser.screenshot(&picture("paused-light"));
        let guess = "[...document.querySelectorAll('#z-opts label')]\
                     .find(x => x.textContent === '#7 ticker').click()";
        browser.eval(guess);
        browser.press(".");
        mock.show(frames::stepped());
        browser.wait_until("document.getElementById('f-turn').textContent === '48,401'");
        assert_eq!(
            text_of(browser, "z-ans"),
            "Right: #7 ticker. 1 of 1 so far."
        );
        assert_eq!(text_of(browser, "z-h"), "What happened in turn 48,400");
        assert!(text_of(browser, "z-last").contains("poll #7 ticker"));
        browser.press("b");
        assert_eq!(text_of(browser, "z-h"), "What happened in turn 48,399");
        browser.press("[");
        browser.press("[");
        browser.press("]");
        browser.eval("document.getElementById('b-step').click()");
        browser.eval("document.activeElement.blur()");
        browser.press(" ");
        wait_for_posts(
            &mock,
            &[
                "gate?do=pause",
                "gate?do=step",
                "gate?do=slow&ms=10",
                "gate?do=slow&ms=20",
                "gate?do=slow&ms=10",
                "gate?do=step",
                "gate?do=go",
            ],
        );
        assert_quiet(browser, &mock.url());
    });
}

#[test]
fn a_gate_that_is_not_allowed_is_not_shown() {
    in_browser(|browser| {
        let mut frame = frames::running();
        frame["gate"]["allowed"] = json!(false);
        let mock = Mock::new(frame);
        open(browser, &mock);
        let seen = "document.getElementById('b-pause').checkVisibility()";
        assert_eq!(browser.eval(seen), false);
        for key in [" ", ".", "[", "]"] {
            browser.press(key);
        }
        // What these had sent would be there before an answer to this.
        browser.eval("fetch('gate?do=last', {method: 'POST'}).then(() => 1)");
        assert_eq!(mock.posts(), ["!gate?do=last"]);
    });
}

#[test]
fn silence_is_told_from_sleep() {
    in_browser(|browser| {
        let mock = Mock::new(frames::running());
        open(browser, &mock);
        mock.fall_silent();
        wait_for_state(browser, "silent");
        assert!(text_of(browser, "word").starts_with("NO FRAME FOR "));
        assert_eq!(text_of(browser, "say-1"), "The program does not answer.");
        let mut frame = frames::running();
        frame["same_loop"] = json!(true);
        mock.show(frame);
        wait_for_state(browser, "running");
        assert_eq!(browser.eval("document.getElementById('say').hidden"), true);
        mock.fall_silent();
        wait_for_state(browser, "silent");
        assert!(text_of(browser, "say-1").ends_with("That is the lesson."));
        assert_contrast(browser);
        browser.screenshot(&picture("same-loop-light"));
        assert_quiet(browser, &mock.url());
    });
}

#[test]
fn a_hidden_page_hangs_up_and_calls_again() {
    in_browser(|browser| {
        let mock = Mock::new(frames::running());
        open(browser, &mock);
        assert_eq!(mock.streams(), 1);
        // 30 s become none.
        browser.eval(
            "const real = setTimeout; \
             window.setTimeout = (f, ms) => real(f, ms === 30000 ? 0 : ms); \
             window.hide = on => { \
               Object.defineProperty(document, 'hidden', {value: on, configurable: true}); \
               document.dispatchEvent(new Event('visibilitychange')); }; \
             hide(true)",
        );
        let began = Instant::now();
        while mock.streams() != 0 {
            assert!(
                began.elapsed() < Duration::from_secs(10),
                "it never hangs up"
            );
            thread::sleep(Duration::from_millis(5));
        }
        browser.eval("hide(false)");
        // Whoever holds the loop stays: else the dial would let it go.
        mock.show(frames::paused());
        wait_for_state(browser, "paused");
        browser.eval("hide(true)");
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(500) {
            assert_eq!(mock.streams(), 1, "it hung up");
            thread::sleep(Duration::from_millis(5));
        }
        browser.eval("hide(false)");
        mock.show(frames::freed());
        browser.wait_until("document.getElementById('f-turn').textContent === '48,401'");
        assert_eq!(mock.streams(), 1);
        assert_quiet(browser, &mock.url());
    });
}

#[test]
fn one_task_is_told_from_its_birth() {
    in_browser(|browser| {
        let mock = Mock::new(frames::running());
        open(browser, &mock);
        browser.eval("document.querySelector('#t-body [data-task=\"90\"]').click()");
        assert!(text_of(browser, "d-h").starts_with("#90 GET /good-practice"));
        let facts = text_of(browser, "d-kv");
        assert!(facts.contains("src/server/accept.rs:88"), "{facts}");
        assert!(facts.contains("job 41 on worker-2"), "{facts}");
        assert!(facts.contains("parent#12 conn 12"), "{facts}");
        assert!(facts.contains("woken by#7 ticker"), "{facts}");
        browser.wait_until("document.querySelectorAll('#d-lane .c-job').length === 1");
        assert_contrast(browser);
        browser.screenshot(&picture("task-light"));
        // The diagram is then of this task's request.
        browser.press("e");
        let button = "[...document.querySelectorAll('#exp-list button')]\
                      .find(x => x.textContent.includes('Mermaid')).click()";
        browser.eval(button);
        browser.wait_until("!!document.getElementById('exp-say').textContent");
        let asked = browser.requests().last().unwrap().clone();
        assert!(asked.ends_with("mermaid?last=10s&request=33"), "{asked}");
        assert_quiet(browser, &mock.url());
    });
}

/// What reaches out of the window.
const BEYOND: &str = "[...document.querySelectorAll('body *')]\
    .filter(x => x.getBoundingClientRect().right > innerWidth && !x.closest('.scroll'))\
    .map(x => x.tagName + '#' + x.id + '.' + x.className).join(' ')";

#[test]
fn a_narrow_page_does_not_scroll_sideways() {
    in_browser(|browser| {
        let mock = Mock::new(frames::running());
        open(browser, &mock);
        browser.set_viewport(320, 640);
        for language in ["en", "ko"] {
            for frame in [frames::running(), frames::stuck(), frames::paused()] {
                let state = frame["state"].as_str().unwrap().to_owned();
                for frame in [frame.clone(), frames::hostile(frame)] {
                    mock.show(frame);
                    wait_for_state(browser, &state);
                    browser.eval("document.querySelector('#t-body [data-task=\"91\"]').click()");
                    let wide = "document.documentElement.scrollWidth";
                    let wide = browser.eval(wide).as_u64().unwrap();
                    let beyond = browser.text(BEYOND);
                    assert!(wide <= 320, "{state} in {language}: {wide} {beyond}");
                    browser.press("Escape");
                }
            }
            let name = if language == "en" {
                "narrow"
            } else {
                "narrow-korean"
            };
            mock.show(frames::stuck());
            wait_for_state(browser, "stuck");
            browser.eval("scrollTo(0, 0)");
            browser.screenshot(&picture(name));
            browser.press("l");
        }
        assert_quiet(browser, &mock.url());
    });
}
