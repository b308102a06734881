//! Addresses as functions, files and lines.
//!
//! With the feature `symbols` by the program's own tables of names and lines; the first time takes
//! a tenth of a second, which [`warm_up`] spends before it matters. Without it, or where nothing
//! is known (a stripped binary), what is left is the file that was loaded and the offset in it,
//! for addr2line(1).

use std::path::PathBuf;
use std::sync::Once;

use crate::sys::module_of;
use crate::watch::{Frame, Owner};

use super::naming::{file_name, owner};

/// Turns addresses into names. Not on the loop's thread, and not in a handler.
#[derive(Debug)]
pub(crate) struct Symbols {
    /// Files below it are told from here.
    working: Option<PathBuf>,
}

impl Symbols {
    pub(crate) fn new() -> Self {
        Self {
            working: std::env::current_dir().ok(),
        }
    }

    /// The frames of a stack, innermost first; of one address there may be several, where
    /// functions were inlined.
    pub(crate) fn frames(&self, pcs: &[usize]) -> Vec<Frame> {
        let mut frames = Vec::new();
        for (at, &pc) in pcs.iter().enumerate() {
            // All but the first are where a call returns to: the call itself is before it.
            let inside = if at == 0 { pc } else { pc.saturating_sub(1) };
            let known = frames.len();
            self.resolve(inside, &mut frames);
            if frames.len() == known {
                frames.push(by_module(inside));
            }
        }
        frames
    }

    #[cfg(feature = "symbols")]
    fn resolve(&self, inside: usize, frames: &mut Vec<Frame>) {
        // `resolve` takes a return address, and steps back itself.
        let address = inside.wrapping_add(1) as *mut std::ffi::c_void;
        backtrace::resolve(address, |symbol| {
            let Some(name) = symbol.name() else { return };
            let file = symbol.filename().map(std::path::Path::to_path_buf);
            frames.push(self.frame(&format!("{name:#}"), file, symbol.lineno(), inside));
        });
    }

    #[cfg(feature = "symbols")]
    fn frame(&self, full: &str, file: Option<PathBuf>, line: Option<u32>, inside: usize) -> Frame {
        let path = file.as_ref().map(|file| file.to_string_lossy());
        // Also where there is a file: the C library's may be known, too.
        let module = module_of(inside).map_or_else(String::new, |module| module.path);
        let function = super::naming::function_name(full);
        let whose = owner(full, path.as_deref().unwrap_or_default(), &module);
        let working = self.working.as_deref();
        Frame {
            function,
            file: file.map_or_else(String::new, |file| file_name(&file, working)),
            line: line.unwrap_or(0),
            owner: whose,
        }
    }

    #[cfg(not(feature = "symbols"))]
    fn resolve(&self, _inside: usize, _frames: &mut Vec<Frame>) {}

    /// The working folder's way to name a file, for places that come from elsewhere.
    pub(super) fn place(&self, place: &str) -> String {
        file_name(place.as_ref(), self.working.as_deref())
    }
}

/// `libc.so.6!read+0x1d` where the linker knows it, else `program+0x1234`.
fn by_module(inside: usize) -> Frame {
    let Some(module) = module_of(inside) else {
        return Frame {
            function: format!("{inside:#x}"),
            ..Frame::default()
        };
    };
    let file = module.path.rsplit('/').next().unwrap_or_default();
    let whose = match owner("", "", &module.path) {
        Owner::Std => Owner::Std,
        _ => Owner::Unknown,
    };
    let offset = module.offset;
    let function = match module.symbol {
        Some(symbol) if whose == Owner::Std => format!("{symbol} ({file}+{offset:#x})"),
        _ => format!("{file}+{offset:#x}"),
    };
    Frame {
        function,
        owner: whose,
        ..Frame::default()
    }
}

/// Reads the tables, once in a process and on a thread of its own, so that the first report need
/// not wait for them.
pub(super) fn warm_up() {
    static READ: Once = Once::new();
    if !cfg!(feature = "symbols") {
        return;
    }
    READ.call_once(|| {
        let read = || drop(Symbols::new().frames(&[warm_up as fn() as usize + 1]));
        // Without it the first report comes later, and that is all.
        let _ = std::thread::Builder::new()
            .name("tourbillon-symbols".to_owned())
            .spawn(read);
    });
}
