//! What the demo leaves behind: a trace of both runs, and a diagram of each.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::Fault;
use super::facts::Plan;
use super::options::Out;
use super::tape::Tape;

/// Where they go if nobody says where.
const FOLDER: &str = "target/demo";

/// Their names, and what each is for.
pub(super) const NAMES: [&str; 3] = ["trace.json", "blocked.mmd", "offloaded.mmd"];

/// Makes the folder that was asked for: better now than after the runs.
pub(super) fn prepare(out: &Out) -> Result<(), Fault> {
    match out {
        Out::Folder(folder) => fs::create_dir_all(folder).map_err(|error| fault(folder, &error)),
        Out::Usual | Out::Nowhere => Ok(()),
    }
}

/// Writes them, if they are wanted, and returns the folder where they are.
pub(super) fn write(out: &Out, plan: &Plan, a: &Tape, b: &Tape) -> Result<Option<PathBuf>, Fault> {
    let folder = match out {
        Out::Nowhere => return Ok(None),
        Out::Usual => Path::new(FOLDER),
        Out::Folder(folder) => folder,
    };
    let texts = [b.recording.chrome_json(), a.diagram(plan), b.diagram(plan)];
    let written = fs::create_dir_all(folder).and_then(|()| {
        let mut files = NAMES.iter().zip(texts);
        files.try_for_each(|(name, text)| fs::write(folder.join(name), text))
    });
    match (written, out) {
        (Ok(()), _) => Ok(Some(folder.to_owned())),
        // Who did not ask for them can do without.
        (Err(_), Out::Usual) => Ok(None),
        (Err(error), _) => Err(fault(folder, &error)),
    }
}

fn fault(folder: &Path, error: &io::Error) -> Fault {
    let folder = folder.display();
    format!("the files could not be written to {folder}: {error}").into()
}
