//! The client against a server on loopback.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod faults;
mod killed;
mod loopback;
mod sampling;
mod scoring;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use gradus::lm::{Generate, Generated, Key, LmError, Prompt, Request, Sampling};
use gradus::run::Monitor;
use gradus_client::{Config, Server};

/// Quick retries, few connections, and the address.
fn config(url: &str) -> Config {
    Config {
        model: "model".into(),
        base_url: url.into(),
        retry_seconds: 0.001,
        ..Config::default()
    }
}

fn connect(config: Config) -> Server {
    Server::connect(config, &Monitor::silent()).unwrap()
}

fn requests(prompts: u32, samples: u32) -> Vec<Request> {
    (0..prompts)
        .flat_map(|problem| (0..samples).map(move |sample| (problem, sample)))
        .map(|(problem, sample)| Request {
            key: Key { problem: format!("p{problem}").into(), sample, branch: 0 },
            prompt: Prompt::Text(format!("prompt {problem}").into()),
            prefix: "".into(),
        })
        .collect()
}

fn sampling() -> Sampling {
    Sampling { max_tokens: 16, ..Sampling::default() }
}

type Rows = BTreeMap<Key, Result<Generated, String>>;

/// All rows; a row that comes twice fails the test.
fn rows(server: &Server, requests: &[Request], sampling: &Sampling) -> (Rows, Result<(), LmError>) {
    let mut rows = Rows::new();
    let ended = server.generate(requests, sampling, &mut |key, row| {
        let before = rows.insert(key.clone(), row.map_err(|error| error.reason));
        assert!(before.is_none(), "{key:?} came twice");
        ControlFlow::Continue(())
    });
    (rows, ended)
}
