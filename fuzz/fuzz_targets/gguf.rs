//! Whatever bytes a file holds, what it lists is read or refused.

#![no_main]

use std::io::Write;

use gradus_model::{Metadata, WeightFiles};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut file) = tempfile::NamedTempFile::new() else { return };
    if file.write_all(bytes).is_err() {
        return;
    }
    let Ok(files) = WeightFiles::open_gguf(file.path()) else { return };
    let mut numbers = Vec::new();
    for name in files.names() {
        let _ = files.read_f32(name, &mut numbers);
    }
    let Ok(metadata) = Metadata::read(file.path()) else { return };
    for key in metadata.keys() {
        let _ = (metadata.text(key), metadata.count(key), metadata.number(key));
        let _ = (metadata.texts(key), metadata.numbers(key), metadata.integers(key));
    }
});
