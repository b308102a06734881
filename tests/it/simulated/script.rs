//! What a client will say, and what it must hear: requests drawn by the dice, each with its
//! answer.

use super::application::{LIMITED_MAX, pattern};
use super::dice::Dice;

/// The limits of the simulated server. Small ones are passed by small requests.
pub(super) const BODY_BYTES_MAX: usize = 96 * 1024;
pub(super) const HEAD_BYTES_MAX: usize = 2048;
pub(super) const TARGET_BYTES_MAX: usize = 1024;

/// The longest body that a server reads although nobody wants it.
const UNWANTED_BYTES_MAX: usize = 64 * 1024;

/// A request on the wire, and its answer.
pub(super) struct Exchange {
    pub(super) bytes: Vec<u8>,
    /// Where its body begins.
    pub(super) body_at: usize,
    /// Whether its client asks for a 100, and so waits before the body.
    pub(super) expects: bool,
    /// Whether each byte of its body gives the client new time for the next.
    pub(super) renews: bool,
    pub(super) is_head: bool,
    pub(super) is_old: bool,
    /// Whether the application gets to see it.
    pub(super) is_served: bool,
    pub(super) status: u16,
    pub(super) content: Content,
    pub(super) after: After,
}

#[derive(Debug)]
pub(super) enum Content {
    Bytes(Vec<u8>),
    /// A text for people.
    Any,
}

/// What becomes of the connection when an answer is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Stays,
    /// Closes, and says so before.
    Closes(Why),
    /// Breaks the answer off by a close.
    Cut,
    /// Stays or closes: another task reads the request while it is answered.
    Either,
    /// There is no end: the client leaves first.
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    ClientAsked,
    ServerAsked,
    EndsBody,
    RequestUnread,
    Refused,
}

/// A request that is not written down yet.
struct Draft {
    exchange: Exchange,
    line: String,
    path: String,
    query: String,
    fields: Vec<String>,
    body: Option<(&'static [u8], Framing)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length,
    Chunks,
}

impl Draft {
    fn get(path: &str, content: impl Into<Vec<u8>>) -> Self {
        Draft {
            exchange: Exchange {
                bytes: Vec::new(),
                body_at: 0,
                expects: false,
                renews: false,
                is_head: false,
                is_old: false,
                is_served: true,
                status: 200,
                content: Content::Bytes(content.into()),
                after: After::Stays,
            },
            line: "GET".into(),
            path: path.into(),
            query: String::new(),
            fields: Vec::new(),
            body: None,
        }
    }

    fn post(path: &str, body: &'static [u8], framing: Framing) -> Self {
        let mut draft = Draft::get(path, body);
        draft.line = "POST".into();
        draft.body = Some((body, framing));
        draft
    }

    fn with(mut self, query: String) -> Self {
        self.query = query;
        self
    }

    fn answered(mut self, status: u16, content: Content) -> Self {
        self.exchange.status = status;
        self.exchange.content = content;
        self
    }

    fn then(mut self, after: After) -> Self {
        self.exchange.after = after;
        self
    }

    fn is_chunked(&self) -> bool {
        matches!(self.body, Some((_, Framing::Chunks)))
    }
}

/// Draws what a client says. The last exchange may be one without end.
pub(super) fn draw(dice: &mut Dice, client: usize) -> Vec<Exchange> {
    let count = match dice.below(4) {
        0 => 1,
        1 => dice.between(8, 20),
        _ => dice.between(2, 7),
    };
    let mut script: Vec<_> = (0..count)
        .map(|number| draw_one(dice, client, number))
        .collect();
    if dice.one_in(6) {
        let path = *dice.pick(&["/forever", "/ticks"]);
        let draft = Draft::get(path, "").then(After::Never);
        script.push(finish(dice, draft, client, count));
    }
    script
}

fn draw_one(dice: &mut Dice, client: usize, number: usize) -> Exchange {
    if dice.one_in(24) {
        return refused(dice, client, number);
    }
    let mut draft = match dice.below(16) {
        0..5 => Draft::get("/", format!("{client}.{number}")),
        5..8 => draw_get(dice),
        8..12 => draw_post(dice),
        12 => draw_unread(dice),
        13 => draw_small(dice),
        14 => draw_stream(dice),
        _ => draw_rare(dice),
    };
    draw_manner(dice, &mut draft);
    finish(dice, draft, client, number)
}

/// A place and a length in the pattern; once in a while a long one.
fn draw_range(dice: &mut Dice, rarely: usize) -> (usize, usize) {
    let len = match dice.below(12) {
        0 => 0,
        1 => dice.between(1, rarely),
        _ => dice.size(3000),
    };
    (dice.below(200_000), len)
}

fn draw_get(dice: &mut Dice) -> Draft {
    let (start, len) = draw_range(dice, 160 * 1024);
    let draft = Draft::get("/bytes", pattern(start, len));
    draft.with(format!("&start={start}&len={len}"))
}

fn draw_small(dice: &mut Dice) -> Draft {
    match dice.below(5) {
        0 => {
            let ms = dice.size(400);
            Draft::get("/slow", "slept").with(format!("&ms={ms}"))
        }
        1 => {
            let rounds = dice.size(40);
            Draft::get("/yields", "yielded").with(format!("&rounds={rounds}"))
        }
        2 => Draft::get("/nowhere", "").answered(404, Content::Any),
        3 => Draft::get("/collect", "").answered(405, Content::Any),
        _ => Draft::get("/panic", "")
            .answered(500, Content::Any)
            .then(After::Closes(Why::ServerAsked)),
    }
}

fn draw_making(dice: &mut Dice, rarely: usize) -> (String, &'static [u8]) {
    let (start, len) = draw_range(dice, rarely);
    let piece = dice.size(20_000).max(len / 24 + 1);
    let rest = if dice.one_in(3) { dice.size(30) } else { 0 };
    let query = format!("&start={start}&len={len}&piece={piece}&rest={rest}");
    (query, pattern(start, len))
}

fn draw_stream(dice: &mut Dice) -> Draft {
    let (query, bytes) = draw_making(dice, 300 * 1024);
    if dice.one_in(4) {
        return Draft::get("/elsewhere", bytes).with(query);
    }
    let sized = dice.below(2);
    Draft::get("/stream", bytes).with(format!("{query}&sized={sized}"))
}

fn draw_framing(dice: &mut Dice) -> Framing {
    *dice.pick(&[Framing::Length, Framing::Chunks])
}

/// Requests whose body is read.
fn draw_post(dice: &mut Dice) -> Draft {
    let (start, len) = draw_range(dice, BODY_BYTES_MAX);
    let body = pattern(start, len);
    let framing = draw_framing(dice);
    let paths = [
        "/collect",
        "/echo",
        "/echo_second",
        "/echo_elsewhere",
        "/relay",
        "/limited",
    ];
    let path = *dice.pick(&paths);
    let mut draft = Draft::post(path, body, framing);
    draft.exchange.renews = framing == Framing::Length && path != "/limited";
    if path != "/limited" || len <= LIMITED_MAX {
        return draft;
    }
    let draft = draft.answered(413, Content::Any);
    match framing {
        Framing::Chunks => draft.then(After::Closes(Why::ServerAsked)),
        Framing::Length if len <= UNWANTED_BYTES_MAX => draft,
        // How much is left when the limit is passed is for the network to say.
        Framing::Length => draft.then(After::Either),
    }
}

/// Requests whose body is not read to its end, or not by the handler.
fn draw_unread(dice: &mut Dice) -> Draft {
    let (start, len) = draw_range(dice, BODY_BYTES_MAX);
    let framing = draw_framing(dice);
    let is_kept = framing == Framing::Length && len <= UNWANTED_BYTES_MAX;
    if dice.one_in(2) {
        let len = len.min(UNWANTED_BYTES_MAX);
        let draft = Draft::post("/detached", pattern(start, len), framing)
            .with(format!("&rounds={}", dice.below(6)))
            .answered(200, Content::Bytes(b"gone ahead".to_vec()));
        return match framing {
            Framing::Length => draft,
            Framing::Chunks => draft.then(After::Either),
        };
    }
    let draft = Draft::post("/ignore", pattern(start, len), framing)
        .answered(200, Content::Bytes(b"ignored".to_vec()));
    match is_kept {
        true => draft,
        false => draft.then(After::Closes(Why::ServerAsked)),
    }
}

fn draw_rare(dice: &mut Dice) -> Draft {
    match dice.below(5) {
        0 => {
            let (query, bytes) = draw_making(dice, 90_000);
            let how = dice.below(if bytes.len() < 2 { 3 } else { 4 });
            let draft = Draft::get("/failing", bytes).with(format!("{query}&how={how}"));
            draft.then(After::Cut)
        }
        // Declared longer than allowed: refused at the head.
        1 => {
            let body = pattern(dice.below(1000), BODY_BYTES_MAX + dice.size(2000));
            let mut draft = Draft::post("/collect", body, Framing::Length)
                .answered(413, Content::Any)
                .then(After::Closes(Why::Refused));
            draft.exchange.is_served = false;
            draft
        }
        // Longer than allowed, which shows at a chunk.
        2 => {
            let body = pattern(dice.below(1000), BODY_BYTES_MAX + dice.size(2000));
            let draft = Draft::post("/collect", body, Framing::Chunks);
            draft
                .answered(413, Content::Any)
                .then(After::Closes(Why::Refused))
        }
        3 => {
            let mut draft = draw_get(dice);
            draft.fields.push("Connection: close".into());
            draft.then(After::Closes(Why::ClientAsked))
        }
        _ => draw_bad_chunk(dice),
    }
}

/// A chunked body that breaks off in nonsense.
fn draw_bad_chunk(dice: &mut Dice) -> Draft {
    let bad = *dice.pick(&[
        &b"5\r\nhelloX0\r\n\r\n"[..],
        b"x\r\n",
        b"\r\n",
        b"5 5\r\nhello\r\n",
        b"5\r\nhello\r\n0\r\nno trailer\r\n\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"11111111111111111\r\n",
    ]);
    let (path, status, after) = *dice.pick(&[
        ("/collect", 400, After::Closes(Why::Refused)),
        ("/relay", 400, After::Closes(Why::Refused)),
        ("/echo", 200, After::Cut),
        ("/echo_elsewhere", 200, After::Cut),
    ]);
    let mut draft = Draft::get(path, "").answered(status, Content::Any);
    draft.line = "POST".into();
    draft.fields.push("Transfer-Encoding: chunked".into());
    draft.body = Some((bad, Framing::Length));
    draft.then(after)
}

/// Whether a request is a HEAD, is of HTTP/1.0, or waits for a 100.
fn draw_manner(dice: &mut Dice, draft: &mut Draft) {
    let is_get = draft.line == "GET";
    let is_good = draft.exchange.status == 200 && draft.exchange.after == After::Stays;
    if is_get && draft.exchange.after == After::Cut && dice.one_in(3) {
        draft.exchange.is_old = true;
    }
    if is_get && draft.exchange.after != After::Cut && dice.one_in(8) {
        draft.line = "HEAD".into();
        draft.exchange.is_head = true;
        draft.exchange.content = Content::Bytes(Vec::new());
    } else if is_get && is_good && dice.one_in(10) {
        draft.exchange.is_old = true;
        let stays = dice.one_in(2);
        let until_close =
            matches!(&*draft.path, "/stream" | "/elsewhere") && !draft.query.ends_with("sized=1");
        if stays {
            draft.fields.push("Connection: keep-alive".into());
        }
        draft.exchange.after = match (stays, until_close) {
            (false, _) => After::Closes(Why::ClientAsked),
            (true, true) => After::Closes(Why::EndsBody),
            (true, false) => After::Stays,
        };
    } else if matches!(
        &*draft.path,
        "/collect" | "/relay" | "/echo_second" | "/ignore"
    ) && draft.body.is_some_and(|(body, _)| !body.is_empty())
        && draft.exchange.is_served
        && !is_get
        && dice.one_in(4)
    {
        draft.fields.push("Expect: 100-continue".into());
        draft.exchange.expects = true;
        if draft.path == "/ignore" && draft.exchange.after == After::Stays {
            draft.exchange.after = After::Closes(Why::RequestUnread);
        }
    }
}

/// Writes the request down.
fn finish(dice: &mut Dice, mut draft: Draft, client: usize, number: usize) -> Exchange {
    let is_chunked = draft.is_chunked();
    let declares = !draft.fields.iter().any(|field| field.contains("Encoding"));
    match draft.body {
        Some(_) if is_chunked => draft.fields.push("transfer-encoding: Chunked".into()),
        Some((body, _)) if declares => {
            draft.fields.push(format!("CONTENT-LENGTH: {}", body.len()));
        }
        _ => {}
    }
    if !draft.exchange.is_old || dice.one_in(2) {
        let host = *dice.pick(&["host: here", "Host:here:80", "HOST: \t here "]);
        draft.fields.insert(0, host.into());
    }
    for _ in 0..dice.below(3) {
        let filling = "x".repeat(dice.size(120));
        let at = dice.below(draft.fields.len() + 1);
        draft.fields.insert(at, format!("x-filling: {filling}"));
    }
    let version = if draft.exchange.is_old { "1.0" } else { "1.1" };
    let (line, path, query) = (&draft.line, &draft.path, &draft.query);
    let empty = if dice.one_in(20) { "\r\n" } else { "" };
    let mut text = format!("{empty}{line} {path}?c={client}&n={number}{query} HTTP/{version}\r\n");
    for field in &draft.fields {
        text.push_str(field);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    let mut exchange = draft.exchange;
    exchange.bytes = text.into_bytes();
    exchange.body_at = exchange.bytes.len();
    match draft.body {
        Some((body, Framing::Length)) => exchange.bytes.extend_from_slice(body),
        Some((body, Framing::Chunks)) => write_chunks(dice, body, &mut exchange.bytes),
        None => {}
    }
    exchange
}

fn write_chunks(dice: &mut Dice, mut body: &[u8], out: &mut Vec<u8>) {
    let least = body.len() / 40 + 1;
    while !body.is_empty() {
        let size = dice.size(5000).max(least).min(body.len());
        let (chunk, rest) = body.split_at(size);
        let zeros = if dice.one_in(8) { "00" } else { "" };
        let extension = *dice.pick(&["", "", "", ";a", ";name=value", " ; q=\"a b\""]);
        out.extend_from_slice(format!("{zeros}{size:X}{extension}\r\n").as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
        body = rest;
    }
    let trailers = *dice.pick(&["", "", "", "x-sum: 1\r\n", "x-sum: 1\r\nx-more:\r\n"]);
    out.extend_from_slice(format!("0\r\n{trailers}\r\n").as_bytes());
}

/// Heads that are refused.
fn refused(dice: &mut Dice, client: usize, number: usize) -> Exchange {
    let target = format!("/?c={client}&n={number}");
    let long = "a".repeat(TARGET_BYTES_MAX + 1);
    let filling = "b".repeat(HEAD_BYTES_MAX);
    let many = "x: y\r\n".repeat(101);
    let line = format!("GET {target} HTTP/1.1\r\n");
    let host = "Host: here\r\n";
    let lengths = "Content-Length: 3\r\n";
    let (status, text) = match dice.below(16) {
        0 => (400, "\x16\x03\x01\x02\x03".into()),
        1 => (400, format!("{line}\r\n")),
        2 => (400, format!("{line}{host}{host}\r\n")),
        3 => (400, format!("{line}{host}bad name: x\r\n\r\n")),
        4 => (400, format!("GET {target} HTTP/1.1\n{host}\r\n")),
        5 => (400, format!("{line}{host} folded\r\n\r\n")),
        6 => (400, format!("{line}{host}{lengths}{lengths}\r\nabc")),
        7 => {
            let both = format!("{lengths}Transfer-Encoding: chunked\r\n");
            (400, format!("{line}{host}{both}\r\n0\r\n\r\n"))
        }
        8 => (400, format!("{line}{host}Content-Length: +3\r\n\r\nabc")),
        9 => (505, format!("GET {target} HTTP/2.0\r\n{host}\r\n")),
        10 => (501, format!("CONNECT here:80 HTTP/1.1\r\n{host}\r\n")),
        11 => {
            let codings = "Transfer-Encoding: gzip, chunked\r\n";
            (501, format!("{line}{host}{codings}\r\n0\r\n\r\n"))
        }
        12 => (417, format!("{line}{host}Expect: more\r\n\r\n")),
        13 => (414, format!("GET {target}&{long} HTTP/1.1\r\n{host}\r\n")),
        14 => (431, format!("{line}{host}x: {filling}\r\n\r\n")),
        _ => (431, format!("{line}{host}{many}\r\n")),
    };
    let mut draft = Draft::get("", "").answered(status, Content::Any);
    draft.exchange.is_served = false;
    let mut exchange = draft.then(After::Closes(Why::Refused)).exchange;
    exchange.bytes = text.into_bytes();
    exchange.body_at = exchange.bytes.len();
    exchange
}

/// Many requests: behind a large answer far more of them than a server may keep for later, or
/// more than it answers without letting others have their turn.
pub(super) fn flood(dice: &mut Dice, client: usize, is_large: bool) -> Vec<Exchange> {
    let mut script = Vec::new();
    if is_large {
        let first = match dice.below(2) {
            0 => Draft::get("/bytes", pattern(0, 100_000)).with("&start=0&len=100000".into()),
            _ => {
                let query = "&start=0&len=400000&piece=10000&rest=0&sized=0";
                Draft::get("/stream", pattern(0, 400_000)).with(query.into())
            }
        };
        script.push(finish(dice, first, client, 0));
    }
    for number in script.len()..150 {
        let mut draft = Draft::get("/", format!("{client}.{number}"));
        if is_large {
            let filling = "x".repeat(1_500);
            draft.fields.push(format!("x-filling: {filling}"));
        }
        script.push(finish(dice, draft, client, number));
    }
    script
}
