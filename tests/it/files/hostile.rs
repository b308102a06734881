//! Paths that try to leave a directory, or to stop who opens them.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tourbillon::server::{Handler, Request, Response};
use tourbillon::web::{StaticFiles, Symlinks};

use super::folder;
use crate::server_support::{Client, Served, serve};
use crate::support::Folder;

/// What stands in every file that must not be served.
const SECRET: &[u8] = b"SECRET";

/// A directory `root` with links, pipes and sockets in it, and secrets around it.
fn tree() -> Folder {
    let folder = folder(&[
        ("secret.txt", SECRET),
        ("root-secret/a.txt", SECRET),
        ("root/a.txt", b"fine"),
        ("root/dir/b.txt", b"fine"),
        ("root/dir/deep/c.txt", b"fine"),
        ("root/.env", SECRET),
        ("root/.git/config", SECRET),
        ("root/dir/.hidden/x", SECRET),
        ("root/we\\ird", SECRET),
        ("root/c:", SECRET),
        ("root/li\nne", SECRET),
    ]);
    let root = folder.path("root");
    for (target, link) in [
        ("a.txt", "link-inside"),
        ("dir", "link-dir"),
        ("dir/deep/../../a.txt", "link-round"),
        ("../secret.txt", "link-out"),
        ("..", "link-up"),
        ("dir/../../secret.txt", "link-round-out"),
        ("/etc/passwd", "link-absolute"),
        ("../root-secret", "link-sibling"),
        ("link-out", "link-to-link-out"),
        ("loop", "loop"),
        ("nowhere", "link-nowhere"),
        ("/dev/zero", "link-zero"),
    ] {
        symlink(target, root.join(link)).unwrap();
    }
    let full = folder.path("secret.txt");
    symlink(full, root.join("link-full")).unwrap();
    make_pipe(&root.join("pipe"));
    drop(UnixListener::bind(root.join("socket")).unwrap());
    folder
}

#[expect(unsafe_code, reason = "std makes no pipes with names")]
fn make_pipe(path: &Path) {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: mkfifo(3) reads a string that lives here.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
}

const HOSTILE: [&str; 84] = [
    "/..",
    "/../",
    "/../secret.txt",
    "/../../../../../../../../etc/passwd",
    "/./a.txt",
    "/dir/../a.txt",
    "/dir/../../secret.txt",
    "/dir/./b.txt",
    "/%2e",
    "/%2e%2e/secret.txt",
    "/%2E%2E/secret.txt",
    "/.%2e/secret.txt",
    "/%2e./secret.txt",
    "/..%2fsecret.txt",
    "/..%2Fsecret.txt",
    "/%2e%2e%2fsecret.txt",
    "/dir%2f..%2f..%2fsecret.txt",
    "/dir%2fb.txt",
    "/..%5csecret.txt",
    "/..\\secret.txt",
    "/dir\\..\\..\\secret.txt",
    "/%5c..%5csecret.txt",
    "/..%c0%afsecret.txt",
    "/%c0%ae%c0%ae/secret.txt",
    "/..%ef%bc%8fsecret.txt",
    "/%uff0e%uff0e/secret.txt",
    "/%252e%252e/secret.txt",
    "/%252e%252e%252fsecret.txt",
    "/%25%32%65%25%32%65/secret.txt",
    "/..;/secret.txt",
    "/..;x=y/secret.txt",
    "/.../secret.txt",
    "/..../secret.txt",
    "/..%00/secret.txt",
    "/..%00",
    "/a.txt%00",
    "/a.txt%00.html",
    "/%00",
    "/a.txt%0a",
    "/a.txt%0d%0aset-cookie:%20a=b",
    "/a.txt/",
    "/a.txt/.",
    "/a.txt/..",
    "/a.txt/../../secret.txt",
    "//",
    "//a.txt",
    "///a.txt",
    "//etc/passwd",
    "/dir//b.txt",
    "/dir//",
    "/%2fetc%2fpasswd",
    "/%2f%2fetc/passwd",
    "/c:",
    "/C:/windows/win.ini",
    "/c%3a/secret.txt",
    "/file:///etc/passwd",
    "/dir/c:/x",
    "/~root/.profile",
    "/~",
    "/.env",
    "/%2eenv",
    "/.git/config",
    "/dir/.hidden/x",
    "/dir/%2ehidden/x",
    "/we\\ird",
    "/we%5cird",
    "/li%0ane",
    "/a.txt%",
    "/a.txt%2",
    "/a.txt%zz",
    "/%",
    "/link-out",
    "/link-full",
    "/link-up/secret.txt",
    "/link-up/root/a.txt",
    "/link-up/root-secret/a.txt",
    "/link-round-out",
    "/link-absolute",
    "/link-sibling/a.txt",
    "/link-to-link-out",
    "/link-zero",
    "/loop",
    "/pipe",
    "/socket",
];

/// Below `/static/`, as behind a route with a wildcard.
struct Mounted(Rc<StaticFiles>);

impl Handler for Mounted {
    async fn handle(&self, mut request: Request) -> Response {
        let rest = request.path().strip_prefix("/static/").unwrap_or("");
        // As the router decodes it: what is no escape stays.
        let mut decoded = Vec::new();
        let mut bytes = rest.bytes();
        while let Some(byte) = bytes.next() {
            let digits: Vec<u8> = bytes.clone().take(2).collect();
            let digits = str::from_utf8(&digits).unwrap_or("");
            match u8::from_str_radix(digits, 16) {
                Ok(value) if byte == b'%' && digits.len() == 2 && !digits.contains('+') => {
                    decoded.push(value);
                    bytes.nth(1);
                }
                _ => decoded.push(byte),
            }
        }
        let decoded = String::from_utf8_lossy(&decoded).into_owned();
        request.set_params(vec![("rest".into(), decoded)]);
        self.0.handle(request).await
    }
}

#[track_caller]
fn assert_refused(served: &Served, target: &str) {
    let mut client = served.connect();
    client.send(format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n"));
    let reply = client.reply();
    assert!(
        matches!(reply.status, 400 | 404),
        "{target:?} gives {reply:?}"
    );
    let leaks = |what: &[u8]| reply.body.windows(what.len()).any(|part| part == what);
    assert!(
        !leaks(SECRET) && !leaks(b"root:"),
        "{target:?} gives {reply:?}"
    );
}

#[test]
fn no_path_leads_out() {
    let folder = tree();
    let root = folder.path("root");
    for symlinks in [Symlinks::Refuse, Symlinks::InsideRoot] {
        let make = {
            let root = root.clone();
            move || StaticFiles::new(&root).unwrap().symlinks(symlinks)
        };
        let plain = serve(make.clone());
        let mounted = serve(move || Mounted(Rc::new(make())));
        for path in HOSTILE {
            assert_refused(&plain, path);
            assert_refused(&mounted, &format!("/static{path}"));
        }
        let mut client = plain.connect();
        for path in [
            "/a.txt",
            "/dir/b.txt",
            "/dir/deep/c.txt",
            "/%61.txt",
            "/dir/%62.txt?../x",
        ] {
            assert_eq!(client.get(path).text(), "fine", "{path}");
        }
        let mut client = mounted.connect();
        for path in ["/static/a.txt", "/static/dir/b.txt", "/static/%61.txt"] {
            assert_eq!(client.get(path).text(), "fine", "{path}");
        }
        let expected = if symlinks == Symlinks::Refuse {
            404
        } else {
            200
        };
        for path in ["/link-inside", "/link-dir/b.txt", "/link-round"] {
            assert_eq!(
                plain.connect().get(path).status,
                expected,
                "{path} with {symlinks:?}"
            );
        }
    }
}

/// With hidden files on, dots that mean a directory are still refused.
#[test]
fn hidden_files_open_no_way_up() {
    let folder = tree();
    let root = folder.path("root");
    let served = serve(move || StaticFiles::new(root).unwrap().hidden_files(true));
    for path in HOSTILE
        .iter()
        .filter(|path| path.contains("..") || path.contains("%2e%2e"))
    {
        assert_refused(&served, path);
    }
    assert_eq!(served.connect().get("/.env").body, SECRET);
}

#[test]
fn links_that_are_followed_go_anywhere_and_devices_still_nowhere() {
    let folder = tree();
    let root = folder.path("root");
    let served = serve(move || StaticFiles::new(root).unwrap().symlinks(Symlinks::Follow));
    let mut client = served.connect();
    for path in [
        "/link-out",
        "/link-full",
        "/link-up/secret.txt",
        "/link-sibling/a.txt",
    ] {
        assert_eq!(client.get(path).body, SECRET, "{path}");
    }
    for path in [
        "/link-zero",
        "/loop",
        "/link-nowhere",
        "/pipe",
        "/socket",
        "/../secret.txt",
    ] {
        assert_eq!(client.get(path).status, 404, "{path}");
    }
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A directory that is swapped for a link to elsewhere, over and over.
#[test]
fn a_swapped_directory_gives_no_secret() {
    let folder = tree();
    let root = folder.path("root");
    std::fs::write(folder.path("root-secret/b.txt"), SECRET).unwrap();
    let served = {
        let root = root.clone();
        serve(move || {
            StaticFiles::new(root)
                .unwrap()
                .symlinks(Symlinks::InsideRoot)
        })
    };
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        // The scope waits for its threads, also when an assertion fails.
        let _stops = SetOnDrop(&stop);
        scope.spawn(|| {
            let (dir, aside, link) = (
                root.join("dir"),
                root.join("aside"),
                root.join("link-sibling"),
            );
            while !stop.load(Ordering::Relaxed) {
                std::fs::rename(&dir, &aside).unwrap();
                std::fs::rename(&link, &dir).unwrap();
                std::fs::rename(&dir, &link).unwrap();
                std::fs::rename(&aside, &dir).unwrap();
            }
        });
        let mut client = Client::connect(served.address);
        let mut found = 0;
        for _ in 0..1000 {
            let reply = client.get("/dir/b.txt");
            match reply.status {
                200 => {
                    assert_eq!(reply.text(), "fine");
                    found += 1;
                }
                404 => {}
                _ => panic!("{reply:?}"),
            }
        }
        println!("swapped: {found} of 1000 found");
    });
}
