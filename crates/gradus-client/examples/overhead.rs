//! Both ends of `bench/client_overhead.py`: a server on loopback that answers every request
//! with the same short completion, and a client that samples from it and writes the rows.
//!
//! ```sh
//! overhead serve                                # prints its address
//! overhead sample ADDRESS REQUESTS CONNECTIONS FILE
//! ```

use std::error::Error;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;

use gradus::lm::{Generate, Key, Prompt, Request, Sampling};
use gradus::run::Monitor;
use gradus_client::{Config, Server};
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => serve(),
        ["sample", address, requests, connections, file] => {
            sample(address, requests.parse()?, connections.parse()?, file)
        }
        _ => Err("overhead serve | overhead sample ADDRESS REQUESTS CONNECTIONS FILE".into()),
    }
}

fn sample(url: &str, count: u32, connections: usize, file: &str) -> Result<(), Box<dyn Error>> {
    let config = Config {
        model: "model".into(),
        base_url: url.into(),
        max_connections: connections,
        log_probs: false,
        ..Config::default()
    };
    let server = Server::connect(config, &Monitor::silent())?;
    let requests: Vec<Request> = (0..count)
        .map(|problem| Request {
            key: Key { problem: format!("p{problem}").into(), sample: 0, branch: 0 },
            prompt: Prompt::Text(prompt(problem).into()),
            prefix: "".into(),
        })
        .collect();
    let mut rows = BufWriter::new(std::fs::File::create(file)?);
    let mut failed = None;
    server.generate(&requests, &Sampling::default(), &mut |key, row| {
        let written = row.map_err(Box::<dyn Error>::from).and_then(|row| {
            let row = json!({"problem": &*key.problem, "sample": key.sample, "text": row.text});
            Ok(writeln!(rows, "{row}")?)
        });
        failed = written.err();
        if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    rows.flush()?;
    failed.map_or(Ok(()), Err)
}

/// About as long as a problem of GSM8K.
fn prompt(problem: u32) -> String {
    format!("Problem {problem}. {}", "How many apples are in a basket of two dozen? ".repeat(5))
}

fn serve() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut out = std::io::stdout();
    writeln!(out, "http://{}/v1", listener.local_addr()?)?;
    out.flush()?;
    let text = "A dozen is 12, so two dozen are 24 apples. ".repeat(10);
    let answer = whole(
        &json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "model",
            "choices": [{"index": 0, "finish_reason": "stop",
                         "message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": 60, "completion_tokens": 120, "total_tokens": 180}
        })
        .to_string(),
    );
    let models = whole(&json!({"object": "list", "data": [{"id": "model"}]}).to_string());
    for stream in listener.incoming() {
        let (stream, answer, models) = (stream?, answer.clone(), models.clone());
        std::thread::spawn(move || connection(&stream, &answer, &models));
    }
    Ok(())
}

fn whole(body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

fn connection(mut stream: &TcpStream, answer: &str, models: &str) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut line, mut body) = (String::new(), Vec::new());
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let asks_for_models = line.starts_with("GET");
        let mut length = 0;
        while line.trim_end() != "" {
            line.clear();
            reader.read_line(&mut line)?;
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        body.resize(length, 0);
        reader.read_exact(&mut body)?;
        stream.write_all(if asks_for_models { models } else { answer }.as_bytes())?;
    }
}
