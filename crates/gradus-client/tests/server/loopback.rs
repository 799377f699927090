//! A server on loopback that answers as it is told, faults of every kind included.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// A request as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
    /// How many requests came before it, those for the list of models left out.
    pub(crate) number: usize,
}

/// What is sent back.
pub(crate) enum Answer {
    Json(Value),
    Status(u16, Vec<(&'static str, String)>, String),
    /// The whole is promised, and this share of it is sent.
    Cut(Value, f64),
    /// A byte at a time, with a pause after each.
    Drip(Value, Duration),
    /// Nothing, until the other side goes; tells when it has.
    Hang(Arc<AtomicUsize>),
    /// Without end.
    Flood,
}

pub(crate) struct Loopback {
    pub(crate) url: String,
    pub(crate) asked: Arc<Mutex<Vec<Asked>>>,
    pub(crate) under_way: Arc<AtomicUsize>,
    /// Most requests that were under way at once.
    pub(crate) most: Arc<AtomicUsize>,
}

type Handler = Arc<dyn Fn(&Asked) -> Answer + Send + Sync>;

impl Loopback {
    /// Serves the model "model" with what `handler` answers.
    pub(crate) fn start(handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (asked, number): (Arc<Mutex<Vec<Asked>>>, Arc<AtomicUsize>) = Default::default();
        let (under_way, most): (Arc<AtomicUsize>, Arc<AtomicUsize>) = Default::default();
        let loopback = Self { url, asked, under_way, most };
        let handler: Handler = Arc::new(handler);
        let shared = (
            Arc::clone(&loopback.asked),
            number,
            Arc::clone(&loopback.under_way),
            Arc::clone(&loopback.most),
        );
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (handler, shared) = (Arc::clone(&handler), shared.clone());
                std::thread::spawn(move || {
                    let (asked, number, under_way, most) = shared;
                    let stream = stream.unwrap();
                    stream.set_nodelay(true).unwrap();
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    while let Some(mut request) = read(&mut reader) {
                        let answer = if request.path == "/v1/models" {
                            Answer::Json(json!({"object": "list", "data": [
                                {"id": "model", "object": "model", "owned_by": "vllm"}]}))
                        } else {
                            request.number = number.fetch_add(1, Ordering::SeqCst);
                            asked.lock().unwrap().push(request.clone());
                            let now = under_way.fetch_add(1, Ordering::SeqCst) + 1;
                            most.fetch_max(now, Ordering::SeqCst);
                            let answer = handler(&request);
                            under_way.fetch_sub(1, Ordering::SeqCst);
                            answer
                        };
                        if !send(&stream, answer) {
                            break;
                        }
                    }
                    _ = stream.shutdown(std::net::Shutdown::Both);
                });
            }
        });
        loopback
    }

    /// How many requests came in, those for the list of models left out.
    pub(crate) fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    pub(crate) fn requests(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Some(Asked { path, headers, body, number: 0 })
}

/// Sends an answer; whether the connection may go on.
fn send(mut stream: &TcpStream, answer: Answer) -> bool {
    let head = |length: usize| {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    match answer {
        Answer::Json(value) => {
            let body = value.to_string();
            stream.write_all(format!("{}{body}", head(body.len())).as_bytes()).is_ok()
        }
        Answer::Status(status, headers, body) => {
            let mut text = format!("HTTP/1.1 {status} Told\r\nContent-Length: {}\r\n", body.len());
            for (name, value) in headers {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
            stream.write_all(format!("{text}\r\n{body}").as_bytes()).is_ok()
        }
        Answer::Cut(value, share) => {
            let body = value.to_string();
            let text = format!("{}{body}", head(body.len()));
            let sent = text.len() - body.len() + (body.len() as f64 * share) as usize;
            _ = stream.write_all(&text.as_bytes()[..sent]);
            false
        }
        Answer::Drip(value, pause) => {
            let body = value.to_string();
            for byte in format!("{}{body}", head(body.len())).bytes() {
                if stream.write_all(&[byte]).is_err() {
                    return false;
                }
                std::thread::sleep(pause);
            }
            true
        }
        Answer::Hang(gone) => {
            // Ends when the client closes the connection.
            _ = stream.read(&mut [0]);
            gone.fetch_add(1, Ordering::SeqCst);
            false
        }
        Answer::Flood => {
            let endless = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
            let mut sent = stream.write_all(endless.as_bytes());
            while sent.is_ok() {
                sent = stream.write_all(chunk.as_bytes());
            }
            false
        }
    }
}

/// A well-behaved answer to a sampling request: the text of a choice is its prompt with the
/// seed that vLLM would give it.
pub(crate) fn sampled(request: &Asked) -> Value {
    let body = &request.body;
    let count = body["n"].as_u64().unwrap_or(1);
    let seed = body["seed"].as_u64().unwrap_or(0);
    let chat = request.path.ends_with("/chat/completions");
    let prompt = if chat { &body["messages"][0]["content"] } else { &body["prompt"] };
    let choices: Vec<Value> = (0..count)
        .map(|index| {
            let text = format!("{} -> {}", prompt.as_str().unwrap_or("?"), seed + index);
            let mut choice = json!({"index": index, "finish_reason": "stop"});
            if chat {
                choice["message"] = json!({"role": "assistant", "content": text});
                if body["logprobs"] == true {
                    choice["logprobs"] = json!({"content": [{"token": "a", "logprob": -0.5}]});
                }
            } else {
                choice["text"] = text.into();
                if !body["logprobs"].is_null() {
                    choice["logprobs"] = json!({"tokens": ["a"], "token_logprobs": [-0.5]});
                }
            }
            choice
        })
        .collect();
    let usage = json!({"prompt_tokens": 5, "completion_tokens": count, "total_tokens": 0});
    json!({"choices": choices, "usage": usage})
}

pub(crate) fn refusal(status: u16, message: &str) -> Answer {
    let body = json!({"error": {"message": message, "type": "invalid_request_error"}});
    Answer::Status(status, vec![], body.to_string())
}
