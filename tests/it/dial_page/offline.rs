//! A saved recording is opened, and a page that holds one is made.

use std::fs;

use serde_json::{Value, json};

use super::mock::{Mock, PAGE};
use super::{assert_quiet, frames, in_browser, open, picture, text_of, wait_for_state};
use crate::support::Folder;

const MS: u64 = 1_000_000;

/// An event in the form of `src/export/saved.rs`.
fn event(at_ms: u64, kind: u64, small: u64, task: u64, a: u64, b: (u64, u64)) -> Value {
    let at = at_ms * MS;
    let halves = |word: u64| (word >> 32, word & 0xffff_ffff);
    let ((at_high, at_low), (a_high, a_low)) = (halves(at), halves(a));
    json!([
        at_high,
        at_low,
        kind << 24 | small,
        task,
        a_high,
        a_low,
        b.0,
        b.1
    ])
}

/// Five seconds: a ticker, a job on a worker from 500 to 1100, and a second from 2000 to 3000 in
/// which task 3 holds the loop.
fn recording() -> String {
    let names = [
        "",
        "ticker",
        "src/main.rs:30",
        "GET <b>/bad</b>",
        "src/main.rs:40",
        "heavy",
    ];
    let name = |n: u64, place: u64| n << 32 | place;
    let mut events = vec![
        event(0, 3, 0, 2, name(1, 2), (1, 64)),
        event(1, 11, 1, 0, 0, (5, 0)),
        event(400, 17, 0, 2, name(5, 4), (1, 0)),
        event(500, 18, 1, 2, 600 * MS, (1, 80)),
        event(1990, 3, 0, 3, name(3, 4), (1, 64)),
        event(1990, 21, 0, 3, 3 << 32, (33, 1)),
    ];
    for n in 0..50_u64 {
        let at = n * 100;
        if (2000..3000).contains(&at) {
            continue;
        }
        let took = if at == 1900 { 1200 } else { 2 };
        events.push(event(at, 1, 0, 0, took * MS, (1 << 16, 1 << 16)));
        events.push(event(at, 4, 0, 2, MS, (n + 1, 1)));
    }
    events.push(event(2000, 4, 0, 3, 1000 * MS, (1, 1 << 8)));
    events.push(event(3001, 7, 0, 3, 1000 * MS, (1, 0)));
    events.push(event(3002, 22, 200, 3, 2, (33, 0)));
    let stall = json!({
        "id": 1, "at": 2000 * MS, "took": 1000 * MS, "task": 3, "label": names[3],
        "place": names[4], "poll": 1, "verdict": "cpu", "same": [3, 3], "report": frames::REPORT,
        "stack": [["heavy_sync_operation", "examples/blocked.rs", 41, "yours"]],
    });
    json!({
        "tourbillon": 1, "began": [1_700_000_000, 0], "until": 5000 * MS, "level": "lean",
        "backend": "epoll", "names": names, "workers": ["worker-1"], "gaps": [],
        "stalls": [stall], "events": events,
    })
    .to_string()
}

/// What the page must show of it, wherever it came from.
fn is_replayed(browser: &mut crate::support::browser::Browser) {
    browser.wait_until("!document.getElementById('replay').hidden");
    // It opens where it matters.
    wait_for_state(browser, "stuck");
    assert_eq!(text_of(browser, "k-fn"), "heavy_sync_operation");
    assert_eq!(text_of(browser, "k-at"), "examples/blocked.rs:41");
    assert_eq!(text_of(browser, "k-task"), "#3 GET <b>/bad</b>");
    let seek = |browser: &mut crate::support::browser::Browser, ms: u32| {
        browser.eval(&format!(
            "{{ const x = document.getElementById('rp'); x.value = {ms}; \
             x.dispatchEvent(new Event('input')); }}"
        ));
    };
    seek(browser, 800);
    wait_for_state(browser, "running");
    let tasks = "document.getElementById('t-body').textContent";
    assert!(
        browser
            .text(tasks)
            .contains("#2runningrunning".trim_end_matches("running"))
    );
    let worker = text_of(browser, "w-list");
    assert!(worker.contains("job 1 heavy"), "{worker}");
    assert_eq!(text_of(browser, "s-n"), "none");
    seek(browser, 4050);
    wait_for_state(browser, "asleep");
    assert!(!browser.text(tasks).contains("#3"), "it has ended");
    assert!(text_of(browser, "s-list").contains("1.00 s"));
    assert!(
        browser
            .eval("document.querySelectorAll('#lanes .c-stuck').length")
            .as_u64()
            > Some(0)
    );
    browser.press(".");
    browser.wait_until("document.getElementById('rp').value === '4100'");
    browser.press(" ");
    browser.wait_until("+document.getElementById('rp').value > 4150");
    browser.press(" ");
    seek(browser, 2500);
    wait_for_state(browser, "stuck");
    assert_eq!(
        browser.eval("document.querySelectorAll('#t-body b').length"),
        0
    );
}

#[test]
fn a_recording_is_dropped_onto_the_page() {
    in_browser(|browser| {
        let mock = Mock::new(frames::running());
        open(browser, &mock);
        let text = json!(recording());
        browser.eval(&format!(
            "{{ const data = new DataTransfer(); data.items.add(new File([{text}], 'r.json')); \
             document.body.dispatchEvent(new DragEvent('drop', \
               {{dataTransfer: data, bubbles: true, cancelable: true}})); }}"
        ));
        is_replayed(browser);
        browser.screenshot(&picture("replay-light"));
        let seen = "document.getElementById('slow').checkVisibility()";
        assert_eq!(browser.eval(seen), false, "there is nothing to slow down");
        assert_quiet(browser, &mock.url());
    });
}

#[test]
fn a_page_with_a_recording_inside_needs_no_server() {
    in_browser(|browser| {
        let mock = Mock::new(frames::running());
        mock.keep(&recording());
        open(browser, &mock);
        // "export page", with the file caught on its way to the disk.
        browser.eval(
            "{ window.made = []; URL.createObjectURL = blob => { made.push(blob); return '#'; }; \
             HTMLAnchorElement.prototype.click = () => {}; }",
        );
        browser.press("e");
        let button = "[...document.querySelectorAll('#exp-list button')]\
                      .find(x => x.textContent.startsWith('this page')).click()";
        browser.eval(button);
        browser.wait_until("made.length === 1");
        let page = browser.text("made[0].text()");
        assert!(page.starts_with("<!doctype html>"), "{}", &page[..99]);
        assert!(!page.contains("<b>/bad</b>"), "a recording is no markup");
        let folder = Folder::new();
        let path = folder.path("page.html");
        fs::write(&path, page).unwrap();
        let url = format!("file://{}", path.display());
        browser.open(&url);
        is_replayed(browser);
        assert_quiet(browser, &url);
    });
}

#[test]
fn what_is_no_recording_is_said_to_be_none() {
    in_browser(|browser| {
        let folder = Folder::new();
        let path = folder.path("page.html");
        let later = recording().replace("\"tourbillon\":1", "\"tourbillon\":2");
        assert_ne!(later, recording());
        for text in ["{", "{}", "[1,2]", "null", "\"text\"", &later] {
            let empty = "<script type=\"application/json\" id=\"recording\">";
            assert_eq!(PAGE.matches(empty).count(), 1);
            fs::write(&path, PAGE.replace(empty, &format!("{empty}{text}"))).unwrap();
            browser.open(&format!("file://{}", path.display()));
            let said = "document.getElementById('say-1').textContent";
            browser.wait_until(&format!("{said} === 'This file holds no recording.'"));
            assert_eq!(browser.console_errors(), [""; 0]);
        }
    });
}

#[test]
fn perfetto_gets_the_trace_after_its_pong() {
    in_browser(|browser| {
        let mock = Mock::new(frames::running());
        open(browser, &mock);
        browser.eval(
            "{ window.sent = []; window.frame = document.createElement('iframe'); \
             window.open = url => { sent.push(url); return window; }; \
             window.postMessage = (data, to) => { sent.push([data.perfetto ? \
               [data.perfetto.title, data.perfetto.buffer.byteLength] : data, to]); }; }",
        );
        browser.press("e");
        let button = "[...document.querySelectorAll('#exp-list button')]\
                      .find(x => x.textContent.includes('Perfetto')).click()";
        browser.eval(button);
        browser.wait_until("sent.length >= 3");
        let perfetto = "https://ui.perfetto.dev";
        assert_eq!(browser.eval("sent[0]"), perfetto);
        assert_eq!(browser.eval("sent[1]"), json!(["PING", perfetto]));
        // A pong of somebody else's is none.
        for origin in ["https://example.org", perfetto] {
            let before = browser.eval("sent.filter(x => x[0] !== 'PING').length");
            assert_eq!(before, 1);
            browser.eval(&format!(
                "dispatchEvent(new MessageEvent('message', \
                 {{data: 'PONG', origin: '{origin}', source: window}}))"
            ));
        }
        let trace = json!([["tourbillon", 18], perfetto]);
        assert_eq!(browser.eval("sent[sent.length - 1]"), trace);
        assert_quiet(browser, &mock.url());
    });
}
