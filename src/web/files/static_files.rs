//! A directory that is served, and cannot be left.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::codings::{self, Coding};
use super::file_response::{FileResponse, not_opened, with};
use super::opened::Opened;
use super::paths::{self, Clean};
use super::{content_type, listing};
use crate::fs;
use crate::http::{HeaderError, Headers};
use crate::server::{Handler, IntoResponse, Method, Request, Response, Status};
use crate::sys::{self, Links};

/// What [`StaticFiles`] does with symbolic links.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::web::{StaticFiles, Symlinks};
///
/// // As tools lay out releases: `site/index.html -> ../releases/7/index.html`.
/// let files = StaticFiles::new("src")?.symlinks(Symlinks::InsideRoot);
/// # let _ = files;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Symlinks {
    /// A path with a link in it is not found.
    #[default]
    Refuse,
    /// Links are followed as long as they stay below the directory; absolute
    /// ones never do.
    InsideRoot,
    /// Links are followed wherever they lead: whoever may make links in the
    /// directory may have any file served.
    Follow,
}

/// Serves the files below a directory. It is a [`Handler`], to be put behind
/// a route that ends in a wildcard called `rest`; without one the whole path
/// of the request names the file.
///
/// A path names a file below the directory, or is 404. So is one that holds
/// `..`, an encoded slash, a backslash, a control character or an empty
/// segment, a name that begins with a dot, whatever is no regular file, and a
/// path with a symbolic link in it: the last steps are the kernel's
/// (openat2(2) with `RESOLVE_BENEATH`, or one openat(2) with `O_NOFOLLOW` for
/// each segment), so nothing can be swapped in between. A directory is its
/// `index.html`. Methods other than GET and HEAD are 405.
///
/// Opening, looking and reading up to 16 KiB are one job of the blocking
/// pool a request; the rest is as with [`FileResponse`].
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tourbillon::web::StaticFiles;
///
/// let site = StaticFiles::new("src")?
///     .precompressed(true)
///     .cache_control("max-age=3600")?
///     .content_type("rs", "text/plain; charset=utf-8")?
///     .fallback("index.html");
/// let drop_box = StaticFiles::new("examples")?
///     .index(None)
///     .listing(true)
///     .hidden_files(true);
/// # let _ = (site, drop_box);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct StaticFiles(Arc<Settings>);

#[derive(Clone)]
struct Settings {
    root: PathBuf,
    links: Links,
    shows_hidden: bool,
    index: Option<OsString>,
    lists: bool,
    is_precompressed: bool,
    fallback: Option<PathBuf>,
    cache_control: Option<String>,
    types: Vec<(String, String)>,
}

/// What a path names.
enum Found {
    File {
        file: FileResponse,
        coding: Option<Coding>,
    },
    /// A directory without its slash.
    NeedsSlash,
    /// A page of what is in a directory.
    Listing(String),
}

impl StaticFiles {
    /// Serves what is below `root`. The directory is opened anew for each
    /// request, so it may be replaced meanwhile, by a rename or, if it is
    /// itself a link, by another link.
    ///
    /// # Errors
    ///
    /// If it cannot be opened now, or is no directory. This call waits for
    /// the disk: make it before the server runs.
    pub fn new(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = std::path::absolute(root.into())?;
        sys::open_directory(&root)?;
        Ok(StaticFiles(Arc::new(Settings {
            root,
            links: Links::Refuse,
            shows_hidden: false,
            index: Some("index.html".into()),
            lists: false,
            is_precompressed: false,
            fallback: None,
            cache_control: None,
            types: Vec::new(),
        })))
    }

    /// Chooses what becomes of symbolic links. Default:
    /// [`Refuse`](Symlinks::Refuse).
    #[must_use]
    pub fn symlinks(self, symlinks: Symlinks) -> Self {
        let links = match symlinks {
            Symlinks::Refuse => Links::Refuse,
            Symlinks::InsideRoot => Links::Inside,
            Symlinks::Follow => Links::Follow,
        };
        self.set(|settings| settings.links = links)
    }

    /// Whether names that begin with a dot are served. Default: no, since
    /// `.git` and `.env` are among them.
    #[must_use]
    pub fn hidden_files(self, are_served: bool) -> Self {
        self.set(|settings| settings.shows_hidden = are_served)
    }

    /// The file that a directory is, if it has it. Default: `index.html`.
    #[must_use]
    pub fn index(self, name: Option<&str>) -> Self {
        self.set(|settings| settings.index = name.map(OsString::from))
    }

    /// Whether a directory without an index is a page of what is in it, up
    /// to 10,000 names. Default: no, it is 404.
    #[must_use]
    pub fn listing(self, is_wanted: bool) -> Self {
        self.set(|settings| settings.lists = is_wanted)
    }

    /// Whether a file `a.css` may be answered by `a.css.br`, `a.css.zst` or
    /// `a.css.gz` beside it, as the client's `accept-encoding` and its
    /// weights say. Default: no. Responses then have
    /// `vary: accept-encoding`. The sibling is taken as it is, also if it is
    /// older than the file.
    ///
    /// A file and its sibling may have one date. So an `if-range` that holds
    /// a date is answered by the whole; one with an `etag` works as ever
    /// (RFC 9110, 8.8.2.2 and 13.1.5).
    #[must_use]
    pub fn precompressed(self, is_used: bool) -> Self {
        self.set(|settings| settings.is_precompressed = is_used)
    }

    /// The file that answers, with 200, for what is not there, if the last
    /// segment of the path has no dot: for applications in one page, whose
    /// routes are the browser's. Default: none. `path` is below the
    /// directory, and the program's own: it is taken as it is.
    #[must_use]
    pub fn fallback(self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        self.set(|settings| settings.fallback = Some(path))
    }

    /// Sets `cache-control` for files. Default: none, and browsers guess.
    ///
    /// # Errors
    ///
    /// When the value holds a control character.
    pub fn cache_control(self, value: &str) -> Result<Self, HeaderError> {
        Headers::new().insert("cache-control", value)?;
        Ok(self.set(|settings| settings.cache_control = Some(value.to_owned())))
    }

    /// Sets the type of files whose names end in a dot and `extension`, in
    /// place of the one in the table of well-known ones.
    ///
    /// # Errors
    ///
    /// When the type holds a control character.
    pub fn content_type(self, extension: &str, media_type: &str) -> Result<Self, HeaderError> {
        Headers::new().insert("content-type", media_type)?;
        let entry = (extension.to_ascii_lowercase(), media_type.to_owned());
        Ok(self.set(|settings| settings.types.insert(0, entry)))
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

impl Handler for StaticFiles {
    async fn handle(&self, request: Request) -> Response {
        if !matches!(request.method(), Method::Get | Method::Head) {
            let response = Status::METHOD_NOT_ALLOWED.into_response();
            return with(response, "allow", "GET, HEAD");
        }
        let raw = below_mount(&request);
        let Some(clean) = paths::clean(&raw, self.0.shows_hidden) else {
            return Status::NOT_FOUND.into_response();
        };
        let codings = match self.0.is_precompressed {
            true => codings::accepted(request.headers()),
            false => Vec::new(),
        };
        let settings = Arc::clone(&self.0);
        let title = paths::shown(request.path());
        let found = fs::run_job(move || settings.find(&clean, &codings, &title)).await;
        match found {
            Ok(Found::File { file, coding }) => self.0.respond(file, coding, &request),
            Ok(Found::NeedsSlash) => {
                let place = paths::with_slash(request.path(), request.query());
                with(
                    Response::new(Status::PERMANENT_REDIRECT),
                    "location",
                    &place,
                )
            }
            Ok(Found::Listing(page)) => {
                Response::typed("text/html; charset=utf-8", page.into_bytes())
            }
            Err(error) => not_opened(error),
        }
    }
}

/// What of the path is below the route, percent-encoded as it came.
fn below_mount(request: &Request) -> Cow<'_, str> {
    let path = request.path();
    let Some(rest) = request.param("rest") else {
        return Cow::Borrowed(path.strip_prefix('/').unwrap_or(path));
    };
    match paths::raw_tail(path, rest) {
        Some(tail) => Cow::Borrowed(tail),
        // Somebody has set it to what the path does not end in. It is
        // decoded, and must not be again.
        None => Cow::Owned(rest.replace('%', "%25")),
    }
}

/// On a thread of the pool.
impl Settings {
    fn find(&self, clean: &Clean, codings: &[Coding], title: &str) -> io::Result<Found> {
        let root = sys::open_directory(&self.root)?;
        let error = match self.find_below(&root, clean, codings, title) {
            Err(error) if sys::is_no_such_file(&error) => error,
            result => return result,
        };
        let name = clean.path.file_name().unwrap_or_default();
        match &self.fallback {
            Some(path) if !name.as_bytes().contains(&b'.') => {
                let file = self.open(&root, path)?;
                self.choose_coding(&root, file, path, codings)
            }
            _ => Err(error),
        }
    }

    fn find_below(
        &self,
        root: &OwnedFd,
        clean: &Clean,
        codings: &[Coding],
        title: &str,
    ) -> io::Result<Found> {
        let file = self.open(root, &clean.path)?;
        if !file.metadata()?.is_dir() {
            if clean.is_directory {
                return Err(io::ErrorKind::NotFound.into());
            }
            return self.choose_coding(root, file, &clean.path, codings);
        }
        let index = self.index.as_ref().map(|name| clean.path.join(name));
        if let Some(path) = index {
            match self.open(root, &path) {
                Ok(_) if !clean.is_directory => return Ok(Found::NeedsSlash),
                Ok(file) => return self.choose_coding(root, file, &path, codings),
                Err(error) if sys::is_no_such_file(&error) => {}
                Err(error) => return Err(error),
            }
        }
        if !self.lists {
            return Err(io::ErrorKind::NotFound.into());
        }
        if !clean.is_directory {
            return Ok(Found::NeedsSlash);
        }
        let page = self.list(file, title, !clean.path.as_os_str().is_empty())?;
        Ok(Found::Listing(page))
    }

    /// The page is made here as well: of 10,000 names it takes as long as a
    /// hundred requests.
    fn list(&self, directory: File, title: &str, has_parent: bool) -> io::Result<String> {
        let skips = |name: &OsStr| name.as_bytes().starts_with(b".") && !self.shows_hidden;
        let (mut entries, are_all) = sys::list(directory.into(), listing::ENTRIES_MAX, skips)?;
        if self.links == Links::Refuse {
            entries.retain(|entry| entry.kind != sys::Kind::Link);
        }
        Ok(listing::page(title, entries, are_all, has_parent))
    }

    fn open(&self, root: &OwnedFd, path: &Path) -> io::Result<File> {
        sys::open_beneath(root.as_fd(), path, self.links)
    }

    /// A sibling that the client likes better, or else the file itself.
    fn choose_coding(
        &self,
        root: &OwnedFd,
        file: File,
        path: &Path,
        codings: &[Coding],
    ) -> io::Result<Found> {
        let sibling = codings.iter().find_map(|coding| {
            let mut name = path.as_os_str().to_owned();
            name.push(coding.suffix());
            let opened = Opened::look(self.open(root, Path::new(&name)).ok()?).ok()?;
            Some((opened, *coding))
        });
        let (opened, coding) = match sibling {
            Some((opened, coding)) => (opened, Some(coding)),
            None => (Opened::look(file)?, None),
        };
        let file = FileResponse::new(opened, self.root.join(path));
        Ok(Found::File { file, coding })
    }

    fn type_of(&self, name: &str) -> Option<&str> {
        let extension = content_type::extension(name).to_ascii_lowercase();
        let found = self.types.iter().find(|(known, _)| *known == extension);
        found.map(|(_, media_type)| media_type.as_str())
    }

    fn respond(
        &self,
        mut file: FileResponse,
        coding: Option<Coding>,
        request: &Request,
    ) -> Response {
        let name = file.name();
        let media_type = self.type_of(&name);
        let tag = coding.and_then(|coding| {
            // Two representations of one thing must not share a tag, even if
            // they have a length and a time in common.
            let tag = file.headers().get("etag")?.strip_suffix('"')?;
            Some(format!("{tag}-{}\"", coding.name()))
        });
        let vary = self.is_precompressed.then_some("accept-encoding");
        let fields = [
            ("content-type", media_type),
            ("etag", tag.as_deref()),
            ("content-encoding", coding.map(Coding::name)),
            ("vary", vary),
            ("cache-control", self.cache_control.as_deref()),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                let set = file.headers_mut().insert(name, value);
                set.expect("options were checked when they were set");
            }
        }
        if self.is_precompressed {
            file.has_siblings();
        }
        file.respond_to(request)
    }
}

impl fmt::Debug for StaticFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticFiles")
            .field("root", &self.0.root)
            .field("links", &self.0.links)
            .finish_non_exhaustive()
    }
}
