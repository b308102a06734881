//! A recording as lines of JSON, one event each, with names instead of their numbers.

use std::fmt::Write;

use crate::watch::{Event, EventKind, Recording, Stall, quoted};

impl Recording {
    /// The recording as one JSON object a line: events in their order, then stalls. `at`, and what
    /// tells how long, are in ns.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::watch::{Event, EventKind, NameId, Recording};
    ///
    /// let mut recording = Recording::new();
    /// recording.names.push("warm".to_owned());
    /// let kind = EventKind::Mark { name: NameId(1), value: 3 };
    /// recording.events.push(Event { at: 5, task: 2, kind });
    /// let line = r#"{"at":5,"kind":"mark","task":2,"name":"warm","value":3}"#;
    /// assert_eq!(recording.jsonl(), format!("{line}\n"));
    /// ```
    pub fn jsonl(&self) -> String {
        let mut lines = String::new();
        for event in &self.events {
            let (at, kind, task) = (event.at, event.kind.name(), event.task);
            let fields = fields(self, event);
            let head = format!(r#"{{"at":{at},"kind":"{kind}","task":{task}"#);
            let _ = writeln!(lines, "{head}{fields}}}");
        }
        for stall in &self.stalls {
            lines.push_str(&stall_line(stall));
        }
        lines
    }
}

fn stall_line(stall: &Stall) -> String {
    let took = stall
        .took
        .map_or("null".to_owned(), |took| took.to_string());
    let culprit = stall.culprit();
    let function = culprit.map_or("", |frame| &frame.function);
    let place = culprit.map(|frame| frame.place()).unwrap_or_default();
    format!(
        "{{\"at\":{},\"kind\":\"stall\",\"task\":{},\"stall\":{},\"took\":{took},\"poll\":{},\
         \"name\":{},\"verdict\":\"{}\",\"function\":{},\"place\":{}}}\n",
        stall.at,
        stall.task,
        stall.id,
        stall.poll,
        quoted(&stall.label),
        stall.verdict.name(),
        quoted(function),
        quoted(&place),
    )
}

fn turn_fields(turn: EventKind) -> String {
    let EventKind::Turn {
        number,
        took,
        polls,
        events,
        timers,
        callbacks,
    } = turn
    else {
        return String::new();
    };
    let head = format!(r#","number":{number},"took":{took},"polls":{polls}"#);
    format!(r#"{head},"events":{events},"timers":{timers},"callbacks":{callbacks}"#)
}

/// What an event has beside its time and task, each behind a comma.
fn fields(recording: &Recording, event: &Event) -> String {
    let text = |id| quoted(recording.name(id));
    match event.kind {
        turn @ EventKind::Turn { .. } => turn_fields(turn),
        EventKind::Park {
            took,
            timeout_ms,
            events,
        } => {
            let timeout = timeout_ms.map_or("null".to_owned(), |ms| ms.to_string());
            format!(r#","took":{took},"timeout_ms":{timeout},"events":{events}"#)
        }
        EventKind::Spawn {
            name,
            place,
            parent,
            bytes,
        } => format!(
            r#","name":{},"place":{},"parent":{parent},"bytes":{bytes}"#,
            text(name),
            text(place)
        ),
        EventKind::Poll {
            took,
            number,
            result,
            wait,
            ready,
        } => {
            let (result, wait) = (result.text(), wait.text());
            let ends = format!(r#""result":"{result}","wait":"{wait}""#);
            format!(r#","took":{took},"number":{number},{ends},"ready":{ready}"#)
        }
        EventKind::Call {
            took,
            place,
            is_completion,
        } => format!(
            r#","took":{took},"place":{},"is_completion":{is_completion}"#,
            text(place)
        ),
        EventKind::Wake { by } => format!(r#","by":{by}"#),
        EventKind::End {
            polls,
            reason,
            busy,
        } => {
            let reason = reason.text();
            format!(r#","polls":{polls},"reason":"{reason}","busy":{busy}"#)
        }
        EventKind::Mark { name, value } => format!(r#","name":{},"value":{value}"#, text(name)),
        EventKind::Gate { what, delay_ms } => {
            format!(r#","what":"{}","delay_ms":{delay_ms}"#, what.text())
        }
        EventKind::Lost { count } => format!(r#","count":{count}"#),
        EventKind::StallEnd { stall, took } => format!(r#","stall":{stall},"took":{took}"#),
        _ => fields_outside(recording, event),
    }
}

/// Of descriptors, timers, jobs and requests.
fn fields_outside(recording: &Recording, event: &Event) -> String {
    let text = |id| quoted(recording.name(id));
    match event.kind {
        EventKind::IoReady { fd, ready } => format!(r#","fd":{fd},"ready":{ready}"#),
        EventKind::IoOp { fd, op, result } => {
            format!(r#","fd":{fd},"op":"{}","result":{result}"#, op.text())
        }
        EventKind::FdAdd { fd } => format!(r#","fd":{fd}"#),
        EventKind::FdDel { fd } => format!(r#","fd":{fd}"#),
        EventKind::TimerSet { deadline } => format!(r#","deadline":{deadline}"#),
        EventKind::TimerFire { late } => format!(r#","late":{late}"#),
        EventKind::Take { depth } => format!(r#","depth":{depth}"#),
        EventKind::JobSubmit {
            job,
            queued,
            place,
            name,
        } => format!(
            r#","job":{job},"queued":{queued},"place":{},"name":{}"#,
            text(place),
            text(name)
        ),
        EventKind::JobRun {
            job,
            took,
            waited_us,
            worker,
        } => {
            format!(r#","job":{job},"took":{took},"waited_us":{waited_us},"worker":{worker}"#)
        }
        EventKind::JobCallback { job, waited } => format!(r#","job":{job},"waited":{waited}"#),
        EventKind::JobCancel { job } => format!(r#","job":{job}"#),
        EventKind::RequestBegin {
            request,
            name,
            connection,
        } => format!(
            r#","request":{request},"name":{},"connection":{connection}"#,
            text(name)
        ),
        EventKind::RequestEnd {
            request,
            status,
            bytes,
        } => format!(r#","request":{request},"status":{status},"bytes":{bytes}"#),
        // Those of the loop itself are above.
        _ => String::new(),
    }
}
