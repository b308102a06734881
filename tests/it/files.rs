//! Files, directories and events, over real sockets.

mod bodies;
mod cut;
mod events;
mod hostile;
mod responses;
mod sites;

use std::path::Path;

use tourbillon::web::StaticFiles;

use super::server_support::{Served, serve};
use super::support::Folder;

/// A folder with these files in it; a name that ends in a slash is a folder.
fn folder(files: &[(&str, &[u8])]) -> Folder {
    let folder = Folder::new();
    for (name, content) in files {
        let path = folder.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        if name.ends_with('/') {
            std::fs::create_dir_all(path).unwrap();
        } else {
            std::fs::write(path, content).unwrap();
        }
    }
    folder
}

/// Serves a folder on a thread of its own, with no router before it.
fn site(root: &Path, set: impl FnOnce(StaticFiles) -> StaticFiles + Send + 'static) -> Served {
    let root = root.to_owned();
    serve(move || set(StaticFiles::new(root).unwrap()))
}
