//! Servers that say one thing, whatever they are asked.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

pub(super) struct Scripted {
    pub port: u16,
    _task: AbortOnDropHandle<()>,
}

impl Scripted {
    async fn new<F, Fut>(serve: F) -> Self
    where
        F: Fn(TcpStream) -> Fut + Send + 'static,
        Fut: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream));
            }
        });
        Self {
            port,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// Speaks as much Postgres as it takes to refuse with these words.
    pub async fn postgres(sqlstate: &'static str, message: String) -> Self {
        Self::new(move |mut stream| {
            let message = message.clone();
            async move {
                // The question for TLS is 8 bytes; what follows is the startup message.
                let mut asked = [0; 8];
                stream.read_exact(&mut asked).await?;
                if asked[4..] == 80_877_103_u32.to_be_bytes() {
                    stream.write_all(b"N").await?;
                    let mut length = [0; 4];
                    stream.read_exact(&mut length).await?;
                    let rest = u32::from_be_bytes(length).saturating_sub(4);
                    let mut startup = vec![0; rest as usize];
                    stream.read_exact(&mut startup).await?;
                } else {
                    let rest = u32::from_be_bytes(asked[..4].try_into().expect("4 bytes")) - 8;
                    let mut startup = vec![0; rest as usize];
                    stream.read_exact(&mut startup).await?;
                }
                let mut fields = Vec::new();
                for (kind, text) in [(b'S', "FATAL"), (b'C', sqlstate), (b'M', &message)] {
                    fields.push(kind);
                    fields.extend(text.as_bytes());
                    fields.push(0);
                }
                fields.push(0);
                let length = u32::try_from(fields.len() + 4).expect("short");
                stream.write_all(b"E").await?;
                stream.write_all(&length.to_be_bytes()).await?;
                stream.write_all(&fields).await?;
                stream.shutdown().await
            }
        })
        .await
    }

    /// Answers every request by its path: the first fitting start of `METHOD path` decides.
    pub async fn http(answers: Vec<(&'static str, u16, String)>) -> Self {
        Self::new(move |mut stream| {
            let answers = answers.clone();
            async move {
                let mut buffer = Vec::new();
                loop {
                    let head = loop {
                        if let Some(end) = find(&buffer, b"\r\n\r\n") {
                            break end + 4;
                        }
                        if stream.read_buf(&mut buffer).await? == 0 {
                            return Ok(());
                        }
                    };
                    let text = String::from_utf8_lossy(&buffer[..head]).into_owned();
                    let length: usize = text
                        .lines()
                        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok())
                        .unwrap_or(0);
                    while buffer.len() < head + length {
                        if stream.read_buf(&mut buffer).await? == 0 {
                            return Ok(());
                        }
                    }
                    buffer.drain(..head + length);
                    let found = answers.iter().find(|(start, ..)| text.starts_with(start));
                    let (status, body) = found.map_or((404, String::new()), |(_, status, body)| (*status, body.clone()));
                    let answer = format!(
                        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    stream.write_all(answer.as_bytes()).await?;
                }
            }
        })
        .await
    }

    /// Takes connections and never says a word.
    pub async fn silent() -> Self {
        Self::new(|mut stream| async move {
            let mut nothing = [0; 1024];
            while stream.read(&mut nothing).await? > 0 {}
            Ok(())
        })
        .await
    }

    /// Says nonsense at once and hangs up.
    pub async fn nonsense() -> Self {
        Self::new(|mut stream| async move {
            stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .await?;
            stream.shutdown().await
        })
        .await
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
