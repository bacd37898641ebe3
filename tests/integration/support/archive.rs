//! Archives, written by hand and by the encoders of the crates: no archive lies in the repository.

use super::encode::utf16_le;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use std::io::Write as _;

pub(crate) type Member<'m> = (&'m str, &'m [u8]);

/// How a zip file is written.
#[derive(Clone, Copy, Default)]
pub(crate) struct Zip {
    pub(crate) stored: bool,
    /// Sizes and checksum follow the data, as where it is written in one go.
    pub(crate) descriptor: bool,
    pub(crate) encrypted: bool,
    pub(crate) method: Option<u16>,
}

pub(crate) fn zip(members: &[Member<'_>]) -> Vec<u8> {
    zip_as(Zip::default(), members)
}

pub(crate) fn stored_zip(members: &[Member<'_>]) -> Vec<u8> {
    zip_as(Zip { stored: true, ..Zip::default() }, members)
}

pub(crate) fn zip_as(how: Zip, members: &[Member<'_>]) -> Vec<u8> {
    let packed: Vec<(&[u8], Vec<u8>, u32, u64)> = members
        .iter()
        .map(|(name, content)| {
            let packed = if how.stored { content.to_vec() } else { deflate(content) };
            (name.as_bytes(), packed, crc(content), content.len() as u64)
        })
        .collect();
    zip_of(how, &packed)
}

/// A zip file of members that are packed already: name, data, checksum and size.
pub(crate) fn zip_of(how: Zip, members: &[(&[u8], Vec<u8>, u32, u64)]) -> Vec<u8> {
    let method = how.method.unwrap_or(if how.stored { 0 } else { 8 });
    let flags = u16::from(how.encrypted) | u16::from(how.descriptor) << 3;
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, packed, checksum, size) in members {
        let sizes = [*checksum, packed.len() as u32, *size as u32];
        let hidden = if how.descriptor { [0; 3] } else { sizes };
        let fixed = |sizes: &[u32; 3]| {
            let shorts = [20, flags, method, 0, 0x21].map(u16::to_le_bytes).concat();
            let lengths = [name.len() as u16, 0].map(u16::to_le_bytes).concat();
            [shorts, sizes.map(u32::to_le_bytes).concat(), lengths].concat()
        };
        directory.extend([&b"PK\x01\x02\x14\x00"[..], &fixed(&sizes), &[0; 10]].concat());
        directory.extend((out.len() as u32).to_le_bytes());
        directory.extend_from_slice(name);
        out.extend([&b"PK\x03\x04"[..], &fixed(&hidden), name, packed].concat());
        if how.descriptor {
            out.extend([&b"PK\x07\x08"[..], &sizes.map(u32::to_le_bytes).concat()].concat());
        }
    }
    let count = (members.len() as u16).to_le_bytes();
    let place = [directory.len() as u32, out.len() as u32].map(u32::to_le_bytes).concat();
    out.extend(directory);
    out.extend([&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &place, &[0; 2]].concat());
    out
}

pub(crate) fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

pub(crate) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

pub(crate) fn zlib(bytes: &[u8]) -> Vec<u8> {
    zlib_at(6, bytes)
}

pub(crate) fn zlib_at(level: u32, bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    gzip_at(6, bytes)
}

pub(crate) fn gzip_at(level: u32, bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

pub(crate) fn named_gzip(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::GzBuilder::new().filename(name).write(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

pub(crate) fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

pub(crate) fn xz(bytes: &[u8]) -> Vec<u8> {
    xz_with(bytes, 1 << 20)
}

/// xz that asks for a dictionary of this size.
pub(crate) fn xz_with(bytes: &[u8], dictionary: u32) -> Vec<u8> {
    let mut options = lzma_rust2::XzOptions::with_preset(1);
    options.lzma_options.dict_size = dictionary;
    let mut writer = lzma_rust2::XzWriter::new(Vec::new(), options).expect("good options");
    writer.write_all(bytes).expect("memory");
    writer.finish().expect("memory")
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

pub(crate) fn tar(members: &[Member<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, content) in members {
        out.extend(tar_member(name, b'0', content));
    }
    out.resize(out.len() + 1024, 0);
    out
}

/// A header and its content, in whole blocks.
pub(crate) fn tar_member(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
    let mut block = vec![0; 512];
    let short = &name.as_bytes()[..name.len().min(100)];
    block[..short.len()].copy_from_slice(short);
    block[100..108].copy_from_slice(b"0000644\0");
    block[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block.extend_from_slice(content);
    block.resize(block.len().next_multiple_of(512), 0);
    block
}

/// A 7z archive of two files in one folder that is deflated: this one behind another one.
pub(crate) fn seven_zip(name: &str, content: &[u8]) -> Vec<u8> {
    let number = |number: usize| [&[0xff][..], &(number as u64).to_le_bytes()].concat();
    let first = b"first\n";
    let packed = deflate(&[first, content].concat());
    let names = utf16_le(&format!("first\0{name}\0"));
    let header = [
        &b"\x01\x04\x06\x00\x01\x09"[..],
        &number(packed.len()),
        b"\x00\x07\x0b\x01\x00\x01\x03\x04\x01\x08\x0c",
        &number(first.len() + content.len()),
        b"\x00\x08\x0d\x02\x09",
        &number(first.len()),
        b"\x0a\x01",
        &crc(first).to_le_bytes(),
        &crc(content).to_le_bytes(),
        b"\x00\x00\x05\x02\x11",
        &number(names.len() + 1),
        b"\x00",
        &names,
        b"\x00\x00",
    ]
    .concat();
    let places = [packed.len() as u64, header.len() as u64].map(u64::to_le_bytes).concat();
    let start = [&places[..], &crc(&header).to_le_bytes()].concat();
    let check = crc(&start).to_le_bytes();
    [&b"7z\xbc\xaf\x27\x1c\0\x04"[..], &check, &start, &packed, &header].concat()
}

/// A PDF with one stream.
pub(crate) fn pdf(content: &[u8]) -> Vec<u8> {
    let packed = zlib(content);
    let head = format!("%PDF-1.7\n1 0 obj\n<< /Length {} /Filter /FlateDecode >>\nstream\r\n", packed.len());
    [head.as_bytes(), &packed, b"\nendstream\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"].concat()
}

/// A picture of no size with these chunks.
pub(crate) fn png(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let header = (b"IHDR", vec![0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]);
    let end = (b"IEND", Vec::new());
    for (kind, content) in [&[header], chunks, &[end]].concat() {
        out.extend((content.len() as u32).to_be_bytes());
        let body = [&kind[..], &content].concat();
        out.extend_from_slice(&body);
        out.extend(crc(&body).to_be_bytes());
    }
    out
}
