//! Commands that read and write rows: `validate`, `import`, `train`.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::tool::Folder;

#[test]
fn rows_are_validated_as_what_they_are() {
    let folder = Folder::new();
    let check = |rows: &str| folder.gradus_with("validate -", rows).done();
    let problem = "{\"id\": \"a\", \"question\": \"1+1\", \"answer\": \"2\", \"level\": 4}\n";
    assert_eq!(check(problem), "-: valid, 1 rows, each a problem; 1 problems; level 4: 1\n");
    assert!(check("{\"prompt\": \"1+1\\n\", \"completion\": \"2\"}\n").contains("prompt"));
    assert!(
        check("{\"prompt\": \"q\", \"completions\": [\"a\"], \"labels\": [true]}")
            .contains("labelled")
    );
    assert!(check("{\"problem\": \"q\", \"answer\": \"a\", \"correct\": true}").contains("sample"));

    assert!(check("{\"gold\": \"1\", \"pred\": null}").contains("each a pair of gold and pred"));
    let error =
        folder.gradus_with("validate -", &format!("{problem}{{\"problem\": 1, \"text\": \"\"}}"));
    assert!(error.failed(3).contains("-:2: found a sample, expected a problem as before"));
    let error = folder.gradus_with("validate -", "{\"id\": \"a\", \"question\": 3}\n").failed(3);
    assert!(error.contains(":1: question: found 3, expected"), "{error}");
}

#[test]
fn nested_solutions_become_two_files_of_rows_that_search_reads() {
    let folder = Folder::new();
    let solved = |answer: u32| format!("Half.\nA: {answer}");
    let nested = json!({
        "question": "How many?", "ground_truth": "One.\nTwo.\nA: 18",
        "small": {"is_correct": false, "solution": solved(17)},
        "large": {"is_correct": true, "solution": solved(18)},
    });
    folder.write("nested.jsonl", &format!("{nested}\n"));
    let said = folder.gradus("import gsm8k-solutions nested.jsonl --out rows").done();
    assert_eq!(said, "rows/problems.jsonl: 1 rows\nrows/completions.jsonl: 2 rows\n");
    let problem: Value = serde_json::from_str(&folder.read("rows/problems.jsonl")).unwrap();
    assert_eq!((&problem["answer"], &problem["level"]), (&json!("18"), &json!(2)));
    let printed = folder.gradus("import gsm8k-solutions nested.jsonl --out -").done();
    assert_eq!(printed, folder.read("rows/completions.jsonl"));
    let args =
        "search rows/completions.jsonl --problems rows/problems.jsonl --methods oracle --json";
    let rows = folder.gradus(args).done();
    let last: Value = serde_json::from_str(rows.lines().last().unwrap()).unwrap();
    assert_eq!((&last["accuracy"], &last["level"]), (&json!(1.0), &json!(2)));
}

const SIZES: &str = "--set model.hidden_size=8 --set model.num_hidden_layers=1 \
                     --set model.num_attention_heads=1 --set model.intermediate_size=16";

fn demonstrations() -> String {
    (0..12).fold(String::new(), |mut rows, i| {
        writeln!(rows, "{{\"prompt\": \"{i}+1=\", \"completion\": \"{}\"}}", i + 1).unwrap();
        rows
    })
}

#[test]
fn a_generator_and_an_evaluator_are_trained_from_rows() {
    let folder = Folder::new();
    folder.write("rows.jsonl", &demonstrations());
    let sft =
        format!("train sft --data rows.jsonl --tokenizer bytes {SIZES} --set num_train_epochs=2");
    let plan = folder.gradus(&format!("{sft} --out sft --dry-run")).done();
    assert!(plan.contains("sft on 12 rows") && plan.contains("learning_rate"), "{plan}");
    assert!(!folder.path("sft").exists(), "a dry run writes nothing");

    let summary: Value =
        serde_json::from_str(&folder.gradus(&format!("{sft} --out sft --json")).done()).unwrap();
    assert_eq!(summary["examples"], 12);
    for file in ["model/model.safetensors", "model/config.json", "metrics.jsonl", "training.json"] {
        assert!(folder.path("sft").join(file).is_file(), "{file}");
    }
    assert_eq!(summary, serde_json::from_str::<Value>(&folder.read("sft/summary.json")).unwrap());
    assert_eq!(std::fs::read_dir(folder.path("sft/tensorboard")).unwrap().count(), 1);
    let error = folder.gradus(&format!("{sft} --out sft")).failed(2);
    assert!(error.contains("holds a finished training"), "{error}");

    let labelled = |i: u32| {
        format!(
            "{{\"prompt\": \"{i}\", \"completions\": [\"a\", \"b\"], \"labels\": [true, {}]}}\n",
            i.is_multiple_of(2)
        )
    };
    folder.write("steps.jsonl", &(0..12).map(labelled).collect::<String>());
    let prm =
        "train prm --data steps.jsonl --model sft/model --out prm --set train.num_train_epochs=1";
    let quiet = folder.gradus(&format!("{prm} -q")).done();
    assert_eq!(quiet, "prm/model\n");
    assert!(folder.read("prm/model/config.json").contains("\"value_head\": true"));
}

#[test]
fn wrong_settings_of_a_training_are_named() {
    let folder = Folder::new();
    folder.write("rows.jsonl", &demonstrations());
    let fails = |args: &str, code| {
        folder.gradus(&format!("train sft --data rows.jsonl --out out {args}")).failed(code)
    };
    assert!(fails("--tokenizer bytes --set learning_rat=1", 2).contains("`learning_rate`"));
    assert!(fails("--tokenizer sums", 2).contains("no task family is called \"sums\""));
    assert!(fails("--model nowhere", 5).contains("nowhere"));
    assert!(fails("", 2).contains("--tokenizer"));
    assert!(fails("--tokenizer bytes --set num_train_epochs=0", 2).contains("num_train_epochs"));
    folder.write("rows.jsonl", "{\"prompt\": \"a\"}\n");
    assert!(fails("--tokenizer bytes", 3).contains("rows.jsonl:1: completion"));
}

#[test]
fn a_checkpoint_of_another_shape_is_refused() {
    let folder = Folder::new();
    folder.write("rows.jsonl", &demonstrations());
    let train = |args: &str| folder.gradus(&format!("train sft --data rows.jsonl {args}"));
    train(&format!("--tokenizer bytes {SIZES} --set num_train_epochs=1 --out one")).done();
    let config = folder.read("one/model/config.json");
    folder.write(
        "one/model/config.json",
        &config.replace("\"hidden_size\": 8", "\"hidden_size\": 16"),
    );
    let before = std::fs::read(folder.path("one/model/model.safetensors")).unwrap();
    let error = train("--model one/model --out two").failed(5);
    assert!(error.contains("has shape") && error.contains("expected"), "{error}");
    assert!(!folder.path("two").exists());
    assert_eq!(before, std::fs::read(folder.path("one/model/model.safetensors")).unwrap());
}
