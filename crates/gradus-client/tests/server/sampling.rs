//! What a server can do is found out, and used or done without.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gradus::data::FinishReason;
use gradus::lm::Message;
use gradus::run::Event;
use gradus_client::{Api, Budget, ConnectError, Price, Use};
use serde_json::json;

use super::loopback::{Answer, Loopback, refusal, sampled};
use super::*;

#[test]
fn samples_of_a_prompt_come_in_one_request_with_every_setting() {
    let loopback = Loopback::start(|request| Answer::Json(sampled(request)));
    let server = connect(config(&loopback.url));
    let settings = Sampling { temperature: 0.7, stop: vec!["\n\n".into()], ..sampling() };
    let (rows, ended) = rows(&server, &requests(3, 4), &settings);
    ended.unwrap();
    assert_eq!(rows.len(), 12);
    assert!(server.capabilities().seeds && server.capabilities().log_probs);
    let asked = loopback.requests();
    // The probe, and one request a prompt.
    assert_eq!(asked.len(), 4);
    let body = &asked[3].body;
    for (field, value) in [
        ("model", json!("model")),
        ("n", json!(4)),
        ("temperature", json!(0.7)),
        ("top_p", json!(1.0)),
        ("top_k", json!(-1)),
        ("min_p", json!(0.0)),
        ("repetition_penalty", json!(1.0)),
        ("max_tokens", json!(16)),
        ("stop", json!(["\n\n"])),
        ("logprobs", json!(true)),
        ("stream", json!(false)),
    ] {
        assert_eq!(body[field], value, "{field}");
    }
    let row = rows.values().next().unwrap().as_ref().unwrap();
    assert_eq!((row.token_log_probs.as_slice(), row.prompt_tokens), (&[-0.5][..], Some(5)));
    assert_eq!(row.finish_reason, FinishReason::Stop);
    let usage = server.usage();
    assert_eq!((usage.requests, usage.prompt_tokens, usage.completion_tokens), (5, 20, 14));
}

#[test]
fn a_sample_has_its_seed_however_samples_are_grouped() {
    let several = Loopback::start(|request| Answer::Json(sampled(request)));
    let single = Loopback::start(|request| {
        if request.body["n"].as_u64() > Some(1) {
            return refusal(400, "n must be 1");
        }
        Answer::Json(sampled(request))
    });
    let (one, _) = rows(&connect(config(&several.url)), &requests(5, 4), &sampling());
    let (other, _) = rows(&connect(config(&single.url)), &requests(5, 4), &sampling());
    assert_eq!(one.len(), 20);
    let texts = |rows: &Rows| -> Vec<String> {
        rows.values().map(|row| row.as_ref().unwrap().text.clone()).collect()
    };
    assert_eq!(texts(&one), texts(&other));
    assert_eq!(texts(&one).iter().collect::<std::collections::BTreeSet<_>>().len(), 20);
    let odd: Vec<Request> =
        requests(5, 4).into_iter().filter(|request| request.key.sample % 3 == 1).collect();
    let (resumed, _) = rows(&connect(config(&several.url)), &odd, &sampling());
    assert!(resumed.iter().all(|(key, row)| one[key].as_ref() == row.as_ref()));
    // Another stage draws other samples.
    let stage = Sampling { stream: "other".into(), ..sampling() };
    let (third, _) = rows(&connect(config(&several.url)), &requests(5, 4), &stage);
    assert_ne!(texts(&third), texts(&one));
}

/// As OpenAI's own: no extras, and the limit has another name.
#[test]
fn a_server_without_extras_seed_or_log_probs_is_used_without_them() {
    let loopback = Loopback::start(|request| {
        let body = request.body.as_object().unwrap();
        for unknown in ["top_k", "min_p", "repetition_penalty", "seed", "max_tokens"] {
            if body.contains_key(unknown) {
                let hint = "Unsupported parameter; use 'max_completion_tokens' instead.";
                return refusal(400, &format!("{unknown}: {hint}"));
            }
        }
        let mut answer = sampled(request);
        for choice in answer["choices"].as_array_mut().unwrap() {
            choice["logprobs"] = json!(null);
        }
        Answer::Json(answer)
    });
    let notes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&notes);
    let monitor = Monitor::new(
        move |event| {
            if let Event::Note { text } = event {
                seen.lock().unwrap().push(text.clone());
            }
        },
        Arc::default(),
    );
    let server = Server::connect(config(&loopback.url), &monitor).unwrap();
    let probe = server.prepare(&[Use::Sample]).unwrap().sampling.unwrap();
    assert!(probe.n && !probe.seed && !probe.log_probs && !probe.extras);
    assert_eq!(probe.limit, "max_completion_tokens");
    assert!(notes.lock().unwrap()[0].contains("seed: no; log-probs: no"));
    let (found, ended) = rows(&server, &requests(2, 2), &sampling());
    ended.unwrap();
    assert_eq!(found.len(), 4);
    assert!(found.values().all(|row| row.as_ref().unwrap().token_log_probs.is_empty()));
    let bent = Sampling { top_k: 5, ..sampling() };
    let error = rows(&server, &requests(1, 1), &bent).1.unwrap_err().to_string();
    assert!(error.contains("cannot sample with top_k"), "{error}");
}

#[test]
fn a_wrong_name_of_the_model_names_the_nearest() {
    let loopback = Loopback::start(|request| Answer::Json(sampled(request)));
    let wrong = Config { model: "modle".into(), ..config(&loopback.url) };
    let error = Server::connect(wrong, &Monitor::silent()).unwrap_err().to_string();
    assert!(error.contains("no model of that name; the nearest is \"model\""), "{error}");
}

#[test]
fn a_server_that_is_not_there_is_said_soon() {
    let config = config("http://127.0.0.1:1/v1");
    let error = Server::connect(config, &Monitor::silent()).unwrap_err();
    let ConnectError::Server(LmError::Unavailable { reason, .. }) = error else {
        panic!("{error}");
    };
    assert!(reason.contains("the connection is refused"), "{reason}");
}

#[test]
fn a_page_where_the_names_of_models_should_be_is_a_wrong_address() {
    let loopback = Loopback::start(|_| Answer::Status(200, vec![], "<title>Hello</title>".into()));
    let elsewhere = loopback.url.replace("/v1", "/chat");
    let error = Server::connect(config(&elsewhere), &Monitor::silent()).unwrap_err().to_string();
    let expected = "malformed answer: expected value at line 1 column 1; the answer was a page of \
                    HTML with the title \"Hello\"";
    assert!(error.contains("/chat/models: 3 attempts") && error.contains(expected), "{error}");
}

#[test]
fn a_server_that_lists_no_models_is_used_unchecked() {
    let loopback = Loopback::start(|request| match request.path.as_str() {
        "/api/chat/completions" => Answer::Json(sampled(request)),
        _ => refusal(404, "no such path"),
    });
    let server = connect(config(&loopback.url.replace("/v1", "/api")));
    assert_eq!(rows(&server, &requests(1, 2), &sampling()).0.len(), 2);
    let nowhere = connect(config(&loopback.url.replace("/v1", "/")));
    let error = rows(&nowhere, &requests(1, 2), &sampling()).1.unwrap_err().to_string();
    assert!(error.contains("refuses the simplest request: status 404: no such path"), "{error}");
}

#[test]
fn a_config_that_cannot_be_right_is_refused_before_anything_is_sent() {
    let wrong = Config { max_connections: 0, ..config("http://127.0.0.1:1/v1") };
    let error = Server::connect(wrong, &Monitor::silent()).unwrap_err();
    assert!(matches!(&error, ConnectError::Config(fault) if fault.starts_with("max_conn")));
}

#[test]
fn connections_are_bounded_and_used_side_by_side() {
    let loopback = Loopback::start(|request| {
        std::thread::sleep(Duration::from_millis(20));
        Answer::Json(sampled(request))
    });
    let server = connect(Config { max_connections: 3, ..config(&loopback.url) });
    let (found, ended) = rows(&server, &requests(30, 1), &sampling());
    ended.unwrap();
    assert_eq!(found.len(), 30);
    assert_eq!(loopback.most.load(Ordering::SeqCst), 3);
}

#[test]
fn a_broken_sink_and_a_cancelled_run_cut_the_connections() {
    for by_monitor in [false, true] {
        let gone = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&gone);
        let loopback =
            Loopback::start(move |request| match request.body["messages"][0]["content"].as_str() {
                Some("prompt 0" | "1 + 1 =") => Answer::Json(sampled(request)),
                _ => Answer::Hang(Arc::clone(&count)),
            });
        let cancel = Arc::default();
        let monitor = Monitor::new(|_| (), Arc::clone(&cancel));
        let server = Server::connect(config(&loopback.url), &monitor).unwrap();
        let (mut seen, started) = (0, Instant::now());
        let ended = server.generate(&requests(8, 1), &sampling(), &mut |_, row| {
            row.unwrap();
            seen += 1;
            // The others must be on their way to be cut.
            while loopback.count() < 9 {
                std::thread::sleep(Duration::from_millis(1));
            }
            cancel.store(by_monitor, Ordering::SeqCst);
            if by_monitor { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        ended.unwrap();
        assert_eq!(seen, 1);
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        while gone.load(Ordering::SeqCst) < 7 {
            assert!(started.elapsed() < Duration::from_secs(10));
            std::thread::sleep(Duration::from_millis(5));
        }
        // The server can be used again.
        cancel.store(false, Ordering::SeqCst);
        assert_eq!(rows(&server, &requests(1, 2), &sampling()).0.len(), 2);
    }
}

#[test]
fn the_budget_is_not_passed_by_a_token() {
    // Every answer takes all that it may.
    let loopback = Loopback::start(|request| {
        let mut answer = sampled(request);
        let tokens =
            request.body["n"].as_u64().unwrap() * request.body["max_tokens"].as_u64().unwrap();
        answer["usage"] = json!({"prompt_tokens": 80, "completion_tokens": tokens});
        std::thread::sleep(Duration::from_millis(2));
        Answer::Json(answer)
    });
    let limit = 2000;
    let budget = Budget { tokens: Some(limit), dollars: None };
    let server = connect(Config { budget, ..config(&loopback.url) });
    let (found, ended) = rows(&server, &requests(50, 4), &sampling());
    let error = ended.unwrap_err().to_string();
    assert!(error.contains("the budget of 2000 tokens does not allow"), "{error}");
    let usage = server.usage();
    let spent = usage.prompt_tokens + usage.completion_tokens;
    // A request is counted at most with its bytes, its template and 4 x 16 tokens.
    assert!(spent <= limit && spent > limit - 200, "{spent}");
    assert_eq!(found.len() as u64, 4 * (usage.requests - 2));

    let price = Price { prompt: 1.0, completion: 10.0 };
    let prices = [("model".to_owned(), price)].into();
    let budget = Budget { tokens: None, dollars: Some(0.01) };
    let server = connect(Config { budget, prices, ..config(&loopback.url) });
    let ended = rows(&server, &requests(50, 4), &sampling()).1;
    assert!(ended.unwrap_err().to_string().contains("the budget of $0.01 does not allow"));
    let dollars = server.usage().dollars.unwrap();
    assert!(dollars <= 0.01 && dollars > 0.008, "{dollars}");
}

#[test]
fn who_does_not_count_is_charged_the_worst_case() {
    let loopback = Loopback::start(|request| {
        let mut answer = sampled(request);
        answer["usage"] = json!(null);
        Answer::Json(answer)
    });
    let server = connect(config(&loopback.url));
    rows(&server, &requests(1, 2), &sampling()).1.unwrap();
    // Probe 2, then two samples of at most 16.
    assert_eq!(server.usage().completion_tokens, 34);
}

#[test]
fn completions_take_texts_tokens_and_prefixes_and_chat_takes_messages() {
    let loopback = Loopback::start(|request| Answer::Json(sampled(request)));
    let completions = connect(Config { api: Api::Completions, ..config(&loopback.url) });
    let mut request = requests(1, 1);
    request[0].prefix = "so".into();
    let (found, _) = rows(&completions, &request, &sampling());
    let text = &found.values().next().unwrap().as_ref().unwrap().text;
    assert!(text.starts_with("soprompt 0so -> "), "{text}");
    request[0].prefix = "".into();
    request[0].prompt = Prompt::Tokens([1, 2].into());
    rows(&completions, &request, &sampling()).1.unwrap();
    assert_eq!(loopback.requests().last().unwrap().body["prompt"], json!([1, 2]));

    let chat = connect(config(&loopback.url));
    let error = rows(&chat, &request, &sampling()).1.unwrap_err().to_string();
    assert!(error.contains("api = \"completions\""), "{error}");
    let message = |role: &str| Message { role: role.into(), content: "x".into() };
    request[0].prompt = Prompt::Chat([message("system"), message("user")].into());
    rows(&chat, &request, &sampling()).1.unwrap();
    let body = loopback.requests().last().unwrap().body.clone();
    assert_eq!(body["messages"][0], json!({"role": "system", "content": "x"}));
    let error = rows(&completions, &request, &sampling()).1.unwrap_err().to_string();
    assert!(error.contains("api = \"chat\""), "{error}");
}

#[test]
fn further_fields_of_the_body_are_passed_on() {
    let loopback = Loopback::start(|request| Answer::Json(sampled(request)));
    let extra_body = json!({"guided_regex": "[0-9]+"}).as_object().unwrap().clone();
    let server = connect(Config { extra_body, ..config(&loopback.url) });
    rows(&server, &requests(1, 1), &sampling()).1.unwrap();
    assert!(loopback.requests().iter().all(|asked| asked.body["guided_regex"] == "[0-9]+"));
}
