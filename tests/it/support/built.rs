//! The examples that were built beside this binary, and what programs say.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::time::SystemTime;
use std::{env, fs, thread};

/// The program of an example. A plain `cargo test` builds them, beside the folder of the test
/// itself. With `--test` it does not, and what is found there may be missing or old.
pub(crate) fn built(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let path = profile.join("examples").join(name);
    assert!(
        fs::metadata(&path).is_ok_and(|facts| facts.modified().unwrap() >= changed(name)),
        "{} is missing or older than its source: run `cargo build --examples` first",
        path.display()
    );
    path
}

/// Where the sources of the examples are.
pub(crate) fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// When the source of an example was changed last: one file, or a folder of them.
fn changed(name: &str) -> SystemTime {
    let written = |path: PathBuf| fs::metadata(path).unwrap().modified().unwrap();
    match fs::read_dir(examples().join(name)) {
        Ok(files) => {
            let times = files.map(|file| written(file.unwrap().path()));
            times.max().expect("its folder holds its main.rs")
        }
        Err(_) => written(examples().join(format!("{name}.rs"))),
    }
}

/// The lines of a program's output, as they come, so that a test can wait for one with a deadline.
pub(crate) fn lines_of(output: impl Read + Send + 'static) -> Receiver<String> {
    let (line, lines) = mpsc::channel();
    thread::spawn(move || {
        for text in BufReader::new(output).lines() {
            let Ok(()) = line.send(text.unwrap()) else {
                return;
            };
        }
    });
    lines
}
