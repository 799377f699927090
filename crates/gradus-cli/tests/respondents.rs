//! What `gradus difficulty` does with groups and families of respondents, adaptive tests, and
//! labels without those who are profiled over them.

use std::fmt::Write as _;

use serde_json::Value;

use crate::tool::Folder;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// 240 respondents with drawn answers to 24 items, as rows: families of four, two groups.
fn drawn(folder: &Folder) {
    let command = "difficulty simulate --model 2pl --count 24 --respondents 240 --seed 5";
    let made = folder.gradus(&format!("{command} --format human")).done();
    folder.write("made.csv", &made);
    let mut rows = "respondent,item,score,base,prompt\n".to_owned();
    for (number, line) in made.lines().skip(1).enumerate() {
        for (item, score) in line.split(',').skip(1).enumerate() {
            let group = if number < 140 { "short" } else { "long" };
            let _ = writeln!(rows, "m{number},q{item},{score},b{},{group}", number / 4);
        }
    }
    folder.write("long.csv", &rows);
}

#[test]
fn groups_and_families_are_columns_of_the_responses() {
    let folder = Folder::new();
    drawn(&folder);
    let command = "difficulty fit long.csv --model 2pl --group prompt --family base --draws 6";
    let said = folder.gradus(&format!("{command} --out fit --json")).done();
    let summary = &lines(&said)[0];
    assert_eq!(
        (&summary["groups"][0]["group"], &summary["groups"][0]["mean"]),
        (&"short".into(), &0.0.into())
    );
    assert_eq!(summary["groups"][1]["respondents"], 100.0);
    assert!(summary["groups"][1]["se_mean"].as_f64().unwrap() > 0.05);
    assert_eq!(
        (&summary["dif"][0]["focal"], &summary["dif"][0]["asked"]),
        (&"long".into(), &24.into())
    );
    let families = &summary["families"];
    assert_eq!((&families["families"], &families["largest_size"]), (&60.into(), &4.into()));
    assert_eq!(families["fits"].as_u64().unwrap() + families["failed"].as_u64().unwrap(), 6);
    let dif = folder.read("fit/dif.csv");
    assert!(
        dif.starts_with("item,reference,focal,n_reference,n_focal,") && dif.lines().count() == 25
    );
    assert!(folder.read("fit/items.csv").lines().next().unwrap().contains("family_se_difficulty"));
    let report = folder.read("fit/report.html");
    assert!(report.contains("The groups") && report.contains("The families"));
    // The same again, bit for bit, whatever the threads.
    let again = folder.gradus(&format!("{command} --out again --json --threads 3")).done();
    assert_eq!(again, said);
    assert_eq!(folder.read("again/items.csv"), folder.read("fit/items.csv"));
    // Labels and other readers take the items as they are.
    assert!(
        folder
            .gradus("difficulty label fit/items.csv --method 2pl --json --out l.jsonl")
            .done()
            .contains("\"labels\":24")
    );

    let said = folder.gradus(&format!("{command} --reference none")).failed(2);
    assert!(said.contains("expected one of short, long"), "{said}");
    folder.write("groups.csv", "respondent,group\nm0,a\n");
    let said = folder.gradus("difficulty fit long.csv --model 2pl --group groups.csv").failed(3);
    assert!(said.contains("no row of respondent \"m1\""), "{said}");
    assert!(
        folder
            .gradus("difficulty fit long.csv --model 2pl --reference a")
            .failed(2)
            .contains("--group")
    );
}

#[test]
fn adaptive_tests_are_measured_beside_random_choice_and_say_what_to_ask_next() {
    let folder = Folder::new();
    drawn(&folder);
    folder.gradus("difficulty fit made.csv --model 2pl --no-errors --out fit --quiet").done();
    let command = "difficulty adapt fit/items.csv --se 0.5 --respondents 60 --out tests.jsonl";
    let found = lines(&folder.gradus(&format!("{command} --json")).done());
    let names: Vec<&str> = found.iter().map(|line| line["select"].as_str().unwrap()).collect();
    assert_eq!(names, ["information", "randomesque", "random"]);
    let items = |line: &Value| line["items"]["value"].as_f64().unwrap();
    assert!(items(&found[0]) < items(&found[2]), "{found:?}");
    assert!(
        found[0]["fewer_than_random"]["low"].as_f64().unwrap() > 0.0
            && found[2]["fewer_than_random"].is_null()
    );
    assert!(found[0]["rmse_of_truth"]["value"].as_f64().unwrap() > 0.1);
    let tests = lines(&folder.read("tests.jsonl"));
    assert_eq!(tests.len(), 180);
    assert_eq!(
        tests[0]["items"].as_array().unwrap().len(),
        tests[0]["scores"].as_array().unwrap().len()
    );
    assert!(folder.gradus(command).done().contains("items fewer than by random choice"));

    // Real answers: what was left out is not asked, and nothing is known of the truth.
    let real = "difficulty adapt fit/items.csv --answers made.csv --se 0 --most 6 --select a-stratified --json";
    let found = lines(&folder.gradus(real).done());
    assert_eq!((&found[0]["respondents"], &found[0]["items"]["value"]), (&240.into(), &6.0.into()));
    assert!(found[0]["rmse_of_truth"].is_null());
    folder.write("few.csv", "item-3,item-7,other\n1,0,1\n,1,0\n");
    let next = lines(
        &folder.gradus("difficulty adapt fit/items.csv --answers few.csv --next 4 --json").done(),
    );
    assert_eq!((&next[0]["n"], &next[1]["n"]), (&2.into(), &1.into()));
    let asked = next[0]["next"].as_array().unwrap();
    assert!(
        asked.len() == 4
            && asked.iter().all(|one| one["item"] != "item-3" && one["item"] != "item-7")
    );

    assert!(folder.gradus("difficulty adapt fit/items.csv --se 0").failed(2).contains("--most"));
    let said = folder.gradus("difficulty adapt fit/items.csv --select best").failed(2);
    assert!(said.contains("expected information, randomesque, a-stratified or random"), "{said}");
    folder.write("strangers.csv", "x,y\n1,0\n0,1\n");
    let said = folder.gradus("difficulty adapt fit/items.csv --answers strangers.csv").failed(3);
    assert!(said.contains("none of the respondents answered"), "{said}");
}

#[test]
fn a_model_among_the_respondents_is_profiled_over_labels_without_it() {
    let folder = Folder::new();
    drawn(&folder);
    folder.gradus("difficulty fit long.csv --model rasch --out fit --quiet").done();
    folder.gradus("difficulty label fit/items.csv --method rasch --out labels.jsonl").done();
    let results: String = folder
        .read("long.csv")
        .lines()
        .filter(|line| ["respondent,", "m0,", "m9,"].iter().any(|start| line.starts_with(start)))
        .fold(String::new(), |text, line| text + line + "\n");
    folder.write("results.csv", &(results + "new,q1,1,,\nnew,q2,0,,\n"));
    let command = "difficulty profile results.csv --labels labels.jsonl";
    let plain = lines(&folder.gradus(&format!("{command} --json")).done());
    assert!(plain[0]["in_labels"].is_null() && plain[0]["refit"].is_null());
    assert!(folder.gradus(command).done().contains("cannot be told"));
    let refit = format!("{command} --responses long.csv --family base --html profiles.html");
    let found = lines(&folder.gradus(&format!("{refit} --json")).done());
    assert_eq!(found.len(), 3);
    assert_eq!(
        (
            &found[0]["refit"]["respondents"],
            &found[0]["refit"]["relatives"],
            &found[0]["in_labels"]
        ),
        (&236.into(), &3.into(), &true.into())
    );
    assert_eq!(
        (&found[2]["model"], &found[2]["in_labels"], &found[2]["refit"]),
        (&"new".into(), &false.into(), &Value::Null)
    );
    assert_ne!(found[0]["smooth"], plain[0]["smooth"]);
    let html = folder.read("profiles.html");
    assert!(html.contains("Accuracy by difficulty") && html.contains("236 respondents"));
    let paired =
        folder.gradus(&format!("{command} --responses long.csv --paired m0,m9 --json")).done();
    assert_eq!(lines(&paired)[0]["refit"]["respondents"], 238);
    let said = folder.gradus(&format!("{command} --responses long.csv --model 9pl")).failed(2);
    assert!(said.contains("unknown model"), "{said}");
}

/// `rating_volatility` of Easy2Hard-Bench's Codeforces set.
#[test]
fn volatility_goes_from_ratings_into_labels() {
    let folder = Folder::new();
    let mut attempts = "player,opponent,score,period\n".to_owned();
    for period in 1..4 {
        for player in 0..6 {
            for problem in 0..5 {
                let _ = writeln!(
                    attempts,
                    "p{player},q{problem},{},{period}",
                    u8::from(player >= problem)
                );
            }
        }
    }
    folder.write("attempts.csv", &attempts);
    folder
        .gradus("difficulty rate attempts.csv --system glicko2 --opponents drifting-problems --out r.jsonl")
        .done();
    folder.gradus("difficulty label r.jsonl --out labels.jsonl").done();
    let labels = lines(&folder.read("labels.jsonl"));
    assert!(
        labels.iter().all(|label| label["rating_volatility"].as_f64().unwrap() > 0.0),
        "{labels:?}"
    );
}
