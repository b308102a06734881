//! A strict little reader of responses, written without a look at the one that made them.
//!
//! It accepts what this server has a right to send and nothing else: a field twice, a length with
//! a zero in front, a chunk without its line end, a byte after the last answer are faults.

/// One response, as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// How many 100s went before it.
    pub(super) invitations: usize,
    pub(super) status: u16,
    fields: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        let found = fields.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What is read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reads {
    Head,
    Length(usize),
    ChunkSize,
    Chunk(usize),
    ChunkEnd,
    LastEnd,
    UntilClose,
}

pub(super) struct Answers {
    unread: Vec<u8>,
    at: usize,
    reads: Reads,
    current: Answer,
    done: Vec<Answer>,
    /// By number, whether the server knows the request for a HEAD.
    heads: Vec<bool>,
}

type Fault = String;

impl Answers {
    pub(super) fn to(heads: Vec<bool>) -> Self {
        Answers {
            unread: Vec::new(),
            at: 0,
            reads: Reads::Head,
            current: Answer::default(),
            done: Vec::new(),
            heads,
        }
    }

    /// The answers that are complete.
    pub(super) fn done(&self) -> &[Answer] {
        &self.done
    }

    /// The answer that is not.
    pub(super) fn current(&self) -> Option<&Answer> {
        (self.current.status > 0).then_some(&self.current)
    }

    /// How many 100s have come for the answer that comes next.
    pub(super) fn invitations(&self) -> usize {
        self.current.invitations
    }

    /// Whether nothing of another answer has come.
    pub(super) fn is_between(&self) -> bool {
        self.reads == Reads::Head && self.at == self.unread.len() && self.invitations() == 0
    }

    /// Takes in what has come.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.unread.drain(..self.at);
        self.at = 0;
        self.unread.extend_from_slice(bytes);
        while self.step()? {}
        Ok(())
    }

    /// The connection was closed in order, which ends some bodies.
    pub(super) fn end(&mut self) {
        if self.reads == Reads::UntilClose {
            self.finish();
        }
    }

    fn finish(&mut self) {
        self.reads = Reads::Head;
        self.done.push(std::mem::take(&mut self.current));
    }

    /// Reads one thing, and says whether there may be more.
    fn step(&mut self) -> Result<bool, Fault> {
        let left = self.unread.len() - self.at;
        match self.reads {
            Reads::Head => return self.head(),
            Reads::UntilClose => {
                self.body(left);
                return Ok(false);
            }
            Reads::Length(missing) => {
                let taken = self.body(missing);
                self.reads = Reads::Length(missing - taken);
                if taken == missing {
                    self.finish();
                }
                return Ok(taken == missing);
            }
            Reads::Chunk(missing) => {
                let taken = self.body(missing);
                self.reads = Reads::Chunk(missing - taken);
                if taken == missing {
                    self.reads = Reads::ChunkEnd;
                }
                return Ok(taken == missing);
            }
            Reads::ChunkSize | Reads::ChunkEnd | Reads::LastEnd => {}
        }
        let Some(line) = self.line(18)? else {
            return Ok(false);
        };
        match self.reads {
            Reads::ChunkSize => {
                let is_plain = line == "0" || !line.starts_with('0');
                let is_hex = line.bytes().all(|byte| b"0123456789abcdef".contains(&byte));
                let size = usize::from_str_radix(&line, 16);
                self.reads = match size {
                    Ok(0) if is_plain => Reads::LastEnd,
                    Ok(size) if is_plain && is_hex => Reads::Chunk(size),
                    _ => return Err(format!("{line:?} is no chunk size")),
                };
            }
            _ if !line.is_empty() => return Err(format!("{line:?} stands behind a chunk")),
            Reads::ChunkEnd => self.reads = Reads::ChunkSize,
            _ => self.finish(),
        }
        Ok(true)
    }

    fn body(&mut self, most: usize) -> usize {
        let taken = most.min(self.unread.len() - self.at);
        let end = self.at + taken;
        self.current
            .body
            .extend_from_slice(&self.unread[self.at..end]);
        self.at = end;
        taken
    }

    /// Takes a line without its end, if all of it has come.
    fn line(&mut self, most: usize) -> Result<Option<String>, Fault> {
        let rest = &self.unread[self.at..];
        let Some(end) = rest.iter().take(most + 1).position(|byte| *byte == b'\n') else {
            return match rest.len() > most {
                true => Err(format!("no line end within {most} bytes")),
                false => Ok(None),
            };
        };
        let line = rest[..end].strip_suffix(b"\r").ok_or("a bare line feed")?;
        let line = std::str::from_utf8(line).map_err(|_| "a line that is no text")?;
        if !line.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(format!("{line:?} holds what no line may"));
        }
        let line = line.to_owned();
        self.at += end + 1;
        Ok(Some(line))
    }

    /// Reads a whole head, or nothing.
    fn head(&mut self) -> Result<bool, Fault> {
        let rest = &self.unread[self.at..];
        if rest.is_empty() {
            return Ok(false);
        }
        if self.done.len() == self.heads.len() {
            return Err(format!("{} bytes that nobody asked for", rest.len()));
        }
        if !rest.windows(4).any(|four| four == b"\r\n\r\n") {
            return match rest.len() > 4096 {
                true => Err("a head without end".into()),
                false => Ok(false),
            };
        }
        let status = self.status_line()?;
        let mut fields: Vec<(String, String)> = Vec::new();
        while let Some(line) = self.line(4096)?.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(": ").ok_or("a field without value")?;
            let is_name = |byte| matches!(byte, b'a'..=b'z' | b'-');
            if name.is_empty() || !name.bytes().all(is_name) {
                return Err(format!("{name:?} is no name of a field"));
            }
            if fields.iter().any(|(known, _)| known == name) {
                return Err(format!("the field {name} came twice"));
            }
            fields.push((name.to_owned(), value.to_owned()));
        }
        if status == 100 {
            self.current.invitations += 1;
            return match fields.is_empty() {
                true => Ok(true),
                false => Err("a 100 with fields".into()),
            };
        }
        self.current.status = status;
        self.current.fields = fields;
        self.reads = self.framing()?;
        if self.reads == Reads::Length(0) {
            self.finish();
        }
        Ok(true)
    }

    fn status_line(&mut self) -> Result<u16, Fault> {
        let line = self.line(64)?.ok_or("a head without status line")?;
        let rest = line.strip_prefix("HTTP/1.1 ");
        let (code, phrase) = rest
            .and_then(|rest| rest.split_once(' '))
            .ok_or_else(|| format!("{line:?} is no status line"))?;
        let code = code.parse::<u16>().map_err(|error| error.to_string())?;
        let is_known = code == 100 || (200..600).contains(&code);
        if !is_known || phrase.is_empty() {
            return Err(format!("{line:?} is no status line for this server"));
        }
        Ok(code)
    }

    fn framing(&self) -> Result<Reads, Fault> {
        let answer = &self.current;
        if answer.field("date").is_none_or(|date| date.len() != 29) {
            return Err("no date".into());
        }
        let closes = answer.field("connection") == Some("close");
        let framing = match (
            answer.field("content-length"),
            answer.field("transfer-encoding"),
        ) {
            (None, Some("chunked")) => Reads::ChunkSize,
            (Some(length), None) if length == "0" || !length.starts_with('0') => {
                let digits = length.bytes().all(|byte| byte.is_ascii_digit());
                let length = length.parse().ok().filter(|_| digits);
                Reads::Length(length.ok_or("a length that is no number")?)
            }
            (None, None) if answer.status == 204 => Reads::Length(0),
            (None, None) if closes => Reads::UntilClose,
            (None, None) if self.heads[self.done.len()] => Reads::Length(0),
            other => return Err(format!("no framing: {other:?}")),
        };
        if self.heads[self.done.len()] {
            return Ok(Reads::Length(0));
        }
        Ok(framing)
    }
}

#[test]
fn answers_are_read_strictly() {
    let read = |text: &str| {
        let mut answers = Answers::to(vec![false, true]);
        let fed = text.bytes().try_for_each(|byte| answers.feed(&[byte]));
        fed.map(|()| {
            answers.end();
            let bodies = answers.done.iter().map(|answer| answer.body.clone());
            bodies.collect::<Vec<_>>()
        })
    };
    let head = "HTTP/1.1 200 OK\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    let whole = format!("{head}content-length: 2\r\n\r\nok");
    assert_eq!(read(&whole).unwrap(), [b"ok"]);
    let chunks = format!("{head}transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
    assert_eq!(read(&chunks).unwrap(), [b"ok"]);
    assert_eq!(read(&chunks[..chunks.len() - 1]).unwrap().len(), 0);
    let until_close = format!("{head}connection: close\r\n\r\nok");
    assert_eq!(read(&until_close).unwrap(), [b"ok"]);
    let only_head = format!("{whole}{head}content-length: 7\r\n\r\n");
    assert_eq!(read(&only_head).unwrap(), [&b"ok"[..], b""]);
    let faults = [
        format!("{only_head}x"),
        chunks.replace("ok\r\n", "ok"),
        chunks.replace("2\r\n", "02\r\n"),
        whole.replace(": 2", ": 02"),
        whole.replace("date", "content-length"),
        whole.replacen("\r\n", "\n", 1),
        format!("{head}\r\n"),
        whole.replace("HTTP/1.1", "HTTP/1.0"),
    ];
    for fault in faults {
        assert!(read(&fault).is_err(), "{fault:?}");
    }
}
