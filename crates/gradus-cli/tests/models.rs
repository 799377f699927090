//! `gradus models` over a cache as `huggingface_hub` leaves it.

use std::path::Path;

use crate::tool::{Folder, Said};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A cache with one whole model, one without weights and one whose quantisation is not read.
fn cache() -> Folder {
    let folder = Folder::new();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gradus-model/tests/golden");
    for name in ["tiny", "cut", "strange"] {
        let repository = folder.path(&format!("cache/models--org--{name}"));
        let snapshot = repository.join("snapshots").join(COMMIT);
        std::fs::create_dir_all(&snapshot).unwrap();
        std::fs::create_dir_all(repository.join("refs")).unwrap();
        std::fs::write(repository.join("refs/main"), COMMIT).unwrap();
        if name == "strange" {
            let mut bytes = std::fs::read(golden.join("weights/quantised.gguf")).unwrap();
            let at = bytes.windows(19).position(|found| found == b"blk.0.ffn_up.weight").unwrap();
            // Name, number of dimensions, two sizes, type.
            bytes[at + 19 + 4 + 16] = 16;
            std::fs::write(snapshot.join("strange.gguf"), bytes).unwrap();
            continue;
        }
        std::fs::copy(golden.join("adapter/base/config.json"), snapshot.join("config.json"))
            .unwrap();
        if name == "tiny" {
            let weights = "adapter/base/model.safetensors";
            std::fs::copy(golden.join(weights), snapshot.join("model.safetensors")).unwrap();
        }
    }
    folder
}

fn models(folder: &Folder, args: &str) -> Said {
    let args: Vec<&str> = ["models"].into_iter().chain(args.split_whitespace()).collect();
    let mut command = folder.command(&args);
    command.env("HF_HUB_CACHE", folder.path("cache")).env("HF_HUB_OFFLINE", "1");
    command.env_remove("HF_TOKEN").output().unwrap().into()
}

#[test]
fn the_list_says_what_can_be_used_and_why_not() {
    let folder = cache();
    let table = models(&folder, "list").done();
    assert!(
        table.contains("org/tiny") && table.contains("llama") && table.contains("yes"),
        "{table}"
    );
    assert!(table.contains("lacks model.safetensors"), "{table}");
    assert_eq!(models(&folder, "list -q").done(), "org/cut\norg/strange\norg/tiny\n");
    let json = models(&folder, "list --json").done();
    let rows: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows[2]["parameters"], 10_104);
    assert_eq!((&rows[2]["name"], &rows[2]["commit"]), (&"org/tiny".into(), &COMMIT.into()));
    assert_eq!(rows[0]["missing"][0], "model.safetensors");
    let why = rows[1]["unsupported"].as_str().unwrap();
    assert!(why.contains("tensor blk.0.ffn_up.weight is quantised as IQ2_XXS"), "{why}");
}

#[test]
fn one_model_is_shown_by_name_or_by_path() {
    let folder = cache();
    let shown = models(&folder, "show org/tiny").done();
    for line in [
        "architecture   llama",
        "parameters     10,104",
        "context        64 tokens",
        "usable         yes",
    ] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    let path = format!("cache/models--org--tiny/snapshots/{COMMIT}");
    let json = models(&folder, &format!("show {path} --json")).done();
    let row: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&row["form"], &row["numbers"]["F32"]), (&"safetensors".into(), &10_104.into()));
    let said = models(&folder, "show hf/org/strange");
    assert_eq!(said.code, Some(5), "{said:?}");
    assert!(said.stdout.contains("usable         no: "), "{said:?}");
}

#[test]
fn what_is_not_there_ends_with_5_and_the_command_that_fetches_it() {
    let folder = cache();
    let said = models(&folder, "show org/other@v1").failed(5);
    assert!(said.contains("gradus models fetch org/other@v1"), "{said}");
    let said = models(&folder, "fetch org/other").failed(5);
    assert!(
        said.contains("HF_HUB_OFFLINE is set") && said.contains("hf download org/other"),
        "{said}"
    );
    assert!(models(&folder, "fetch ../x").failed(2).contains("is no name of a model"));
}
