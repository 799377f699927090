//! Tokenizers and chat templates against transformers: files by `tests/golden/text/make.py`
//! (transformers 5.24, tokenizers 0.23, Jinja 3.1.6).

#![expect(clippy::unwrap_used, reason = "a test that cannot read its golden file has failed")]
#![expect(clippy::print_stderr, reason = "a test that is left out says so")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use gradus::lm::Message;
use gradus_model::{
    ChatTemplate, ModelError, SubwordTokenizer, TemplateError, Tokenizer, WeightFiles,
    whole_characters,
};
use serde::Deserialize;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/text").join(name)
}

#[derive(Deserialize)]
struct Expected {
    ids: Vec<Vec<u32>>,
    decoded: Vec<String>,
}

fn expected() -> (Vec<String>, BTreeMap<String, Expected>) {
    let json = fs::read_to_string(golden("tokens.json")).unwrap();
    let mut value: BTreeMap<String, serde_json::Value> = serde_json::from_str(&json).unwrap();
    let texts = serde_json::from_value(value.remove("texts").unwrap()).unwrap();
    let files = value.into_iter().map(|(name, file)| (name, serde_json::from_value(file).unwrap()));
    (texts, files.collect())
}

/// The tokenizer of a GGUF file; none, said aloud, for a real model that is not here.
fn from_gguf(name: &str) -> Option<Tokenizer> {
    let mut path = golden(name);
    if !path.exists() {
        let folder = std::env::var_os("GRADUS_TEST_MODELS").map(PathBuf::from);
        path = folder.unwrap_or_default().join(name);
        if !path.exists() {
            eprintln!("LEFT OUT: no {name} under GRADUS_TEST_MODELS");
            return None;
        }
    }
    let files = WeightFiles::open_gguf(&path).unwrap();
    Some(SubwordTokenizer::from_gguf(files.metadata().unwrap()).unwrap().into())
}

#[test]
fn ids_and_texts_are_those_of_transformers() {
    let (texts, files) = expected();
    for (name, expected) in &files {
        let Some(tokenizer) = from_gguf(name) else { continue };
        for (at, text) in texts.iter().enumerate() {
            let ids = tokenizer.encode(text).unwrap();
            assert_eq!(ids, expected.ids[at], "{name}: {text:?}");
            assert_eq!(tokenizer.decode(&ids), expected.decoded[at], "{name}: {text:?}");
        }
    }
}

/// A step of a completion ends at the token that holds its last byte, so ends must grow and
/// the last must be the text's.
#[test]
fn every_token_knows_where_its_bytes_end() {
    let (texts, files) = expected();
    for name in files.keys() {
        let Some(tokenizer) = from_gguf(name) else { continue };
        for text in &texts {
            let tokens = tokenizer.tokens(text).unwrap();
            let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
            assert_eq!(ids, tokenizer.encode(text).unwrap());
            assert!(tokens.is_sorted_by_key(|token| token.end), "{name}: {text:?}");
            assert_eq!(tokens.last().map_or(0, |token| token.end), text.len(), "{name}: {text:?}");
            // Where nothing was composed and no special token left out, the bytes are the proof.
            let written: Vec<usize> = tokens
                .iter()
                .scan(Vec::new(), |bytes, token| {
                    tokenizer.append(token.id, bytes);
                    Some(bytes.len())
                })
                .collect();
            let spaces = written.last().copied().unwrap_or(0).checked_sub(text.len());
            if let Some(spaces) = spaces.filter(|_| tokenizer.decode(&ids) == *text) {
                // One before the text, where the vocabulary begins so.
                let written: Vec<usize> =
                    written.into_iter().map(|end| end.saturating_sub(spaces)).collect();
                let ends: Vec<usize> = tokens.iter().map(|token| token.end).collect();
                assert_eq!(ends, written, "{name}: {text:?}");
            }
        }
    }
}

#[test]
fn a_stream_of_tokens_never_shows_half_a_character() {
    let tokenizer = from_gguf("gpt-2.gguf").unwrap();
    let text = "caf\u{e9} \u{4f60}\u{597d} \u{1F600}\u{200d}!";
    let (mut bytes, mut shown) = (Vec::new(), String::new());
    for id in tokenizer.encode(text).unwrap() {
        tokenizer.append(id, &mut bytes);
        let whole = whole_characters(&bytes);
        shown.push_str(std::str::from_utf8(&bytes[shown.len()..whole]).unwrap());
    }
    assert_eq!(shown, text);
    // A byte that no other completes is not held back for ever, and shows as one mark.
    let ids = tokenizer.encode("\u{4f60}").unwrap();
    assert!(ids.len() > 1);
    assert_eq!(tokenizer.decode(&[ids[0], 5]).chars().next(), Some('\u{fffd}'));
}

#[test]
fn a_folder_names_what_begins_and_ends_its_sequences() {
    let folder = golden("folder");
    let tokenizer: Tokenizer = SubwordTokenizer::from_folder(&folder).unwrap().into();
    let (texts, files) = expected();
    for (text, ids) in texts.iter().zip(&files["qwen2.gguf"].ids) {
        assert_eq!(&tokenizer.encode(text).unwrap(), ids, "{text:?}");
        let last = tokenizer.tokens(text).unwrap().last().map_or(0, |token| token.end);
        assert_eq!(last, text.len(), "offsets are not trimmed: {text:?}");
    }
    // The tokenizer's own end first; the ends are those of generation_config.json.
    assert_eq!(tokenizer.end_of_sequence(), [2, 0]);
    assert_eq!((tokenizer.beginning(), tokenizer.padding()), (&[1][..], Some(0)));
    let template = ChatTemplate::from_folder(&folder).unwrap().unwrap();
    let message = Message { role: "user".to_owned(), content: "x".to_owned() };
    assert_eq!(template.render(&[message], true).unwrap(), "<|im_start|>x");
}

/// The trap of `SmolLM2`: text after a special token has no space of its own.
#[test]
fn the_real_model_of_the_tests_has_its_ids() {
    let Some(tokenizer) = from_gguf("SmolLM2-135M-Instruct.Q4_1.gguf") else { return };
    let ids = tokenizer.encode("<|im_start|>system\nThe 42").unwrap();
    assert_eq!(ids, [1, 9690, 198, 504, 216, 36, 34]);
    assert_eq!(tokenizer.end_of_sequence()[0], 2);
    assert!(tokenizer.beginning().is_empty());
}

#[derive(Deserialize)]
struct Chat {
    template: String,
    #[serde(rename = "chat")]
    name: String,
    messages: Vec<(String, String)>,
    generation: bool,
    text: Option<String>,
    refused: Option<String>,
}

#[test]
fn chats_are_rendered_as_transformers_renders_them() {
    let chats: Vec<Chat> =
        serde_json::from_str(&fs::read_to_string(golden("chats.json")).unwrap()).unwrap();
    let tokens = [("bos_token", "<BOS>"), ("eos_token", "<EOS>")];
    let tokens = tokens.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec();
    let mut refused = 0;
    for chat in &chats {
        let source = fs::read_to_string(golden("templates").join(&chat.template)).unwrap();
        // The script's clock stands at 2024-07-04, 12:30:05.
        let template = ChatTemplate::dated(&source, tokens.clone(), 1_720_096_205).unwrap();
        let message = |(role, content): &(String, String)| Message {
            role: role.clone(),
            content: content.clone(),
        };
        let messages: Vec<Message> = chat.messages.iter().map(message).collect();
        let found = template.render(&messages, chat.generation);
        let expected = match (&chat.text, &chat.refused) {
            (Some(text), _) => Ok(text.clone()),
            (None, reason) => Err(TemplateError::Refused(reason.clone().unwrap())),
        };
        refused += usize::from(expected.is_err());
        assert_eq!(found, expected, "{} {} {}", chat.template, chat.name, chat.generation);
    }
    assert!(refused >= 8 && chats.len() > 80, "{refused} of {}", chats.len());
}

#[test]
fn the_real_template_is_in_the_file() {
    let Some(folder) = std::env::var_os("GRADUS_TEST_MODELS") else {
        eprintln!("LEFT OUT: no GRADUS_TEST_MODELS");
        return;
    };
    let path = Path::new(&folder).join("SmolLM2-135M-Instruct.Q4_1.gguf");
    if !path.exists() {
        eprintln!("LEFT OUT: no {}", path.display());
        return;
    }
    let files = WeightFiles::open_gguf(&path).unwrap();
    let template = ChatTemplate::from_gguf(files.metadata().unwrap()).unwrap().unwrap();
    let message = Message { role: "user".to_owned(), content: "Hi".to_owned() };
    let text = template.render(&[message], true).unwrap();
    assert!(text.ends_with("<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"));
}

/// A file whose text is changed in one place of the same length.
fn altered(from: &str, to: &str) -> Result<SubwordTokenizer, ModelError> {
    let mut bytes = fs::read(golden("smollm.gguf")).unwrap();
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    fs::write(&path, bytes).unwrap();
    let files = WeightFiles::open_gguf(&path)?;
    SubwordTokenizer::from_gguf(files.metadata().unwrap())
}

#[test]
fn what_is_not_known_is_refused_by_name() {
    let error = altered("smollm", "smorgs").unwrap_err().to_string();
    assert!(error.contains("tokenizer.ggml.pre") && error.contains("\"smorgs\""), "{error}");
    let error = altered("gpt2", "bert").unwrap_err().to_string();
    assert!(error.contains("\"bert\"; known are gpt2 and llama"), "{error}");
    // A merge of tokens that the vocabulary does not have.
    assert!(altered("i n", "i \u{7f}").is_err());
    let dir = tempfile::tempdir().unwrap();
    let copy = |change: &dyn Fn(String) -> String| {
        let json = fs::read_to_string(golden("folder/tokenizer.json")).unwrap();
        fs::write(dir.path().join("tokenizer.json"), change(json)).unwrap();
        SubwordTokenizer::from_folder(dir.path()).unwrap_err().to_string()
    };
    let error = copy(&|json| json[..json.len() / 2].to_owned());
    assert!(error.contains("tokenizer.json: not a tokenizer"), "{error}");
    let error = copy(&|json| {
        json.replace(
            "\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true,\"use_regex\":true}",
            "\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true}",
        )
    });
    assert!(error.contains("a decoder of type WordPiece is not supported"), "{error}");
    let error = copy(&|json| json.replace(":519}", ":4000000000}"));
    assert!(error.contains("an id of 4000000000"), "{error}");
}

/// The regular expressions give up on hopeless texts; that must not pass for an end of the text.
#[test]
fn long_runs_are_whole_or_an_error() {
    let tokenizer = from_gguf("qwen2.gguf").unwrap();
    for text in [" ".repeat(400_000) + "x", "a".repeat(400_000), "\n".repeat(400_000)] {
        let ids = tokenizer.encode(&text).unwrap();
        assert_eq!(tokenizer.decode(&ids), text);
    }
    for text in
        ["x".to_owned() + &" ".repeat(2_000_000) + "x", "b c ".repeat(9) + &"a".repeat(600_000)]
    {
        let error = tokenizer.encode(&text).unwrap_err().to_string();
        assert!(error.contains("white space, expected at most 500000"), "{error}");
    }
}
