//! Container logs on disk in the CRI format (`TIME STREAM F|P TEXT`): written line by line with
//! bounded size, read back with tail, since, previous and follow.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use crate::api::pod_backend::LogOptions;

/// Which of the two outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pipe {
    Stdout,
    Stderr,
}

/// A container run's log may grow to this; then the older half moves to `.1`, replacing the last.
const ROTATE_BYTES: u64 = 10 * 1024 * 1024;
/// Longer lines are split, marked `P`, as container runtimes do.
const MAX_LINE: usize = 16 * 1024;

/// Writes one run's log.
#[derive(Debug)]
pub struct LogWriter {
    path: PathBuf,
    open: Mutex<Open>,
    /// Bytes ever written, and whether the run is over: what followers wait on.
    progress: watch::Sender<Progress>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    written: u64,
    closed: bool,
}

#[derive(Debug)]
struct Open {
    file: File,
    size: u64,
    partial: [Vec<u8>; 2],
}

impl LogWriter {
    pub fn create(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = File::options().create(true).append(true).open(path)?;
        let open = Open {
            file,
            size: 0,
            partial: [Vec::new(), Vec::new()],
        };
        Ok(Self {
            path: path.to_owned(),
            open: Mutex::new(open),
            progress: watch::channel(Progress::default()).0,
        })
    }

    pub fn write(&self, pipe: Pipe, bytes: &[u8]) -> io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let index = usize::from(pipe == Pipe::Stderr);
        let mut partial = std::mem::take(&mut open.partial[index]);
        partial.extend_from_slice(bytes);
        let mut rest = partial.as_slice();
        let mut text = Vec::with_capacity(bytes.len() + 64);
        loop {
            match rest.iter().take(MAX_LINE).position(|b| *b == b'\n') {
                Some(end) => {
                    line(&mut text, pipe, 'F', &rest[..end]);
                    rest = &rest[end + 1..];
                }
                None if rest.len() >= MAX_LINE => {
                    line(&mut text, pipe, 'P', &rest[..MAX_LINE]);
                    rest = &rest[MAX_LINE..];
                }
                None => break,
            }
        }
        open.partial[index] = rest.to_vec();
        self.append(&mut open, &text)
    }

    fn append(&self, open: &mut Open, text: &[u8]) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        if open.size > ROTATE_BYTES {
            fs::rename(&self.path, rotated(&self.path))?;
            open.file = File::options().create(true).append(true).open(&self.path)?;
            open.size = 0;
        }
        open.file.write_all(text)?;
        open.size += text.len() as u64;
        self.progress
            .send_modify(|progress| progress.written += text.len() as u64);
        Ok(())
    }

    /// Writes what had no line end and tells followers that nothing more comes.
    pub fn close(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, pipe) in [Pipe::Stdout, Pipe::Stderr].into_iter().enumerate() {
            let rest = std::mem::take(&mut open.partial[index]);
            if !rest.is_empty() {
                let mut text = Vec::new();
                line(&mut text, pipe, 'P', &rest);
                let _ = self.append(&mut open, &text);
            }
        }
        self.progress.send_modify(|progress| progress.closed = true);
    }

    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }
}

fn line(text: &mut Vec<u8>, pipe: Pipe, tag: char, content: &[u8]) {
    let stream = if pipe == Pipe::Stdout {
        "stdout"
    } else {
        "stderr"
    };
    text.extend_from_slice(format!("{:.9} {stream} {tag} ", Timestamp::now()).as_bytes());
    text.extend_from_slice(content);
    text.push(b'\n');
}

fn rotated(path: &Path) -> PathBuf {
    path.with_extension("log.1")
}

/// One parsed line: its moment and its text, with its line end if it was complete.
fn parse(raw: &[u8]) -> Option<(&str, &[u8], bool)> {
    let mut parts = raw.splitn(4, |b| *b == b' ');
    let moment = std::str::from_utf8(parts.next()?).ok()?;
    parts.next()?;
    let full = parts.next()? == b"F";
    Some((moment, parts.next().unwrap_or_default(), full))
}

/// What a reader has already passed, turned into output.
struct Reader {
    options: LogOptions,
    since: Option<Timestamp>,
    left: u64,
    continues: bool,
}

impl Reader {
    fn new(options: LogOptions) -> Self {
        let now = Timestamp::now();
        let since = options.since_time.or_else(|| {
            let seconds = options.since_seconds?;
            now.checked_sub(jiff::SignedDuration::from_secs(seconds))
                .ok()
        });
        let left = options.limit_bytes.unwrap_or(u64::MAX);
        Self {
            options,
            since,
            left,
            continues: false,
        }
    }

    fn wanted(&self, raw: &[u8]) -> bool {
        let Some(since) = self.since else { return true };
        parse(raw)
            .and_then(|(moment, ..)| moment.parse::<Timestamp>().ok())
            .is_none_or(|moment| moment >= since)
    }

    /// The text for the client; `None` when its limit is used up.
    fn render(&mut self, raw: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let Some((moment, text, full)) = parse(raw) else {
            return Some(());
        };
        let start = out.len();
        if self.options.timestamps && !self.continues {
            out.extend_from_slice(moment.as_bytes());
            out.push(b' ');
        }
        out.extend_from_slice(text);
        if full {
            out.push(b'\n');
        }
        self.continues = !full;
        let added = (out.len() - start) as u64;
        if added >= self.left {
            out.truncate(start + usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left = 0;
            return None;
        }
        self.left -= added;
        Some(())
    }
}

/// Reads a run's log into `out` until its end or, following, until the run is over. Blocks.
pub fn read_log(
    path: &Path,
    options: &LogOptions,
    live: Option<watch::Receiver<Progress>>,
    out: &mpsc::Sender<io::Result<Bytes>>,
) -> io::Result<()> {
    let mut reader = Reader::new(options.clone());
    let mut seen = live.as_ref().map(|live| *live.borrow());
    let mut file = File::open(path)?;
    let mut lines: Vec<Vec<u8>> = Vec::new();
    if let Ok(older) = File::open(rotated(path)) {
        split_lines(BufReader::new(older), &mut lines)?;
    }
    let mut position = split_lines(BufReader::new(&mut file), &mut lines)?;
    lines.retain(|raw| reader.wanted(raw));
    if let Some(tail) = options.tail_lines {
        let skip = lines
            .len()
            .saturating_sub(usize::try_from(tail).unwrap_or(usize::MAX));
        lines.drain(..skip);
    }
    if !send(&mut reader, &lines, out) || !options.follow {
        return Ok(());
    }
    let Some(mut live) = live else { return Ok(()) };
    loop {
        if seen.is_some_and(|progress| progress.closed) {
            return Ok(());
        }
        // Blocking thread: a short poll of the shared counter, cheap and without a runtime. With the
        // writer gone it cannot tell any more that it changed, but what was written last is there.
        while !live.has_changed().unwrap_or(true) {
            if out.is_closed() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        let is_last = live.has_changed().is_err();
        seen = Some(*live.borrow_and_update()).map(|progress| Progress {
            closed: progress.closed || is_last,
            ..progress
        });
        let mut fresh = Vec::new();
        if file.metadata()?.len() < position || !same_file(&file, path) {
            // Rotated: finish the old file, then start on the new one.
            file.seek(SeekFrom::Start(position))?;
            split_lines(BufReader::new(&mut file), &mut fresh)?;
            file = File::open(path)?;
            position = 0;
        }
        file.seek(SeekFrom::Start(position))?;
        position += split_lines(BufReader::new(&mut file), &mut fresh)?;
        if !send(&mut reader, &fresh, out) {
            return Ok(());
        }
    }
}

fn same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(one), Ok(two)) => one.ino() == two.ino(),
        _ => true,
    }
}

/// Collects complete lines; returns how many bytes they were.
fn split_lines(mut source: impl BufRead, lines: &mut Vec<Vec<u8>>) -> io::Result<u64> {
    let mut bytes = 0;
    loop {
        let mut raw = Vec::new();
        let read = source.read_until(b'\n', &mut raw)?;
        if raw.pop() != Some(b'\n') {
            return Ok(bytes);
        }
        bytes += read as u64;
        lines.push(raw);
    }
}

fn send(reader: &mut Reader, lines: &[Vec<u8>], out: &mpsc::Sender<io::Result<Bytes>>) -> bool {
    let mut text = Vec::new();
    let mut more = true;
    for raw in lines {
        more = reader.render(raw, &mut text).is_some();
        if !more || text.len() > 64 * 1024 {
            if out
                .blocking_send(Ok(Bytes::from(std::mem::take(&mut text))))
                .is_err()
            {
                return false;
            }
            if !more {
                break;
            }
        }
    }
    if !text.is_empty() && out.blocking_send(Ok(Bytes::from(text))).is_err() {
        return false;
    }
    more
}

/// The last bytes of a log as plain text: what a termination message falls back to.
pub fn last_text(path: &Path, max_lines: usize, max_bytes: usize) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(64 * 1024)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let Ok(bytes) = read() else {
        return String::new();
    };
    let mut lines: Vec<&[u8]> = bytes
        .split(|b| *b == b'\n')
        .filter(|l| !l.is_empty())
        .collect();
    lines.drain(..lines.len().saturating_sub(max_lines));
    let mut text = Vec::new();
    for (_, content, full) in lines.into_iter().filter_map(parse) {
        text.extend_from_slice(content);
        if full {
            text.push(b'\n');
        }
    }
    let from = text.len().saturating_sub(max_bytes);
    String::from_utf8_lossy(&text[from..]).into_owned()
}

#[cfg(test)]
#[path = "logs_tests.rs"]
mod tests;
