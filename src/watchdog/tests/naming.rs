//! Names of functions and files, as people read them.

use std::path::Path;

use crate::watch::Owner;
use crate::watchdog::naming::{file_name, function_name, owner};

#[test]
fn functions_lose_their_hashes_numbers_and_arguments() {
    let names = [
        ("shop::pay::h0123456789abcdef", "shop::pay"),
        ("shop::hello", "shop::hello"),
        (
            "shop::pay::{{closure}}::h0123456789abcdef",
            "shop::pay::{closure}",
        ),
        (
            "shop::pay::{closure#0}::{closure#12}",
            "shop::pay::{closure}::{closure}",
        ),
        ("{closure_env#0}", "{closure}"),
        (
            "shop::map::<u8, alloc::vec::Vec<u8>>::call",
            "shop::map::call",
        ),
        ("shop::map<u8>::call", "shop::map::call"),
        (
            "<shop::Cart as tower::Service<u8>>::call",
            "<shop::Cart as tower::Service>::call",
        ),
        ("<shop::Cart<u8>>::add::<fn(u8) -> u8>", "<shop::Cart>::add"),
        ("memcpy", "memcpy"),
        ("", ""),
    ];
    for (full, short) in names {
        assert_eq!(function_name(full), short);
    }
}

#[test]
fn everybody_knows_whose_is_whose() {
    let std = "/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/core/src/ops/function.rs";
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/src/runtime/turn.rs");
    let cases = [
        ("shop::pay", "/home/me/shop/src/pay.rs", "", Owner::Yours),
        (
            "<shop::Cart as tourbillon::web::X>::y",
            "",
            "",
            Owner::Yours,
        ),
        ("main", "/home/me/shop/src/main.c", "", Owner::Yours),
        ("core::ops::FnOnce::call_once", "", "", Owner::Std),
        ("call_once<shop::pay>", std, "", Owner::Std),
        (
            "<alloc::boxed::Box as core::ops::FnOnce>::call_once",
            "",
            "",
            Owner::Std,
        ),
        ("__rust_begin_short_backtrace", "", "", Owner::Std),
        ("tourbillon::runtime::turn::run", "", "", Owner::Runtime),
        ("<tourbillon::Runtime>::block_on", "", "", Owner::Runtime),
        ("run", own, "", Owner::Runtime),
        (
            "clock_nanosleep",
            "",
            "/lib/x86_64-linux-gnu/libc.so.6",
            Owner::Std,
        ),
        (
            "__GI___clock_nanosleep",
            "./time/../sysdeps/unix/sysv/linux/clock_nanosleep.c",
            "/lib/x86_64-linux-gnu/libc.so.6",
            Owner::Std,
        ),
        ("main", "", "/home/me/shop/target/release/shop", Owner::Std),
        ("exp", "./math/w_exp.c", "/lib/libm.so.6", Owner::Std),
        (
            "sqlite3_step",
            "",
            "/usr/lib/libsqlite3.so.0",
            Owner::Unknown,
        ),
        (
            "_start",
            "",
            "/home/me/shop/target/release/shop",
            Owner::Std,
        ),
    ];
    for (function, file, module, whose) in cases {
        assert_eq!(
            owner(function, file, module),
            whose,
            "{function} in {file} of {module}"
        );
    }
}

#[test]
fn no_file_tells_where_somebody_lives() {
    let working = Path::new("/home/me/shop");
    let names = [
        ("/home/me/shop/src/pay.rs", "src/pay.rs"),
        ("/home/me/other/examples/x.rs", "other/examples/x.rs"),
        ("/home/me/other/src/a/b.rs", "other/src/a/b.rs"),
        ("/home/me/secret/odd.rs", "odd.rs"),
        (
            "/home/me/.cargo/registry/src/index-1949/serde-1.0/src/de.rs",
            "serde-1.0/src/de.rs",
        ),
        (
            "/home/me/.cargo/git/checkouts/hyper-1f/abc/src/lib.rs",
            "hyper-1f/abc/src/lib.rs",
        ),
        (
            "/rustc/5980/library/std/src/thread.rs",
            "library/std/src/thread.rs",
        ),
        (
            "/home/me/.rustup/t/lib/rustlib/src/rust/library/std/src/io.rs",
            "library/std/src/io.rs",
        ),
        ("src/main.rs", "src/main.rs"),
        ("", ""),
    ];
    for (file, name) in names {
        assert_eq!(file_name(Path::new(file), Some(working)), name);
    }
    assert_eq!(
        file_name(Path::new("/home/me/shop/src/pay.rs"), None),
        "shop/src/pay.rs"
    );
}
