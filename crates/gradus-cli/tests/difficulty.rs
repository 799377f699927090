//! `gradus difficulty`, from files to files.

use serde_json::Value;

use crate::tool::Folder;

/// The LSAT section 7 patterns (Bock and Lieberman 1970) with their counts.
const LSAT7: &str = include_str!("../../gradus/tests/fixtures/difficulty/lsat7_patterns.csv");

fn column<'a>(csv: &'a str, name: &str) -> Vec<&'a str> {
    let mut lines = csv.lines();
    let at = lines.next().unwrap().split(',').position(|column| column == name).unwrap();
    lines.map(|line| line.split(',').nth(at).unwrap()).collect()
}

/// R's mirt 1.45.1 prints these for the 2PL.
#[test]
fn a_table_of_patterns_becomes_items_respondents_and_a_summary() {
    let folder = Folder::new();
    folder.write("lsat7.csv", LSAT7);
    let said =
        folder.gradus("difficulty fit lsat7.csv --model 2pl --ability ml --out fit --json").done();
    let summary: Value = serde_json::from_str(&said).unwrap();
    assert!((summary["log_likelihood"].as_f64().unwrap() + 2_658.805_114).abs() < 1e-4);
    assert_eq!((&summary["parameters"], &summary["converged"]), (&10.into(), &true.into()));
    let items = folder.read("fit/items.csv");
    let close = |name: &str, expected: [f64; 5]| {
        for (found, expected) in column(&items, name).iter().zip(expected) {
            let found: f64 = found.parse().unwrap();
            assert!((found - expected).abs() < 5e-4, "{name}: {found} {expected}");
        }
    };
    close("discrimination", [0.987_546, 1.080_837, 1.707_478, 0.764_990, 0.735_673]);
    close("difficulty", [-1.879_260, -0.747_541, -1.057_236, -0.635_302, -2.520_764]);
    close("se_discrimination", [0.177_195, 0.168_764, 0.321_077, 0.134_120, 0.151_134]);
    close("se_intercept", [0.131_450, 0.091_247, 0.204_825, 0.074_913, 0.114_409]);
    let respondents = folder.read("fit/respondents.csv");
    assert_eq!(column(&respondents, "ability").first(), Some(&"-Inf"));
    assert_eq!(column(&respondents, "method").last(), Some(&"ml"));
    let json: Value = serde_json::from_str(&folder.read("fit/fit.json")).unwrap();
    assert_eq!(json["input"][0][0], "lsat7.csv");

    let human = folder.gradus("difficulty fit lsat7.csv --model rasch").done();
    assert!(human.contains("rasch fitted") && human.contains("-2664.9009"), "{human}");

    folder.write("new.csv", "Item.1,Item.2,other\n1,0,1\n1,1,\n");
    let placed = folder.gradus("difficulty place new.csv --items fit/items.csv --json").done();
    let rows: Vec<Value> = placed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&rows[0]["n"], &rows[0]["unknown_items"]), (&2.into(), &1.into()));
    assert!(rows[0]["ability"].as_f64() < rows[1]["ability"].as_f64());
}

#[test]
fn what_cannot_be_fitted_is_a_sentence_and_leaves_nothing() {
    let folder = Folder::new();
    let check = |text: &str, args: &str, code: i32, expected: &str| {
        folder.write("r.csv", text);
        let said = folder.gradus(&format!("difficulty fit r.csv --out out {args}")).failed(code);
        assert!(said.contains(expected), "{said}");
        assert!(!folder.path("out").exists());
    };
    check("a,b,c\n1,0.5,0\n", "--model 2pl", 3, "found score 0.5, expected 0 or 1 under 2pl");
    check("a,b,c\n1,1,0\n1,1,0\n", "--model 2pl", 3, "0 of 3 items vary");
    check("a,b,c\n1,x,0\n", "--model 2pl", 3, "r.csv:2: b: found \"x\", expected a number");
    check(LSAT7, "--model 5pl", 2, "unknown model \"5pl\", expected one of rasch, 1pl, 2pl");
    check(LSAT7, "--model 2pl --cycles 2", 3, "not converged after 2 cycles");
    std::fs::create_dir(folder.path("logs")).unwrap();
    let said = folder.gradus("difficulty fit logs --model rasch").failed(3);
    assert!(said.contains("found no log"), "{said}");
}

#[test]
fn what_is_drawn_can_be_fitted() {
    let folder = Folder::new();
    let made = folder
        .gradus("difficulty simulate --model graded --categories 4 --count 6 --respondents 300 --format human")
        .done();
    folder.write("made.csv", &made);
    let said = folder.gradus("difficulty fit made.csv --model graded --out fit --json").done();
    let summary: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(summary["parameters"], 24);
    let items = folder.read("fit/items.csv");
    for name in ["threshold_1", "threshold_3", "se_threshold_3"] {
        assert!(column(&items, name).iter().all(|value| value.parse::<f64>().is_ok()), "{items}");
    }
}

/// 240 respondents with drawn answers to 40 items.
fn drawn(folder: &Folder) {
    let made = folder
        .gradus(
            "difficulty simulate --model 2pl --count 40 --respondents 240 --seed 5 --format human",
        )
        .done();
    folder.write("made.csv", &made);
}

#[test]
fn short_forms_come_with_their_error_on_respondents_held_out() {
    let folder = Folder::new();
    drawn(&folder);
    let command = "difficulty shorten made.csv --items 8,20 --seed 2 --out forms";
    let said = folder.gradus(&format!("{command} --json")).done();
    let forms: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(forms.len(), 2);
    for (form, count) in forms.iter().zip([8, 20]) {
        assert_eq!(form["items"], count);
        assert_eq!((&form["calibration"], &form["held_out"]), (&180.into(), &60.into()));
        let chosen = form["form"].as_array().unwrap();
        assert_eq!(chosen.len(), count);
        let written = folder.read(format!("forms/form-{count}.jsonl"));
        let first: Value = serde_json::from_str(written.lines().next().unwrap()).unwrap();
        assert_eq!(first, chosen[0]);
        let error = |form_name: &str, estimator: &str| {
            let errors = form["errors"].as_array().unwrap();
            let found = errors
                .iter()
                .find(|error| error["form"] == form_name && error["estimator"] == estimator);
            let found = &found.unwrap()["error"];
            assert!(found["low"].as_f64() < found["high"].as_f64() && found["n"] == 60);
            found["value"].as_f64().unwrap()
        };
        assert!(error("chosen", "p-irt") < error("random", "mean"), "{form}");
        assert!(error("stratified", "gp-irt") < error("random", "mean"), "{form}");
    }
    let again = folder.gradus(&format!("{command} --json --threads 1")).done();
    assert_eq!(again, said);
    let human = folder.gradus(command).done();
    for part in ["20 items", "information", "random, mean of 20", "less than random"] {
        assert!(human.contains(part), "{human}");
    }
    let said = folder.gradus("difficulty shorten made.csv --items 9 --by best").failed(2);
    assert!(said.contains("--by best"), "{said}");
    let said = folder.gradus("difficulty shorten made.csv --items 41").failed(2);
    assert!(said.contains("found 41, expected 1 to 40"), "{said}");
    let said = folder.gradus("difficulty shorten made.csv --items 9 --holdout 0.001").failed(3);
    assert!(said.contains("hold out a larger share"), "{said}");
}

#[test]
fn families_are_held_out_together_and_every_respondent_needs_one() {
    let folder = Folder::new();
    drawn(&folder);
    let table = |rows: usize| {
        (1..=rows).fold("respondent,base\n".to_owned(), |text, row| {
            text + &format!("respondent-{row},base-{}\n", row % 12)
        })
    };
    folder.write("families.csv", &table(240));
    let command = "difficulty shorten made.csv --items 10 --family base --respondents families.csv";
    let said: Value =
        serde_json::from_str(folder.gradus(&format!("{command} --json")).done().trim()).unwrap();
    assert_eq!((&said["groups"], &said["held_out"]), (&3.into(), &60.into()));
    folder.write("families.csv", &table(239));
    let said = folder.gradus(command).failed(3);
    assert!(said.contains("no row of respondent \"respondent-240\""), "{said}");
    folder.write("families.csv", &(table(240) + "respondent-1,other\n"));
    let said = folder.gradus(command).failed(3);
    assert!(
        said.contains(":242: base: found \"other\"") || said.contains(":242: base: found other"),
        "{said}"
    );
    let said = folder.gradus("difficulty shorten made.csv --items 10 --family base").failed(3);
    assert!(said.contains("--respondents"), "{said}");
}

#[test]
fn responses_and_parameters_are_written_as_py_irt_has_them() {
    let folder = Folder::new();
    folder.write("r.csv", "respondent,b,a,c\nm1,1,0,1\nm2,0,,1\nm3,1,1,1\nm4,0,0,1\nm5,1,0,1\n");
    folder.gradus("export py-irt r.csv --out r.jsonl").done();
    let lines = folder.read("r.jsonl");
    assert_eq!(
        lines.lines().next(),
        Some("{\"subject_id\":\"m1\",\"responses\":{\"b\":1,\"a\":0,\"c\":1}}")
    );
    assert_eq!(
        lines.lines().nth(1),
        Some("{\"subject_id\":\"m2\",\"responses\":{\"b\":0,\"c\":1}}")
    );
    let fit = |from: &str, out: &str| {
        let command = format!("difficulty fit {from} --model rasch --out {out} --json");
        let said: Value = serde_json::from_str(folder.gradus(&command).done().trim()).unwrap();
        said["log_likelihood"].as_f64().unwrap()
    };
    let (own, exported) = (fit("r.csv", "own"), fit("r.jsonl", "exported"));
    assert!((own - exported).abs() < 1e-9, "{own} {exported}");

    folder.write("lsat7.csv", LSAT7);
    folder.gradus("difficulty fit lsat7.csv --model 2pl --ability ml --out fit").done();
    let said = folder.gradus("export py-irt fit --out best_parameters.json --json").done();
    let said: Value = serde_json::from_str(&said).unwrap();
    // The patterns of all wrong and of all right have no finite ability.
    assert_eq!((&said["items"], &said["subjects"]), (&5.into(), &30.into()));
    let found: Value = serde_json::from_str(&folder.read("best_parameters.json")).unwrap();
    assert_eq!((&found["irt_model"], &found["item_ids"]["4"]), (&"2pl".into(), &"Item.5".into()));
    // R's mirt 1.45.1.
    assert!((found["disc"][2].as_f64().unwrap() - 1.707_478).abs() < 5e-4);
    assert!((found["diff"][4].as_f64().unwrap() + 2.520_764).abs() < 5e-4);
    assert_eq!(found["ability"].as_array().unwrap().len(), 30);
    assert_eq!(found["subject_ids"].as_object().unwrap().len(), 30);

    let said = folder.gradus("export py-irt lsat7.csv --out l.jsonl").failed(3);
    assert!(said.contains("patterns with counts"), "{said}");
    folder.gradus("difficulty fit lsat7.csv --model 3pl --out three").done();
    let said = folder.gradus("export py-irt three --out t.json").failed(3);
    assert!(said.contains("found the model 3pl") && !folder.path("t.json").exists(), "{said}");
}

#[test]
fn scores_that_are_no_numbers_are_missing_and_named_in_the_summary() {
    let folder = Folder::new();
    let rows = |scores: [&str; 4]| {
        scores.iter().enumerate().fold(String::new(), |text, (item, score)| {
            text + &format!("{{\"doc_id\": {item}, \"metrics\": [\"acc\"], \"acc\": {score}}}\n")
        })
    };
    for (model, scores) in [
        ("a", ["1.0", "0.0", "NaN", "1.0"]),
        ("b", ["0.0", "1.0", "1.0", "0.0"]),
        ("c", ["1.0", "0.0", "0.0", "0.0"]),
        ("d", ["0.0", "0.0", "1.0", "1.0"]),
    ] {
        std::fs::create_dir_all(folder.path("logs").join(model)).unwrap();
        folder.write(&format!("logs/{model}/samples_t.jsonl"), &rows(scores));
    }
    let said = folder.gradus("difficulty fit logs --model rasch --json").done();
    let summary: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(summary["responses"], 15);
    assert_eq!(summary["not_numbers"], serde_json::json!([["a", "t/2"]]));
    let human = folder.gradus("difficulty fit logs --model rasch").done();
    assert!(human.contains("1 scores are NaN or infinite"), "{human}");
}
