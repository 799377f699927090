//! An OpenAI-compatible server on this machine that knows one sum, and how to fail.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use serde_json::{Value, json};

/// The server; it ends with the test's process.
pub(crate) struct Loopback {
    pub(crate) base_url: String,
    /// Requests to sample so far.
    pub(crate) requests: Arc<AtomicU64>,
}

impl Loopback {
    /// Starts it; of ten requests to sample, `faults` fail, each in one of three ways.
    pub(crate) fn start(faults: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let counted = Arc::clone(&counted);
                thread::spawn(move || serve(stream, faults, &counted));
            }
        });
        Self { base_url, requests }
    }
}

/// Answers the requests of one connection until something is wrong with it.
fn serve(stream: TcpStream, faults: u64, counted: &AtomicU64) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let mut line = String::new();
        (reader.read_line(&mut line).ok()? > 0).then_some(())?;
        let path = line.split(' ').nth(1)?.to_owned();
        let mut length = 0;
        loop {
            line.clear();
            reader.read_line(&mut line).ok()?;
            let header = line.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        if path.ends_with("/models") {
            let models = json!({"object": "list", "data": [{"id": "sums", "object": "model"}]});
            reply(&mut stream, "200 OK", &models.to_string())?;
            continue;
        }
        let number = counted.fetch_add(1, Ordering::Relaxed);
        // Spread over the tens, so that a request that is sent again does not meet the same.
        if number * 7 % 10 < faults {
            match number % 3 {
                0 => reply(&mut stream, "503 Service Unavailable\r\nRetry-After: 0", "busy")?,
                1 => reply(&mut stream, "200 OK", "{\"choices\": [")?,
                _ => return None,
            }
            continue;
        }
        let answer = sampled(&serde_json::from_slice(&body).ok()?)?;
        reply(&mut stream, "200 OK", &answer.to_string())?;
    }
}

fn reply(stream: &mut TcpStream, status: &str, body: &str) -> Option<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .ok()
}

/// The answer to "What is A + 1?", as often as asked.
fn sampled(request: &Value) -> Option<Value> {
    let n = request["n"].as_u64().unwrap_or(1);
    let question = request["messages"].as_array()?.last()?["content"].as_str()?;
    let number = question.split("What is ").nth(1).and_then(|rest| rest.split(' ').next());
    let number: u64 = number.and_then(|number| number.parse().ok()).unwrap_or_default();
    let token = json!({"token": "x", "logprob": -0.25, "bytes": [120], "top_logprobs": []});
    let choices: Vec<Value> = (0..n)
        .map(|index| {
            let text = format!("The answer is \\boxed{{{}}}.", number + 1);
            json!({
                "index": index, "finish_reason": "stop",
                "message": {"role": "assistant", "content": text},
                "logprobs": {"content": [token, token]},
            })
        })
        .collect();
    Some(json!({
        "id": "x", "object": "chat.completion", "created": 0, "model": "sums",
        "choices": choices,
        "usage": {"prompt_tokens": 7, "completion_tokens": 2 * n, "total_tokens": 7 + 2 * n},
    }))
}
