//! Texts by number.

use std::panic::Location;
use std::sync::Arc;
use std::thread;

use crate::watch::NameId;
use crate::watch::names::{
    NAME_BYTES_MAX, NAMES_KEPT, NAMES_MAX, NameBook, Names, OTHER, cut, short_path,
};

fn book() -> (Arc<Names>, NameBook) {
    let names = Arc::new(Names::new());
    (Arc::clone(&names), NameBook::new(names))
}

#[test]
fn a_text_has_one_number() {
    let (names, mut book) = book();
    assert_eq!(book.intern(""), NameId(0));
    let ids = ["a", "b", "a"].map(|text| book.intern(text));
    assert_eq!(ids, [NameId(1), NameId(2), NameId(1)]);
    assert_eq!(
        [0, 1, 2, 3].map(|id| names.get(NameId(id))),
        ["", "a", "b", ""]
    );
    assert_eq!(names.get(NameId(u32::MAX)), "");
    assert_eq!(names.texts(), ["", "a", "b"]);
}

#[test]
fn a_full_table_gives_no_more_numbers() {
    let (names, mut book) = book();
    for n in 1..NAMES_MAX {
        assert_eq!(book.intern(&n.to_string()), NameId(n as u32));
    }
    assert_eq!(book.intern("late"), NameId(0));
    assert_eq!(book.intern("77"), NameId(77), "what was there is found");
    assert_eq!(names.texts().len(), NAMES_MAX);
}

#[test]
fn a_long_text_is_cut_at_a_character() {
    let (names, mut book) = book();
    let long = "é".repeat(10_000);
    let id = book.intern(&long);
    assert_eq!(names.get(id), "é".repeat(NAME_BYTES_MAX / 2));
    assert_eq!(book.intern(&long), id);
    assert_eq!([cut("aé", 2), cut("é", 1), cut("", 0)], ["a", "", ""]);
}

#[test]
fn places_are_short_and_known_again() {
    let (names, mut book) = book();
    let place = Location::caller();
    let id = book.place(place);
    assert_eq!(book.place(place), id);
    let text = format!("src/watch/tests/names.rs:{}", place.line());
    assert_eq!(names.get(id), text);
}

#[test]
fn a_path_says_nothing_of_whose_machine_it_is() {
    for (path, short) in [
        ("src/main.rs", "src/main.rs"),
        (
            "/home/me/.cargo/registry/src/index-1/slab-0.4.9/src/lib.rs",
            "slab-0.4.9/src/lib.rs",
        ),
        ("/rustc/0a1b/library/core/src/time.rs", "core/src/time.rs"),
        ("/a/b.rs", "a/b.rs"),
        ("/b.rs", "b.rs"),
        ("", ""),
    ] {
        assert_eq!(short_path(path), short, "{path}");
    }
}

#[test]
fn another_thread_reads_what_was_written() {
    let (names, mut book) = book();
    let reader = thread::spawn(move || {
        while names.get(NameId(3_000)).is_empty() {
            thread::yield_now();
        }
        names.texts().len()
    });
    for n in 1..=3_000 {
        book.intern(&n.to_string());
    }
    assert_eq!(reader.join().expect("it does not panic"), 3_001);
}

#[test]
fn requests_take_no_name_that_the_program_may_need() {
    let names = Arc::new(Names::new());
    let mut book = NameBook::new(Arc::clone(&names));
    let ids: Vec<NameId> = (0..NAMES_MAX)
        .map(|n| book.intern_request(&format!("GET /{n}")))
        .collect();
    let free = NAMES_MAX - NAMES_KEPT - 1;
    assert_eq!(names.get(ids[free - 1]), format!("GET /{}", free - 1));
    assert_eq!(names.get(ids[free]), OTHER);
    assert_eq!(ids[free], ids[NAMES_MAX - 1]);
    assert_eq!(
        book.intern_request("GET /7"),
        ids[7],
        "what was there is found"
    );
    let name = book.intern("a task of the program");
    assert_eq!(names.get(name), "a task of the program");
}
