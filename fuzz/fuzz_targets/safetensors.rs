//! Whatever bytes a file holds, what it lists is read or refused.

#![no_main]

use std::io::Write;

use gradus_model::WeightFiles;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut file) = tempfile::NamedTempFile::new() else { return };
    if file.write_all(bytes).is_err() {
        return;
    }
    let Ok(files) = WeightFiles::open_safetensors(file.path()) else { return };
    let mut numbers = Vec::new();
    for name in files.names() {
        let _ = files.read_f32(name, &mut numbers);
    }
});
