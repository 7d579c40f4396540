//! How the payload of a block is compressed; each block by itself, so that any can be read alone.

use std::{
    cell::RefCell,
    io::{Read, Write},
    str::FromStr,
};

use types::{Error, Result, SqlState};

/// The number is the one in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    None = 0,
    #[default]
    Zstd = 1,
    Lz4 = 2,
    Gzip = 3,
}

/// Quick, and most of what slower levels would save.
const ZSTD_LEVEL: i32 = 1;

thread_local! {
    /// Its tables are made once and not for every block.
    static ZSTD: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
}

impl FromStr for Compression {
    type Err = String;

    fn from_str(name: &str) -> Result<Compression, String> {
        match name {
            "none" => Ok(Compression::None),
            "zstd" => Ok(Compression::Zstd),
            "lz4" => Ok(Compression::Lz4),
            "gzip" => Ok(Compression::Gzip),
            other => Err(format!("\"{other}\" is no compression: choose zstd, lz4, gzip or none")),
        }
    }
}

impl Compression {
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Zstd => "zstd",
            Compression::Lz4 => "lz4",
            Compression::Gzip => "gzip",
        }
    }

    pub(super) fn from_number(number: u8) -> Option<Compression> {
        [Compression::None, Compression::Zstd, Compression::Lz4, Compression::Gzip]
            .into_iter()
            .find(|known| *known as u8 == number)
    }

    pub(super) fn compress(self, raw: &[u8]) -> Result<Vec<u8>> {
        let failed = |error: std::io::Error| Error::new(SqlState::SYSTEM_ERROR, format!("could not compress a block: {error}"));
        match self {
            Compression::None => Ok(raw.to_vec()),
            Compression::Zstd => ZSTD
                .with_borrow_mut(|compressor| match compressor {
                    Some(compressor) => compressor.compress(raw),
                    None => compressor.insert(zstd::bulk::Compressor::new(ZSTD_LEVEL)?).compress(raw),
                })
                .map_err(failed),
            Compression::Lz4 => Ok(lz4_flex::block::compress(raw)),
            Compression::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(raw).and_then(|()| encoder.finish()).map_err(failed)
            }
        }
    }

    /// The bytes again; None when they are not `raw_length` bytes compressed.
    pub(super) fn decompress(self, stored: Vec<u8>, raw_length: usize) -> Option<Vec<u8>> {
        let raw = match self {
            Compression::None => stored,
            Compression::Zstd => zstd::bulk::decompress(&stored, raw_length).ok()?,
            Compression::Lz4 => lz4_flex::block::decompress(&stored, raw_length).ok()?,
            Compression::Gzip => {
                let mut raw = Vec::with_capacity(raw_length);
                flate2::read::GzDecoder::new(&stored[..]).take(raw_length as u64 + 1).read_to_end(&mut raw).ok()?;
                raw
            }
        };
        (raw.len() == raw_length).then_some(raw)
    }
}
