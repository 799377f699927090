//! Given texts, embeddings and judgements.

use gradus::data::Span;
use gradus::lm::{Continuation, Detail, Embed, Judged, LogProb, Pooling, Reward, Scored};
use gradus_client::{RewardEndpoint, RewardForm};
use serde_json::{Value, json};

use super::loopback::{Answer, Asked, Loopback, refusal};
use super::*;

/// Words with the space before them, as GPT-2's tokenizer cuts; each with log-prob minus its
/// length in bytes.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for c in text.chars() {
        match words.last_mut() {
            Some(word) if c != ' ' => word.push(c),
            _ => words.push(c.into()),
        }
    }
    words
}

fn echo(request: &Asked) -> Answer {
    let body = &request.body;
    if !body["prompt_logprobs"].is_null() {
        return refusal(400, "unknown field prompt_logprobs");
    }
    if body["max_tokens"] == 0 {
        return refusal(400, "max_tokens must be at least 1");
    }
    let mut tokens = words(body["prompt"].as_str().unwrap());
    let count = tokens.len();
    tokens.push(" sampled".into());
    let values: Vec<Value> = tokens
        .iter()
        .enumerate()
        .map(|(at, token)| if at == 0 { Value::Null } else { json!(-(token.len() as f64)) })
        .collect();
    Answer::Json(json!({
        "choices": [{"index": 0, "text": "", "finish_reason": "length",
                     "logprobs": {"tokens": tokens, "token_logprobs": values}}],
        "usage": {"prompt_tokens": count, "completion_tokens": 1, "total_tokens": count + 1}}))
}

fn vllm(request: &Asked) -> Answer {
    let positions: Vec<Value> = words(request.body["prompt"].as_str().unwrap())
        .iter()
        .enumerate()
        .map(|(at, word)| match at {
            0 => Value::Null,
            _ => json!({(word.len() * 100).to_string(): {
                "logprob": -(word.len() as f64), "rank": at, "decoded_token": word}}),
        })
        .collect();
    Answer::Json(json!({"choices": [{"index": 0, "text": "x", "finish_reason": "length",
                                     "prompt_logprobs": positions}]}))
}

fn continuations(rows: &[(&str, &str)]) -> Vec<Continuation> {
    let row = |(index, (prompt, text)): (usize, &(&str, &str))| Continuation {
        key: Key { problem: "p".into(), sample: index as u32, branch: 0 },
        prompt: Prompt::Text((*prompt).into()),
        text: (*text).into(),
    };
    rows.iter().enumerate().map(row).collect()
}

fn score(
    server: &Server,
    rows: &[(&str, &str)],
    detail: Detail,
) -> Result<Vec<Result<Scored, String>>, LmError> {
    let mut found = BTreeMap::new();
    server.log_prob(&continuations(rows), detail, &mut |key, row| {
        assert!(found.insert(key.sample, row.map_err(|error| error.reason)).is_none());
        ControlFlow::Continue(())
    })?;
    Ok(found.into_values().collect())
}

#[test]
fn continuations_are_scored_by_echo_where_that_is_all_there_is() {
    let loopback = Loopback::start(echo);
    let server = connect(config(&loopback.url));
    let rows = [("The sky is", " blue and"), ("The sky is", " grey"), ("The sky is", "")];
    let found = score(&server, &rows, Detail::default()).unwrap();
    let values = |at: usize| found[at].as_ref().unwrap().token_log_probs.clone();
    assert_eq!((values(0), values(1), values(2)), (vec![-5.0, -4.0], vec![-5.0], vec![]));
    // Three questions of the probe, then the prompt once and each text.
    assert_eq!(loopback.count(), 3 + 1 + 2);
    let error = score(&server, &rows, Detail { ranks: true, moments: false }).unwrap_err();
    assert!(error.to_string().contains("cannot tell ranks"), "{error}");
}

#[test]
fn vllm_ranks_too() {
    let loopback = Loopback::start(vllm);
    let server = connect(config(&loopback.url));
    let detail = Detail { ranks: true, moments: false };
    let found = score(&server, &[("The sky is", " blue and")], detail).unwrap();
    let scored = found[0].as_ref().unwrap();
    assert_eq!((&scored.token_log_probs[..], &scored.ranks[..]), (&[-5.0, -4.0][..], &[2, 3][..]));
    let moments = Detail { ranks: false, moments: true };
    let error = score(&server, &[("a", " b")], moments).unwrap_err().to_string();
    assert!(error.contains("cannot tell moments"), "{error}");
}

#[test]
fn a_token_across_the_border_fails_its_row() {
    let loopback = Loopback::start(echo);
    let server = connect(config(&loopback.url));
    let found = score(&server, &[("The sky is ", "blue"), ("The sky", " is")], Detail::default());
    let found = found.unwrap();
    let reason = found[0].as_ref().unwrap_err();
    assert!(reason.contains("token 3 is \" \"") && reason.contains("\" blue\""), "{reason}");
    assert_eq!(found[1].as_ref().unwrap().token_log_probs, [-3.0]);
}

#[test]
fn a_server_that_scores_nothing_is_refused() {
    let loopback = Loopback::start(|_| {
        Answer::Json(json!({"choices": [{"index": 0, "text": "x", "finish_reason": "length"}]}))
    });
    let server = connect(config(&loopback.url));
    let error = score(&server, &[("a", " b")], Detail::default()).unwrap_err().to_string();
    assert!(error.contains("cannot score given texts"), "{error}");
    assert!(error.contains("no prompt_logprobs") && error.contains("no logprobs"), "{error}");
}

#[test]
fn texts_are_embedded_in_order_over_several_requests() {
    let loopback = Loopback::start(|request| {
        let texts = request.body["input"].as_array().unwrap();
        let vector = |(index, text): (usize, &Value)| json!({"index": index, "embedding": [text.as_str().unwrap().len(), 1]});
        // Out of order on purpose.
        let mut data: Vec<Value> = texts.iter().enumerate().map(vector).collect();
        data.reverse();
        Answer::Json(json!({"data": data, "usage": {"prompt_tokens": 3, "total_tokens": 3}}))
    });
    let server = connect(Config { embeddings_per_request: 2, ..config(&loopback.url) });
    let texts = ["", "a", "bb", "ccc", "dddd"];
    let vectors = server.embed(&texts, None, Pooling::Own).unwrap();
    let lengths: Vec<f32> = vectors.iter().map(|vector| vector[0]).collect();
    assert_eq!(lengths, [0.0, 1.0, 2.0, 3.0, 4.0]);
    assert_eq!((loopback.count(), server.usage().prompt_tokens), (3, 9));
    assert!(server.embed(&texts, Some("model.layers.0"), Pooling::Own).is_err());
    assert!(server.embed(&texts, None, Pooling::Last).is_err());
}

#[test]
fn completions_are_judged_by_each_endpoint() {
    let loopback = Loopback::start(|request| match request.path.as_str() {
        "/pooling" => {
            let said = request.body["messages"][1]["content"].as_str().unwrap();
            let steps = said.matches("<extra_0>").count();
            let rows: Vec<Value> = (0..steps).map(|step| json!([1.0, step as f64 / 4.0])).collect();
            Answer::Json(json!({"data": [{"index": 0, "data": rows}]}))
        }
        "/classify" => {
            assert_eq!(request.body["input"], "2+2?\nOne. Two.");
            Answer::Json(json!({"data": [{"index": 0, "probs": [0.25, 0.75]}]}))
        }
        "/score" => {
            assert_eq!(request.body["text_2"], "One. Two.");
            Answer::Json(json!({"data": [{"index": 0, "score": 0.5}]}))
        }
        other => panic!("{other}"),
    });
    let judged = [Judged {
        key: Key { problem: "p".into(), sample: 0, branch: 0 },
        problem: "2+2?".into(),
        completion: "One. Two.".into(),
        steps: vec![Span { start: 0, end: 4 }, Span { start: 4, end: 9 }],
    }];
    for (endpoint, expected) in [
        (RewardEndpoint::Pooling, vec![0.0, 0.25]),
        (RewardEndpoint::Classify, vec![0.75]),
        (RewardEndpoint::Score, vec![0.5]),
    ] {
        let reward = RewardForm { endpoint, ..RewardForm::default() };
        let server = connect(Config { reward, ..config(&loopback.url) });
        let mut found = Vec::new();
        server
            .reward(&judged, &mut |_, row| {
                found.push(row.unwrap());
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(found, [expected]);
    }
}
