//! Clients that other people wrote, against the example `server`. Each is skipped, with a message,
//! where it is not installed; CI installs them.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Output;

use super::example_server::ExampleServer;
use crate::support::run_installed;

#[track_caller]
fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What curl prints, with the head before the body.
fn curl(args: &[&str], input: &[u8]) -> Option<String> {
    let always = ["--silent", "--show-error", "--include", "--max-time", "20"];
    let args = [&always[..], args].concat();
    Some(text(&run_installed("curl", "curl", &args, input)?).replace("\r\n", "\n"))
}

/// A folder with one file of a thousand numbered lines, gone when this is.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("tourbillon-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let lines: String = (0..1000).map(|n| format!("{n:07}\n")).collect();
        fs::write(folder.join("lines.txt"), lines).unwrap();
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left behind, it would cost little.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn curl_asks_in_both_versions_and_by_head() {
    let server = ExampleServer::start(&[]);
    let (root, stream) = (server.url("/"), server.url("/bytes?n=3"));
    let Some(said) = curl(&["--http1.1", &root, &root], b"") else {
        return;
    };
    assert_eq!(said.matches("HTTP/1.1 200 OK\n").count(), 2, "{said}");
    assert_eq!(said.matches("\nHello, World!").count(), 2, "{said}");
    let said = curl(&["--http1.0", &stream], b"").unwrap();
    assert!(said.ends_with("\n\nxxx"), "{said}");
    let said = curl(
        &["--http1.0", "--header", "Connection: keep-alive", &root],
        b"",
    )
    .unwrap();
    assert!(said.contains("connection: keep-alive\n"), "{said}");
    let said = curl(&["--head", &root], b"").unwrap();
    assert!(
        said.contains("content-length: 13\n") && said.ends_with("\n\n"),
        "{said}"
    );
}

#[test]
fn curl_uploads_by_length_in_chunks_and_after_a_100() {
    let server = ExampleServer::start(&[]);
    let echo = server.url("/echo");
    let body = vec![b'u'; 300_000];
    let post = ["--request", "POST", "--data-binary", "@-", &echo];
    let Some(said) = curl(&post, &body) else {
        return;
    };
    let tail = |said: &str| said.rsplit_once("\n\n").unwrap().1.len();
    assert_eq!(tail(&said), body.len());
    let chunked = [&post[..], &["--header", "Transfer-Encoding: chunked"]].concat();
    assert_eq!(tail(&curl(&chunked, &body).unwrap()), body.len());
    let expecting = [&post[..], &["--header", "Expect: 100-continue"]].concat();
    let said = curl(&expecting, &body).unwrap();
    assert!(
        said.starts_with("HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\n"),
        "{}",
        &said[..60]
    );
    assert_eq!(tail(&said), body.len());
    // Told before it has sent all of it, it reads the answer all the same.
    let refused = ExampleServer::start(&["--body-bytes-max", "1000"]);
    let post = ["--data-binary", "@-", &refused.url("/echo")];
    let said = curl(&post, &body).unwrap();
    assert!(said.contains("HTTP/1.1 413 Content Too Large\n"), "{said}");
}

#[test]
fn curl_gets_files_in_part_and_only_when_they_are_new() {
    let folder = Folder::new("curl");
    let server = ExampleServer::start(&["--files", folder.0.to_str().unwrap()]);
    let url = server.url("/files/lines.txt");
    let Some(said) = curl(&["--range", "8-15", &url], b"") else {
        return;
    };
    assert!(said.starts_with("HTTP/1.1 206 Partial Content\n"), "{said}");
    assert!(said.contains("content-range: bytes 8-15/8000\n"), "{said}");
    assert!(said.ends_with("\n\n0000001\n"), "{said}");
    let said = curl(&["--range", "-8", &url], b"").unwrap();
    assert!(said.ends_with("\n\n0000999\n"), "{said}");
    let said = curl(&["--range", "0-7,7992-7999", &url], b"").unwrap();
    assert!(
        said.contains("content-type: multipart/byteranges; boundary="),
        "{said}"
    );
    assert!(
        said.contains("0000000\n") && said.contains("0000999\n"),
        "{said}"
    );
    let said = curl(&["--range", "9000-", &url], b"").unwrap();
    assert!(
        said.starts_with("HTTP/1.1 416 Range Not Satisfiable\n"),
        "{said}"
    );
    let said = curl(&[&url], b"").unwrap();
    let (_, tag) = said.split_once("\netag: ").unwrap();
    let tag = tag.split('\n').next().unwrap();
    let condition = format!("If-None-Match: {tag}");
    let said = curl(&["--header", &condition, &url], b"").unwrap();
    assert!(said.starts_with("HTTP/1.1 304 Not Modified\n"), "{said}");
    let tomorrow = "Fri, 31 Dec 2100 00:00:00 GMT";
    let said = curl(&["--time-cond", tomorrow, &url], b"").unwrap();
    assert!(said.starts_with("HTTP/1.1 304 Not Modified\n"), "{said}");
}

const PYTHON: &str = r#"
import http.client, sys
host, port = sys.argv[1].split(":")
connection = http.client.HTTPConnection(host, int(port), timeout=20)
local = None
for at in range(50):
    connection.request("GET", "/ping")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"pong"), at
    here = connection.sock.getsockname()
    assert local in (None, here), "the connection was kept"
    local = here
body = bytes(range(256)) * 2000
connection.request("POST", "/echo", body)
assert connection.getresponse().read() == body
connection.request("POST", "/echo", iter([body[:70000], b"", body[70000:]]), encode_chunked=True,
                   headers={"Transfer-Encoding": "chunked"})
answer = connection.getresponse()
assert answer.chunked and answer.read() == body
connection.request("HEAD", "/")
answer = connection.getresponse()
assert answer.getheader("content-length") == "13" and answer.read() == b""
connection.request("GET", "/status?code=204")
answer = connection.getresponse()
assert (answer.status, answer.read()) == (204, b"")
connection.request("GET", "/nowhere", headers={"Connection": "close"})
answer = connection.getresponse()
assert answer.status == 404 and answer.will_close and answer.read() == b"Not Found"
print("python is content")
"#;

#[test]
fn python_keeps_its_connection() {
    let server = ExampleServer::start(&[]);
    let address = server.address.to_string();
    let args = ["-c", PYTHON, &address];
    if let Some(output) = run_installed("python3", "python3", &args, b"") {
        assert_eq!(text(&output), "python is content\n");
    }
}

const NODE: &str = r#"
const base = process.argv[1];
const body = "u".repeat(300000);
(async () => {
  const all = await Promise.all([...Array(100).keys()].map(async (at) => {
    const answer = await fetch(`${base}/slow?ms=${at % 7}`);
    return `${answer.status} ${await answer.text()}`;
  }));
  all.forEach((said, at) => { if (said !== `200 slept ${at % 7} ms`) throw said; });
  const echo = await fetch(`${base}/echo`, { method: "POST", body });
  if (await echo.text() !== body) throw "another body";
  const chunks = new ReadableStream({ start(to) {
    to.enqueue(new TextEncoder().encode(body)); to.enqueue(new Uint8Array([33])); to.close();
  } });
  const stream = await fetch(`${base}/echo`, { method: "POST", body: chunks, duplex: "half" });
  if (await stream.text() !== body + "!") throw "another stream";
  const large = await (await fetch(`${base}/bytes?n=5000000`)).arrayBuffer();
  if (large.byteLength !== 5000000) throw large.byteLength;
  const gone = new AbortController();
  const pending = fetch(`${base}/slow?ms=60000`, { signal: gone.signal });
  setTimeout(() => gone.abort(), 20);
  await pending.then(() => { throw "answered"; }, (e) => { if (e.name !== "AbortError") throw e; });
  const missing = await fetch(`${base}/nowhere`);
  if (missing.status !== 404) throw missing.status;
  console.log("node is content");
  process.exit(0);
})().catch((e) => { console.error(e); process.exit(1); });
"#;

#[test]
fn node_fetches_a_hundred_at_once_and_gives_up() {
    let server = ExampleServer::start(&[]);
    let args = ["-e", NODE, &server.url("")];
    if let Some(output) = run_installed("node", "nodejs", &args, b"") {
        assert_eq!(text(&output), "node is content\n");
    }
}

#[test]
fn wrk_finds_no_fault() {
    let server = ExampleServer::start(&[]);
    let args = ["-t1", "-c64", "-d1s", &server.url("/")];
    let Some(output) = run_installed("wrk", "wrk", &args, b"") else {
        return;
    };
    let said = text(&output);
    println!("{said}");
    let faults = ["Socket errors", "Non-2xx"];
    assert!(!faults.iter().any(|fault| said.contains(fault)), "{said}");
    let (before, _) = said.split_once(" requests in ").unwrap();
    let requests = before.rsplit(char::is_whitespace).next().unwrap();
    assert!(requests.parse::<u64>().unwrap() > 100, "{said}");
}

#[test]
fn ab_finds_no_fault() {
    let server = ExampleServer::start(&[]);
    for options in [&["-n2000", "-c50"][..], &["-n20000", "-c50", "-k"]] {
        let url = server.url("/");
        let args = [options, &["-q", &*url]].concat();
        let Some(output) = run_installed("ab", "apache2-utils", &args, b"") else {
            return;
        };
        let said = text(&output);
        println!("{said}");
        let complete = format!("Complete requests:      {}", &options[0][2..]);
        assert!(said.contains(&complete), "{said}");
        assert!(said.contains("Failed requests:        0"), "{said}");
        assert!(!said.contains("Non-2xx"), "{said}");
    }
}
