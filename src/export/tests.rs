//! What is small and used by several.

use super::plain::{lasting, plain, short_function};

#[test]
fn a_function_is_named_without_the_path_to_it() {
    for (path, short) in [
        ("app::heavy_sync_operation", "heavy_sync_operation"),
        ("app::heavy::h0123456789abcdef", "heavy"),
        ("app::route::{{closure}}", "route::{{closure}}"),
        (
            "app::route::{closure#0}::{closure#1}",
            "route::{closure#0}::{closure#1}",
        ),
        ("<app::Job<std::Vec<u8>> as core::Future>::poll", "poll"),
        ("alloc::vec::Vec<app::T>::push", "push"),
        ("app::sum::<core::Option<u8>>", "sum::<core::Option<u8>>"),
        ("main", "main"),
        ("", ""),
        ("::", ""),
        ("{x}", "{x}"),
        (">>::a", ">>::a"),
    ] {
        assert_eq!(short_function(path), short, "{path}");
    }
}

#[test]
fn a_time_is_told_in_the_unit_that_fits() {
    let told = [0, 999, 1_500, 400_000, 9_940_000, 1_000_600_000, u64::MAX].map(lasting);
    let expected = [
        "0 ns",
        "999 ns",
        "1.5 µs",
        "0.4 ms",
        "9.9 ms",
        "1001 ms",
        "18446744074 s",
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_steers_is_replaced_and_what_is_long_is_cut() {
    let told = plain("a\u{1b}[0m\u{202e}b\u{200b}", 20);
    assert_eq!(told, "a\u{fffd}[0m\u{fffd}b\u{fffd}");
    let told = ["abcd", "abcde", "한글이다요"].map(|text| plain(text, 4));
    assert_eq!(told, ["abcd", "abc…", "한글이…"]);
}
