//! A recording that is saved opens again, and nothing else does.

use std::io::ErrorKind;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;
use tourbillon::watch::{Level, Recording};

use super::scenes::{anything, blocked, offloaded};

#[track_caller]
fn refused(text: &str) -> String {
    let error = Recording::open(text).expect_err("it is no recording");
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    error.to_string()
}

#[test]
fn what_is_saved_is_what_is_opened() {
    for recording in [Recording::new(), blocked(true), offloaded()] {
        assert_eq!(Recording::open(&recording.save()).unwrap(), recording);
    }
    for seed in 0..60 {
        let mut recording = anything(seed, 200, u64::MAX);
        recording.until = u64::MAX;
        recording
            .names
            .push("\u{0}\"\\</script>\u{2028}😀\u{7f}".to_owned());
        let text = recording.save();
        assert_eq!(Recording::open(&text).unwrap(), recording);
        // Other programs read it as well.
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            value["events"].as_array().unwrap().len(),
            recording.events.len()
        );
        assert!(!text.contains("</"), "it may stand in a page");
    }
}

#[test]
fn keys_come_in_any_order_and_unknown_ones_are_passed_over() {
    let text = r#" { "tourbillon" : 1 , "level":"full",
        "future":{"a":[1,-2.5e3,{"b":null}],"c":"\ud83d\ude00"},
        "until":7, "began":[5,6], "names":["","\u00e9\n"] } "#;
    let recording = Recording::open(text).unwrap();
    assert_eq!((recording.level, recording.until), (Level::Full, 7));
    assert_eq!(recording.began, UNIX_EPOCH + Duration::new(5, 6));
    assert_eq!(recording.names, ["", "é\n"]);
}

#[test]
fn a_time_before_1970_is_saved_as_1970() {
    let mut recording = Recording::new();
    recording.began = UNIX_EPOCH - Duration::from_secs(9);
    assert_eq!(
        Recording::open(&recording.save()).unwrap().began,
        UNIX_EPOCH
    );
}

#[test]
fn what_is_no_recording_is_refused() {
    for text in [
        "",
        "[]",
        "{}",
        "null",
        r#"{"tourbillon":2}"#,
        r#"{"tourbillon":"1"}"#,
        r#"{"names":[],"tourbillon":1}"#,
        r#"{"tourbillon":1} {}"#,
        r#"{"tourbillon":1,}"#,
        r#"{"tourbillon":01}"#,
        r#"{"tourbillon":1.0}"#,
    ] {
        refused(text);
    }
    for part in [
        r#""level":"loud""#,
        r#""until":-1"#,
        r#""until":18446744073709551616"#,
        r#""began":[1,1000000000]"#,
        r#""began":[18446744073709551615,0]"#,
        r#""began":[1]"#,
        r#""names":["a"#,
        r#""names":["\ud800"]"#,
        r#""names":["\ud800\u0041"]"#,
        r#""names":["\x"]"#,
        r#""names":["\u12g4"]"#,
        r#""names":["\u+123"]"#,
        "\"names\":[\"a\nb\"]",
        r#""names":["a",]"#,
        r#""gaps":[[1,2,3]]"#,
        r#""events":[[0,0,0,0,0,0,0,0]]"#,
        r#""events":[[0,0,4294967296,0,0,0,0,0]]"#,
        r#""events":[[0,0,0,0]]"#,
        r#""events":[[4294967296,0,134217728,0,0,0,0,0]]"#,
        r#""events":[[0,0,134217728,0,0,1,0,0]]"#,
        r#""stalls":[{"verdict":"guilty"}]"#,
        r#""stalls":[{"stack":[[]]}]"#,
        r#""stalls":[{"stack":[["f","a.rs",1,"mine"]]}]"#,
        r#""stalls":[{"same":[1,4294967296]}]"#,
        r#""other":nul"#,
        r#""other":-"#,
    ] {
        refused(&format!("{{\"tourbillon\":1,{part}}}"));
    }
    let said = refused("{\"tourbillon\":1,\"until\":x}");
    assert_eq!(said, "no whole number, at byte 24");
}

#[test]
fn deep_and_crowded_texts_are_refused() {
    let deep = "[".repeat(1_000_000);
    assert!(refused(&format!("{{\"tourbillon\":1,\"x\":{deep}")).starts_with("too deep"));
    let stalls = vec!["{}"; 70_000].join(",");
    let text = format!("{{\"tourbillon\":1,\"stalls\":[{stalls}]}}");
    assert!(refused(&text).starts_with("too many stalls"));
}

/// Whatever is done to a saved recording, it opens or is refused.
#[test]
fn a_damaged_file_does_no_harm() {
    let whole = anything(3, 12, u64::MAX).save();
    let bytes = whole.as_bytes();
    let (mut opened, mut refused) = (0, 0);
    let mut judge = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        match Recording::open(&text) {
            Ok(recording) => {
                opened += 1;
                assert_eq!(Recording::open(&recording.save()).unwrap(), recording);
            }
            Err(_) => refused += 1,
        }
    };
    for at in 0..bytes.len() {
        judge(&bytes[..at]);
        for byte in b"0\"[]{},:\\-n\xff" {
            let mut other = bytes.to_vec();
            other[at] = *byte;
            judge(&other);
        }
        let mut other = bytes.to_vec();
        other.remove(at);
        judge(&other);
    }
    assert!(opened > 100 && refused > 5_000, "{opened} {refused}");
}
