//! The text that Prometheus reads.

use std::collections::BTreeMap;

use tourbillon::web::{Router, metrics};

use crate::server_support::serve;

/// All samples by name with labels, once each line was found to be in order.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut kinds = BTreeMap::new();
    let mut samples = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            let before = kinds.insert(name.to_owned(), kind.to_owned());
            assert_eq!(before, None, "{name} comes twice");
        } else if !line.starts_with("# HELP ") {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let bare = name.split('{').next().unwrap();
            let of_histogram = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| bare.strip_suffix(end))
                .filter(|family| kinds.get(*family).is_some_and(|kind| kind == "histogram"));
            let kind = &kinds[of_histogram.unwrap_or(bare)];
            assert_eq!(kind == "counter", bare.ends_with("_total"), "{line}");
            let before = samples.insert(name.to_owned(), value.parse().unwrap());
            assert_eq!(before, None, "{name} comes twice");
        }
    }
    samples
}

#[test]
fn counters_are_those_of_the_server_and_its_loop() {
    let served = serve(|| {
        Router::new()
            .get("/ping", async |_| "pong")
            .get("/metrics", metrics)
    });
    let mut client = served.connect();
    client.get("/ping");
    client.get("/nowhere");
    served.connect().send("nonsense\r\n\r\n");
    served.wait_until(|counts| counts.refused == 1 && counts.open == 1);

    let reply = client.get("/metrics");
    let kind = reply.field("content-type").unwrap();
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    assert!(reply.text().ends_with('\n'), "the last line ends");
    let samples = samples(reply.text());
    for (name, expected) in [
        ("http_connections_open", 1.0),
        ("http_connections_total", 2.0),
        ("http_requests_in_flight", 1.0),
        ("http_requests_total", 3.0),
        ("http_requests_refused_total", 1.0),
        ("http_responses_total{class=\"2xx\"}", 1.0),
        ("http_responses_total{class=\"4xx\"}", 1.0),
        ("http_responses_total{class=\"5xx\"}", 0.0),
        ("http_response_body_bytes_total", 13.0),
        ("http_request_duration_seconds_count", 2.0),
        ("http_request_duration_seconds_bucket{le=\"+Inf\"}", 2.0),
        ("loop_panics_total", 0.0),
    ] {
        assert_eq!(
            samples.get(name),
            Some(&expected),
            "{name}\n{}",
            reply.text()
        );
    }
    assert!(samples["loop_turns_total"] >= 3.0);
    let buckets: Vec<f64> = samples
        .iter()
        .filter(|(name, _)| name.contains("_bucket{le=\"0.") || name.contains("le=\"1"))
        .map(|(_, count)| *count)
        .collect();
    assert!(
        buckets.len() >= 9 && buckets.is_sorted(),
        "they add up: {buckets:?}"
    );
}
