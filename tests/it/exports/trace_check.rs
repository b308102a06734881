//! Whether a trace is one that Perfetto shows whole; each fault is a line.
//!
//! What its importer wants is in google/perfetto, docs/getting-started/other-formats.md: fields by
//! phase, slices that nest, flows that begin and end in slices, spans that end.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Faults of a trace in JSON; none in a good one.
pub(super) fn faults(json: &str) -> Vec<String> {
    let trace: Value = match serde_json::from_str(json) {
        Ok(trace) => trace,
        Err(error) => return vec![format!("no JSON: {error}")],
    };
    let Some(rows) = trace["traceEvents"].as_array() else {
        return vec!["no traceEvents".to_owned()];
    };
    let mut faults = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        faults.extend(fields(row).map(|fault| format!("row {at}: {fault}")));
    }
    if !faults.is_empty() {
        return faults;
    }
    let times: Vec<u64> = rows.iter().map(|row| nanos(&row["ts"])).collect();
    if !times.is_sorted() {
        faults.push("rows are not in the order of time".to_owned());
    }
    let slices = slices(rows);
    faults.extend(nesting(&slices));
    faults.extend(flows(rows, &slices));
    faults.extend(spans(rows));
    faults
}

/// Three decimals of µs are ns.
fn nanos(micros: &Value) -> u64 {
    let text = micros.to_string();
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let part = format!("{part:0<3}");
    whole.parse::<u64>().unwrap_or_default() * 1_000 + part[..3].parse::<u64>().unwrap_or_default()
}

/// What a row of its phase must have, by name and kind.
fn fields(row: &Value) -> Option<String> {
    let phase = row["ph"].as_str().unwrap_or_default();
    let text = |name: &str| row[name].is_string();
    let number = |name: &str| row[name].is_number();
    let wanted: &[(&str, bool)] = match phase {
        "X" => &[
            ("cat", text("cat")),
            ("dur", number("dur")),
            ("pid", number("pid")),
            ("tid", number("tid")),
        ],
        "i" => &[
            ("tid", number("tid")),
            ("s", matches!(row["s"].as_str(), Some("t" | "p" | "g"))),
        ],
        "C" => &[("pid", number("pid")), ("args", are_numbers(&row["args"]))],
        "s" | "t" | "f" => &[
            ("cat", text("cat")),
            ("id", is_id(&row["id"])),
            ("tid", number("tid")),
            ("bp", phase != "f" || row["bp"] == "e"),
        ],
        "b" | "e" | "n" => &[
            ("cat", text("cat")),
            ("id", is_id(&row["id"])),
            ("pid", number("pid")),
        ],
        "M" => &[
            (
                "name",
                row["name"] == "process_name" || row["name"] == "thread_name",
            ),
            ("args", row["args"]["name"].is_string()),
        ],
        _ => return Some(format!("phase {phase:?}")),
    };
    let all = [("name", text("name")), ("ts", number("ts"))];
    let bad = all.iter().chain(wanted).find(|(_, is_good)| !is_good);
    bad.map(|(name, _)| format!("{phase} with a bad {name}"))
}

fn are_numbers(args: &Value) -> bool {
    let numbers = args
        .as_object()
        .map(|args| args.values().all(Value::is_number));
    numbers.unwrap_or(false)
}

fn is_id(id: &Value) -> bool {
    let text = id.as_str().and_then(|id| id.strip_prefix("0x"));
    id.is_u64() || text.is_some_and(|hex| u64::from_str_radix(hex, 16).is_ok())
}

type Slices = BTreeMap<(u64, u64), Vec<(u64, u64)>>;

fn thread(row: &Value) -> (u64, u64) {
    let number = |name: &str| row[name].as_u64().unwrap_or_default();
    (number("pid"), number("tid"))
}

fn slices(rows: &[Value]) -> Slices {
    let mut slices = Slices::new();
    for row in rows.iter().filter(|row| row["ph"] == "X") {
        let (at, took) = (nanos(&row["ts"]), nanos(&row["dur"]));
        slices.entry(thread(row)).or_default().push((at, at + took));
    }
    slices
}

/// A slice ends in the one it began in.
fn nesting(slices: &Slices) -> Vec<String> {
    let mut faults = Vec::new();
    for (thread, slices) in slices {
        let mut open: Vec<u64> = Vec::new();
        for &(at, until) in slices {
            while open.last().is_some_and(|&end| end <= at) {
                open.pop();
            }
            if open.last().is_some_and(|&end| end < until) {
                faults.push(format!(
                    "thread {thread:?}: the slice at {at} ns sticks out"
                ));
            }
            open.push(until);
        }
    }
    faults
}

/// Each flow has one begin, then steps, then one end, all of them in slices.
fn flows(rows: &[Value], slices: &Slices) -> Vec<String> {
    let mut flows: BTreeMap<String, String> = BTreeMap::new();
    let mut faults = Vec::new();
    for row in rows
        .iter()
        .filter(|row| matches!(row["ph"].as_str(), Some("s" | "t" | "f")))
    {
        let id = format!("{} {} {}", row["name"], row["cat"], row["id"]);
        let at = nanos(&row["ts"]);
        let is_in = |&(from, until): &(u64, u64)| from == at || (from..until).contains(&at);
        if !slices
            .get(&thread(row))
            .is_some_and(|slices| slices.iter().any(is_in))
        {
            faults.push(format!("flow {id}: at {at} ns there is no slice"));
        }
        let phases = flows.entry(id).or_default();
        phases.push_str(row["ph"].as_str().unwrap_or_default());
    }
    for (id, phases) in flows {
        let steps = phases
            .strip_prefix('s')
            .and_then(|rest| rest.strip_suffix('f'));
        if !steps.is_some_and(|steps| steps.bytes().all(|step| step == b't')) {
            faults.push(format!("flow {id}: goes {phases}"));
        }
    }
    faults
}

/// Each span begins, then ends, once.
fn spans(rows: &[Value]) -> Vec<String> {
    let mut spans: BTreeMap<String, String> = BTreeMap::new();
    for row in rows
        .iter()
        .filter(|row| matches!(row["ph"].as_str(), Some("b" | "e")))
    {
        let id = format!("{} {} {}", row["pid"], row["cat"], row["id"]);
        let phases = spans.entry(id).or_default();
        phases.push_str(row["ph"].as_str().unwrap_or_default());
    }
    let bad = spans.into_iter().filter(|(_, phases)| phases != "be");
    bad.map(|(id, phases)| format!("span {id}: goes {phases}"))
        .collect()
}

/// A small trace with everything in it.
fn good() -> Vec<Value> {
    let x = |ts: f64, dur: f64| {
        let mut row = json!({"ph":"X","name":"x","cat":"c","ts":ts,"pid":1,"tid":1});
        row["dur"] = json!(dur);
        row
    };
    let flow = |ph: &str, ts: f64| {
        let mut row = json!({"ph":ph,"name":"w","cat":"w","ts":ts,"tid":1,"bp":"e"});
        row["pid"] = json!(1);
        row["id"] = json!("0x1");
        row
    };
    let span = |ph: &str, ts: f64| json!({"ph":ph,"name":"r","cat":"r","id":"0x1","ts":ts,"pid":2});
    vec![
        json!({"ph":"M","name":"thread_name","ts":0,"pid":1,"tid":1,"args":{"name":"loop"}}),
        x(0.0, 10.0),
        x(1.0, 3.0),
        span("b", 1.0),
        flow("s", 2.0),
        json!({"ph":"i","name":"i","ts":3.0,"tid":1,"s":"g"}),
        x(4.0, 6.0),
        flow("t", 4.5),
        json!({"ph":"C","name":"n","ts":5.0,"pid":1,"args":{"a":1}}),
        flow("f", 9.999),
        span("e", 12.0),
    ]
}

fn judged(rows: &[Value]) -> Vec<String> {
    faults(&json!({ "traceEvents": rows }).to_string())
}

#[test]
fn a_good_trace_has_no_fault() {
    assert_eq!(judged(&good()), Vec::<String>::new());
}

#[test]
fn planted_faults_are_found() {
    assert_eq!(faults("{").len(), 1);
    assert_eq!(faults("{}"), ["no traceEvents"]);
    let found = |row: usize, key: &str, value: Value| {
        let mut rows = good();
        rows[row][key] = value;
        let faults = judged(&rows);
        faults.into_iter().next().unwrap_or_default()
    };
    for (row, key, value, fault) in [
        (1, "dur", Value::Null, "row 1: X with a bad dur"),
        (1, "name", json!(7), "row 1: X with a bad name"),
        (1, "ph", json!("Q"), "row 1: phase \"Q\""),
        (5, "s", json!("x"), "row 5: i with a bad s"),
        (8, "args", json!({"a":"one"}), "row 8: C with a bad args"),
        (3, "pid", Value::Null, "row 3: b with a bad pid"),
        (3, "id", json!("r-1"), "row 3: b with a bad id"),
        (9, "bp", Value::Null, "row 9: f with a bad bp"),
        (0, "args", json!({}), "row 0: M with a bad args"),
        (2, "ts", json!(20.0), "rows are not in the order of time"),
        (
            2,
            "dur",
            json!(9.5),
            "thread (1, 1): the slice at 1000 ns sticks out",
        ),
        (
            9,
            "ts",
            json!(10.0),
            "flow \"w\" \"w\" \"0x1\": at 10000 ns there is no slice",
        ),
        (9, "ph", json!("t"), "flow \"w\" \"w\" \"0x1\": goes stt"),
        (9, "id", json!("0x2"), "flow \"w\" \"w\" \"0x1\": goes st"),
        (10, "ph", json!("b"), "span 2 \"r\" \"0x1\": goes bb"),
    ] {
        assert_eq!(found(row, key, value), fault);
    }
}
