//! What is in a folder before and after: refused folders stay as they were, and work that
//! was ended by the machine goes on.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use crate::tool::{Folder, Said};

/// Every file below a folder with its bytes.
fn contents(folder: &Folder, name: &str) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder.path(name)).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{name}/{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            found.extend(contents(folder, &name));
        } else {
            found.insert(name, std::fs::read(entry.path()).unwrap());
        }
    }
    found
}

const TRAIN: &str = "train sft --data rows.jsonl --tokenizer bytes --set num_train_epochs=2 \
                     --set model.hidden_size=8 --set model.num_hidden_layers=1 \
                     --set model.num_attention_heads=1 --set model.intermediate_size=16";

fn with_rows() -> Folder {
    let folder = Folder::new();
    let rows = (0..12).fold(String::new(), |mut rows, i| {
        writeln!(rows, "{{\"prompt\": \"{i}+1=\", \"completion\": \"{}\"}}", i + 1).unwrap();
        rows
    });
    folder.write("rows.jsonl", &rows);
    folder
}

#[test]
fn a_training_does_not_touch_a_folder_of_something_else() {
    let folder = with_rows();
    std::fs::create_dir_all(folder.path("mine/model")).unwrap();
    folder.write("mine/metrics.jsonl", "{\"step\": 1, \"loss\": 0.5}\n");
    folder.write("mine/model/config.json", "{}");
    let before = contents(&folder, "mine");
    for resume in ["", " --resume"] {
        let error = folder.gradus(&format!("{TRAIN} --out mine{resume}")).failed(2);
        assert!(error.contains("mine: holds files and no training.json"), "{error}");
        assert_eq!(contents(&folder, "mine"), before);
    }
    std::fs::create_dir(folder.path("empty")).unwrap();
    folder.gradus(&format!("{TRAIN} --out empty")).done();
}

#[test]
fn a_training_goes_on_only_as_the_one_it_began_as() {
    let folder = with_rows();
    folder.gradus(&format!("{TRAIN} --out out")).done();
    let model = std::fs::read(folder.path("out/model/model.safetensors")).unwrap();
    // As a kill before the end would leave it.
    std::fs::remove_file(folder.path("out/summary.json")).unwrap();
    let error = folder.gradus(&format!("{TRAIN} --out out")).failed(2);
    assert!(error.contains("add --resume"), "{error}");

    let unlocked = || {
        let mut found = contents(&folder, "out");
        found.remove("out/.lock");
        found
    };
    let before = unlocked();
    let refused = |args: &str, difference: &str| {
        let error = folder.gradus(&format!("{args} --out out --resume")).failed(2);
        assert!(error.contains(difference), "{error}");
        assert!(unlocked() == before, "a file was changed");
    };
    refused(
        &format!("{TRAIN} --set learning_rate=0.25"),
        "holds another training: `config.learning_rate` is 0.003 there and 0.25 here",
    );
    let rows = folder.read("rows.jsonl");
    folder.write("rows.jsonl", &rows.replace("completion\": \"1\"", "completion\": \"2\""));
    refused(TRAIN, "`data_sha256` is ");
    folder.write("rows.jsonl", &rows);

    folder.gradus(&format!("{TRAIN} --out out --resume")).done();
    let again = std::fs::read(folder.path("out/model/model.safetensors")).unwrap();
    assert!(again == model, "other weights");
}

/// Runs the program under a limit of the shell's `ulimit`.
#[cfg(target_os = "linux")]
fn limited(folder: &Folder, limit: &str, args: &str) -> Said {
    // Without the trap, the signal of a file too large would end the program.
    let line =
        format!("trap '' XFSZ; ulimit {limit}; exec {} {args}", env!("CARGO_BIN_EXE_gradus"));
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &line]).current_dir(folder.path(".")).env("COLUMNS", "100");
    command.output().unwrap().into()
}

#[cfg(target_os = "linux")]
#[test]
fn a_model_that_cannot_be_written_is_no_bug_of_the_model_and_the_training_goes_on() {
    let folder = with_rows();
    // Blocks of 512 bytes: room for everything but the weights.
    let error = limited(&folder, "-f 16", &format!("{TRAIN} --out out")).failed(2);
    assert!(error.contains("cannot write out/") && error.contains("model.safetensors"), "{error}");
    let line = error.split("to go on: ").nth(1).unwrap();
    let args = line.trim().strip_prefix(env!("CARGO_BIN_EXE_gradus")).unwrap();
    folder.gradus(args).done();
    assert!(folder.path("out/model/model.safetensors").is_file());
}

#[cfg(target_os = "linux")]
#[test]
fn more_threads_than_there_is_memory_for_is_an_error_of_usage() {
    let error = limited(&Folder::new(), "-v 4000000", "list --threads 5000").failed(2);
    assert!(error.contains("--threads 5000: cannot start so many threads"), "{error}");
}

#[test]
fn a_run_does_not_touch_a_folder_of_something_else() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("mine")).unwrap();
    folder.write("mine/notes.txt", "mine");
    let before = contents(&folder, ".");
    let error = folder.gradus("run easy-to-hard --out mine").failed(2);
    assert!(error.contains("mine: holds files and no run.json"), "{error}");
    assert_eq!(contents(&folder, "."), before);
    assert!(!folder.path("runs").exists());
}

#[test]
fn input_files_are_read_before_a_run_makes_its_folder() {
    let folder = Folder::new();
    let validate = |args: &str| folder.gradus(&format!("validate easy-to-hard-solutions {args}"));
    assert!(validate("").failed(2).contains("config key solutions"));
    let given = "--set solutions=nope.jsonl";
    assert!(validate(given).failed(3).contains("nope.jsonl: no such file"));
    let run = folder.gradus(&format!("run easy-to-hard-solutions {given}")).failed(3);
    assert!(run.contains("nope.jsonl: no such file") && !run.contains("--resume"), "{run}");
    folder.write("nope.jsonl", "{\"question\": \"How many?\"}\n");
    assert!(validate(given).failed(3).contains("nope.jsonl:1: ground_truth"));
    assert_eq!(std::fs::read_dir(folder.path(".")).unwrap().count(), 1);

    let row = serde_json::json!({
        "question": "How many?", "ground_truth": "One.\nA: 18",
        "small": {"is_correct": false, "solution": "Half.\nA: 17"},
    });
    folder.write("nope.jsonl", &format!("{row}\n"));
    let valid = validate(&format!("{given} --seed 3 --limit 1 --json")).done();
    assert_eq!(serde_json::from_str::<Value>(&valid).unwrap()["stages"], 3);
    let error = folder.gradus("validate nope.jsonl --seed 3").failed(2);
    assert!(error.contains("`seed` is set for a recipe, and nope.jsonl is rows"), "{error}");
}
