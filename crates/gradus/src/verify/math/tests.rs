//! Known answers: the case file of other graders, public gold answers, hang inputs.

use super::*;
use crate::data::test_data;

#[test]
fn look() {
    let Some(path) = test_data::file("grading/cases.jsonl") else { return };
    let auto = [auto::EXTRACTION];
    let (mut agree, mut sound) = (0, 0);
    for (at, line) in std::fs::read_to_string(path).unwrap().lines().enumerate() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let mut options = MathOptions::default();
        if let Some(precision) = row["precision"].as_u64() {
            options.round_to = Some(precision as u32);
        }
        if let Some(strict) = row["strict"].as_bool() {
            options.strict_names = strict;
        }
        if let Some(sets) = row["allow_set_relation_comp"].as_bool() {
            options.relation_as_set = sets;
        }
        let gold = crate::verify::extract_gold(row["gold"].as_str().unwrap(), &auto).into_owned();
        let answer = crate::verify::extract(row["pred"].as_str().unwrap(), &auto);
        let answer = answer.unwrap_or_default().into_owned();
        let found = compare(&gold, &answer, &options);
        let expected = row["expected"].as_u64().unwrap() == 1;
        let correct = matches!(found, Comparison::Equal(_));
        let wrong = if matches!(found, Comparison::Equal(_) | Comparison::Different(_)) { correct != expected } else { true };
        if row.get("flag").is_none() {
            sound += 1;
            agree += usize::from(!wrong);
        }
        if wrong {
            println!("{at} {gold:?} ||| {:?} ||| expected {expected} found {found:?} mv {} {}", &answer[..answer.len().min(200)], row["default_verdicts"]["mathverify"], row.get("flag").is_some());
        }
    }
    println!("{agree} of {sound}");
}
