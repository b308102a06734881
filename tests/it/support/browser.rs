//! A real browser without a screen: Chromium, told what to do through two pipes.
//!
//! It speaks the DevTools protocol as JSON that ends with a NUL, on descriptors 3 and 4, so there
//! is no port and no WebSocket. The shell puts them there: `3<&0 4>&1`.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long anything in the browser may take before it is called a failure.
const LIMIT: Duration = Duration::from_secs(30);

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// The name of a browser that is installed; says so where there is none.
pub(crate) fn find() -> Option<&'static str> {
    let found = NAMES.into_iter().find(|name| {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&paths).any(|folder| folder.join(name).is_file())
    });
    if found.is_none() {
        println!("skipped: no browser is installed (Debian's package chromium)");
    }
    found
}

/// A browser with one page at a time. Dropping it ends it and all its processes.
pub(crate) struct Browser {
    child: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    folder: PathBuf,
    last: u64,
    page: Option<Page>,
    errors: Vec<String>,
    requests: Vec<String>,
}

struct Page {
    target: String,
    session: String,
}

impl Browser {
    pub(crate) fn start(name: &str) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("browser-{}-{number}", std::process::id()));
        let line = format!(
            "exec {name} --headless=new --no-sandbox --disable-gpu --no-first-run --lang=en \
             --hide-scrollbars --remote-debugging-pipe \"--user-data-dir=$1\" about:blank \
             3<&0 4>&1 0</dev/null 1>/dev/null"
        );
        let mut child = Command::new("sh")
            .args(["-c", &line, "sh"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let commands = child.stdin.take().unwrap();
        let answers = child.stdout.take().unwrap();
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            // It ends with the browser, or with the receiver.
            for message in BufReader::new(answers).split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).unwrap();
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        Browser {
            child,
            commands,
            messages,
            folder,
            last: 0,
            page: None,
            errors: Vec::new(),
            requests: Vec::new(),
        }
    }

    /// Opens a page in a tab of its own, in place of the one before, with nothing noted yet.
    pub(crate) fn open(&mut self, url: &str) {
        self.close();
        self.errors.clear();
        self.requests.clear();
        let target = self.call("Target.createTarget", json!({"url": "about:blank"}));
        let target = target["targetId"].as_str().unwrap().to_owned();
        let attach = json!({"targetId": target, "flatten": true});
        let attached = self.call("Target.attachToTarget", attach);
        let session = attached["sessionId"].as_str().unwrap().to_owned();
        self.page = Some(Page { target, session });
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.call(&format!("{domain}.enable"), json!({}));
        }
        self.set_viewport(1280, 800);
        self.set_dark(false);
        self.call("Page.navigate", json!({"url": url}));
        self.wait_until("location.href !== 'about:blank' && document.readyState === 'complete'");
    }

    pub(crate) fn close(&mut self) {
        if let Some(page) = self.page.take() {
            self.call("Target.closeTarget", json!({"targetId": page.target}));
        }
    }

    /// The value of an expression, after its promise if it is one.
    #[track_caller]
    pub(crate) fn eval(&mut self, js: &str) -> Value {
        let options = json!({"expression": js, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", options);
        let fault = &answer["exceptionDetails"];
        assert!(fault.is_null(), "{js}: {fault}");
        answer["result"]["value"].clone()
    }

    #[track_caller]
    pub(crate) fn text(&mut self, js: &str) -> String {
        self.eval(js).as_str().unwrap_or_default().to_owned()
    }

    /// Asks until the expression is true.
    #[track_caller]
    pub(crate) fn wait_until(&mut self, js: &str) {
        let began = Instant::now();
        while self.eval(js) != Value::Bool(true) {
            if began.elapsed() > LIMIT {
                let text = self.text("document.body.innerText");
                panic!("never true: {js}\nerrors: {:?}\n{text}", self.errors);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Presses and releases a key, named as `KeyboardEvent.key` does.
    pub(crate) fn press(&mut self, key: &str) {
        let is_text = key.chars().count() == 1;
        let code = if key == " " { "Space" } else { key };
        let mut event = json!({"type": "keyDown", "key": key, "code": code});
        if is_text || key == "Enter" {
            event["text"] = json!(if is_text { key } else { "\r" });
        }
        if key == "Enter" {
            event["windowsVirtualKeyCode"] = json!(13);
        }
        self.call("Input.dispatchKeyEvent", event.clone());
        event["type"] = json!("keyUp");
        event["text"] = Value::Null;
        if let Some(event) = event.as_object_mut() {
            event.remove("text");
        }
        self.call("Input.dispatchKeyEvent", event);
    }

    pub(crate) fn set_viewport(&mut self, width: u32, height: u32) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    pub(crate) fn set_dark(&mut self, dark: bool) {
        self.set_media("prefers-color-scheme", if dark { "dark" } else { "light" });
    }

    pub(crate) fn set_media(&mut self, name: &str, value: &str) {
        let features = json!({"features": [{"name": name, "value": value}]});
        self.call("Emulation.setEmulatedMedia", features);
    }

    /// Writes what is seen as a PNG.
    pub(crate) fn screenshot(&mut self, path: &Path) {
        let shot = self.call("Page.captureScreenshot", json!({"format": "png"}));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, from_base64(shot["data"].as_str().unwrap())).unwrap();
    }

    /// Exceptions and errors that the page caused since it was opened.
    pub(crate) fn console_errors(&mut self) -> &[String] {
        self.eval("0");
        &self.errors
    }

    /// All addresses that the page asked for since it was opened.
    pub(crate) fn requests(&mut self) -> &[String] {
        self.eval("0");
        &self.requests
    }

    #[track_caller]
    fn call(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut command = json!({"id": self.last, "method": method, "params": params});
        if let (Some(page), false) = (&self.page, method.starts_with("Target.")) {
            command["sessionId"] = json!(page.session);
        }
        let mut bytes = command.to_string().into_bytes();
        bytes.push(0);
        self.commands.write_all(&bytes).unwrap();
        let deadline = Instant::now() + LIMIT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.messages.recv_timeout(left);
            let mut message = message.unwrap_or_else(|why| panic!("{method}: {why}"));
            if message["id"] == json!(self.last) {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].take();
            }
            self.note(&message);
        }
    }

    fn note(&mut self, message: &Value) {
        let params = &message["params"];
        match message["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => {
                self.errors.push(params["exceptionDetails"].to_string());
            }
            "Runtime.consoleAPICalled" if params["type"] == "error" => {
                self.errors.push(params["args"].to_string());
            }
            "Log.entryAdded" if params["entry"]["level"] == "error" => {
                self.errors.push(params["entry"].to_string());
            }
            "Network.requestWillBeSent" => {
                let url = params["request"]["url"].as_str().unwrap_or_default();
                self.requests.push(url.to_owned());
            }
            _ => {}
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn from_base64(text: &str) -> Vec<u8> {
    let digits = text.bytes().filter_map(|byte| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    });
    let (mut bytes, mut held, mut count) = (Vec::new(), 0_u32, 0);
    for digit in digits {
        held = held << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((held >> count) as u8);
        }
    }
    bytes
}

#[test]
fn base64_is_read() {
    assert_eq!(from_base64("aGVsbG8sIHlvdQ=="), b"hello, you");
    assert_eq!(from_base64("+/8="), [0xfb, 0xff]);
}
