//! Files that are cut short, lie, or want to do harm: an error that names file and tensor.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;

fn written(name: &str, bytes: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(name), bytes).unwrap();
    dir
}

fn gguf(bytes: &[u8]) -> Result<WeightFiles, ModelError> {
    WeightFiles::open_gguf(&written("model.gguf", bytes).path().join("model.gguf"))
}

fn safetensors(bytes: &[u8]) -> Result<WeightFiles, ModelError> {
    let dir = written("model.safetensors", bytes);
    WeightFiles::open_safetensors(&dir.path().join("model.safetensors"))
}

/// A safetensors file of a header as text and so many bytes of numbers.
fn with_header(header: &str, numbers: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + numbers, 0);
    bytes
}

#[track_caller]
fn says(opened: Result<WeightFiles, ModelError>, expected: &str) {
    let error = opened.unwrap_err().to_string();
    assert!(error.contains(expected), "{error:?} does not say {expected:?}");
    assert!(error.contains("model.") && error.len() < 400, "{error}");
}

#[test]
fn safetensors_headers_that_lie_are_errors() {
    says(safetensors(b"1234"), "not a safetensors file: 4 bytes");
    let mut long = with_header("{}", 0);
    long[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    says(safetensors(&long), "a header of 18446744073709551615 bytes, at most 2 can be there");
    says(safetensors(&with_header("{\"a\": 3}", 0)), "header of the safetensors file: ");
    let one = |dtype: &str, shape: &str, offsets: &str| {
        let entry =
            format!("\"dtype\": \"{dtype}\", \"shape\": {shape}, \"data_offsets\": {offsets}");
        safetensors(&with_header(&format!("{{\"model.w\": {{{entry}}}}}"), 8))
    };
    assert_eq!(one("F32", "[2]", "[0, 8]").unwrap().names().count(), 1);
    for (dtype, shape, offsets, expected) in [
        ("F32", "[2]", "[0, 800]", "tensor model.w: bytes 0 to 800 of 8 bytes"),
        ("F32", "[2]", "[8, 0]", "tensor model.w: bytes 8 to 0 of 8 bytes"),
        ("F32", "[3]", "[0, 8]", "tensor model.w: 8 bytes, expected 12 for F32 of shape [3]"),
        ("BF16", "[2]", "[4, 8]", "tensor model.w follows a hole"),
        ("BF16", "[2]", "[0, 4]", "4 bytes after the last tensor"),
        ("F8_E4M3", "[8]", "[0, 8]", "tensor model.w is F8_E4M3; these types are read: F64, F32"),
        ("F32", "[4294967296, 4294967296]", "[0, 8]", "has more numbers than can be counted"),
        ("F32", "[1,1,1,1,1,1,1,1,2]", "[0, 8]", "at most 8 sizes"),
        ("F32", "[-2]", "[0, 8]", "invalid value: integer `-2`"),
        ("F32", "[2]", "[0, 8, 9]", "trailing"),
    ] {
        says(one(dtype, shape, offsets), expected);
    }
}

#[test]
fn tensors_that_overlap_or_come_twice_are_errors() {
    let two = |second: &str, from: usize| {
        let entry = |from| {
            format!(
                "{{\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [{from}, {}]}}",
                from + 8
            )
        };
        let header = format!("{{\"model.a\": {}, \"{second}\": {}}}", entry(0), entry(from));
        safetensors(&with_header(&header, from + 8))
    };
    assert_eq!(two("model.b", 8).unwrap().names().count(), 2);
    says(two("model.b", 4), "tensor model.b overlaps its neighbour");
    says(two("model.a", 8), "tensor model.a is there twice");
}

#[test]
fn shards_stay_in_their_folder_and_hold_what_the_index_says() {
    let header = r#"{"model.a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}"#;
    let open = |index: &str| {
        let dir = written("model.safetensors.index.json", index.as_bytes());
        for shard in ["model-1.safetensors", "model-2.safetensors"] {
            let header =
                header.replace("model.a", if shard.contains('1') { "model.a" } else { "model.b" });
            fs::write(dir.path().join(shard), with_header(&header, 4)).unwrap();
        }
        WeightFiles::open_folder(dir.path())
    };
    let whole =
        r#"{"weight_map": {"model.a": "model-1.safetensors", "model.b": "model-2.safetensors"}}"#;
    assert_eq!(open(whole).unwrap().names().collect::<Vec<_>>(), ["model.a", "model.b"]);
    for outside in ["../model-2.safetensors", "/etc/passwd", "x/model-2.safetensors", "..", ""] {
        let expected = format!("shard {outside:?} is not the name of a file beside it");
        says(open(&whole.replace("model-2.safetensors", outside)), &expected);
    }
    says(
        open(&whole.replace("model.b", "model.c")),
        "tensor model.c is not in model-2.safetensors",
    );
    let part = r#"{"weight_map": {"model.x": "model-1.safetensors"}}"#;
    says(open(part), "tensor model.x is not in model-1.safetensors");
    says(open("{\"weight_map\": {\"a\": \"b\""), "model.safetensors.index.json: EOF");
    let nothing = tempfile::tempdir().unwrap();
    let error = WeightFiles::open_folder(nothing.path()).unwrap_err().to_string();
    assert!(error.contains("model.safetensors"), "{error}");
}

/// Writes GGUF files, also wrong ones.
struct Gguf(Vec<u8>);

impl Gguf {
    fn new(tensors: u64, pairs: u64) -> Self {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend(tensors.to_le_bytes());
        bytes.extend(pairs.to_le_bytes());
        Self(bytes)
    }

    /// Architecture llama with two heads, and `more` keys.
    fn llama(tensors: u64, more: u64) -> Self {
        let file = Self::new(tensors, 2 + more).text("general.architecture").u32(8).text("llama");
        file.text("llama.attention.head_count").u32(4).u32(2)
    }

    fn u32(mut self, number: u32) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn u64(mut self, number: u64) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn text(self, text: &str) -> Self {
        let mut file = self.u64(text.len() as u64);
        file.0.extend(text.as_bytes());
        file
    }

    fn tensor(self, name: &str, shape: &[u64], kind: u32, offset: u64) -> Self {
        let file = self.text(name).u32(shape.len() as u32);
        let file = shape.iter().fold(file, |file, &size| file.u64(size));
        file.u32(kind).u64(offset)
    }

    /// Padding and so many bytes of numbers.
    fn open(mut self, numbers: usize) -> Result<WeightFiles, ModelError> {
        let length = self.0.len().next_multiple_of(32) + numbers;
        self.0.resize(length, 0);
        gguf(&self.0)
    }
}

#[test]
fn gguf_headers_that_lie_are_errors() {
    says(gguf(b"GG"), "the magic number: 4 bytes at byte 0, where 2 are left");
    says(gguf(b"GGML_and_more"), "not a GGUF file: it begins with \"GGML\"");
    says(gguf(b"GGUF\x01\0\0\0"), "GGUF version 1; 2 and 3 are read");
    says(gguf(b"GGUF\0\0\0\x03"), "GGUF written big-endian");
    let huge = 1 << 60;
    says(
        Gguf::new(huge, 0).open(0),
        "the number of tensors is 1152921504606846976; the file has room for",
    );
    says(Gguf::new(0, huge).open(0), "the number of metadata keys is 1152921504606846976");
    says(
        Gguf::new(0, 1).u64(huge).open(64),
        "metadata key 0: 1152921504606846976 bytes at byte 32",
    );
    says(
        Gguf::new(0, 1).text("model.k").u32(13).open(64),
        "metadata model.k has a value of type 13",
    );
    let array = |kind: u32, count: u64| {
        Gguf::new(0, 1).text("model.k").u32(9).u32(kind).u64(count).open(64)
    };
    says(array(8, huge), "metadata model.k is 1152921504606846976; the file has room for");
    says(array(4, huge), "metadata model.k is 1152921504606846976; the file has room for");
    says(array(9, 1), "metadata model.k is an array of arrays");
    let twice = Gguf::new(0, 2).text("model.k").u32(4).u32(0).text("model.k").u32(4).u32(1);
    says(twice.open(64), "metadata model.k is there twice");
    says(Gguf::new(0, 0).open(0), "metadata general.architecture is missing");
    let other = Gguf::new(0, 1).text("general.architecture").u32(8).text("mamba");
    says(other.open(64), "architecture \"mamba\"; these are read: llama, qwen2, qwen3, gemma3");
}

#[test]
fn tensors_of_gguf_files_that_lie_are_errors() {
    let one = |shape: &[u64], kind: u32, offset: u64| {
        Gguf::llama(1, 0).tensor("output.weight", shape, kind, offset).open(64)
    };
    assert_eq!(one(&[8, 2], 0, 0).unwrap().info("lm_head.weight").unwrap().shape, [2, 8]);
    says(one(&[8, 2], 0, 32), "tensor output.weight: 64 bytes at offset 32, but the file has 64");
    says(one(&[8, 2], 0, u64::MAX - 31), "tensor output.weight: 64 bytes at offset");
    says(one(&[8, 1], 0, 8), "tensor output.weight: offset 8 is no multiple of 32");
    says(one(&[8], 2, 0), "shape [8] is not one of Q4_0, whose rows are blocks of 32");
    says(one(&[1 << 40, 1 << 40], 0, 0), "tensor output.weight: shape [");
    says(one(&[1, 1, 1, 1, 1], 0, 0), "tensor output.weight has 5 dimensions");
    says(one(&[256], 16, 0), "tensor output.weight is quantised as IQ2_XXS; these types are read");
    says(one(&[256], 77, 0), "tensor output.weight is quantised as type 77");
    let two = |second: &str, offset: u64| {
        let file = Gguf::llama(2, 0).tensor("output.weight", &[8, 2], 0, 0);
        file.tensor(second, &[8], 0, offset).open(96)
    };
    assert!(two("output_norm.weight", 64).is_ok());
    says(two("output_norm.weight", 32), "tensor output_norm.weight overlaps tensor output.weight");
    says(two("output.weight", 64), "tensor lm_head.weight is there twice");
    let heads = Gguf::llama(1, 0).tensor("blk.0.attn_q.weight", &[8, 2], 0, 0).open(64);
    says(heads, "shape [2, 8] is not one of 2 heads of even size");
    let aligned =
        |alignment: u32| Gguf::llama(0, 1).text("general.alignment").u32(4).u32(alignment);
    says(aligned(0).open(0), "metadata general.alignment: found 0, expected a power of two");
    says(aligned(48).open(0), "metadata general.alignment: found 48, expected a power of two");
    assert!(aligned(1 << 31).open(0).is_ok(), "without tensors there is nothing to align");
}

#[test]
fn numbers_that_are_not_finite_are_errors_with_their_place() {
    let mut file = Gguf::llama(2, 0).tensor("token_embd.weight", &[32, 2], 8, 0).tensor(
        "output.weight",
        &[4, 2],
        0,
        96,
    );
    let start = file.0.len().next_multiple_of(32);
    file.0.resize(start + 128, 0);
    // The scale of the second row, and the last number.
    file.0[start + 34..start + 36].copy_from_slice(&half::f16::NAN.to_le_bytes());
    file.0[start + 124..].copy_from_slice(&f32::INFINITY.to_le_bytes());
    let files = gguf(&file.0).unwrap();
    let mut out = Vec::new();
    let error = files.read_f32("model.embed_tokens.weight", &mut out).unwrap_err().to_string();
    assert!(error.contains("tensor model.embed_tokens.weight: row 1, column 0 is NaN"), "{error}");
    let error = files.read_f32("lm_head.weight", &mut out).unwrap_err().to_string();
    assert!(error.contains("tensor lm_head.weight: row 1, column 3 is inf"), "{error}");
    files.read_rows_f32("lm_head.weight", 0..1, &mut out).unwrap();
    let error = files.read_f32("model.norm.weight", &mut out).unwrap_err().to_string();
    assert!(error.contains("tensor model.norm.weight is missing"), "{error}");
}

#[test]
fn integers_are_listed_and_are_no_weights() {
    let header = r#"{"model.ids": {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]}}"#;
    let files = safetensors(&with_header(header, 8)).unwrap();
    assert_eq!(files.info("model.ids").unwrap().dtype, Dtype::Integer(8));
    let error = files.read_f32("model.ids", &mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("tensor model.ids is integers of 8 bytes"), "{error}");
}

#[test]
fn a_folder_or_nothing_in_place_of_a_file_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let error = WeightFiles::open_gguf(dir.path()).unwrap_err();
    assert!(matches!(error, ModelError::Run(_)), "{error}");
    says(gguf(b""), "the magic number");
    says(safetensors(b""), "not a safetensors file: 0 bytes");
}

/// Whatever a file holds, everything that is listed can be read or says why not.
fn read_everything(opened: Result<WeightFiles, ModelError>) {
    let Ok(files) = opened else { return };
    let mut out = Vec::new();
    for name in files.names() {
        let _ = files.read_f32(name, &mut out);
    }
    if let Some(metadata) = files.metadata() {
        for key in metadata.keys() {
            let _ = (metadata.text(key), metadata.count(key), metadata.number(key));
            let _ = (metadata.texts(key), metadata.numbers(key), metadata.integers(key));
        }
    }
}

fn golden(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/weights");
    fs::read(folder.join(name)).unwrap()
}

/// Where in a file to put which byte; most places are in the header.
fn edits() -> impl Strategy<Value = (Vec<(usize, u8)>, usize)> {
    (prop::collection::vec((0..3000_usize, any::<u8>()), 0..6), 0..4000_usize)
}

fn edited(mut bytes: Vec<u8>, edits: &[(usize, u8)], cut: usize) -> Vec<u8> {
    for &(at, byte) in edits {
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
    }
    // Cut in a third of the cases only.
    if cut < 1300 {
        bytes.truncate(cut * 18);
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_damaged_gguf_file_never_ends_the_program((edits, cut) in edits()) {
        read_everything(gguf(&edited(golden("quantised.gguf"), &edits, cut)));
    }

    #[test]
    fn a_damaged_safetensors_file_never_ends_the_program((edits, cut) in edits()) {
        read_everything(safetensors(&edited(golden("quantised.safetensors"), &edits, cut)));
    }

    #[test]
    fn any_bytes_after_the_magic_number_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_everything(gguf(&[b"GGUF\x03\0\0\0".as_slice(), &bytes].concat()));
        read_everything(safetensors(&with_header(&String::from_utf8_lossy(&bytes), 0)));
    }
}
