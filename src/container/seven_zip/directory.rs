//! Parses the directory of a 7z archive: blocks, coders, and the names and sizes of files.
//!
//! A directory is a sequence of properties. Each begins with an id of one byte; [`END`] ends a group of them. The names
//! of the ids are those of `7zFormat.txt`. All functions return `None` for a directory that makes no sense. Counts are
//! limited before memory is allocated for them.

use crate::input::Reason;
use std::collections::BTreeSet;

/// The length of the first header: signature, version, and the position, size and checksum of the directory.
pub(super) const START_HEADER_BYTES: usize = 32;

const END: u8 = 0;
pub(super) const HEADER: u8 = 1;
const ARCHIVE_PROPERTIES: u8 = 2;
const ADDITIONAL_STREAMS_INFO: u8 = 3;
const MAIN_STREAMS_INFO: u8 = 4;
const FILES_INFO: u8 = 5;
const PACK_INFO: u8 = 6;
const UNPACK_INFO: u8 = 7;
const SUBSTREAMS_INFO: u8 = 8;
const SIZE: u8 = 9;
const CRC: u8 = 10;
const FOLDER: u8 = 11;
const CODERS_UNPACK_SIZE: u8 = 12;
const NUM_UNPACK_STREAM: u8 = 13;
const EMPTY_STREAM: u8 = 14;
const NAMES: u8 = 17;
pub(super) const ENCODED_HEADER: u8 = 23;

/// The most files, blocks or streams that a directory may list.
const MAX_COUNT: u64 = 1 << 20;

/// The most coders that a block may have. Real blocks have one to five.
const MAX_CODERS: u64 = 32;

/// What a directory describes.
pub(super) struct Directory {
    pub(super) streams: Streams,
    /// The names of the files that have content, in the order of their content.
    pub(super) names: Vec<Vec<u8>>,
}

/// The packed streams of an archive and the blocks that are decoded from them.
#[derive(Default)]
pub(super) struct Streams {
    pub(super) packed: Vec<PackedStream>,
    pub(super) blocks: Vec<SolidBlock>,
}

/// Compressed bytes in the archive.
pub(super) struct PackedStream {
    /// Offset from the start of the archive.
    pub(super) start: u64,
    pub(super) len: u64,
}

/// One stream of files, and the coders that decode it.
///
/// The inputs of all coders have one numbering, in the order of the coders. Each input reads a packed stream or the output
/// of another coder. Each coder has one output, so an output has the number of its coder.
pub(super) struct SolidBlock {
    pub(super) coders: Vec<Coder>,
    pub(super) bindings: Vec<Binding>,
    /// The inputs that read packed streams, in the order of these streams.
    pub(super) packed_inputs: Vec<u64>,
    /// The index in [`Streams::packed`] of the block's first packed stream.
    pub(super) first_packed: usize,
    /// How many bytes each coder produces.
    pub(super) output_sizes: Vec<u64>,
    pub(super) checksum: Option<u32>,
    /// Whether the directory does not divide the block into files: then it is one file.
    is_undivided: bool,
    pub(super) files: Vec<FileExtent>,
}

/// An input of a coder that reads the output of another coder.
pub(super) struct Binding {
    pub(super) input: u64,
    pub(super) output: u64,
}

/// The size and checksum of one file of a block.
pub(super) struct FileExtent {
    pub(super) size: u64,
    pub(super) checksum: Option<u32>,
}

/// One step of decoding, such as LZMA or a filter for machine code.
pub(super) struct Coder {
    /// The id of the method.
    pub(super) method: Vec<u8>,
    pub(super) input_count: u64,
    pub(super) properties: Vec<u8>,
}

impl SolidBlock {
    /// The coder whose output is the content of the block: no other coder reads it.
    pub(super) fn last_coder(&self) -> Option<usize> {
        let is_read = |coder: usize| self.bindings.iter().any(|binding| binding.output == coder as u64);
        (0..self.coders.len()).find(|&coder| !is_read(coder))
    }

    /// The bytes of all files of the block.
    pub(super) fn size(&self) -> Option<u64> {
        self.output_sizes.get(self.last_coder()?).copied()
    }
}

/// The `len` bytes from `start` on. `None` if `bytes` end before.
pub(super) fn slice_at(bytes: &[u8], start: u64, len: u64) -> Option<&[u8]> {
    let start = usize::try_from(start).ok()?;
    let end = start.checked_add(usize::try_from(len).ok()?)?;
    bytes.get(start..end)
}

/// The reason to report for a directory that makes no sense.
pub(super) fn invalid_directory() -> Reason {
    Reason::Damaged("its directory is invalid".to_owned())
}

/// Parses the bytes of a directory from front to back.
pub(super) struct DirectoryParser<'b> {
    rest: &'b [u8],
}

impl<'b> DirectoryParser<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> DirectoryParser<'b> {
        DirectoryParser { rest: bytes }
    }

    fn byte(&mut self) -> Option<u8> {
        self.rest.split_off_first().copied()
    }

    fn bytes(&mut self, count: u64) -> Option<&'b [u8]> {
        self.rest.split_off(..usize::try_from(count).ok()?)
    }

    /// A number of variable length. The leading one bits of the first byte count the bytes that follow, the lowest first.
    /// The other bits of the first byte are the highest of the number: `0x81 0x02` is 1 << 8 | 2 = 258.
    fn number(&mut self) -> Option<u64> {
        let first = self.byte()?;
        let extra_bytes = first.leading_ones();
        let mut low = [0; 8];
        low[..extra_bytes as usize].copy_from_slice(self.bytes(extra_bytes.into())?);
        let high =
            if extra_bytes >= 7 { 0 } else { u64::from(first & (0x7f >> extra_bytes)) << (8 * extra_bytes) };
        Some(u64::from_le_bytes(low) | high)
    }

    /// The number of files, blocks or streams, at most [`MAX_COUNT`].
    fn count(&mut self) -> Option<u64> {
        self.number().filter(|&count| count <= MAX_COUNT)
    }

    fn numbers(&mut self, count: u64) -> Option<Vec<u64>> {
        (0..count).map(|_| self.number()).collect()
    }

    /// `count` bits, the highest of each byte first.
    fn bits(&mut self, count: u64) -> Option<Vec<bool>> {
        let bytes = self.bytes(count.div_ceil(8))?;
        let bit = |at: u64| bytes[(at / 8) as usize] & 0x80 >> (at % 8) != 0;
        Some((0..count).map(bit).collect())
    }

    /// The checksums of `count` streams. A stream may have none.
    fn checksums(&mut self, count: u64) -> Option<Vec<Option<u32>>> {
        let are_all_defined = self.byte()? != 0;
        let is_defined = if are_all_defined { vec![true; count as usize] } else { self.bits(count)? };
        let mut checksums = Vec::with_capacity(is_defined.len());
        for is_defined in is_defined {
            let checksum = if is_defined { Some(self.bytes(4)?.try_into().ok()?) } else { None };
            checksums.push(checksum.map(u32::from_le_bytes));
        }
        Some(checksums)
    }

    /// Parses a whole directory, without the id before it.
    pub(super) fn directory(&mut self) -> Option<Directory> {
        let mut streams = Streams::default();
        let mut names = Vec::new();
        loop {
            match self.byte()? {
                END => return Some(Directory { streams, names }),
                ARCHIVE_PROPERTIES => self.skip_archive_properties()?,
                ADDITIONAL_STREAMS_INFO => drop(self.streams()?),
                MAIN_STREAMS_INFO => streams = self.streams()?,
                FILES_INFO => names = self.file_names()?,
                _ => return None,
            }
        }
    }

    fn skip_archive_properties(&mut self) -> Option<()> {
        while self.byte()? != END {
            let size = self.number()?;
            self.bytes(size)?;
        }
        Some(())
    }

    /// Parses the packed streams, the blocks and how these are divided into files.
    pub(super) fn streams(&mut self) -> Option<Streams> {
        let mut streams = Streams::default();
        loop {
            match self.byte()? {
                END => break,
                PACK_INFO => streams.packed = self.packed_streams()?,
                UNPACK_INFO => streams.blocks = self.blocks()?,
                SUBSTREAMS_INFO => self.divide_into_files(&mut streams.blocks)?,
                _ => return None,
            }
        }
        let mut first_packed = 0;
        for block in &mut streams.blocks {
            block.first_packed = first_packed;
            first_packed += block.packed_inputs.len();
            if block.files.is_empty() && block.is_undivided {
                block.files.push(FileExtent { size: block.size()?, checksum: block.checksum });
            }
        }
        Some(streams)
    }

    /// Parses the positions of the packed streams. They follow one another.
    fn packed_streams(&mut self) -> Option<Vec<PackedStream>> {
        let mut start = self.number()?.checked_add(START_HEADER_BYTES as u64)?;
        let count = self.count()?;
        let mut packed = Vec::new();
        loop {
            match self.byte()? {
                END => return Some(packed),
                SIZE => {
                    for len in self.numbers(count)? {
                        packed.push(PackedStream { start, len });
                        start = start.checked_add(len)?;
                    }
                }
                // The files have checksums of their own.
                CRC => drop(self.checksums(count)?),
                _ => return None,
            }
        }
    }

    /// Parses the coders, sizes and checksums of all blocks.
    fn blocks(&mut self) -> Option<Vec<SolidBlock>> {
        const NOT_EXTERNAL: u8 = 0;
        let (FOLDER, count, NOT_EXTERNAL) = (self.byte()?, self.count()?, self.byte()?) else { return None };
        let mut blocks = (0..count).map(|_| self.block()).collect::<Option<Vec<SolidBlock>>>()?;
        loop {
            match self.byte()? {
                END => return Some(blocks),
                CODERS_UNPACK_SIZE => {
                    for block in &mut blocks {
                        block.output_sizes = self.numbers(block.coders.len() as u64)?;
                    }
                }
                CRC => {
                    for (block, checksum) in blocks.iter_mut().zip(self.checksums(count)?) {
                        block.checksum = checksum;
                    }
                }
                _ => return None,
            }
        }
    }

    /// Parses the coders of one block and how they are connected.
    fn block(&mut self) -> Option<SolidBlock> {
        let coder_count = self.number().filter(|count| (1..=MAX_CODERS).contains(count))?;
        let coders = (0..coder_count).map(|_| self.coder()).collect::<Option<Vec<Coder>>>()?;
        let input_count: u64 = coders.iter().map(|coder| coder.input_count).sum();
        // Every coder but the last is read by another one.
        let binding_count = coder_count - 1;
        let bindings = (0..binding_count).map(|_| self.binding()).collect::<Option<Vec<Binding>>>()?;
        // An output that two inputs read would have to be decoded twice, and so on for each coder before it.
        let outputs: BTreeSet<u64> = bindings.iter().map(|binding| binding.output).collect();
        if outputs.len() != bindings.len() {
            return None;
        }
        let packed_inputs = match input_count.checked_sub(binding_count)? {
            // A single packed input is not written: it is the only input without a binding.
            1 => {
                let is_bound = |input: u64| bindings.iter().any(|binding| binding.input == input);
                vec![(0..input_count).find(|&input| !is_bound(input))?]
            }
            packed_count => self.numbers(packed_count)?,
        };
        Some(SolidBlock {
            coders,
            bindings,
            packed_inputs,
            first_packed: 0,
            output_sizes: Vec::new(),
            checksum: None,
            is_undivided: true,
            files: Vec::new(),
        })
    }

    /// Parses one coder. `None` also for a coder with several outputs, which no known method has.
    fn coder(&mut self) -> Option<Coder> {
        const METHOD_LEN: u8 = 0x0f;
        const HAS_STREAM_COUNTS: u8 = 0x10;
        const HAS_PROPERTIES: u8 = 0x20;
        const RESERVED: u8 = 0xc0;
        let flags = self.byte()?;
        let method = self.bytes(u64::from(flags & METHOD_LEN))?.to_vec();
        let (mut input_count, mut output_count) = (1, 1);
        if flags & HAS_STREAM_COUNTS != 0 {
            input_count = self.number()?;
            output_count = self.number()?;
        }
        let properties_len = if flags & HAS_PROPERTIES != 0 { self.number()? } else { 0 };
        let properties = self.bytes(properties_len)?.to_vec();
        let is_supported = output_count == 1 && input_count <= MAX_CODERS && flags & RESERVED == 0;
        is_supported.then_some(Coder { method, input_count, properties })
    }

    fn binding(&mut self) -> Option<Binding> {
        Some(Binding { input: self.number()?, output: self.number()? })
    }

    /// Parses how each block is divided into files: their number, sizes and checksums.
    fn divide_into_files(&mut self, blocks: &mut [SolidBlock]) -> Option<()> {
        let mut file_counts = vec![1; blocks.len()];
        let mut id = self.byte()?;
        if id == NUM_UNPACK_STREAM {
            for file_count in &mut file_counts {
                *file_count = self.count()?;
            }
            id = self.byte()?;
        }
        if file_counts.iter().sum::<u64>() > MAX_COUNT {
            return None;
        }
        for (block, &file_count) in blocks.iter_mut().zip(&file_counts) {
            self.file_sizes(block, file_count, id == SIZE)?;
        }
        if id == SIZE {
            id = self.byte()?;
        }
        loop {
            match id {
                END => return Some(()),
                CRC => self.file_checksums(blocks)?,
                _ => return None,
            }
            id = self.byte()?;
        }
    }

    /// Adds `count` files to a block. The size of the last one is not written: it is the rest of the block.
    fn file_sizes(&mut self, block: &mut SolidBlock, count: u64, has_sizes: bool) -> Option<()> {
        let mut remaining_bytes = block.size()?;
        for at in 0..count {
            let is_last = at + 1 == count;
            let size = if is_last {
                remaining_bytes
            } else if has_sizes {
                self.number()?
            } else {
                return None;
            };
            remaining_bytes = remaining_bytes.checked_sub(size)?;
            block.files.push(FileExtent { size, checksum: None });
        }
        block.is_undivided = false;
        if let (1, [file]) = (count, &mut block.files[..]) {
            file.checksum = block.checksum;
        }
        Some(())
    }

    /// Parses the checksums of the files that have none yet. A file that is a whole block has the block's.
    fn file_checksums(&mut self, blocks: &mut [SolidBlock]) -> Option<()> {
        let files = blocks.iter_mut().flat_map(|block| &mut block.files);
        let files: Vec<&mut FileExtent> = files.filter(|file| file.checksum.is_none()).collect();
        let checksums = self.checksums(files.len() as u64)?;
        for (file, checksum) in files.into_iter().zip(checksums) {
            file.checksum = checksum;
        }
        Some(())
    }

    /// Parses the names of the files that have content. A file without a name has an empty one.
    fn file_names(&mut self) -> Option<Vec<Vec<u8>>> {
        let count = self.count()?;
        let (mut names, mut is_empty) = (Vec::new(), Vec::new());
        loop {
            let id = self.byte()?;
            if id == END {
                break;
            }
            let size = self.number()?;
            let mut property = DirectoryParser::new(self.bytes(size)?);
            match id {
                EMPTY_STREAM => is_empty = property.bits(count)?,
                NAMES => {
                    let is_external = property.byte()? != 0;
                    if !is_external {
                        names = utf16_strings(property.rest);
                    }
                }
                _ => {}
            }
        }
        names.resize(count as usize, String::new());
        is_empty.resize(names.len(), false);
        let mut with_content = Vec::new();
        for (name, is_empty) in names.into_iter().zip(is_empty) {
            if !is_empty {
                with_content.push(name.into_bytes());
            }
        }
        Some(with_content)
    }
}

/// The zero-terminated UTF-16LE strings in `bytes`.
fn utf16_strings(bytes: &[u8]) -> Vec<String> {
    let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    units.split(|&unit| unit == 0).map(String::from_utf16_lossy).collect()
}
