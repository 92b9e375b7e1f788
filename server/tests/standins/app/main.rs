//! Stands in for somebody's app in tests of what is live: it answers HTTP on a port and does what a
//! path says. `/health` is well; `/ready` is as `/ready/on` and `/ready/off` left it; `/crash` ends
//! it; `/say/N/TEXT` prints N lines; `/hostile` prints what nobody should print; `/status/N` answers
//! that; `/slow` answers nothing for long. A `TOKEN` that begins with `refused` keeps it from getting
//! ready, one that begins with `crash` ends it at once. It prints `SAY` at its start, takes `TAKE`
//! megabytes of memory, and ends at once with the exit code `END`.

use std::io::{BufWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};

static READY: AtomicBool = AtomicBool::new(true);

fn main() {
    let port = std::env::args().nth(1).unwrap_or_else(|| "8000".to_owned());
    let token = std::env::var("TOKEN").unwrap_or_default();
    if let Ok(text) = std::env::var("SAY") {
        eprintln!("{text}");
    }
    let taken = take_memory();
    if let Ok(code) = std::env::var("END") {
        std::process::exit(code.parse().unwrap_or(1));
    }
    if token.starts_with("crash") {
        eprintln!("ERROR cannot work with {token}");
        std::process::exit(3);
    }
    READY.store(!token.starts_with("refused"), Ordering::SeqCst);
    let listener = TcpListener::bind(format!("0.0.0.0:{port}")).expect("the port is free");
    println!("INFO listening on {port}");
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || answer(stream));
    }
    drop(taken);
}

/// As many megabytes as `TAKE` says, all of them written to.
fn take_memory() -> Vec<u8> {
    let megabytes = std::env::var("TAKE")
        .ok()
        .and_then(|take| take.parse().ok());
    vec![1; megabytes.unwrap_or(0usize) << 20]
}

fn answer(mut stream: TcpStream) {
    let mut request = [0; 4096];
    let read = stream.read(&mut request).unwrap_or(0);
    let text = String::from_utf8_lossy(&request[..read]).into_owned();
    let path = text.split(' ').nth(1).unwrap_or("/").to_owned();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let asked_for;
    let status = match parts.as_slice() {
        ["status", code] => {
            asked_for = format!("{code} As Asked");
            asked_for.as_str()
        }
        ["slow"] => {
            std::thread::sleep(std::time::Duration::from_secs(30));
            "200 OK"
        }
        ["ready"] if !READY.load(Ordering::SeqCst) => "503 Service Unavailable",
        ["ready", state] => {
            READY.store(*state == "on", Ordering::SeqCst);
            "200 OK"
        }
        ["crash"] => {
            eprintln!("ERROR told to crash");
            std::process::exit(3);
        }
        ["say", count, text] => {
            say(count.parse().unwrap_or(1), text);
            "200 OK"
        }
        ["hostile"] => {
            hostile();
            "200 OK"
        }
        _ => "200 OK",
    };
    let reply = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(reply.as_bytes());
}

fn say(count: u64, text: &str) {
    let mut out = BufWriter::new(std::io::stdout().lock());
    for number in 0..count {
        let _ = writeln!(out, "INFO {text} {number}");
    }
    let _ = out.flush();
}

/// Escape sequences, markup, bytes that are no text, a text direction turned around, and a line
/// longer than anybody reads.
fn hostile() {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(b"\x1b[31mred\x1b[0m \x1b]0;title\x07<img src=x onerror=alert(1)>\n");
    let _ = out.write_all(b"bad \xff\xfe bytes\n");
    let _ = out.write_all("WARN turned \u{202e}around\n".as_bytes());
    let _ = out.write_all(b"ERROR ");
    let _ = out.write_all(&vec![b'x'; 200_000]);
    let _ = out.write_all(b"\nhostile end\n");
    let _ = out.flush();
}
