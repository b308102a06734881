//! What is kept of an exchange when nobody has one.

use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use super::super::config::Config;
use super::super::state::Shared;

struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_link_that_is_kept_holds_no_connections_waker() {
    let shared = Shared::new((), Config::default());
    let nobody = Arc::new(Nobody);
    let waker = Waker::from(Arc::clone(&nobody));
    let link = shared.take_link();
    link.asks().note_connection(&Context::from_waker(&waker));
    drop(waker);
    assert_eq!(Arc::strong_count(&nobody), 2);
    shared.give_link(link);
    assert_eq!(Arc::strong_count(&nobody), 1);
}
