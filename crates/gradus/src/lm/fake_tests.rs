use std::io::Write;
use std::ops::ControlFlow;

use super::*;
use crate::data::Problem;

fn request(problem: &str, sample: u32, prompt: &str) -> Request {
    Request {
        key: Key { problem: problem.into(), sample, branch: 0 },
        prompt: Prompt::Text(prompt.into()),
        prefix: "".into(),
    }
}

fn sampling(seed: u64) -> Sampling {
    Sampling { max_tokens: 8, seed, stream: "test".into(), ..Sampling::default() }
}

/// Texts or reasons, in the order in which they came.
fn texts(model: &dyn Generate, requests: &[Request], seed: u64) -> Vec<Result<String, String>> {
    let mut rows = Vec::new();
    model
        .generate(requests, &sampling(seed), &mut |_, row| {
            rows.push(row.map(|generated| generated.text).map_err(|error| error.reason));
            ControlFlow::Continue(())
        })
        .unwrap();
    rows
}

fn replay(text: &str) -> Result<Replay, crate::data::DataError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    Replay::read(file.path())
}

#[test]
fn a_file_is_replayed_by_problem_and_sample_and_a_missing_row_fails_alone() {
    let model = replay(
        "{\"problem\": 7, \"sample\": 1, \"text\": \"one\", \"finish_reason\": \"length\"}\n\
         {\"problem\": \"7\", \"sample\": 0, \"text\": \"zero\"}\n",
    );
    let model = model.unwrap();
    let requests = [request("7", 0, ""), request("7", 2, ""), request("7", 1, "")];
    let missing = Err("the replayed file has no such row".to_owned());
    assert_eq!(texts(&model, &requests, 0), [Ok("zero".into()), missing, Ok("one".into())]);
    let twice = "{\"problem\": 7, \"sample\": 1, \"text\": \"one\"}\n".repeat(2);
    let error = replay(&twice).unwrap_err().to_string();
    assert!(
        error.ends_with(":2: sample: found 1 of the same problem again, expected each sample once"),
        "{error}"
    );
}

#[test]
fn echo_says_what_it_was_shown() {
    let message = |content: &str| Message { role: "user".into(), content: content.into() };
    let mut chat = request("p", 0, "");
    chat.prompt = Prompt::Chat([message("first"), message("last")].into());
    let mut tokens = request("p", 1, "");
    tokens.prompt = Prompt::Tokens([1, 2].into());
    let rows = texts(&Echo, &[request("p", 2, "text"), chat, tokens], 0);
    assert_eq!(rows[..2], [Ok("text".to_owned()), Ok("last".to_owned())]);
    assert!(rows[2].is_err());
}

#[test]
fn the_sink_stops_the_work() {
    let mut seen = 0;
    let requests = [request("p", 0, "a"), request("p", 1, "b")];
    Echo.generate(&requests, &sampling(0), &mut |_, _| {
        seen += 1;
        ControlFlow::Break(())
    })
    .unwrap();
    assert_eq!(seen, 1);
}

fn problem(id: &str, answer: Option<&str>, level: Option<u32>) -> Problem {
    Problem { id: id.into(), answer: answer.map(str::to_owned), level, ..Problem::default() }
}

#[test]
fn an_oracle_is_right_as_often_as_it_says_by_level() {
    let problems: Vec<Problem> =
        (0..=4).map(|level| problem(&format!("p{level}"), Some("42"), Some(level))).collect();
    let model = Oracle::new(vec![0.9, 0.5, 0.1], &problems);
    let share = |id: &str| {
        let requests: Vec<Request> = (0..2000).map(|sample| request(id, sample, "")).collect();
        let rows = texts(&model, &requests, 3);
        let right = rows.iter().filter(|row| row.as_deref() == Ok("The answer is \\boxed{42}."));
        right.count() as f64 / 2000.0
    };
    // Four standard errors of a share of 2,000 draws are at most 0.045.
    for (id, stated) in [("p0", 0.9), ("p1", 0.9), ("p2", 0.5), ("p3", 0.1), ("p4", 0.1)] {
        assert!((share(id) - stated).abs() < 0.045, "{id}: {}", share(id));
    }
}

#[test]
fn an_oracle_depends_on_the_key_and_the_seed_alone() {
    let model =
        Oracle::new(vec![0.5], &[problem("p", Some("42"), None), problem("q", Some("x^2"), None)]);
    let requests: Vec<Request> =
        (0..64).map(|sample| request(["p", "q"][sample as usize % 2], sample, "")).collect();
    let rows = texts(&model, &requests, 1);
    let mut turned: Vec<Request> = requests.clone();
    turned.reverse();
    let mut back = texts(&model, &turned, 1);
    back.reverse();
    assert_eq!(rows, back);
    assert_ne!(rows, texts(&model, &requests, 2));
}

#[test]
fn a_wrong_choice_is_another_letter_and_a_problem_without_gold_fails() {
    let mut choice = problem("c", Some("C"), None);
    choice.choices = vec![String::new(); 3];
    let model = Oracle::new(vec![0.0], &[choice, problem("none", None, None)]);
    let requests: Vec<Request> = (0..50).map(|sample| request("c", sample, "")).collect();
    let mut seen: Vec<String> =
        texts(&model, &requests, 1).into_iter().map(Result::unwrap).collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen, ["The answer is \\boxed{A}.", "The answer is \\boxed{B}."]);
    let rows = texts(&model, &[request("none", 0, ""), request("other", 0, "")], 1);
    assert_eq!(
        rows,
        [
            Err("the oracle needs the problem's answer".to_owned()),
            Err("the oracle does not know the problem".to_owned())
        ]
    );
}
