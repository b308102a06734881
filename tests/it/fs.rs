//! Files and folders by the pool.

use std::cell::Cell;
use std::error::Error;
use std::future::Future;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::time::Duration;

use tourbillon::fs::{self, File, OpenOptions, Permissions, raw_os_error};
use tourbillon::{Runtime, sleep, spawn, spawn_blocking};

use super::support::{block_on, limit_descriptors, until, well_in_child, within};

/// A folder of the test's own, gone with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let nth = COUNT.fetch_add(1, Ordering::SeqCst);
        let name = format!("tourbillon-fs-{}-{nth}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Polls once, and gives up.
fn give_up<T>(future: impl Future<Output = T>) {
    let mut future = Box::pin(future);
    assert!(
        future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
}

#[test]
fn whole_files_are_written_and_read() {
    block_on(|| async {
        let scratch = Scratch::new();
        let path = scratch.join("a");
        fs::write(&path, "one").await.unwrap();
        fs::write(&path, vec![b'2']).await.unwrap();
        assert_eq!(fs::read(&path).await.unwrap(), b"2");
        assert_eq!(fs::read_to_string(&path).await.unwrap(), "2");
        fs::write(&path, *b"\xff").await.unwrap();
        let error = fs::read_to_string(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    });
}

#[test]
fn names_are_made_moved_and_removed() {
    block_on(|| async {
        let scratch = Scratch::new();
        let at = |name: &str| scratch.join(name);
        fs::create_dir(at("d")).await.unwrap();
        fs::create_dir_all(at("d/e/f")).await.unwrap();
        fs::write(at("d/a"), "tick").await.unwrap();
        assert_eq!(fs::copy(at("d/a"), at("b")).await.unwrap(), 4);
        fs::hard_link(at("b"), at("c")).await.unwrap();
        fs::symlink("b", at("l")).await.unwrap();
        assert_eq!(fs::read_link(at("l")).await.unwrap(), Path::new("b"));
        let real = std::fs::canonicalize(&scratch.0).unwrap();
        assert_eq!(fs::canonicalize(at("l")).await.unwrap(), real.join("b"));
        assert!(fs::symlink_metadata(at("l")).await.unwrap().is_symlink());
        assert_eq!(fs::metadata(at("l")).await.unwrap().len(), 4);
        fs::set_permissions(at("b"), Permissions::from_mode(0o400))
            .await
            .unwrap();
        let mode = fs::metadata(at("c")).await.unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o400);
        fs::rename(at("b"), at("d/e/g")).await.unwrap();
        assert!(!fs::exists(at("l")).await.unwrap(), "it leads nowhere now");
        fs::remove_file(at("l")).await.unwrap();
        fs::remove_dir(at("d/e/f")).await.unwrap();
        let error = fs::remove_dir(at("d")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DirectoryNotEmpty);
        fs::remove_dir_all(at("d")).await.unwrap();
        assert!(!fs::exists(at("d")).await.unwrap());
        assert_eq!(fs::read(at("c")).await.unwrap(), b"tick");
    });
}

/// What every error here has: the attempt and the path, the kind, the number.
#[track_caller]
fn names<T>(result: io::Result<T>, text: &str) {
    let error = result.err().expect("it fails");
    assert_eq!(
        error.to_string(),
        format!("{text}: No such file or directory (os error 2)")
    );
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(raw_os_error(&error), Some(2));
    let source = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>());
    assert_eq!(source.and_then(io::Error::raw_os_error), Some(2));
}

#[test]
fn errors_name_what_was_tried_and_on_what() {
    block_on(|| async {
        let no = "/no/such";
        names(fs::read(no).await, "reading /no/such");
        names(fs::read_to_string(no).await, "reading /no/such");
        names(fs::write(no, "").await, "writing /no/such");
        names(fs::metadata(no).await, "looking at /no/such");
        names(fs::symlink_metadata(no).await, "looking at /no/such");
        names(fs::canonicalize(no).await, "resolving /no/such");
        names(fs::read_link(no).await, "reading the link /no/such");
        names(fs::remove_file(no).await, "removing /no/such");
        names(fs::remove_dir(no).await, "removing /no/such");
        names(fs::remove_dir_all(no).await, "removing all of /no/such");
        names(fs::create_dir(no).await, "making the folder /no/such");
        names(fs::rename(no, "/tmp").await, "renaming /no/such to /tmp");
        names(fs::copy(no, "/tmp/x").await, "copying /no/such to /tmp/x");
        names(
            fs::hard_link(no, "/tmp/x").await,
            "linking /no/such to /tmp/x",
        );
        names(fs::symlink("/tmp", no).await, "linking /tmp to /no/such");
        let permissions = Permissions::from_mode(0o600);
        names(
            fs::set_permissions(no, permissions).await,
            "setting permissions of /no/such",
        );
        names(fs::read_dir(no).await, "reading the folder /no/such");
        names(File::open(no).await, "opening /no/such");
        names(File::create(no).await, "opening /no/such");
        let text = fs::exists("/etc/passwd/x").await.unwrap_err().to_string();
        assert!(
            text.starts_with("looking for /etc/passwd/x: Not a directory"),
            "{text}"
        );

        let file = File::from_std(std::fs::File::open("/").unwrap());
        let text = file.read_at(&mut [0; 8], 0).await.unwrap_err().to_string();
        assert!(text.starts_with("reading file descriptor "), "{text}");
    });
}

#[test]
fn a_file_is_read_and_written_at_positions() {
    block_on(|| async {
        let scratch = Scratch::new();
        let path = scratch.join("a");
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create_new(true);
        let file = File::open_with(&path, options).await.unwrap();
        assert!(File::open_with(&path, options).await.is_err());
        file.write_all_at("tack", 8).await.unwrap();
        assert_eq!(file.write_at(b"tick", 0).await.unwrap(), 4);
        let mut buf = [1; 16];
        assert_eq!(file.read_at(&mut buf, 0).await.unwrap(), 12);
        assert_eq!(&buf, b"tick\0\0\0\0tack\x01\x01\x01\x01");
        assert_eq!(file.read_at(&mut buf, 12).await.unwrap(), 0);
        assert_eq!(file.read_at(&mut [], 0).await.unwrap(), 0);
        let error = file.read_exact_at(&mut buf, 0).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert!(
            error
                .to_string()
                .starts_with(&format!("reading {}: ", path.display()))
        );
        assert_eq!(
            &buf[12..],
            [1; 4],
            "a read that fails leaves the buffer alone"
        );
        file.set_len(6).await.unwrap();
        file.sync_data().await.unwrap();
        file.sync_all().await.unwrap();
        assert_eq!(file.metadata().await.unwrap().len(), 6);

        let other = file.try_clone().unwrap();
        let shared = file.clone();
        let mut std = file.into_std().unwrap();
        let mut text = String::new();
        std.read_to_string(&mut text).unwrap();
        assert_eq!(text, "tick\0\0", "no read or write has moved its position");
        let buf = &mut [0; 4];
        shared.read_exact_at(buf, 0).await.unwrap();
        other.read_exact_at(buf, 0).await.unwrap();
        assert_eq!(buf, b"tick");
        let error = File::open(&path)
            .await
            .unwrap()
            .write_at("x", 0)
            .await
            .unwrap_err();
        assert_eq!(raw_os_error(&error), Some(libc::EBADF));
    });
}

#[test]
fn many_writes_at_a_time_all_land() {
    block_on(|| async {
        let scratch = Scratch::new();
        let file = File::create(scratch.join("a")).await.unwrap();
        let writes: Vec<_> = (0..50_u8)
            .map(|at| {
                let file = file.clone();
                spawn(async move { file.write_all_at([at; 100], u64::from(at) * 100).await })
            })
            .collect();
        for write in writes {
            write.await.unwrap().unwrap();
        }
        let bytes = fs::read(scratch.join("a")).await.unwrap();
        assert!(
            bytes
                .iter()
                .enumerate()
                .all(|(at, byte)| at / 100 == usize::from(*byte))
        );
        assert_eq!(bytes.len(), 5000);
    });
}

#[allow(unsafe_code)]
fn make_fifo(path: &Path) {
    let path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: a live string with its NUL is passed.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
}

#[test]
fn the_loop_turns_while_a_file_keeps_a_worker_waiting() {
    block_on(|| async {
        let scratch = Scratch::new();
        let path = scratch.join("fifo");
        make_fifo(&path);
        let ticks = Rc::new(Cell::new(0));
        let counted = Rc::clone(&ticks);
        let writer = spawn(async move {
            for _ in 0..5 {
                sleep(Duration::from_millis(1)).await;
                counted.set(counted.get() + 1);
            }
            fs::write(path, "tick").await
        });
        // Opening it waits for somebody to write.
        assert_eq!(fs::read(scratch.join("fifo")).await.unwrap(), b"tick");
        assert_eq!(ticks.get(), 5);
        writer.await.unwrap().unwrap();
    });
}

#[test]
fn a_job_that_waits_is_cancelled_and_one_that_has_begun_runs_on() {
    within(|| {
        let mut rt = Runtime::builder().blocking_workers_max(1).build().unwrap();
        let scratch = Scratch::new();
        let (waits, begun) = (scratch.join("waits"), scratch.join("fifo"));
        make_fifo(&begun);
        rt.block_on(async {
            let (open, gate) = mpsc::channel::<()>();
            let busy = spawn_blocking(move || gate.recv());
            give_up(fs::write(&waits, "tick"));
            open.send(()).unwrap();
            busy.await.unwrap().unwrap();
            // The one worker is through with whatever was queued before this.
            spawn_blocking(|| ()).await.unwrap();
            assert!(!waits.exists(), "a job that nobody waits for has run");
        });
        rt.block_on(async {
            let mut write = Box::pin(fs::write(&begun, "tick"));
            assert!(
                write
                    .as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()))
                    .is_pending()
            );
            // It has begun when it holds the only worker.
            while tourbillon::stats().jobs_running == 0 {
                sleep(Duration::from_millis(1)).await;
            }
            drop(write);
        });
        assert_eq!(std::fs::read(&begun).unwrap(), b"tick");
    });
}

#[test]
fn a_pool_that_is_full_is_an_error() {
    within(|| {
        let builder = Runtime::builder()
            .blocking_workers_max(1)
            .blocking_queue_max(0);
        let mut rt = builder.build().unwrap();
        rt.block_on(async {
            let (open, gate) = mpsc::channel::<()>();
            let busy = spawn_blocking(move || gate.recv());
            let error = fs::read("/etc/passwd").await.unwrap_err();
            assert!(error.to_string().contains("queue is full"), "{error}");
            open.send(()).unwrap();
            busy.await.unwrap().unwrap();
        });
    });
}

#[test]
fn a_folder_comes_in_batches_and_no_entry_is_lost() {
    block_on(|| async {
        let scratch = Scratch::new();
        let mut expected: Vec<String> = (0..600).map(|at| format!("{at:03}")).collect();
        for name in &expected {
            std::fs::write(scratch.join(name), "").unwrap();
        }
        std::fs::create_dir(scratch.join("folder")).unwrap();
        expected.push("folder".into());

        let mut folder = fs::read_dir(&scratch.0).await.unwrap();
        let mut got = Vec::new();
        let mut batches = 0;
        loop {
            give_up(folder.next_batch());
            let Some(batch) = folder.next_batch().await.unwrap() else {
                break;
            };
            assert!((1..=256).contains(&batch.len()));
            batches += 1;
            for entry in batch {
                let name = entry.file_name().to_str().unwrap().to_owned();
                assert_eq!(entry.path(), scratch.join(&name));
                assert_eq!(entry.file_type().unwrap().is_dir(), name == "folder");
                got.push(name);
            }
            if batches == 3 {
                break;
            }
        }
        assert!(folder.next_batch().await.unwrap().is_none());
        got.sort();
        assert_eq!(got, expected);
        assert_eq!(batches, 3);

        let mut one = fs::read_dir(&scratch.0).await.unwrap();
        let mut count = 0;
        while let Some(entry) = one.next_entry().await.unwrap() {
            assert_eq!(
                entry.metadata().await.unwrap().is_dir(),
                entry.file_name() == "folder"
            );
            count += 1;
        }
        assert_eq!(count, expected.len());
        assert!(one.next_entry().await.unwrap().is_none());
    });
}

#[test]
fn a_full_table_of_descriptors_is_an_error_with_the_path() {
    well_in_child(
        "fs::a_full_table_of_descriptors_is_an_error_with_the_path",
        || {
            Runtime::new().unwrap().block_on(async {
                // The worker is there before descriptors are scarce.
                assert!(fs::exists("/etc/passwd").await.unwrap());
                limit_descriptors(64);
                let mut filler = Vec::new();
                while let Ok(file) = std::fs::File::open("/dev/null") {
                    filler.push(file);
                }
                let error = File::open("/etc/passwd").await.unwrap_err();
                assert!(
                    error.to_string().starts_with("opening /etc/passwd: "),
                    "{error}"
                );
                assert_eq!(raw_os_error(&error), Some(libc::EMFILE));
                drop(filler);
                File::open("/etc/passwd").await.unwrap();
                until(|| true);
            });
        },
    );
}
