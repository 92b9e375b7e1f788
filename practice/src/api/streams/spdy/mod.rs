//! A SPDY/3.1 connection from the server's side: streams the client opens, as channels of bytes.

mod frames;

use std::collections::HashMap;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;

pub use frames::Headers;
use frames::{Frame, FrameReader, FrameWriter};

/// Messages a stream may hold before the connection waits for its reader.
const DEPTH: usize = 64;
/// Most streams open at once; a browser's page through a port-forward has some dozens.
const STREAMS: usize = 1024;

/// A stream the client opened.
#[derive(Debug)]
pub struct Stream {
    pub headers: Headers,
    /// What the client sends; ends when the client ends its side.
    pub input: mpsc::Receiver<Bytes>,
    pub output: StreamWriter,
}

/// Our side of a stream.
#[derive(Clone, Debug)]
pub struct StreamWriter {
    id: u32,
    out: mpsc::Sender<Bytes>,
}

/// The connection is over.
#[derive(Debug)]
pub struct Closed;

impl StreamWriter {
    /// Sends bytes.
    pub async fn send(&self, bytes: &[u8]) -> Result<(), Closed> {
        for part in bytes.chunks(1 << 20) {
            let frame = frames::data(self.id, part, false);
            self.out.send(frame).await.map_err(|_| Closed)?;
        }
        Ok(())
    }

    /// Says that nothing more will be sent.
    pub async fn finish(&self) {
        // A client that is gone needs no good-bye.
        let _ = self.out.send(frames::data(self.id, &[], true)).await;
    }
}

/// Serves a connection until it ends. New streams are handed to `opened`; when its receiver is
/// dropped, what is queued is still sent and the connection is closed.
pub async fn serve<T>(io: T, opened: mpsc::Sender<Stream>) -> std::io::Result<()>
where
    T: AsyncRead + AsyncWrite,
{
    let (reader, mut writer) = tokio::io::split(io);
    let (out, mut outgoing) = mpsc::channel::<Bytes>(DEPTH);
    let mut connection = Connection {
        reader: FrameReader::new(reader),
        writer: FrameWriter::default(),
        inputs: HashMap::new(),
        out,
        opened,
    };
    let write = async {
        while let Some(frame) = outgoing.recv().await {
            writer.write_all(&frame).await?;
            if outgoing.is_empty() {
                writer.flush().await?;
            }
        }
        writer.shutdown().await
    };
    let read = async {
        let ended = connection.run().await;
        // The last sender of frames goes with the streams' writers.
        drop(connection);
        ended
    };
    let (read, write) = tokio::join!(read, write);
    read.and(write)
}

struct Connection<R> {
    reader: FrameReader<R>,
    writer: FrameWriter,
    inputs: HashMap<u32, mpsc::Sender<Bytes>>,
    out: mpsc::Sender<Bytes>,
    opened: mpsc::Sender<Stream>,
}

impl<R: AsyncRead + Unpin> Connection<R> {
    async fn run(&mut self) -> std::io::Result<()> {
        loop {
            let frame = tokio::select! {
                frame = self.reader.next() => frame?,
                () = self.opened.closed() => return Ok(()),
            };
            match frame {
                None | Some(Frame::GoAway) => return Ok(()),
                Some(Frame::Open { id, fin, headers }) => self.open(id, fin, headers).await?,
                Some(Frame::Data { id, fin, bytes }) => self.data(id, fin, bytes).await,
                Some(Frame::Reset { id }) => drop(self.inputs.remove(&id)),
                Some(Frame::Ping { id }) => self.send(frames::ping(id)).await,
                Some(Frame::Other) => {}
            }
        }
    }

    async fn open(&mut self, id: u32, fin: bool, headers: Headers) -> std::io::Result<()> {
        self.inputs.retain(|_, input| !input.is_closed());
        if self.inputs.len() >= STREAMS {
            return Err(std::io::Error::other("too many SPDY streams at once"));
        }
        let (to_stream, input) = mpsc::channel(DEPTH);
        if !fin {
            self.inputs.insert(id, to_stream);
        }
        let reply = self.writer.reply(id);
        self.send(reply).await;
        let output = StreamWriter {
            id,
            out: self.out.clone(),
        };
        let stream = Stream {
            headers,
            input,
            output,
        };
        // Nobody takes streams any more: the loop will see it and end.
        let _ = self.opened.send(stream).await;
        Ok(())
    }

    async fn data(&mut self, id: u32, fin: bool, bytes: Bytes) {
        if !bytes.is_empty()
            && let Some(input) = self.inputs.get(&id)
        {
            // A stream nobody reads takes no more; the others go on.
            let _ = input.send(bytes).await;
        }
        if fin {
            self.inputs.remove(&id);
        }
    }

    async fn send(&mut self, frame: Bytes) {
        // A broken pipe ends the reading side too.
        let _ = self.out.send(frame).await;
    }
}
