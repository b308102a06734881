//! Names as people read them: functions without hashes, files without home folders, whose is whose.

use std::path::Path;

use crate::watch::Owner;

/// Crates that come with the compiler.
const STD: [&str; 7] = [
    "std",
    "core",
    "alloc",
    "test",
    "__rustc",
    "std_detect",
    "backtrace_rs",
];

/// Functions of the C library and the linker that a program is linked with, without a file; and
/// the `main` that the compiler makes.
const STARTS: [&str; 7] = [
    "main",
    "_start",
    "start_thread",
    "clone3",
    "__clone",
    "__libc_start_main",
    "__restore_rt",
];

/// What a program is loaded with whatever it does. Their functions have files of their own where
/// a distribution's debug information is installed.
const LIBC: [&str; 10] = [
    "libc.",
    "libc-",
    "ld-",
    "libm.",
    "libm-",
    "libpthread",
    "libgcc_s",
    "linux-vdso",
    "libsystem_",
    "libstdc++",
];

#[cfg(any(feature = "symbols", test))]
/// The name of a function, demangled: without the hash at its end and the arguments of generics.
pub(super) fn function_name(full: &str) -> String {
    let name = match full.rsplit_once("::h") {
        Some((name, hash)) if hash.len() == 16 && is_hex(hash) => name,
        _ => full,
    };
    let name = name.replace("{{closure}}", "{closure}");
    without_arguments(&without_numbers(&name))
}

#[cfg(any(feature = "symbols", test))]
fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(any(feature = "symbols", test))]
/// `{closure#0}` and `{closure_env#0}` are said as `{closure}`.
fn without_numbers(name: &str) -> String {
    let mut clean = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find('#') {
        clean.push_str(&rest[..at]);
        let after = rest[at + 1..].trim_start_matches(|letter: char| letter.is_ascii_digit());
        rest = after;
    }
    clean.push_str(rest);
    clean.replace("{closure_env}", "{closure}")
}

#[cfg(any(feature = "symbols", test))]
/// `map<T>` and `map::<T>` are said as `map`; `<T as Trait>::call` stays.
fn without_arguments(name: &str) -> String {
    let mut clean = String::with_capacity(name.len());
    let (mut depth, mut last) = (0_usize, ' ');
    for (at, letter) in name.char_indices() {
        let opens = letter == '<' && at > 0 && (last.is_alphanumeric() || "_:}".contains(last));
        if depth > 0 {
            match letter {
                '<' => depth += 1,
                // An arrow closes nothing.
                '>' if last != '-' => depth -= 1,
                _ => {}
            }
        } else if opens {
            depth = 1;
            let kept = clean.trim_end_matches("::").len();
            clean.truncate(kept);
        } else {
            clean.push(letter);
        }
        last = letter;
    }
    clean
}

/// The crate that a function is of, by its name; none for names of C, and those that were cut.
fn crate_of(function: &str) -> Option<&str> {
    let start = function.trim_start_matches(['<', '&', '*', '(', '[']);
    let start = start.strip_prefix("mut ").unwrap_or(start);
    let start = start.strip_prefix("dyn ").unwrap_or(start);
    start.split_once("::").map(|(name, _)| name)
}

/// Whose code it is, by its name, its file and what was loaded from where.
pub(super) fn owner(function: &str, file: &str, module: &str) -> Owner {
    let is_of_std = |file: &str| file.contains("/rustc/") || file.contains("/rustlib/src/");
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/src/");
    let name = module.rsplit('/').next().unwrap_or_default();
    let is_of_libc = LIBC.iter().any(|start| name.starts_with(start));
    let is_start = file.is_empty() && STARTS.contains(&function);
    match crate_of(function) {
        _ if is_of_std(file) || is_of_libc || is_start => Owner::Std,
        Some(name) if STD.contains(&name) => Owner::Std,
        Some("tourbillon") => Owner::Runtime,
        _ if file.starts_with(own) => Owner::Runtime,
        None if function.starts_with("__rust") || function.starts_with("rust_") => Owner::Std,
        Some(_) => Owner::Yours,
        None if !file.is_empty() => Owner::Yours,
        None => Owner::Unknown,
    }
}

/// A file as it is told to others: from the working folder, from its crate's, from the folder of
/// its package. What is above that is nobody's business.
pub(super) fn file_name(file: &Path, working: Option<&Path>) -> String {
    if let Some(inside) = working.and_then(|working| file.strip_prefix(working).ok()) {
        return inside.to_string_lossy().into_owned();
    }
    let text = file.to_string_lossy();
    if !text.starts_with('/') {
        return text.into_owned();
    }
    for (mark, below) in [
        ("/registry/src/", 1),
        ("/git/checkouts/", 0),
        ("/rustc/", 1),
    ] {
        if let Some((_, rest)) = text.split_once(mark) {
            return rest
                .splitn(below + 1, '/')
                .last()
                .unwrap_or(rest)
                .to_owned();
        }
    }
    if let Some((_, rest)) = text.split_once("/rustlib/src/rust/") {
        return rest.to_owned();
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
    let folders = ["src", "examples", "tests", "benches"];
    let folder = parts.iter().rposition(|part| folders.contains(part));
    // With the folder that the package is in, if it is not the root.
    let from = folder.map_or(parts.len().saturating_sub(1), |at| at.saturating_sub(1));
    parts[from..].join("/")
}
