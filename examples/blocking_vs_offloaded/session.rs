//! `--watch`: runs, as often as somebody on the page asks for one, until Enter.

use std::io;
use std::sync::Arc;
use std::thread;

use super::client::Client;
use super::feed::{Feed, Outcome};
use super::page::Page;
use super::runs::{self, Both};
use super::terminal::Progress;
use super::verdict::Verdict;
use super::{Demo, Fault, json};

/// Returns whether the last run showed what it is there to show.
pub(super) fn hold(
    demo: &Demo,
    client: &Client,
    feed: &Arc<Feed>,
    progress: Progress,
) -> Result<bool, Fault> {
    progress.say("the watchdog learns names");
    client.rehearse()?;
    progress.clear();
    let page = Page::open(feed, &client.watcher, demo.plan, client.address)?;
    hear_enter(Arc::clone(feed))?;
    let url = page.url();
    eprintln!("open {url} : the run begins when the page is open, or with Enter.");
    let mut is_shown = false;
    while feed.next() {
        let both = runs::run(client, demo.plan, progress)?;
        let (verdict, folder) = demo.report(&both)?;
        is_shown = verdict.ok;
        let json = json::object(&both.facts, &verdict, folder.as_deref());
        feed.over(outcome(both, json, verdict));
        eprintln!("again: the button on the page. Enter ends.");
    }
    Ok(is_shown)
}

fn outcome(both: Both, json: String, verdict: Verdict) -> Outcome {
    Outcome {
        both: Arc::new(both),
        json,
        sentences: verdict.sentences,
    }
}

/// Counts lines on a thread of its own: reading them cannot be given up. It ends with the program.
fn hear_enter(feed: Arc<Feed>) -> Result<(), Fault> {
    let listens = thread::Builder::new().name("keyboard".into());
    listens.spawn(move || {
        while matches!(io::stdin().read_line(&mut String::new()), Ok(read) if read > 0) {
            feed.enter();
        }
        feed.input_ended();
    })?;
    Ok(())
}
