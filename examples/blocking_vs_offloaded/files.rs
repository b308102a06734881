//! What the demo leaves behind: a trace of both runs, and a diagram of each.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::Fault;
use super::options::Out;
use super::runs::Both;

/// Where they go if nobody says where.
const FOLDER: &str = "target/demo";

const TRACE: &str = "trace.json";
const BLOCKED: &str = "blocked.mmd";
const OFFLOADED: &str = "offloaded.mmd";

/// Their names, and what each is for.
pub(super) const NAMES: [&str; 3] = [TRACE, BLOCKED, OFFLOADED];

/// What is in the one of this name.
pub(super) fn text(name: &str, both: &Both) -> String {
    let plan = &both.facts.plan;
    match name {
        BLOCKED => both.a.diagram(plan),
        OFFLOADED => both.b.diagram(plan),
        _ => both.b.trace_since(&both.a),
    }
}

/// Makes the folder that was asked for: better now than after the runs.
pub(super) fn prepare(out: &Out) -> Result<(), Fault> {
    match out {
        Out::Folder(folder) => fs::create_dir_all(folder).map_err(|error| fault(folder, &error)),
        Out::Usual | Out::Nowhere => Ok(()),
    }
}

/// Writes them, if they are wanted, and returns the folder where they are.
pub(super) fn write(out: &Out, both: &Both) -> Result<Option<PathBuf>, Fault> {
    let folder = match out {
        Out::Nowhere => return Ok(None),
        Out::Usual => Path::new(FOLDER),
        Out::Folder(folder) => folder,
    };
    let written = fs::create_dir_all(folder).and_then(|()| {
        let mut names = NAMES.iter();
        names.try_for_each(|name| fs::write(folder.join(name), text(name, both)))
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
