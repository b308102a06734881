//! Conditions against a table by the sections of RFC 9110, 13.

use super::super::conditions::{Validators, Verdict, evaluate, range_applies};
use super::fields;
use Verdict::{Failed, NotModified, Perform};

/// Sun, 06 Nov 1994 08:49:37 GMT.
const MODIFIED: u64 = 784_111_777;
const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

const CURRENT: Validators<'_> = Validators {
    etag: Some("\"a\""),
    modified: Some(MODIFIED),
    is_dated_strongly: true,
    now: MODIFIED + 1000,
};

#[test]
fn each_condition_alone() {
    for (name, value, expected) in [
        // 13.1.1, by the strong comparison.
        ("if-match", "\"a\"", Perform),
        ("if-match", "*", Perform),
        ("if-match", "\"b\"", Failed),
        ("if-match", "\"b\", \"a\"", Perform),
        ("if-match", "\"b\",\"a\"", Perform),
        ("if-match", ", ,\"a\"", Perform),
        ("if-match", "W/\"a\"", Failed),
        ("if-match", "w/\"a\"", Failed),
        ("if-match", "a", Failed),
        ("if-match", "", Failed),
        ("if-match", "\"a", Failed),
        ("if-match", "\"b\" \"a\"", Failed),
        ("if-match", "\"b, \"a\"", Failed),
        ("if-match", "\"b,c\", \"a\"", Perform),
        ("if-match", "\"A\"", Failed),
        // 13.1.2, by the weak one.
        ("if-none-match", "\"a\"", NotModified),
        ("if-none-match", "W/\"a\"", NotModified),
        ("if-none-match", "*", NotModified),
        ("if-none-match", "\"b\", W/\"c\",\"a\"", NotModified),
        ("if-none-match", "\"b\"", Perform),
        ("if-none-match", "", Perform),
        ("if-none-match", "a", Perform),
        ("if-none-match", "\"*\"", Perform),
        // 13.1.3
        ("if-modified-since", SAME, NotModified),
        ("if-modified-since", AFTER, NotModified),
        ("if-modified-since", BEFORE, Perform),
        (
            "if-modified-since",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            NotModified,
        ),
        ("if-modified-since", "Sun Nov  6 08:49:37 1994", NotModified),
        ("if-modified-since", "yesterday", Perform),
        ("if-modified-since", "", Perform),
        // 13.1.4
        ("if-unmodified-since", SAME, Perform),
        ("if-unmodified-since", AFTER, Perform),
        ("if-unmodified-since", BEFORE, Failed),
        (
            "if-unmodified-since",
            "Wed, 31 Dec 1969 00:00:00 GMT",
            Failed,
        ),
        ("if-unmodified-since", "yesterday", Perform),
    ] {
        let verdict = evaluate(&fields(&[(name, value)]), CURRENT);
        assert_eq!(verdict, expected, "{name}: {value}");
    }
}

/// 13.2.2: which of them is asked first, and which is not asked at all.
#[test]
fn several_conditions_have_their_order() {
    for (list, expected) in [
        // A match makes if-unmodified-since mute.
        (
            &[("if-match", "\"a\""), ("if-unmodified-since", BEFORE)][..],
            Perform,
        ),
        (
            &[("if-match", "\"b\""), ("if-unmodified-since", SAME)],
            Failed,
        ),
        // If-none-match makes if-modified-since mute.
        (
            &[("if-none-match", "\"b\""), ("if-modified-since", SAME)],
            Perform,
        ),
        (
            &[("if-none-match", "\"a\""), ("if-modified-since", BEFORE)],
            NotModified,
        ),
        // What fails goes before what need not be sent.
        (&[("if-match", "\"b\""), ("if-none-match", "\"a\"")], Failed),
        (
            &[("if-none-match", "\"a\""), ("if-match", "\"a\"")],
            NotModified,
        ),
        (
            &[("if-unmodified-since", BEFORE), ("if-none-match", "\"a\"")],
            Failed,
        ),
        (
            &[("if-unmodified-since", BEFORE), ("if-modified-since", SAME)],
            Failed,
        ),
        (
            &[("if-unmodified-since", SAME), ("if-modified-since", SAME)],
            NotModified,
        ),
        // Several fields are one list; several dates are none (13.1.3).
        (
            &[("if-none-match", "\"b\""), ("if-none-match", "\"a\"")],
            NotModified,
        ),
        (
            &[("if-modified-since", SAME), ("if-modified-since", SAME)],
            Perform,
        ),
        (
            &[
                ("if-unmodified-since", BEFORE),
                ("if-unmodified-since", BEFORE),
            ],
            Perform,
        ),
        (&[], Perform),
    ] {
        assert_eq!(evaluate(&fields(list), CURRENT), expected, "{list:?}");
    }
}

#[test]
fn what_is_not_known_fits_nothing() {
    let unknown = Validators {
        etag: None,
        modified: None,
        now: MODIFIED,
        ..CURRENT
    };
    for (name, value, expected) in [
        ("if-match", "\"a\"", Failed),
        ("if-match", "*", Perform),
        ("if-none-match", "\"a\"", Perform),
        ("if-modified-since", AFTER, Perform),
        ("if-unmodified-since", BEFORE, Perform),
    ] {
        assert_eq!(evaluate(&fields(&[(name, value)]), unknown), expected);
    }
}

/// 13.1.5: strong, and for a date the very same.
#[test]
fn if_range() {
    for (list, expected) in [
        (&[][..], true),
        (&[("if-range", "\"a\"")], true),
        (&[("if-range", "\"b\"")], false),
        (&[("if-range", "W/\"a\"")], false),
        (&[("if-range", "\"a\", \"b\"")], false),
        (&[("if-range", "*")], false),
        (&[("if-range", SAME)], true),
        (&[("if-range", BEFORE)], false),
        (&[("if-range", AFTER)], false),
        (&[("if-range", "")], false),
        (&[("if-range", "\"a\""), ("if-range", "\"a\"")], false),
    ] {
        assert_eq!(range_applies(&fields(list), CURRENT), expected, "{list:?}");
    }
    // 8.8.2.2: within its second a file may have changed twice.
    let fresh = Validators {
        now: MODIFIED,
        ..CURRENT
    };
    assert!(!range_applies(&fields(&[("if-range", SAME)]), fresh));
    let shared = Validators {
        is_dated_strongly: false,
        ..CURRENT
    };
    assert!(!range_applies(&fields(&[("if-range", SAME)]), shared));
    assert!(range_applies(&fields(&[("if-range", "\"a\"")]), shared));
}

/// 8.8.3.2: a weak tag of one's own fits where the weak comparison does.
#[test]
fn a_weak_tag_fits_weakly() {
    let weak = Validators {
        etag: Some("W/\"a\""),
        ..CURRENT
    };
    for (name, value, expected) in [
        ("if-none-match", "W/\"a\"", NotModified),
        ("if-none-match", "\"a\"", NotModified),
        ("if-none-match", "\"b\"", Perform),
        ("if-match", "W/\"a\"", Failed),
        ("if-match", "\"a\"", Failed),
    ] {
        assert_eq!(evaluate(&fields(&[(name, value)]), weak), expected);
    }
    for value in ["W/\"a\"", "\"a\""] {
        assert!(!range_applies(&fields(&[("if-range", value)]), weak));
    }
}
