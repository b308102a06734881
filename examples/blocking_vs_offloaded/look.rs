//! How text is laid out and coloured.

/// What the reader's screen can show.
pub(super) struct Look {
    /// Columns.
    pub(super) width: usize,
    pub(super) ascii: bool,
    pub(super) colour: bool,
}

/// What a piece of text means; its colour never says more than its shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Ink {
    Strong,
    Faint,
    Harm,
    Good,
    Waiting,
}

impl Look {
    pub(super) fn paint(&self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Strong => "1",
            Ink::Faint => "2",
            Ink::Harm => "31",
            Ink::Good => "32",
            Ink::Waiting => "33",
        };
        if self.colour && !text.trim().is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// Breaks text between words. Lines after the first begin with `indent` spaces; the first is
    /// taken to stand there already.
    pub(super) fn wrap(&self, text: &str, indent: usize) -> String {
        let mut wrapped = String::new();
        let mut column = indent;
        for word in text.split(' ') {
            let length = word.chars().count();
            if column > indent && column + 1 + length > self.width {
                wrapped.push('\n');
                wrapped.extend(std::iter::repeat_n(' ', indent));
                column = indent;
            } else if column > indent {
                wrapped.push(' ');
                column += 1;
            }
            wrapped.push_str(word);
            column += length;
        }
        wrapped
    }
}
