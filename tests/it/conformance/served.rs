//! The example server as a child, shared by the tests that run at the same time.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::example_server::ExampleServer;

/// The server with its defaults, but for a limit on bodies that a test can pass. It ends when the
/// last test that holds it does.
pub(super) fn server() -> Arc<ExampleServer> {
    static SHARED: Mutex<Weak<ExampleServer>> = Mutex::new(Weak::new());
    shared(&SHARED, &["--body-bytes-max", "1048576"])
}

/// One that waits for nobody.
pub(super) fn hasty() -> Arc<ExampleServer> {
    static SHARED: Mutex<Weak<ExampleServer>> = Mutex::new(Weak::new());
    let times = ["--head-timeout", "200ms", "--keep-alive", "200ms"];
    shared(
        &SHARED,
        &[&times[..], &["--body-timeout", "200ms"]].concat(),
    )
}

fn shared(place: &Mutex<Weak<ExampleServer>>, options: &[&str]) -> Arc<ExampleServer> {
    // A test that failed while a server started has left nothing half done.
    let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(served) = place.upgrade() {
        return served;
    }
    let served = Arc::new(ExampleServer::start(options));
    *place = Arc::downgrade(&served);
    served
}
