//! RFC 9110 and RFC 9112 over real sockets, through the example `server`.
//!
//! Each test has its section in its name, and each case in it says what it is about. A case that
//! is refused is followed by a further request in the same write, which must not be answered: what
//! a server reads after a fault is how requests are smuggled. One that is served is followed by a
//! request that must be.

mod exchange;
mod served;

mod chunked;
mod expect;
mod fields;
mod framing;
mod host;
mod limits;
mod lines;
mod methods;
mod persistence;
mod responses;
mod targets;
mod trailers;
mod upgrade;
mod versions;

use std::fs;
use std::path::Path;

/// How many cases there are at least.
const CASES_MIN: usize = 200;

#[test]
fn there_are_many_cases_and_each_test_names_its_section() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/conformance");
    let mut cases = 0;
    let mut tests = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name == "exchange.rs" || name == "served.rs" {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        // A row of a table, or an exchange that is written out.
        cases += text.matches(" case(").count() + text.matches(" exchange(").count();
        for after in text.split("#[test]").skip(1) {
            let test = after.trim_start().strip_prefix("fn ").unwrap();
            let test = &test[..test.find('(').unwrap()];
            let section = test
                .strip_prefix("rfc9110_")
                .or_else(|| test.strip_prefix("rfc9112_"))
                .or_else(|| test.strip_prefix("rfc8297_"))
                .or_else(|| test.strip_prefix("rfc6585_"));
            let is_numbered =
                section.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
            assert!(
                is_numbered,
                "{name}: {test} does not begin with its section"
            );
            tests += 1;
        }
    }
    assert!(cases >= CASES_MIN, "{cases} cases");
    assert!(tests >= 80, "{tests} tests");
    println!("{cases} cases in {tests} tests");
}
