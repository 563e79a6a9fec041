//! A whole event stream taken apart as the standard says, apart from the filters' own framer.
//!
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>

/// An event as a browser would dispatch it.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Event {
    pub(super) event: Option<String>,
    pub(super) data: String,
}

/// The events of `body`. One without data is none; nor is one that no blank line ends.
pub(super) fn events(body: &[u8]) -> Vec<Event> {
    let text = String::from_utf8_lossy(body);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n");
    let mut events = Vec::new();
    let mut name: Option<String> = None;
    let mut data: Vec<&str> = Vec::new();
    // Behind the last line break is no line but the rest that was never ended.
    let mut lines: Vec<&str> = text.split(['\n', '\r']).collect();
    lines.pop();
    for line in lines {
        if line.is_empty() {
            let event = name.take();
            if !data.is_empty() {
                events.push(Event { event, data: data.join("\n") });
                data.clear();
            }
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => data.push(value),
            "event" => name = Some(value.to_owned()),
            _ => {}
        }
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_end_with_a_blank_line_of_any_kind() {
        let stream = "\u{feff}: hello\n\ndata: a\ndata:b\r\n\r\nevent: ping\rdata:  c\r\rid: 1\n\n\
                      event: none\n\ndata\n\ndata: never ended\n";
        let found: Vec<(Option<String>, String)> =
            events(stream.as_bytes()).into_iter().map(|e| (e.event, e.data)).collect();
        assert_eq!(
            found,
            [
                (None, "a\nb".to_owned()),
                (Some("ping".to_owned()), " c".to_owned()),
                (None, String::new()),
            ]
        );
        assert!(events(b"").is_empty());
    }
}
