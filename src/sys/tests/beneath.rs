//! The two ways below a directory agree, and neither leads out of it.

use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::beneath::{Links, open_beneath, open_directory, open_step_by_step};
use super::folder;

struct Tree(PathBuf);

impl Tree {
    fn new(name: &str) -> Self {
        let root = folder(name);
        fs::create_dir_all(root.join("in/deep/er")).unwrap();
        fs::write(root.join("secret"), "secret").unwrap();
        fs::write(root.join("in/a"), "a").unwrap();
        fs::write(root.join("in/deep/b"), "b").unwrap();
        for (target, link) in [
            ("a", "to-a"),
            ("deep", "to-deep"),
            ("../secret", "out"),
            ("..", "up"),
            ("deep/er/../../a", "round"),
            ("deep/../../secret", "round-and-out"),
            ("/etc/passwd", "absolute"),
            ("loop", "loop"),
            ("nowhere", "nowhere-link"),
            ("../to-a", "deep/back"),
        ] {
            symlink(target, root.join("in").join(link)).unwrap();
        }
        Tree(root)
    }
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn both_ways_open_the_same() {
    let tree = Tree::new("beneath");
    let root = open_directory(&tree.0.join("in")).unwrap();
    // Path, what links refused give, what links inside give.
    for (path, refused, inside) in [
        ("a", Some("a"), Some("a")),
        ("deep/b", Some("b"), Some("b")),
        ("./deep/./b", Some("b"), Some("b")),
        ("deep/er/../b", Some("b"), Some("b")),
        ("to-a", None, Some("a")),
        ("to-deep/b", None, Some("b")),
        ("deep/back", None, Some("a")),
        ("to-deep/back", None, Some("a")),
        ("round", None, Some("a")),
        ("out", None, None),
        ("up/secret", None, None),
        ("up/in/a", None, None),
        ("round-and-out", None, None),
        ("absolute", None, None),
        ("loop", None, None),
        ("nowhere-link", None, None),
        ("../secret", None, None),
        ("deep/../../secret", None, None),
        ("/etc/passwd", None, None),
        ("a/b", None, None),
        ("missing", None, None),
    ] {
        for (links, expected) in [(Links::Refuse, refused), (Links::Inside, inside)] {
            for open in [open_beneath, open_step_by_step] {
                let found = open(root.as_fd(), Path::new(path), links)
                    .ok()
                    .map(|mut file| {
                        let mut text = String::new();
                        file.read_to_string(&mut text).unwrap();
                        text
                    });
                assert_eq!(found.as_deref(), expected, "{path} with {links:?}");
            }
        }
    }
    let outside = open_beneath(root.as_fd(), Path::new("out"), Links::Follow);
    assert_eq!(outside.unwrap().metadata().unwrap().len(), 6);
    for open in [open_beneath, open_step_by_step] {
        for path in ["", ".", "deep/.."] {
            let file = open(root.as_fd(), Path::new(path), Links::Inside).unwrap();
            assert!(file.metadata().unwrap().is_dir(), "{path:?}");
        }
    }
}

/// A link that is swapped for a directory and back while it is gone through leads nowhere else.
#[test]
fn a_swapped_link_never_leads_out() {
    let tree = Tree::new("beneath-swapped");
    let inside = tree.0.join("in");
    fs::create_dir(tree.0.join("elsewhere")).unwrap();
    fs::write(tree.0.join("elsewhere/b"), "secret").unwrap();
    let root = open_directory(&inside).unwrap();
    let (real, spare, swapped) = (
        inside.join("deep"),
        inside.join("spare"),
        inside.join("deep"),
    );
    symlink("../elsewhere", &spare).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // The scope waits for its threads, also when an assertion fails.
        let _stops = SetOnDrop(&stop);
        scope.spawn(|| {
            let aside = inside.join("aside");
            while !stop.load(Ordering::Relaxed) {
                fs::rename(&real, &aside).unwrap();
                fs::rename(&spare, &swapped).unwrap();
                fs::rename(&swapped, &spare).unwrap();
                fs::rename(&aside, &real).unwrap();
            }
        });
        for round in 0..4000 {
            let open = [open_beneath, open_step_by_step][round % 2];
            let links = [Links::Refuse, Links::Inside][round / 2 % 2];
            if let Ok(mut file) = open(root.as_fd(), Path::new("deep/b"), links) {
                let mut text = String::new();
                file.read_to_string(&mut text).unwrap();
                assert_eq!(text, "b");
            }
        }
    });
}
