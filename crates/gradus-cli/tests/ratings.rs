//! `gradus difficulty rate`, `label`, `profile` and `compare`.

use std::fmt::Write as _;

use serde_json::Value;

use crate::tool::{Folder, Said};

fn rows(said: Said) -> Vec<Value> {
    said.done().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn find<'a>(rows: &'a [Value], field: &str, name: &str) -> &'a Value {
    rows.iter().find(|row| row[field] == name).unwrap_or_else(|| panic!("no {name} in {rows:#?}"))
}

/// The 1987 season of the American League East (Agresti, Categorical Data Analysis).
fn baseball() -> String {
    let teams = ["Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore"];
    let wins = [
        [0, 7, 9, 7, 7, 9, 11],
        [6, 0, 7, 5, 11, 9, 9],
        [4, 6, 0, 7, 7, 8, 12],
        [6, 8, 6, 0, 6, 7, 10],
        [6, 2, 6, 7, 0, 7, 12],
        [4, 4, 5, 6, 6, 0, 6],
        [2, 4, 1, 3, 1, 7, 0],
    ];
    let mut games = "player,opponent,score\n".to_owned();
    for (row, team) in wins.iter().zip(teams) {
        for (&wins, other) in row.iter().zip(teams) {
            for _ in 0..wins {
                let _ = writeln!(games, "{team},{other},1");
            }
        }
    }
    games
}

#[test]
fn a_season_is_rated_as_published() {
    let folder = Folder::new();
    folder.write("games.csv", &baseball());
    let command = "difficulty rate games.csv --system bradley-terry --set reference=Baltimore";
    let rated = rows(folder.gradus(&format!("{command} --json")));
    let boston = find(&rated, "name", "Boston");
    assert!((boston["rating"].as_f64().unwrap() - 1.107_697_7).abs() < 1e-6);
    assert!((boston["deviation"].as_f64().unwrap() - 0.3339).abs() < 5e-5);
    assert_eq!(rated[0]["name"], "Milwaukee");
    let said = folder.gradus(&format!("{command} --against Detroit"));
    let text = said.done();
    assert!(text.contains("expected against Detroit") && text.contains("273 games"), "{text}");
}

#[test]
fn a_wrong_game_is_named_with_its_line() {
    let folder = Folder::new();
    folder.write("games.csv", "player,opponent,score,period\na,b,1,2\na,b,1,1\n");
    let said = folder.gradus("difficulty rate games.csv").failed(3);
    assert!(said.contains("games.csv:3: period: found 1, expected 2 or later"), "{said}");
    let said = folder.gradus("difficulty rate games.csv --system elf").failed(2);
    assert!(said.contains("known are elo, glicko, glicko2"), "{said}");
    let said = folder.gradus("difficulty rate games.csv --set tau=0").failed(2);
    assert!(said.contains("parameters of glicko2: tau"), "{said}");
    let stdin = "{\"player\": \"a\", \"opponent\": \"b\", \"score\": 1}\n";
    let said = folder.gradus_with("difficulty rate - --system bradley-terry", stdin).failed(3);
    assert!(said.contains("fall into 2 groups") && said.contains("prior_games"), "{said}");
}

/// Solvers s0 to s11 and problems p00 to p17; who is stronger solves more.
fn attempts() -> String {
    let mut games = "player,opponent,score\n".to_owned();
    for solver in 0..12 {
        for problem in 0..18 {
            let solved = problem < solver + 3 + (solver * 7 + problem * 5) % 5;
            let _ = writeln!(games, "s{solver},p{problem:02},{}", u8::from(solved));
        }
    }
    games
}

#[test]
fn attempts_become_labels_and_labels_agree() {
    let folder = Folder::new();
    folder.write("attempts.csv", &attempts());
    for (system, more) in [("glicko2", ""), ("bradley-terry", "--set prior_games=1")] {
        let command = "difficulty rate attempts.csv --opponents problems";
        folder.gradus(&format!("{command} --system {system} {more} --out {system}.jsonl")).done();
        let command = format!("difficulty label {system}.jsonl --cut thirds");
        folder.gradus(&format!("{command} --out labels-{system}.jsonl")).done();
    }
    let text = folder.read("labels-glicko2.jsonl");
    let labels: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(labels.len(), 18);
    let easiest = find(&labels, "problem", "p00");
    assert_eq!((&easiest["class"], &easiest["respondents"]), (&"easy".into(), &12.into()));
    assert!(easiest["rating"].as_f64().unwrap() < 0.2);
    assert_eq!(easiest["respondents_hash"].as_str().unwrap().len(), 64);

    let compare = "difficulty compare labels-glicko2.jsonl labels-bradley-terry.jsonl";
    let found = rows(folder.gradus(&format!("{compare} --json")));
    assert!(found[0]["spearman"]["value"].as_f64().unwrap() > 0.95, "{found:#?}");
    assert_eq!(found[0]["same_respondents"], true);
    let text = folder.gradus(compare).done();
    assert!(text.contains("Kendall") && text.contains("rest on the same"), "{text}");
}

#[test]
fn labels_say_whose_answers_they_rest_on() {
    let folder = Folder::new();
    folder.write("items.csv", "item,difficulty,se_difficulty\na,-1,0.2\nb,1,0.4\nc,,\n");
    let said = folder.gradus("difficulty label items.csv --method 2pl").failed(2);
    assert!(said.contains("--respondents FILE"), "{said}");
    folder.write("respondents.csv", "respondent,ability\nm1,0.5\nm2,-0.5\n");
    let said = folder.gradus("difficulty label items.csv --method 2pl");
    assert!(said.stderr.contains("1 problems have no difficulty"), "{said:?}");
    let labels = rows(said);
    assert_eq!(
        (labels.len(), &labels[1]["rating"], &labels[1]["respondents"]),
        (2, &1.0.into(), &2.into())
    );
    let said = folder.gradus("difficulty label items.csv --method 2pl --cut values=5");
    assert!(said.stderr.contains("No problem is in the class hard"), "{said:?}");
    let said = folder.gradus("difficulty label items.csv --method 2pl --cut values=2,1").failed(2);
    assert!(said.contains("rising"), "{said}");
}

/// Labels of 40 problems by hand, the first half easy.
fn labelled(folder: &Folder) {
    let mut items = "problem,value,std\n".to_owned();
    for problem in 0..40 {
        let _ = writeln!(items, "q{problem},{problem},1");
    }
    folder.write("values.csv", &items);
    folder.write("names.csv", "name\nsmall\n");
    let command = "difficulty label values.csv --method by-hand --respondents names.csv";
    folder.gradus(&format!("{command} --cut quantiles=0.5 --out labels.jsonl")).done();
}

#[test]
fn profiles_fall_over_difficulty_and_say_what_was_not_counted() {
    let folder = Folder::new();
    labelled(&folder);
    let mut results = "model,problem,correct,domain\n".to_owned();
    for problem in 0..40 {
        let _ = writeln!(results, "small,q{problem},{},d{}", u8::from(problem < 20), problem % 2);
        let _ = writeln!(results, "large,q{problem},{},d{}", u8::from(problem < 30), problem % 2);
    }
    results.push_str("large,unknown,1,d0\nlarge,q1,,d0\n");
    folder.write("results.csv", &results);
    folder.write("names.txt", "small\n");
    let command = "difficulty profile results.csv --labels labels.jsonl --contributors names.txt";
    let found = rows(folder.gradus(&format!("{command} --by-domain --json")));
    assert_eq!(found.len(), 6);
    let small = &found[0];
    assert_eq!((&small["model"], &small["domain"]), (&"small".into(), &Value::Null));
    assert_eq!(
        (&small["in_labels"], &small["unscored"], &small["unlabelled"]),
        (&true.into(), &1.into(), &1.into())
    );
    let fall_off = small["fall_off"]["difficulty"].as_f64().unwrap();
    assert!((fall_off - 0.5).abs() < 0.02, "{fall_off}");
    let curve = small["smooth"]["points"].as_array().unwrap();
    assert!(
        curve[0]["value"].as_f64().unwrap() > 0.95 && curve[20]["value"].as_f64().unwrap() < 0.05
    );
    let text = folder.gradus(command).done();
    for expected in ["Reliability of the labels 0.99", "helped to make the labels", "unknown"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let paired = "difficulty profile results.csv --labels labels.jsonl --paired large,small";
    let found = rows(folder.gradus(&format!("{paired} --json")));
    assert_eq!(
        (&found[0]["difference"]["value"], &found[0]["difference"]["n"]),
        (&0.25.into(), &40.into())
    );
    assert!(folder.gradus(&paired.replace(",small", "")).failed(2).contains("two models"));
    assert!(folder.gradus(&paired.replace("small", "tiny")).failed(2).contains("no such model"));
    let said = folder.gradus("difficulty profile results.csv --labels labels.jsonl --span 0");
    assert!(said.failed(2).contains("--span 0"));
}

#[test]
fn a_grid_has_a_cell_for_every_pair_of_classes() {
    let folder = Folder::new();
    labelled(&folder);
    let mut results = "trained_on,problem,seed,score\n".to_owned();
    for seed in 0..3 {
        for problem in 0..40 {
            for (trained_on, right) in [("easy", problem < 20), ("random", problem % 2 == 0)] {
                let _ = writeln!(results, "{trained_on},q{problem},{seed},{}", u8::from(right));
            }
        }
    }
    folder.write("transfer.csv", &results);
    let command = "difficulty profile transfer.csv --labels labels.jsonl --grid --baseline random";
    let found = rows(folder.gradus(&format!("{command} --json")));
    assert_eq!(found.len(), 4);
    assert_eq!((&found[0]["trained_on"], &found[0]["tested_on"]), (&"easy".into(), &"easy".into()));
    assert_eq!(
        (&found[0]["accuracy"]["value"], &found[0]["accuracy"]["n"]),
        (&1.0.into(), &20.into())
    );
    assert_eq!((&found[0]["seeds"], &found[0]["over_baseline"]["value"]), (&3.into(), &0.5.into()));
    assert!(folder.gradus(command).done().contains("over baseline"));
}
