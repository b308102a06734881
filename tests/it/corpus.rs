//! The small corpus of the fuzz targets, and random changes to it, through their own oracle.

use std::fs;
use std::path::Path;

use crate::support::Dice;

#[path = "../../fuzz/oracle.rs"]
mod oracle;

/// Runs an oracle over its corpus, and over this many random neighbours of each file.
fn run(name: &str, oracle: fn(&[u8]), neighbours: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(name);
    let mut inputs: Vec<_> = fs::read_dir(&folder).unwrap().map(Result::unwrap).collect();
    inputs.sort_by_key(fs::DirEntry::file_name);
    assert!(inputs.len() >= 7, "{name} has a corpus");
    let mut dice = Dice::new(0x7001);
    for input in &inputs {
        let bytes = fs::read(input.path()).unwrap();
        oracle(&bytes);
        for cuts in [0, 1, 2, 3, 5, 8] {
            let mut bytes = bytes.clone();
            bytes[0] = cuts;
            oracle(&bytes);
        }
        for _ in 0..neighbours {
            oracle(&changed(bytes.clone(), &mut dice));
        }
    }
}

/// A few bytes removed, doubled, replaced.
fn changed(mut bytes: Vec<u8>, dice: &mut Dice) -> Vec<u8> {
    const ODD: &[u8] = b"\r\n\0\t :;,\x7f\x80\xff0a";
    let mut below = |end: usize| dice.below(end as u64) as usize;
    for _ in 0..=below(3) {
        let at = below(bytes.len());
        let odd = ODD[below(ODD.len())];
        match below(4) {
            0 if bytes.len() > 1 => drop(bytes.remove(at)),
            1 => bytes.insert(at, odd),
            2 => bytes[at] = odd,
            _ => {
                let end = at + below(bytes.len() - at + 1);
                bytes.extend_from_within(at..end);
            }
        }
    }
    bytes
}

#[test]
fn any_cut_of_a_head_gives_the_same_events() {
    run("head", oracle::head, 60);
}

#[test]
fn any_cut_of_chunks_gives_the_same_events() {
    run("chunks", oracle::chunks, 60);
}

#[test]
fn any_cut_of_a_conversation_gives_the_same_answers_and_end() {
    run("connection", oracle::connection, 15);
}
