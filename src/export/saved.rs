//! A recording as a file, and back. The file is JSON, so that a page can open it offline.
//!
//! ```text
//!   {"tourbillon":1,                 the version, and always the first key
//!    "began":[secs,nanos],           since the year 1970
//!    "until":ns, "level":"lean", "backend":"epoll",
//!    "names":["",..],                by number
//!    "workers":["worker-1",..],
//!    "gaps":[[at,took],..],          ns
//!    "stalls":[{"id":1,"at":ns,"took":ns or null,"task":88,"label":"..","place":"..","poll":2,
//!       "verdict":"cpu","same":[3,3],"report":"..","stack":[["function","file",41,"yours"],..]}],
//!    "events":[[at/2^32, at%2^32, kind<<24|small, task, a/2^32, a%2^32, b/2^32, b%2^32],..]}
//! ```
//!
//! An event is eight numbers of 32 bits: the four words of a ring, each cut in two, since a number
//! of JavaScript holds 53. What is in `small`, `a` and `b` is said by kind, where `high` and `low`
//! are the halves of a word, and numbers in brackets are bits of `low`:
//!
//! ```text
//!    1 turn           small number, a took       b polls[high 31-16] events[high 15-0]
//!                                                  timers[31-16] callbacks[15-0]
//!    2 park           a took, small 1: has timeout   b timeout ms, events
//!    3 spawn          a name, place                  b parent, bytes
//!    4 poll           a took                         b number, ready[31-16] result[15-8] wait[7-0]
//!    5 call           a took, small 1: completion    b place, 0
//!    6 wake           b by, 0
//!    7 end            small reason, a busy           b polls, 0
//!    9 io_ready       small ready                    b fd, 0
//!   10 io_op          small op, a result             b fd, 0
//!   11 fd_add         b fd, 0                                        12 fd_del  b fd, 0
//!   13 timer_set      a deadline                     14 timer_fire   a late
//!   16 take           b depth, 0
//!   17 job_submit     a name, place                  b job, queued
//!   18 job_run        small worker, a took           b job, waited us
//!   19 job_callback   a waited                       b job, 0        20 job_cancel  b job, 0
//!   21 request_begin  a name, 0                      b request, connection
//!   22 request_end    small status, a bytes          b request, 0
//!   25 stall_end      a took                         b stall, 0
//!   28 gate           small what                     b delay ms, 0
//!   29 mark           a value                        b name, 0       30 lost  a count
//! ```
//!
//! Words by number: result 0 pending, 1 ready, 2 panicked; reason 0 done, 1 aborted, 2 panicked;
//! op 0 accept, 1 read, 2 write; what 0 pause, 1 step, 2 go, 3 slow; wait
//! 0 nothing, 1 timer, 2 readable, 3 writable, 4 job, 5 task, 6 channel, 7 lock, 8 notify, 9 yield,
//! 10 foreign. Descriptors and `result` are signed. `level` is lean or full.
//!
//! Whoever reads takes keys in any order, and passes over those it does not know. What it needs of
//! memory is in proportion to the text.

use std::fmt::Write;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::json::Reader;
use crate::watch::{Event, Frame, Level, Owner, Recording, Stall, Verdict, quoted};

const VERSION: u64 = 1;
/// An empty stall takes a hundred times the memory of its text.
const STALLS_MAX: usize = 65_536;

impl Recording {
    /// The whole recording as a text, in a form that [`open`](Self::open) and the page of the dial
    /// take back. A time before the year 1970 is saved as 1970.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::watch::Recording;
    ///
    /// let recording = Recording::new();
    /// let text = recording.save();
    /// assert_eq!(Recording::open(&text)?, recording);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn save(&self) -> String {
        let began = self.began.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut text = format!(
            "{{\"tourbillon\":{VERSION},\n\"began\":[{},{}],\"until\":{},\
             \"level\":\"{}\",\"backend\":{}",
            began.as_secs(),
            began.subsec_nanos(),
            self.until,
            self.level.text(),
            quoted(&self.backend)
        );
        let quotes = |texts: &[String]| -> Vec<String> {
            texts.iter().map(|text| quoted(text).to_string()).collect()
        };
        list(&mut text, "names", quotes(&self.names));
        list(&mut text, "workers", quotes(&self.workers));
        let gaps = self.gaps.iter().map(|(at, took)| format!("[{at},{took}]"));
        list(&mut text, "gaps", gaps);
        list(&mut text, "stalls", self.stalls.iter().map(stall_text));
        list(&mut text, "events", self.events.iter().map(event_text));
        text.push_str("}\n");
        text
    }

    /// Reads what [`save`](Self::save) has written.
    ///
    /// # Errors
    ///
    /// `InvalidData` if the text is not such a recording, or one of a later version.
    pub fn open(text: &str) -> io::Result<Recording> {
        let mut reader = Reader::new(text);
        let (mut recording, mut is_known) = (Recording::new(), false);
        reader.object(|reader, key| {
            if !is_known {
                is_known = key == "tourbillon" && reader.number()? == VERSION;
                return match is_known {
                    true => Ok(()),
                    false => Err(reader.fault("no recording of this version")),
                };
            }
            read_part(reader, key, &mut recording)
        })?;
        if !is_known {
            return Err(reader.fault("no recording"));
        }
        reader.ends()?;
        Ok(recording)
    }
}

fn list(text: &mut String, key: &str, values: impl IntoIterator<Item = String>) {
    let _ = write!(text, ",\n\"{key}\":[");
    for (at, value) in values.into_iter().enumerate() {
        text.push_str(match at {
            0 => "",
            _ if at % 8 == 0 => ",\n",
            _ => ",",
        });
        text.push_str(&value);
    }
    text.push(']');
}

fn event_text(event: &Event) -> String {
    let halves = event.pack().map(|word| (word >> 32, word & 0xffff_ffff));
    let [(h, l), (k, t), (ah, al), (bh, bl)] = halves;
    format!("[{h},{l},{k},{t},{ah},{al},{bh},{bl}]")
}

fn stall_text(stall: &Stall) -> String {
    let frames: Vec<String> = stall.stack.iter().map(frame_text).collect();
    let took = stall
        .took
        .map_or("null".to_owned(), |took| took.to_string());
    format!(
        "{{\"id\":{},\"at\":{},\"took\":{took},\"task\":{},\"label\":{},\"place\":{},\"poll\":{},\
         \"verdict\":\"{}\",\"same\":[{},{}],\"report\":{},\"stack\":[{}]}}",
        stall.id,
        stall.at,
        stall.task,
        quoted(&stall.label),
        quoted(&stall.place),
        stall.poll,
        stall.verdict.name(),
        stall.same.0,
        stall.same.1,
        quoted(&stall.report),
        frames.join(",")
    )
}

fn frame_text(frame: &Frame) -> String {
    let (function, file) = (quoted(&frame.function), quoted(&frame.file));
    let owner = frame.owner.text();
    format!("[{function},{file},{},\"{owner}\"]", frame.line)
}

fn read_part(reader: &mut Reader<'_>, key: &str, recording: &mut Recording) -> io::Result<()> {
    match key {
        "began" => recording.began = read_began(reader)?,
        "until" => recording.until = reader.number()?,
        "level" => {
            recording.level = match &*reader.string()? {
                "lean" => Level::Lean,
                "full" => Level::Full,
                _ => return Err(reader.fault("no level")),
            }
        }
        "backend" => recording.backend = reader.string()?.into_owned(),
        "names" => recording.names = read_texts(reader)?,
        "workers" => recording.workers = read_texts(reader)?,
        "gaps" => {
            recording.gaps.clear();
            reader.list(|reader| {
                let [at, took] = reader.numbers()?;
                recording.gaps.push((at, took));
                Ok(())
            })?;
        }
        "stalls" => {
            recording.stalls.clear();
            reader.list(|reader| {
                if recording.stalls.len() >= STALLS_MAX {
                    return Err(reader.fault("too many stalls"));
                }
                recording.stalls.push(read_stall(reader)?);
                Ok(())
            })?;
        }
        "events" => {
            recording.events.clear();
            reader.list(|reader| {
                recording.events.push(read_event(reader)?);
                Ok(())
            })?;
        }
        _ => reader.skip()?,
    }
    Ok(())
}

fn read_began(reader: &mut Reader<'_>) -> io::Result<SystemTime> {
    let [secs, nanos] = reader.numbers()?;
    let nanos = u32::try_from(nanos)
        .ok()
        .filter(|&nanos| nanos < 1_000_000_000);
    let since = nanos.map(|nanos| Duration::new(secs, nanos));
    since
        .and_then(|since| UNIX_EPOCH.checked_add(since))
        .ok_or_else(|| reader.fault("no time"))
}

fn read_texts(reader: &mut Reader<'_>) -> io::Result<Vec<String>> {
    let mut texts = Vec::new();
    reader.list(|reader| {
        texts.push(reader.string()?.into_owned());
        Ok(())
    })?;
    Ok(texts)
}

fn read_event(reader: &mut Reader<'_>) -> io::Result<Event> {
    let halves: [u64; 8] = reader.numbers()?;
    if halves.iter().any(|&half| half > u64::from(u32::MAX)) {
        return Err(reader.fault("a number too large"));
    }
    let [h, l, k, t, ah, al, bh, bl] = halves;
    let words = [(h, l), (k, t), (ah, al), (bh, bl)].map(|(high, low)| high << 32 | low);
    Event::unpack(words).ok_or_else(|| reader.fault("no event"))
}

fn read_stall(reader: &mut Reader<'_>) -> io::Result<Stall> {
    let mut stall = Stall::default();
    reader.object(|reader, key| {
        match key {
            "id" => stall.id = reader.small()?,
            "at" => stall.at = reader.number()?,
            "took" => stall.took = reader.number_or_null()?,
            "task" => stall.task = reader.small()?,
            "label" => stall.label = reader.string()?.into_owned(),
            "place" => stall.place = reader.string()?.into_owned(),
            "poll" => stall.poll = reader.small()?,
            "verdict" => {
                let name = reader.string()?;
                let verdict = Verdict::ALL.into_iter().find(|one| one.name() == name);
                stall.verdict = verdict.ok_or_else(|| reader.fault("no verdict"))?;
            }
            "same" => {
                let [same, all] = reader.numbers()?.map(u32::try_from);
                let (Ok(same), Ok(all)) = (same, all) else {
                    return Err(reader.fault("a number too large"));
                };
                stall.same = (same, all);
            }
            "report" => stall.report = reader.string()?.into_owned(),
            "stack" => {
                stall.stack.clear();
                reader.list(|reader| {
                    stall.stack.push(read_frame(reader)?);
                    Ok(())
                })?;
            }
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    Ok(stall)
}

/// Function, file, line and owner.
fn read_frame(reader: &mut Reader<'_>) -> io::Result<Frame> {
    let (mut frame, mut part) = (Frame::default(), 0);
    reader.list(|reader| {
        match part {
            0 => frame.function = reader.string()?.into_owned(),
            1 => frame.file = reader.string()?.into_owned(),
            2 => frame.line = reader.small()?,
            3 => {
                let name = reader.string()?;
                let owner = Owner::ALL.into_iter().find(|one| one.text() == name);
                frame.owner = owner.ok_or_else(|| reader.fault("no owner"))?;
            }
            _ => return Err(reader.fault("too much of a frame")),
        }
        part += 1;
        Ok(())
    })?;
    match part {
        4 => Ok(frame),
        _ => Err(reader.fault("too little of a frame")),
    }
}
