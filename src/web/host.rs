//! Hosts that routers are for: labels, spelled out or in braces.

use std::fmt;
use std::rc::Rc;

/// A pattern such as `{sub}.example.org`.
#[derive(Debug)]
pub(super) struct HostPattern {
    labels: Vec<Label>,
}

#[derive(Debug)]
enum Label {
    Text(Box<str>),
    Param(Rc<str>),
}

impl HostPattern {
    /// # Panics
    ///
    /// When the text is none.
    #[track_caller]
    pub(super) fn parse(text: &str) -> HostPattern {
        let mut labels: Vec<Label> = Vec::new();
        for label in text.split('.') {
            let inside = label
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            let name = inside.unwrap_or(label);
            let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            assert!(
                !name.is_empty() && name.bytes().all(is_good),
                "{label:?} of the host {text:?} is no label, nor a name in braces"
            );
            let is_new = |known: &Label| !matches!(known, Label::Param(known) if **known == *name);
            labels.push(match inside {
                Some(name) => {
                    let is_new = labels.iter().all(is_new);
                    assert!(is_new, "{text:?} has two labels called {{{name}}}");
                    Label::Param(Rc::from(name))
                }
                None => Label::Text(label.to_ascii_lowercase().into()),
            });
        }
        HostPattern { labels }
    }

    /// How many labels are in braces: hosts with fewer are tried first.
    pub(super) fn open_labels(&self) -> usize {
        let is_open = |label: &&Label| matches!(label, Label::Param(_));
        self.labels.iter().filter(is_open).count()
    }

    /// Whether this is the host, whatever its port and its case. Gives what
    /// stands for the braces to `params`, in lower case.
    pub(super) fn matches(&self, host: &str, params: &mut Vec<(Rc<str>, String)>) -> bool {
        let name = without_port(host);
        // A name may end in the dot of the root.
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.split('.').count() != self.labels.len() {
            return false;
        }
        let before = params.len();
        for (label, text) in self.labels.iter().zip(name.split('.')) {
            match label {
                Label::Text(known) if known.eq_ignore_ascii_case(text) => {}
                Label::Param(name) if !text.is_empty() => {
                    params.push((Rc::clone(name), text.to_ascii_lowercase()));
                }
                _ => {
                    params.truncate(before);
                    return false;
                }
            }
        }
        true
    }
}

/// A host without its port. An IPv6 address keeps its brackets.
pub(super) fn without_port(host: &str) -> &str {
    if host.starts_with('[') {
        let end = host.find(']').map_or(host.len(), |at| at + 1);
        return &host[..end];
    }
    host.split_once(':').map_or(host, |(name, _)| name)
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, label) in self.labels.iter().enumerate() {
            f.write_str(if at > 0 { "." } else { "" })?;
            match label {
                Label::Text(text) => f.write_str(text)?,
                Label::Param(name) => write!(f, "{{{name}}}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, host: &str) -> Option<Vec<String>> {
        let mut params = Vec::new();
        let matches = HostPattern::parse(pattern).matches(host, &mut params);
        assert!(matches || params.is_empty());
        matches.then(|| params.into_iter().map(|(_, value)| value).collect())
    }

    #[test]
    fn a_host_is_compared_by_label() {
        let none = Vec::<String>::new;
        for (pattern, host, params) in [
            ("example.org", "example.org", Some(none())),
            ("example.org", "EXAMPLE.org:8000", Some(none())),
            ("Example.ORG", "example.org.", Some(none())),
            ("example.org", "example.org.evil.com", None),
            ("example.org", "notexample.org", None),
            ("example.org", "", None),
            ("localhost", "[::1]:80", None),
            (
                "{a}.example.org",
                "Api.example.org",
                Some(vec!["api".into()]),
            ),
            ("{a}.example.org", ".example.org", None),
            ("{a}.example.org", "b.c.example.org", None),
            ("{a}.{b}", "x.y:1", Some(vec!["x".into(), "y".into()])),
        ] {
            assert_eq!(found(pattern, host), params, "{pattern} for {host}");
        }
        assert_eq!(without_port("[::1]:80"), "[::1]");
        assert_eq!(without_port("[::1"), "[::1");
    }

    #[test]
    #[should_panic(expected = "two labels called {a}")]
    fn a_host_names_a_label_once() {
        HostPattern::parse("{a}.{a}.org");
    }
}
