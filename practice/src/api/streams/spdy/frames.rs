//! SPDY/3.1 frames, as far as Kubernetes uses them. Streams carry a few headers and bytes; there
//! is no flow control, because the clients' library has none either.

use std::collections::HashMap;

use bytes::{BufMut as _, Bytes, BytesMut};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The bytes both sides put before the first header block (SPDY draft 3, section 2.6.10.1).
static DICTIONARY: &[u8] = include_bytes!("headers.dict");
const WINDOW: usize = 32 * 1024;
/// Most bytes of one header block: ours have four short headers.
const HEADERS_LIMIT: usize = 16 * 1024;

const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const PING: u16 = 6;
const GO_AWAY: u16 = 7;
const HEADERS: u16 = 8;
const FIN: u8 = 1;

/// The headers of a stream, names in lower case.
pub type Headers = HashMap<String, String>;

/// A frame that came in.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    Open {
        id: u32,
        fin: bool,
        headers: Headers,
    },
    Data {
        id: u32,
        fin: bool,
        bytes: Bytes,
    },
    Reset {
        id: u32,
    },
    Ping {
        id: u32,
    },
    GoAway,
    /// A frame that asks nothing of us.
    Other,
}

/// Reads frames; keeps the state of the header compression.
pub struct FrameReader<R> {
    from: R,
    headers: HeaderReader,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads from the beginning of a connection.
    pub fn new(from: R) -> Self {
        Self {
            from,
            headers: HeaderReader::default(),
        }
    }

    /// The next frame; `None` at the end of the connection.
    pub async fn next(&mut self) -> std::io::Result<Option<Frame>> {
        let mut head = [0; 8];
        match self.from.read_exact(&mut head).await {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let word = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        let (flags, length) = (head[4], u32::from_be_bytes([0, head[5], head[6], head[7]]));
        // The length has 24 bits, so that no frame is larger than 16 MiB.
        let mut body = vec![0; usize::try_from(length).unwrap_or(0)];
        self.from.read_exact(&mut body).await?;
        let fin = flags & FIN != 0;
        if word >> 31 == 0 {
            let bytes = Bytes::from(body);
            return Ok(Some(Frame::Data {
                id: word,
                fin,
                bytes,
            }));
        }
        let number = |at: usize| -> std::io::Result<u32> {
            let four = body
                .get(at..at + 4)
                .ok_or_else(|| broken("a short frame"))?;
            Ok(u32::from_be_bytes([four[0], four[1], four[2], four[3]]) & 0x7fff_ffff)
        };
        #[expect(clippy::cast_possible_truncation, reason = "the low half is the type")]
        let kind = word as u16;
        Ok(Some(match kind {
            SYN_STREAM => {
                let id = number(0)?;
                let block = body.get(10..).ok_or_else(|| broken("a short frame"))?;
                let headers = self.headers.read(block)?;
                Frame::Open { id, fin, headers }
            }
            // Their headers say nothing to us, but they belong to the compressed stream.
            SYN_REPLY | HEADERS => {
                let block = body.get(4..).ok_or_else(|| broken("a short frame"))?;
                self.headers.read(block)?;
                Frame::Other
            }
            RST_STREAM => Frame::Reset { id: number(0)? },
            PING => Frame::Ping { id: number(0)? },
            GO_AWAY => Frame::GoAway,
            _ => Frame::Other,
        }))
    }
}

fn broken(why: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, format!("SPDY: {why}"))
}

/// All header blocks of one direction are one zlib stream that starts with the dictionary.
struct HeaderReader {
    inflater: Box<DecompressorOxide>,
    window: Vec<u8>,
    at: usize,
    begun: bool,
}

impl Default for HeaderReader {
    fn default() -> Self {
        let mut window = vec![0; WINDOW];
        window[..DICTIONARY.len()].copy_from_slice(DICTIONARY);
        Self {
            inflater: Box::default(),
            window,
            at: DICTIONARY.len(),
            begun: false,
        }
    }
}

impl HeaderReader {
    fn read(&mut self, block: &[u8]) -> std::io::Result<Headers> {
        let plain = self.inflate(block)?;
        parse_headers(&plain).ok_or_else(|| broken("headers that cannot be read"))
    }

    fn inflate(&mut self, mut block: &[u8]) -> std::io::Result<Vec<u8>> {
        if !self.begun {
            // Two bytes of zlib header, and the dictionary's checksum when it says that it is used.
            let flags = *block.get(1).ok_or_else(|| broken("no zlib header"))?;
            let skip = if flags & 0x20 == 0 { 2 } else { 6 };
            block = block.get(skip..).ok_or_else(|| broken("no zlib header"))?;
            self.begun = true;
        }
        let mut out = Vec::new();
        loop {
            let (status, read, written) = decompress(
                &mut self.inflater,
                block,
                &mut self.window,
                self.at,
                inflate_flags::TINFL_FLAG_HAS_MORE_INPUT,
            );
            out.extend_from_slice(&self.window[self.at..self.at + written]);
            self.at = (self.at + written) % WINDOW;
            block = &block[read..];
            match status {
                _ if out.len() > HEADERS_LIMIT => return Err(broken("headers too large")),
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput => return Ok(out),
                _ => return Err(broken("headers that are not deflated")),
            }
        }
    }
}

fn parse_headers(mut plain: &[u8]) -> Option<Headers> {
    fn number(plain: &mut &[u8]) -> Option<usize> {
        let (four, rest) = plain.split_first_chunk::<4>()?;
        *plain = rest;
        usize::try_from(u32::from_be_bytes(*four)).ok()
    }
    fn text(plain: &mut &[u8]) -> Option<String> {
        let length = number(plain)?;
        let (text, rest) = plain.split_at_checked(length)?;
        *plain = rest;
        String::from_utf8(text.to_vec()).ok()
    }
    let count = number(&mut plain)?;
    let mut headers = Headers::new();
    for _ in 0..count {
        let name = text(&mut plain)?;
        // Several values are separated by zero bytes; the first one counts.
        let value = text(&mut plain)?;
        let first = value.split('\0').next().unwrap_or("").to_owned();
        headers.insert(name.to_lowercase(), first);
    }
    Some(headers)
}

/// Writes frames; keeps the state of the header compression.
#[derive(Debug, Default)]
pub struct FrameWriter {
    begun: bool,
}

impl FrameWriter {
    /// The answer to an opened stream, without headers of its own.
    pub fn reply(&mut self, id: u32) -> Bytes {
        let mut block = BytesMut::new();
        if !self.begun {
            block.put_slice(&[0x78, 0x01]);
            self.begun = true;
        }
        // A stored block with the number of headers, zero, and an empty one that ends the flush.
        block.put_slice(&[0, 4, 0, 0xfb, 0xff, 0, 0, 0, 0]);
        block.put_slice(&[0, 0, 0, 0xff, 0xff]);
        let mut body = id.to_be_bytes().to_vec();
        body.extend_from_slice(&block);
        control(SYN_REPLY, &body)
    }
}

/// Bytes of a stream, and its end.
pub fn data(id: u32, bytes: &[u8], fin: bool) -> Bytes {
    let mut frame = BytesMut::with_capacity(8 + bytes.len());
    frame.put_u32(id & 0x7fff_ffff);
    frame.put_u32(flags_and_length(if fin { FIN } else { 0 }, bytes.len()));
    frame.put_slice(bytes);
    frame.freeze()
}

/// The echo of a ping.
pub fn ping(id: u32) -> Bytes {
    control(PING, &id.to_be_bytes())
}

fn control(kind: u16, body: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(8 + body.len());
    frame.put_u16(0x8003);
    frame.put_u16(kind);
    frame.put_u32(flags_and_length(0, body.len()));
    frame.put_slice(body);
    frame.freeze()
}

/// Bodies come from buffers far below the 24 bits there are for their length.
fn flags_and_length(flags: u8, length: usize) -> u32 {
    debug_assert!(length < 1 << 24);
    u32::from(flags) << 24 | u32::try_from(length).unwrap_or(0) & 0x00ff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Go's library sends for the headers of a port-forward's error stream.
    fn deflated(plain: &[u8], first: bool) -> Vec<u8> {
        let mut out = if first { vec![0x78, 0x01] } else { Vec::new() };
        out.push(0);
        let length = u16::try_from(plain.len()).expect("short");
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(plain);
        out.extend_from_slice(&[0, 0, 0, 0xff, 0xff]);
        out
    }

    fn headers(pairs: &[(&str, &str)]) -> Vec<u8> {
        let word = |n: usize| u32::try_from(n).expect("short").to_be_bytes();
        let mut plain = word(pairs.len()).to_vec();
        for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
            plain.extend_from_slice(&word(text.len()));
            plain.extend_from_slice(text.as_bytes());
        }
        plain
    }

    fn open(id: u32, block: &[u8]) -> Vec<u8> {
        let mut body = id.to_be_bytes().to_vec();
        body.extend_from_slice(&[0; 6]);
        body.extend_from_slice(block);
        control(SYN_STREAM, &body).to_vec()
    }

    #[tokio::test]
    async fn header_blocks_are_one_compressed_stream() {
        let mut wire = Vec::new();
        for (at, kind) in ["error", "data", "error"].into_iter().enumerate() {
            let plain = headers(&[("Streamtype", kind), ("port", "8000")]);
            let id = u32::try_from(2 * at + 1).expect("small");
            wire.extend(open(id, &deflated(&plain, at == 0)));
        }
        let mut reader = FrameReader::new(wire.as_slice());
        for kind in ["error", "data", "error"] {
            let Ok(Some(Frame::Open { headers, .. })) = reader.next().await else {
                panic!("a stream is opened");
            };
            assert_eq!(headers["streamtype"], kind);
            assert_eq!(headers["port"], "8000");
        }
        assert_eq!(reader.next().await.expect("the end"), None);
    }

    #[test]
    fn the_dictionary_is_at_the_distance_the_first_block_may_point_to() {
        // A fixed Huffman block of one match: 7 bytes, `options`, from the dictionary's start.
        let mut reader = HeaderReader::default();
        assert_eq!(&reader.window[4..11], b"options");
        reader.begun = true;
        let stored = deflated(b"x", false);
        assert_eq!(reader.inflate(&stored).expect("inflates"), b"x");
    }

    #[tokio::test]
    async fn what_is_written_can_be_read() {
        let mut writer = FrameWriter::default();
        let mut wire = writer.reply(1).to_vec();
        wire.extend(writer.reply(3));
        wire.extend(data(3, b"hello", true));
        wire.extend(ping(7));
        let mut reader = FrameReader::new(wire.as_slice());
        assert_eq!(reader.next().await.expect("reads"), Some(Frame::Other));
        assert_eq!(reader.next().await.expect("reads"), Some(Frame::Other));
        let bytes = Bytes::from_static(b"hello");
        let hello = Frame::Data {
            id: 3,
            fin: true,
            bytes,
        };
        assert_eq!(reader.next().await.expect("reads"), Some(hello));
        assert_eq!(
            reader.next().await.expect("reads"),
            Some(Frame::Ping { id: 7 })
        );
    }

    #[tokio::test]
    async fn rubbish_is_an_error() {
        let wire = open(1, b"\x78\x01\xff\xff\xff\xff");
        assert!(FrameReader::new(wire.as_slice()).next().await.is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(wire in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..256)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(async {
                let mut reader = FrameReader::new(wire.as_slice());
                while let Ok(Some(_)) = reader.next().await {}
            });
        }
    }
}
