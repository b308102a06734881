//! Which file a piece of code was loaded from, for when there are no better names.

use std::ffi::{CStr, c_void};

/// What dladdr(3) says of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Module {
    /// The path it was loaded from, as the loader has it.
    pub(crate) path: String,
    /// How far into the file's image the address is: what addr2line wants.
    pub(crate) offset: usize,
    /// The exported symbol it is in, as the linker has it.
    pub(crate) symbol: Option<String>,
}

/// The loaded file that this address is in. It takes the loader's lock: not for handlers.
pub(crate) fn module_of(pc: usize) -> Option<Module> {
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: dladdr(3) takes any address, and writes one Dl_info through a pointer to one.
    if unsafe { libc::dladdr(pc as *const c_void, info.as_mut_ptr()) } == 0 {
        return None;
    }
    // SAFETY: it has succeeded, and so written the structure; it was zeroed before, too.
    let info = unsafe { info.assume_init() };
    let text = |name: *const libc::c_char| {
        // SAFETY: the names are null, or end with a nul and live as long as their file is loaded,
        // which one that is being executed is.
        let name = (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) });
        name.map(|name| name.to_string_lossy().into_owned())
    };
    Some(Module {
        path: text(info.dli_fname)?,
        offset: pc.wrapping_sub(info.dli_fbase as usize),
        symbol: text(info.dli_sname),
    })
}
