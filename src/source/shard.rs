//! Shards: a scan that is too long for one machine is cut into parts that several machines read.

use std::num::NonZeroU32;
use std::str::FromStr;

/// One of several parts of a scan: `2/5` is the second of five. Every file and object is in exactly one of them, which
/// depends on its name alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1 on.
    number: u32,
    of: NonZeroU32,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let parse = || {
            let (number, of) = text.split_once('/')?;
            let (number, of) = (number.parse().ok()?, of.parse::<NonZeroU32>().ok()?);
            (1..=of.get()).contains(&number).then_some(Shard { number, of })
        };
        parse().ok_or_else(|| "write K/N, for example 1/4 for the first of four shards".to_owned())
    }
}

impl Shard {
    fn has(self, name: &[u8]) -> bool {
        // FNV-1a (www.isthe.com/chongo/tech/comp/fnv), which gives the same on every machine.
        let hash = name.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        // Its low bits alone mix badly.
        let mixed = hash ^ (hash >> 32);
        mixed % u64::from(self.of.get()) == u64::from(self.number - 1)
    }
}

/// How much of a scan is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Share {
    /// All of it.
    #[default]
    All,
    /// A shard.
    Of(Shard),
    /// What a shard leaves to the others.
    Besides(Shard),
}

impl Share {
    /// Whether the file or object of this name is to be read.
    pub(super) fn has(self, name: &[u8]) -> bool {
        match self {
            Share::All => true,
            Share::Of(shard) => shard.has(name),
            Share::Besides(shard) => !shard.has(name),
        }
    }

    /// Whether what is not cut into parts is to be read: it is in the first.
    pub(super) fn has_whole(self) -> bool {
        match self {
            Share::All => true,
            Share::Of(shard) => shard.number == 1,
            Share::Besides(shard) => shard.number != 1,
        }
    }

    /// What is not read.
    pub(super) fn rest(self) -> Option<Share> {
        match self {
            Share::All => None,
            Share::Of(shard) => Some(Share::Besides(shard)),
            Share::Besides(shard) => Some(Share::Of(shard)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_written_as_a_part_of_a_number() {
        assert!(["1/1", "1/4", "4/4", "256/256"].iter().all(|text| text.parse::<Shard>().is_ok()));
        assert!(
            ["", "1", "0/4", "5/4", "1/0", "-1/2", "a/b", "1/2/3"]
                .iter()
                .all(|text| text.parse::<Shard>().is_err())
        );
    }

    #[test]
    fn each_name_is_in_one_shard_and_all_have_their_part() {
        let shards: Vec<Shard> = (1..=5).map(|number| format!("{number}/5").parse().expect("good")).collect();
        let mut sizes = [0; 5];
        for number in 0..5000_u32 {
            let name = format!("src/file-{number}.rs");
            let with: Vec<usize> = (0..5).filter(|&at| Share::Of(shards[at]).has(name.as_bytes())).collect();
            let without = (0..5).filter(|&at| !Share::Besides(shards[at]).has(name.as_bytes()));
            assert_eq!((with.len(), &without.collect::<Vec<_>>()), (1, &with));
            sizes[with[0]] += 1;
        }
        assert!(sizes.iter().all(|size| (800..1200).contains(size)), "{sizes:?}");
        assert_eq!((1..=5).filter(|&at| Share::Of(shards[at - 1]).has_whole()).count(), 1);
    }
}
