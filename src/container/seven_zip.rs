//! 7z (7zFormat.txt of the LZMA SDK). The directory stands at the end, so an archive is held in memory, and a large one is not
//! opened. Its directory, mostly compressed itself, says of what its folders (streams of files) are made by which coders.

use super::budget::{Budget, Memory};
use super::failure::{cut_off, damaged, reason_of, wrong};
use super::feed::Feed;
use super::opening::Opening;
use crate::input::Reason;
use bzip2::bufread::MultiBzDecoder;
use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use lzma_rust2::filter::bcj::BcjReader;
use lzma_rust2::filter::bcj2::Bcj2Reader;
use lzma_rust2::filter::delta::DeltaReader;
use lzma_rust2::{Lzma2Reader, LzmaReader};
use std::collections::BTreeSet;
use std::io::{self, BufReader, Read};

/// A larger archive is not opened.
const LARGEST_ARCHIVE: u64 = 32 << 20;

/// A larger directory is none.
const LARGEST_DIRECTORY: u64 = 16 << 20;

/// More of anything than this nobody has.
const MOST: u64 = 1 << 20;

/// The length of what an archive begins with.
const START: usize = 32;

/// Whether bytes begin as an archive does: its first header has a checksum.
pub(super) fn begins(head: &[u8]) -> bool {
    let Some([b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, 0, _, a, b, c, d, header @ ..]) =
        head.first_chunk::<START>()
    else {
        return false;
    };
    crc(header) == u32::from_le_bytes([*a, *b, *c, *d])
}

fn crc(bytes: &[u8]) -> u32 {
    let mut checksum = Crc::new();
    checksum.update(bytes);
    checksum.sum()
}

fn no_directory() -> io::Error {
    damaged("its directory is wrong")
}

pub(super) fn open(feed: &mut Feed<'_>, opening: &mut Opening<'_>) -> io::Result<()> {
    let mut archive = Vec::new();
    feed.take(LARGEST_ARCHIVE + 1).read_to_end(&mut archive)?;
    if archive.len() as u64 > LARGEST_ARCHIVE {
        let most = LARGEST_ARCHIVE >> 20;
        return Err(wrong(Reason::Unsupported(format!("a 7z archive of more than {most} MiB"))));
    }
    let Some(Directory { streams, names }) = directory(&archive, opening.budget)? else { return Ok(()) };
    let mut names = names.iter();
    for folder in &streams.folders {
        let mut content = decoder(&archive, &streams, folder, opening.budget);
        for part in &folder.parts {
            let unnamed = Vec::new();
            let name = names.next().unwrap_or(&unnamed);
            let failed = match &mut content {
                Ok((content, _memory)) => {
                    let checksum = Crc::new();
                    let mut part = Part { content, left: part.size, checksum, expected: part.checksum };
                    let is_read = opening.member(name, &mut part)?;
                    // What follows can be read only behind all of it.
                    (!is_read).then(|| match part.left {
                        0 => None,
                        _ => Some(Reason::Damaged("what stands before it could not be read".to_owned())),
                    })
                }
                Err(reason) => {
                    opening.unread(name, reason.clone());
                    None
                }
            };
            if let Some(Some(reason)) = failed {
                content = Err(reason);
            }
        }
    }
    Ok(())
}

/// A file in a folder: so many bytes, with this checksum.
struct Part<'p> {
    content: &'p mut dyn Read,
    left: u64,
    checksum: Crc,
    expected: Option<u32>,
}

impl Read for Part<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = out.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if most == 0 {
            let is_wrong = self.left == 0 && self.expected.is_some_and(|sum| sum != self.checksum.sum());
            return if is_wrong && !out.is_empty() { Err(damaged("its checksum is wrong")) } else { Ok(0) };
        }
        let read = self.content.read(&mut out[..most])?;
        if read == 0 {
            return Err(cut_off());
        }
        self.left -= read as u64;
        self.checksum.update(&out[..read]);
        Ok(read)
    }
}

/// What a directory says.
struct Directory {
    streams: Streams,
    /// The names of the files that have content, in the order of that.
    names: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Streams {
    /// Where in the archive each packed stream lies.
    packed: Vec<(u64, u64)>,
    folders: Vec<Folder>,
}

struct Folder {
    coders: Vec<Coder>,
    /// Which output goes into which input.
    bound: Vec<(u64, u64)>,
    /// The inputs that are packed streams, in the order of those.
    packed_inputs: Vec<u64>,
    first_packed: usize,
    sizes: Vec<u64>,
    checksum: Option<u32>,
    /// Whether nothing says how it is divided: it is one file.
    is_undivided: bool,
    parts: Vec<Size>,
}

struct Size {
    size: u64,
    checksum: Option<u32>,
}

struct Coder {
    method: Vec<u8>,
    inputs: u64,
    properties: Vec<u8>,
}

/// Reads the directory of an archive; an empty archive has none.
fn directory(archive: &[u8], budget: &Budget) -> io::Result<Option<Directory>> {
    let long = |at: usize| Some(u64::from_le_bytes(archive.get(at..at + 8)?.try_into().ok()?));
    let (Some(offset), Some(size)) = (long(12), long(20)) else { return Err(cut_off()) };
    if size == 0 {
        return Ok(None);
    }
    let written = slice(archive, (START as u64).saturating_add(offset), size).ok_or_else(cut_off)?;
    if Some(crc(written).to_le_bytes().as_slice()) != archive.get(28..32) {
        return Err(no_directory());
    }
    let mut header = written.to_vec();
    // What is compressed may be so more than once; nobody does that often.
    for _ in 0..4 {
        let mut bytes = Bytes(&header);
        match bytes.byte() {
            Some(1) => return bytes.directory().map(Some).ok_or_else(no_directory),
            Some(0x17) => {
                let streams = bytes.streams().ok_or_else(no_directory)?;
                let folder = streams.folders.first().ok_or_else(no_directory)?;
                let size =
                    folder.size().filter(|&size| size <= LARGEST_DIRECTORY).ok_or_else(no_directory)?;
                let (content, _memory) = decoder(archive, &streams, folder, budget).map_err(wrong)?;
                let mut next = Vec::new();
                let read = content.take(size).read_to_end(&mut next);
                read.map_err(|error| wrong(reason_of(&error)))?;
                if folder.checksum.is_some_and(|checksum| checksum != crc(&next)) {
                    return Err(no_directory());
                }
                header = next;
            }
            _ => return Err(no_directory()),
        }
    }
    Err(no_directory())
}

fn slice(bytes: &[u8], start: u64, length: u64) -> Option<&[u8]> {
    let (start, end) = (usize::try_from(start).ok()?, usize::try_from(start.checked_add(length)?).ok()?);
    bytes.get(start..end)
}

/// The bytes of a directory that are not yet read.
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn byte(&mut self) -> Option<u8> {
        self.0.split_off_first().copied()
    }

    fn bytes(&mut self, count: u64) -> Option<&'b [u8]> {
        self.0.split_off(..usize::try_from(count).ok()?)
    }

    /// A number: the ones at the start of the first byte say how many bytes follow.
    fn number(&mut self) -> Option<u64> {
        let first = self.byte()?;
        let more = first.leading_ones();
        let mut low = [0; 8];
        low[..more as usize].copy_from_slice(self.bytes(more.into())?);
        let high = if more >= 7 { 0 } else { u64::from(first & (0x7f >> more)) << (8 * more) };
        Some(u64::from_le_bytes(low) | high)
    }

    /// A number of things, which is no larger than can be.
    fn count(&mut self) -> Option<u64> {
        self.number().filter(|&count| count <= MOST)
    }

    fn numbers(&mut self, count: u64) -> Option<Vec<u64>> {
        (0..count).map(|_| self.number()).collect()
    }

    /// A bit for each of so many things.
    fn bits(&mut self, count: u64) -> Option<Vec<bool>> {
        let bytes = self.bytes(count.div_ceil(8))?;
        let bit = |at: u64| bytes[(at / 8) as usize] & 0x80 >> (at % 8) != 0;
        Some((0..count).map(bit).collect())
    }

    /// The checksums of those of so many things that have one.
    fn checksums(&mut self, count: u64) -> Option<Vec<Option<u32>>> {
        let are_there = if self.byte()? != 0 { vec![true; count as usize] } else { self.bits(count)? };
        let mut checksum = || Some(u32::from_le_bytes(self.bytes(4)?.try_into().ok()?));
        are_there
            .into_iter()
            .map(|is_there| if is_there { checksum().map(Some) } else { Some(None) })
            .collect()
    }

    fn streams(&mut self) -> Option<Streams> {
        let mut streams = Streams::default();
        loop {
            match self.byte()? {
                0 => break,
                6 => streams.packed = self.packed()?,
                7 => streams.folders = self.folders()?,
                8 => self.parts(&mut streams.folders)?,
                _ => return None,
            }
        }
        let mut first = 0;
        for folder in &mut streams.folders {
            folder.first_packed = first;
            first += folder.packed_inputs.len();
            if folder.parts.is_empty() && folder.is_undivided {
                folder.parts.push(Size { size: folder.size()?, checksum: folder.checksum });
            }
        }
        Some(streams)
    }

    /// Where the packed streams lie.
    fn packed(&mut self) -> Option<Vec<(u64, u64)>> {
        let mut start = self.number()?.checked_add(START as u64)?;
        let count = self.count()?;
        let mut packed = Vec::new();
        loop {
            match self.byte()? {
                0 => return Some(packed),
                9 => {
                    for size in self.numbers(count)? {
                        packed.push((start, size));
                        start = start.checked_add(size)?;
                    }
                }
                10 => drop(self.checksums(count)?),
                _ => return None,
            }
        }
    }

    fn folders(&mut self) -> Option<Vec<Folder>> {
        let (11, count, 0) = (self.byte()?, self.count()?, self.byte()?) else { return None };
        let mut folders: Vec<Folder> = (0..count).map(|_| self.folder()).collect::<Option<_>>()?;
        loop {
            match self.byte()? {
                0 => return Some(folders),
                12 => {
                    for folder in &mut folders {
                        folder.sizes = self.numbers(folder.coders.len() as u64)?;
                    }
                }
                10 => {
                    let checksums = self.checksums(count)?;
                    folders.iter_mut().zip(checksums).for_each(|(folder, sum)| folder.checksum = sum);
                }
                _ => return None,
            }
        }
    }

    fn folder(&mut self) -> Option<Folder> {
        const MOST_CODERS: u64 = 32;
        let count = self.number().filter(|count| (1..=MOST_CODERS).contains(count))?;
        let mut coders = Vec::new();
        for _ in 0..count {
            let flags = self.byte()?;
            let method = self.bytes(u64::from(flags & 0x0f))?.to_vec();
            let (inputs, outputs) = if flags & 0x10 != 0 { (self.number()?, self.number()?) } else { (1, 1) };
            let length = if flags & 0x20 != 0 { self.number()? } else { 0 };
            let properties = self.bytes(length)?.to_vec();
            if outputs != 1 || inputs > MOST_CODERS || flags & 0xc0 != 0 {
                return None;
            }
            coders.push(Coder { method, inputs, properties });
        }
        let inputs: u64 = coders.iter().map(|coder| coder.inputs).sum();
        let bound: Vec<(u64, u64)> =
            (1..count).map(|_| Some((self.number()?, self.number()?))).collect::<Option<_>>()?;
        // Each output goes into one input, or coders would multiply.
        let outputs: BTreeSet<u64> = bound.iter().map(|(_, from)| *from).collect();
        if outputs.len() != bound.len() {
            return None;
        }
        let packed_inputs = match inputs.checked_sub(count - 1)? {
            1 => vec![(0..inputs).find(|input| bound.iter().all(|(to, _)| to != input))?],
            packed => self.numbers(packed)?,
        };
        let (sizes, parts) = (Vec::new(), Vec::new());
        Some(Folder {
            coders,
            bound,
            packed_inputs,
            first_packed: 0,
            sizes,
            checksum: None,
            is_undivided: true,
            parts,
        })
    }

    /// How the folders are divided into files.
    fn parts(&mut self, folders: &mut [Folder]) -> Option<()> {
        let mut counts = vec![1; folders.len()];
        let mut kind = self.byte()?;
        if kind == 13 {
            for count in &mut counts {
                *count = self.count()?;
            }
            kind = self.byte()?;
        }
        if counts.iter().sum::<u64>() > MOST {
            return None;
        }
        for (folder, &count) in folders.iter_mut().zip(&counts) {
            let mut left = folder.size()?;
            for at in 0..count {
                let size = match kind {
                    _ if at + 1 == count => left,
                    9 => self.number()?,
                    _ => return None,
                };
                left = left.checked_sub(size)?;
                folder.parts.push(Size { size, checksum: None });
            }
            folder.is_undivided = false;
            if let (1, [part]) = (count, &mut folder.parts[..]) {
                part.checksum = folder.checksum;
            }
        }
        if kind == 9 {
            kind = self.byte()?;
        }
        loop {
            match kind {
                0 => return Some(()),
                10 => {
                    let parts = folders.iter_mut().flat_map(|folder| &mut folder.parts);
                    let mut parts: Vec<&mut Size> = parts.filter(|part| part.checksum.is_none()).collect();
                    let checksums = self.checksums(parts.len() as u64)?;
                    parts.iter_mut().zip(checksums).for_each(|(part, sum)| part.checksum = sum);
                }
                _ => return None,
            }
            kind = self.byte()?;
        }
    }

    fn directory(&mut self) -> Option<Directory> {
        let mut streams = Streams::default();
        let mut names = Vec::new();
        loop {
            match self.byte()? {
                0 => return Some(Directory { streams, names }),
                // Properties of the archive, which nobody writes.
                2 => {
                    while self.byte()? != 0 {
                        let size = self.number()?;
                        self.bytes(size)?;
                    }
                }
                3 => drop(self.streams()?),
                4 => streams = self.streams()?,
                5 => names = self.names()?,
                _ => return None,
            }
        }
    }

    /// The names of the files that have content.
    fn names(&mut self) -> Option<Vec<Vec<u8>>> {
        let count = self.count()?;
        let (mut names, mut are_empty) = (Vec::new(), Vec::new());
        loop {
            let kind = self.byte()?;
            if kind == 0 {
                break;
            }
            let size = self.number()?;
            let mut field = Bytes(self.bytes(size)?);
            match kind {
                14 => are_empty = field.bits(count)?,
                17 if field.byte()? == 0 => {
                    let units: Vec<u16> =
                        field.0.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
                    names = units.split(|&unit| unit == 0).map(String::from_utf16_lossy).collect();
                }
                _ => {}
            }
        }
        names.resize(count as usize, String::new());
        let is_empty = |at: usize| are_empty.get(at).copied().unwrap_or(false);
        let full = names.into_iter().enumerate().filter(|(at, _)| !is_empty(*at));
        Some(full.map(|(_, name)| name.into_bytes()).collect())
    }
}

impl Folder {
    /// The coder whose output goes into no other one.
    fn last(&self) -> Option<usize> {
        (0..self.coders.len()).find(|&coder| self.bound.iter().all(|&(_, from)| from != coder as u64))
    }

    fn size(&self) -> Option<u64> {
        self.sizes.get(self.last()?).copied()
    }
}

/// A decoder of all of a folder, with its memory.
fn decoder<'a>(
    archive: &'a [u8],
    streams: &Streams,
    folder: &Folder,
    budget: &'a Budget,
) -> Result<(Box<dyn Read + 'a>, Option<Memory<'a>>), Reason> {
    let wrong = || Reason::Damaged("its directory is wrong".to_owned());
    let sizes = folder.coders.iter().zip(&folder.sizes);
    let memory = budget.reserve(sizes.map(|(coder, &size)| coder.dictionary(size)).sum())?;
    let chain = Chain { archive, streams, folder };
    let content = chain.output(folder.last().ok_or_else(wrong)?, 0).ok_or_else(wrong)??;
    Ok((content, memory))
}

impl Coder {
    /// How much it asks to remember, at most what it decodes.
    fn dictionary(&self, size: u64) -> u64 {
        let asked = match (&self.method[..], &self.properties[..]) {
            ([3, 1, 1], [_, a, b, c, d]) => u32::from_le_bytes([*a, *b, *c, *d]).into(),
            ([0x21], [code]) if *code < 40 => (2 | u64::from(code & 1)) << (code / 2 + 11),
            ([0x21], _) => u64::from(u32::MAX),
            _ => 0,
        };
        asked.min(size.max(4096))
    }
}

/// The coders of a folder.
struct Chain<'a, 'c> {
    archive: &'a [u8],
    streams: &'c Streams,
    folder: &'c Folder,
}

impl<'a> Chain<'a, '_> {
    /// What a coder gives; nothing if the directory is wrong.
    fn output(&self, number: usize, depth: usize) -> Option<Result<Box<dyn Read + 'a>, Reason>> {
        let Folder { coders, sizes, .. } = self.folder;
        // A circle has no end.
        let coder = coders.get(number).filter(|_| depth <= coders.len())?;
        let size = *sizes.get(number)?;
        let first: u64 = coders[..number].iter().map(|coder| coder.inputs).sum();
        let mut inputs = Vec::new();
        for input in first..first + coder.inputs {
            match self.input(input, depth)? {
                Ok(content) => inputs.push(content),
                Err(reason) => return Some(Err(reason)),
            }
        }
        let dictionary = u32::try_from(coder.dictionary(size)).ok()?;
        if let [3, 3, 1, 0x1b] = coder.method[..] {
            return (inputs.len() == 4)
                .then(|| Ok(Box::new(Bcj2Reader::new(inputs, size)) as Box<dyn Read + 'a>));
        }
        let input = inputs.pop().filter(|_| coder.inputs == 1)?;
        let failed = |error: io::Error| reason_of(&error);
        Some(Ok(match (&coder.method[..], &coder.properties[..]) {
            ([0], _) => Box::new(input.take(size)),
            ([3, 1, 1], [properties, ..]) => {
                match LzmaReader::new_with_props(input, size, *properties, dictionary, None) {
                    Ok(content) => Box::new(content),
                    Err(error) => return Some(Err(failed(error))),
                }
            }
            ([0x21], [_]) => Box::new(Lzma2Reader::new(input, dictionary, None).take(size)),
            ([4, 1, 8], _) => Box::new(DeflateDecoder::new(BufReader::new(input)).take(size)),
            ([4, 1, 9], _) => Box::new(deflate64::Deflate64Decoder::new(input).take(size)),
            ([4, 2, 2], _) => Box::new(MultiBzDecoder::new(BufReader::new(input)).take(size)),
            ([3], [distance]) => Box::new(DeltaReader::new(input, usize::from(*distance) + 1)),
            ([3, 3, 1, 3] | [4], _) => Box::new(BcjReader::new_x86(input, 0)),
            ([3, 3, 2, 5] | [5], _) => Box::new(BcjReader::new_ppc(input, 0)),
            ([3, 3, 5, 1] | [7], _) => Box::new(BcjReader::new_arm(input, 0)),
            ([3, 3, 7, 1] | [8], _) => Box::new(BcjReader::new_arm_thumb(input, 0)),
            ([0xa], []) => Box::new(BcjReader::new_arm64(input, 0)),
            ([6, 0xf1, 7, 1], _) => return Some(Err(Reason::Encrypted)),
            (method, _) => {
                let method: String = method.iter().map(|byte| format!("{byte:02x}")).collect();
                return Some(Err(Reason::Unsupported(format!("the compression method {method} of 7z"))));
            }
        }))
    }

    /// What goes into a coder: what another one gives, or a packed stream.
    fn input(&self, input: u64, depth: usize) -> Option<Result<Box<dyn Read + 'a>, Reason>> {
        if let Some((_, from)) = self.folder.bound.iter().find(|(to, _)| *to == input) {
            return self.output(usize::try_from(*from).ok()?, depth + 1);
        }
        let at = self.folder.packed_inputs.iter().position(|packed| *packed == input)?;
        let (start, length) = *self.streams.packed.get(self.folder.first_packed + at)?;
        Some(match slice(self.archive, start, length) {
            Some(bytes) => Ok(Box::new(bytes)),
            None => Err(Reason::Damaged("it is cut off".to_owned())),
        })
    }
}
