//! Every fault that a server has, and what becomes of the rows.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::loopback::{Answer, Asked, Loopback, refusal, sampled};
use super::*;

/// Answers the probe and then, request by request, with `fault` until it gives nothing.
fn faulty(fault: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) -> Loopback {
    Loopback::start(move |request| {
        let probe = request.number == 0;
        (!probe).then(|| fault(request)).flatten().unwrap_or_else(|| Answer::Json(sampled(request)))
    })
}

/// The first request after the probe meets the fault; the second is answered.
fn once(fault: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> (Rows, Duration, usize) {
    let loopback = faulty(move |request| (request.number == 1).then(|| fault(request)));
    let server = connect(Config { timeout_seconds: 0.5, ..config(&loopback.url) });
    let started = Instant::now();
    let (rows, ended) = rows(&server, &requests(1, 2), &sampling());
    ended.unwrap();
    assert_eq!(server.usage().failed, 1);
    (rows, started.elapsed(), loopback.count() - 1)
}

/// The fault does not pass: the reason of the only row.
fn always(attempts: u32, fault: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> String {
    let loopback = faulty(move |request| Some(fault(request)));
    let server = connect(Config {
        attempts,
        timeout_seconds: 0.5,
        max_response_bytes: 1 << 20,
        ..config(&loopback.url)
    });
    let (rows, ended) = rows(&server, &requests(1, 1), &sampling());
    match ended {
        Err(error) => error.to_string(),
        Ok(()) => rows.into_values().next().unwrap().unwrap_err(),
    }
}

#[test]
fn faults_that_pass_are_tried_again() {
    let faults: [fn(&Asked) -> Answer; 9] = [
        |_| refusal(429, "slow down"),
        |_| refusal(408, "late"),
        |_| refusal(409, "busy"),
        |_| refusal(500, "oh"),
        |_| Answer::Status(502, vec![], "<html><title>Bad gateway</title></html>".into()),
        |request| Answer::Cut(sampled(request), 0.5),
        |_| Answer::Cut(Value::Null, -1.0),
        |_| Answer::Status(200, vec![], "{\"choices\": [{\"ind".into()),
        |_| Answer::Json(json!({"choices": []})),
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        let (rows, _, asked) = once(fault);
        assert_eq!((rows.len(), asked), (2, 2), "fault {number}");
        assert!(rows.values().all(Result::is_ok), "fault {number}");
    }
}

#[test]
fn retry_after_is_waited_for() {
    let told = |name: &'static str, value: &'static str| {
        move |_: &Asked| Answer::Status(429, vec![(name, value.into())], "{}".into())
    };
    let (rows, waited, _) = once(told("Retry-After", "1"));
    assert!(rows.len() == 2 && waited >= Duration::from_secs(1), "{waited:?}");
    let (_, waited, _) = once(told("retry-after-ms", "300"));
    assert!((300..900).contains(&waited.as_millis()), "{waited:?}");
    let reason = always(3, told("Retry-After", "86400"));
    assert!(reason.contains("Retry-After asks for 86400 s"), "{reason}");
}

#[test]
fn a_slow_drip_ends_in_time() {
    let (rows, waited, _) =
        once(|request| Answer::Drip(sampled(request), Duration::from_millis(20)));
    assert_eq!(rows.len(), 2);
    assert!((500..2000).contains(&waited.as_millis()), "{waited:?}");
    let reason = always(1, |_| Answer::Hang(std::sync::Arc::default()));
    assert!(reason.contains("no complete answer within timeout_seconds (0.5)"), "{reason}");
}

#[test]
fn an_answer_without_end_is_not_read_to_memory() {
    let reason = always(3, |request| {
        assert!(request.number <= 1);
        Answer::Flood
    });
    assert!(reason.contains("longer than max_response_bytes (1048576)"), "{reason}");
}

#[test]
fn faults_that_stay_say_what_the_server_said() {
    let page = "<html><head><title>We are\n sorry</title></head></html>";
    let reason = always(2, move |_| Answer::Status(503, vec![], page.into()));
    let expected = "status 503: a page of HTML with the title \"We are sorry\"";
    assert!(reason.contains("2 attempts failed") && reason.contains(expected), "{reason}");
    let reason = always(2, |_| Answer::Status(200, vec![], "<html>login</html>".into()));
    assert!(reason.contains("malformed answer") && reason.contains("login"), "{reason}");
    let reason = always(2, |_| Answer::Status(200, vec![], String::new()));
    assert!(reason.contains("the answer was an empty answer"), "{reason}");
}

#[test]
fn refusals_are_not_repeated() {
    let reason = always(9, |request| {
        assert!(request.number <= 1);
        refusal(400, "maximum context length is 8")
    });
    assert_eq!(reason, "status 400: maximum context length is 8");
    let reason = always(9, |request| {
        assert!(request.number <= 1);
        refusal(401, "who are you")
    });
    assert!(reason.contains("is unavailable") && reason.contains("OPENAI_API_KEY is"), "{reason}");
    let quota = json!({"error": {"message": "pay", "code": "insufficient_quota"}}).to_string();
    let reason = always(9, move |_| Answer::Status(429, vec![], quota.clone()));
    assert!(reason.contains("is unavailable: status 429: pay"), "{reason}");
}

#[test]
fn a_redirect_is_not_followed() {
    let other = Loopback::start(|request| Answer::Json(sampled(request)));
    let target = format!("{}/chat/completions", other.url);
    let reason =
        always(2, move |_| Answer::Status(307, vec![("Location", target.clone())], String::new()));
    assert!(reason.contains("the server redirects to http://127.0.0.1"), "{reason}");
    assert!(other.requests().is_empty());
}

#[test]
fn choices_that_do_not_add_up_are_asked_for_again() {
    let changed = |change: fn(&mut Vec<Value>)| {
        move |request: &Asked| {
            let mut answer = sampled(request);
            change(answer["choices"].as_array_mut().unwrap());
            Answer::Json(answer)
        }
    };
    let faults: [fn(&mut Vec<Value>); 5] = [
        |choices| drop(choices.pop()),
        |choices| choices.push(choices[0].clone()),
        |choices| choices[1]["index"] = json!(0),
        |choices| drop(choices[1].as_object_mut().unwrap().remove("index")),
        |choices| choices[0]["logprobs"] = Value::Null,
    ];
    for fault in faults {
        let (rows, _, asked) = once(changed(fault));
        assert_eq!((rows.len(), asked), (2, 2));
        assert!(rows.values().all(Result::is_ok));
    }
}

#[test]
fn a_server_that_goes_away_ends_the_call_and_a_bad_prompt_only_its_row() {
    let loopback = faulty(|request| match request.body["messages"][0]["content"].as_str() {
        Some("prompt 3") => Some(refusal(500, "this prompt kills me")),
        _ => None,
    });
    let server = connect(Config { attempts: 2, ..config(&loopback.url) });
    let (found, ended) = rows(&server, &requests(20, 1), &sampling());
    ended.unwrap();
    assert_eq!(found.len(), 20);
    assert_eq!(found.values().filter(|row| row.is_err()).count(), 1);

    let loopback = faulty(|_| Some(refusal(503, "gone")));
    let server = connect(Config { attempts: 2, ..config(&loopback.url) });
    let (found, ended) = rows(&server, &requests(1000, 1), &sampling());
    let error = ended.unwrap_err().to_string();
    assert!(error.contains("3 requests in a row were given up"), "{error}");
    assert!(found.len() < 20 && loopback.count() < 60);
}

#[test]
fn the_cache_answers_a_second_time_by_request_and_sample() {
    let loopback = Loopback::start(|request| Answer::Json(sampled(request)));
    let folder = tempfile::tempdir().unwrap();
    let config = Config { cache: Some(folder.path().into()), ..config(&loopback.url) };
    let (first, _) = rows(&connect(config.clone()), &requests(5, 2), &sampling());
    let before = loopback.count();
    let server = connect(config.clone());
    // Two more samples of each problem: only they are asked for.
    let (second, _) = rows(&server, &requests(5, 4), &sampling());
    assert_eq!(server.usage().cached, 10);
    let asked = loopback.requests();
    assert_eq!(asked.len() - before, 1 + 5);
    assert!(asked[before + 1..].iter().all(|asked| asked.body["n"] == 2));
    assert!(first.iter().all(|(key, row)| second[key] == *row));
    // Another temperature is another request, another seed another sample.
    let server = connect(config);
    let warm = Sampling { temperature: 0.5, ..sampling() };
    rows(&server, &requests(5, 4), &warm).1.unwrap();
    rows(&server, &requests(5, 4), &Sampling { seed: 1, ..sampling() }).1.unwrap();
    assert_eq!(server.usage().cached, 0);
}

/// Three of ten requests meet one of six faults, drawn by their number.
pub(crate) fn three_of_ten(request: &Asked) -> Option<Answer> {
    let draw = gradus::run::Stream::new(5, &["faults", &request.number.to_string()]).below(20);
    match draw {
        0 => Some(Answer::Status(429, vec![("Retry-After", "0".into())], "{}".into())),
        1 => Some(refusal(500, "oh")),
        2 => Some(Answer::Cut(sampled(request), 0.5)),
        3 => Some(Answer::Status(200, vec![], "<html>not now</html>".into())),
        4 => Some(Answer::Cut(Value::Null, -1.0)),
        5 => {
            let mut answer = sampled(request);
            answer["choices"].as_array_mut().unwrap().pop();
            Some(Answer::Json(answer))
        }
        _ => None,
    }
}

#[test]
fn a_thousand_prompts_by_four_with_three_faults_in_ten_end_with_every_row_once() {
    let loopback = faulty(three_of_ten);
    let server = connect(config(&loopback.url));
    let (rows, ended) = rows(&server, &requests(1000, 4), &sampling());
    ended.unwrap();
    assert_eq!(rows.len(), 4000);
    assert!(rows.values().all(Result::is_ok));
    let texts: std::collections::BTreeSet<&str> =
        rows.values().map(|row| row.as_ref().unwrap().text.as_str()).collect();
    assert_eq!(texts.len(), 4000);
    let share = server.usage().failed as f64 / server.usage().requests as f64;
    assert!((0.25..0.35).contains(&share), "{share}");
}
