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
    check("a,b,c\n1,1,0\n1,1,0\n1,1,0\n", "--model 2pl", 3, "0 of 3 items vary");
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

#[test]
fn a_fit_leaves_a_report_that_needs_nothing_else() {
    let folder = Folder::new();
    folder.write("lsat7.csv", LSAT7);
    let said = folder.gradus("difficulty fit lsat7.csv --model 2pl --out fit").done();
    // S-X2 of the second item is 14.45 on 2 df (see the known answers), the rest fit.
    assert!(said.contains("Item.2") && said.contains("S-X2 14.5 on 2 df, p 0.0007"), "{said}");
    assert!(said.contains("gradus difficulty fit lsat7.csv --model 2pl\n"), "{said}");
    let page = folder.read("fit/report.html");
    for part in ["Abilities beside difficulties", "Item characteristic curves", "Test information"]
    {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("<script") && !page.contains("src=\"http"), "the page stands alone");
}

/// LSAT 7 through the study; the classes hold R's difficulties -2.52, -1.88 | -1.06 | -0.75, -0.64.
#[test]
fn the_study_goes_from_responses_to_labels_and_a_page() {
    let folder = Folder::new();
    folder.write("lsat7.csv", LSAT7);
    let said =
        folder.gradus("run difficulty --set responses=lsat7.csv --out one --no-progress").done();
    assert!(said.contains("patterns with counts: there is no single respondent"), "{said}");
    let results: Value = serde_json::from_str(&folder.read("one/results.json")).unwrap();
    let sizes: Vec<u64> = results["classes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|class| class["problems"].as_u64().unwrap())
        .collect();
    assert_eq!(sizes, [2, 1, 2]);
    assert_eq!(results["fit"]["summary"]["respondents"], 1000.0);
    let record: Value = serde_json::from_str(&folder.read("one/run.json")).unwrap();
    assert_eq!(record["inputs"][0]["path"], "lsat7.csv");
    let labels = folder.read("one/labels.jsonl");
    let rows: Vec<Value> = labels.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&rows[4]["rating"], &rows[4]["class"]), (&0.0.into(), &"easy".into()));
    assert!((rows[4]["unnorm_rating"].as_f64().unwrap() + 2.520_764).abs() < 5e-4);
    let again = folder.gradus("report one").done();
    assert!(again.contains("Problems by class"), "{again}");
}

#[test]
fn the_study_names_the_key_or_the_line_that_is_wrong() {
    let folder = Folder::new();
    let check = |args: &str, code: i32, expected: &str| {
        let said = folder.gradus(&format!("validate difficulty {args}")).failed(code);
        assert!(said.contains(expected), "{said}");
    };
    check("", 2, "config key responses: found nothing, expected the path");
    let given = "--set responses=r.csv";
    check(given, 3, "r.csv: no such file");
    folder.write("r.csv", "a,b\n1,x\n");
    check(given, 3, "r.csv:2: b: found \"x\", expected a number");
    check(&format!("{given} --set model=5pl"), 2, "config key model: unknown model \"5pl\"");
    check(&format!("{given} --set from=log"), 2, "config key from: unknown form \"log\"");
    check(&format!("{given} --set cut=[0.6,0.3]"), 2, "config key cut: found [0.6, 0.3]");
    folder.write("r.csv", "a,b,c\n1,1,0\n1,1,0\n1,1,0\n");
    let said = folder.gradus(&format!("run difficulty {given} --no-progress")).failed(3);
    assert!(said.contains("0 of 3 items vary"), "{said}");
}

/// Four models' published answers to the GSM8K test problems: 156 are right for all and 432
/// for none, as counted by a script of its own.
#[test]
fn four_respondents_get_a_statement_and_no_table_of_items() {
    let Some(data) = std::env::var_os("GRADUS_TEST_DATA") else {
        eprintln!("SKIPPED: GRADUS_TEST_DATA is not set");
        return;
    };
    let file = std::path::Path::new(&data).join("gsm8k/example_model_solutions.jsonl");
    let mut rows = String::from("respondent,item,score\n");
    for problem in gradus::data::gsm8k_solutions(&file).unwrap() {
        for completion in problem.completions {
            let right = completion.metadata["is_correct"] == true;
            let model = completion.model.unwrap();
            rows.push_str(&format!("{model},{},{}\n", problem.problem.id, u8::from(right)));
        }
    }
    let folder = Folder::new();
    folder.write("four.csv", &rows);
    let args = "run difficulty --set responses=four.csv --set model=rasch --set draws=50 --out one";
    let said = folder.gradus(&format!("{args} --no-progress")).done();
    assert!(said.contains("What 4 respondents do not allow"), "{said}");
    assert!(!said.contains("most likely broken") && !said.contains("Item characteristic"));
    let results: Value = serde_json::from_str(&folder.read("one/results.json")).unwrap();
    let by_mean = &results["fit"]["items_by_mean"];
    assert_eq!((&by_mean[0][1], &by_mean[4][1]), (&156.into(), &432.into()));
    assert_eq!(results["profiles"]["respondents"].as_array().unwrap().len(), 4);
    // Three mean scores can be: equal difficulties are never parted.
    let classes = &results["classes"];
    assert_eq!((&classes[0]["problems"], &classes[1]["problems"]), (&441.into(), &290.into()));
}
