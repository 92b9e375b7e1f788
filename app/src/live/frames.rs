//! Cuts a byte stream into server-sent events. Bytes may be split anywhere, also inside a character.

/// Longest event taken; a longer one means that the stream is not ours.
const MAX_EVENT: usize = 32 * 1024 * 1024;

/// Collects bytes and gives back the `data` of every event that is complete.
#[derive(Debug, Default)]
pub struct FrameParser {
    line: Vec<u8>,
    data: Option<String>,
    after_cr: bool,
}

/// The stream is not a stream of server-sent events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnEventStream;

impl FrameParser {
    /// Takes the next bytes; events without data (comments, pings) give nothing.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, NotAnEventStream> {
        let mut complete = Vec::new();
        for &byte in bytes {
            let follows_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                b'\n' if follows_cr => {}
                b'\n' | b'\r' => self.end_line(&mut complete)?,
                _ if self.line.len() >= MAX_EVENT => return Err(NotAnEventStream),
                _ => self.line.push(byte),
            }
        }
        Ok(complete)
    }

    fn end_line(&mut self, complete: &mut Vec<String>) -> Result<(), NotAnEventStream> {
        if self.line.is_empty() {
            complete.extend(self.data.take());
            return Ok(());
        }
        let line = std::str::from_utf8(&self.line).map_err(|_| NotAnEventStream)?;
        let line = line.strip_prefix('\u{feff}').unwrap_or(line);
        if let Some(value) = line.strip_prefix("data:") {
            let value = value.strip_prefix(' ').unwrap_or(value);
            match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            }
        }
        self.line.clear();
        if self
            .data
            .as_ref()
            .is_some_and(|data| data.len() > MAX_EVENT)
        {
            return Err(NotAnEventStream);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_in_chunks(stream: &[u8], size: usize) -> Vec<String> {
        let mut parser = FrameParser::default();
        stream
            .chunks(size)
            .flat_map(|chunk| parser.push(chunk).expect("a valid stream"))
            .collect()
    }

    #[test]
    fn every_way_to_cut_the_bytes_gives_the_same_events() {
        let stream = "id: 7\nevent: x\ndata: {\"name\":\"Größe ⚓\"}\n\n: ping\n\ndata: a\ndata:b\r\n\r\ndata: half"
            .as_bytes();
        let expected = vec!["{\"name\":\"Größe ⚓\"}".to_owned(), "a\nb".to_owned()];
        for size in 1..=stream.len() {
            assert_eq!(parse_in_chunks(stream, size), expected, "chunks of {size}");
        }
    }

    #[test]
    fn a_lone_carriage_return_ends_a_line_too() {
        assert_eq!(parse_in_chunks(b"data: a\r\rdata: b\r\r", 3), ["a", "b"]);
    }

    #[test]
    fn an_empty_data_field_is_an_event_and_a_comment_is_none() {
        assert_eq!(parse_in_chunks(b"data:\n\n:\n\nretry: 5\n\n", 4), [""]);
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        assert_eq!(
            FrameParser::default().push(b"data: \xff\n"),
            Err(NotAnEventStream)
        );
    }
}
