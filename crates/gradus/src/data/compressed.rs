use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::DataError;

const BUFFER: usize = 1 << 16;
// RFC 1952 section 2.3.1; RFC 8878 sections 3.1.1 and 3.1.2 (a file may start with a frame to skip).
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const ZSTD_SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];

/// The first bytes of every Parquet file.
pub(crate) const PARQUET: &[u8] = b"PAR1";

/// Is a file Parquet, by its first bytes. Standard input, which cannot be read twice, is not.
pub(crate) fn is_parquet(path: &Path) -> Result<bool, DataError> {
    if path.as_os_str() == "-" {
        return Ok(false);
    }
    let mut bytes = open(path)?;
    let head = bytes.fill_buf().map_err(DataError::io("read", path))?;
    Ok(head.starts_with(PARQUET))
}

/// Opens a file for reading, `-` being standard input. What starts with the magic
/// bytes of gzip or Zstandard is read decompressed, whatever its name.
pub(crate) fn open(path: &Path) -> Result<Box<dyn BufRead + Send>, DataError> {
    let bytes: Box<dyn Read + Send> = if path.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(DataError::io("open", path))?)
    };
    decompress(bytes).map_err(DataError::io("read", path))
}

fn decompress(mut bytes: Box<dyn Read + Send>) -> io::Result<Box<dyn BufRead + Send>> {
    // A pipe may hand over fewer bytes at a time than the longest magic has.
    let mut head = Vec::with_capacity(ZSTD.len());
    bytes.by_ref().take(ZSTD.len() as u64).read_to_end(&mut head)?;
    let zstd = head == ZSTD
        || head.first().is_some_and(|byte| byte & 0xf0 == 0x50) && head[1..] == ZSTD_SKIPPABLE;
    let gzip = head.starts_with(&GZIP);
    let bytes = BufReader::with_capacity(BUFFER, io::Cursor::new(head).chain(bytes));
    Ok(if gzip {
        Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(bytes)))
    } else if zstd {
        let frames = ZstdFrames { source: bytes, decoder: FrameDecoder::new() };
        Box::new(BufReader::with_capacity(BUFFER, frames))
    } else {
        Box::new(bytes)
    })
}

/// All frames of a Zstandard file: parallel and appending writers make several.
struct ZstdFrames<R> {
    source: R,
    decoder: FrameDecoder,
}

impl<R: BufRead> ZstdFrames<R> {
    /// Starts the next frame; false at the end of the file.
    fn next_frame(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let skipped = self.source.by_ref().take(length.into());
                    if io::copy(&mut { skipped }, &mut io::sink())? < length.into() {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(io::Error::other)?;
            }
            let read = self.decoder.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let sum = self.decoder.get_checksum_from_data();
            if sum.is_some() && sum != self.decoder.get_calculated_checksum() {
                return Err(io::Error::other("the Zstandard check sum does not match"));
            }
            if !self.next_frame()? {
                return Ok(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    const TEXT: &[u8] = b"{\"id\": \"a\"}\n{\"id\": \"b\"}\n";

    /// Hands out one byte at a time, as a slow pipe may.
    struct Drops(io::Cursor<Vec<u8>>);

    impl Read for Drops {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let one = buffer.len().min(1);
            self.0.read(&mut buffer[..one])
        }
    }

    fn read(bytes: impl Into<Vec<u8>>) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        decompress(Box::new(Drops(io::Cursor::new(bytes.into()))))?.read_to_end(&mut text)?;
        Ok(text)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        compress_to_vec(bytes, CompressionLevel::Fastest)
    }

    #[test]
    fn plain_gzip_and_zstandard_read_the_same() {
        assert_eq!(read(TEXT).unwrap(), TEXT);
        assert_eq!(read(gzip(TEXT)).unwrap(), TEXT);
        assert_eq!(read(zstd(TEXT)).unwrap(), TEXT);
        assert_eq!(read("").unwrap(), b"");
        assert_eq!(read("a").unwrap(), b"a");
    }

    #[test]
    fn several_members_or_frames_are_read_to_the_end() {
        assert_eq!(read([gzip(TEXT), gzip(TEXT)].concat()).unwrap(), [TEXT, TEXT].concat());
        let skipped = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc".to_vec();
        let frames = [skipped.clone(), zstd(TEXT), skipped, zstd(TEXT)].concat();
        assert_eq!(read(frames).unwrap(), [TEXT, TEXT].concat());
    }

    #[test]
    fn a_file_of_the_reference_encoder_is_read() {
        // printf '{"id": "a"}\n{"id": "b"}\n' | zstd -19 (version 1.5): with size and check sum.
        assert_eq!(read(REFERENCE).unwrap(), TEXT);
        let mut damaged = REFERENCE.to_vec();
        damaged[REFERENCE.len() - 1] ^= 1;
        assert!(read(damaged).unwrap_err().to_string().contains("check sum"));
    }

    #[test]
    fn a_compressed_file_that_stops_in_the_middle_is_an_error() {
        for whole in [gzip(TEXT), zstd(TEXT)] {
            assert!(read(&whole[..whole.len() - 9]).is_err());
        }
    }

    const REFERENCE: &[u8] = &[
        0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x68, 0xc1, 0x00, 0x00, 0x7b, 0x22, 0x69, 0x64, 0x22, 0x3a,
        0x20, 0x22, 0x61, 0x22, 0x7d, 0x0a, 0x7b, 0x22, 0x69, 0x64, 0x22, 0x3a, 0x20, 0x22, 0x62,
        0x22, 0x7d, 0x0a, 0x3d, 0x7f, 0xfa, 0x81,
    ];
}
