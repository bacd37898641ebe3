//! Shards: a scan that is too long for one machine is divided, and several machines scan one shard each.
//!
//! The hash of a path or of an object id decides in which shard it is. So the machines need not talk to each other.

use std::num::NonZeroU32;
use std::str::FromStr;

/// One shard of a scan. `2/5` is the second of five.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1 to `count`.
    number: u32,
    count: NonZeroU32,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let parse = || {
            let (number, count) = text.split_once('/')?;
            let (number, count) = (number.parse().ok()?, count.parse::<NonZeroU32>().ok()?);
            (1..=count.get()).contains(&number).then_some(Shard { number, count })
        };
        parse().ok_or_else(|| "write K/N, for example 1/4 for the first of four shards".to_owned())
    }
}

impl Shard {
    /// Whether the file or object with this name is in the shard. Each name is in exactly one of them.
    fn contains(self, name: &[u8]) -> bool {
        // FNV-1a (www.isthe.com/chongo/tech/comp/fnv). It gives the same hash on every machine and in every version.
        const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        let hash = name.iter().fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
        // The low bits of FNV mix badly, and the remainder of a power of two has only those.
        let mixed = hash ^ (hash >> 32);
        mixed % u64::from(self.count.get()) == u64::from(self.number - 1)
    }
}

/// Which part of a scan is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Share {
    /// All of it.
    #[default]
    All,
    /// This shard.
    Only(Shard),
    /// All other shards.
    AllBut(Shard),
}

impl Share {
    /// Whether the file or object with this name is read.
    pub(super) fn contains(self, name: &[u8]) -> bool {
        match self {
            Share::All => true,
            Share::Only(shard) => shard.contains(name),
            Share::AllBut(shard) => !shard.contains(name),
        }
    }

    /// Whether refs and other things that are not divided are read. They are in the first shard.
    pub(super) fn contains_undivided(self) -> bool {
        match self {
            Share::All => true,
            Share::Only(shard) => shard.number == 1,
            Share::AllBut(shard) => shard.number != 1,
        }
    }

    /// The part that is not read. `None` if all of it is read.
    pub(super) fn complement(self) -> Option<Share> {
        match self {
            Share::All => None,
            Share::Only(shard) => Some(Share::AllBut(shard)),
            Share::AllBut(shard) => Some(Share::Only(shard)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_number_and_count() {
        assert!(["1/1", "1/4", "4/4", "256/256"].iter().all(|text| text.parse::<Shard>().is_ok()));
        assert!(
            ["", "1", "0/4", "5/4", "1/0", "-1/2", "a/b", "1/2/3"]
                .iter()
                .all(|text| text.parse::<Shard>().is_err())
        );
    }

    #[test]
    fn each_name_is_in_one_shard_and_shards_are_even() {
        let shards: Vec<Shard> = (1..=5).map(|number| format!("{number}/5").parse().expect("good")).collect();
        let mut sizes = [0; 5];
        for number in 0..5000_u32 {
            let name = format!("src/file-{number}.rs");
            let with: Vec<usize> =
                (0..5).filter(|&index| Share::Only(shards[index]).contains(name.as_bytes())).collect();
            let without = (0..5).filter(|&index| !Share::AllBut(shards[index]).contains(name.as_bytes()));
            assert_eq!((with.len(), &without.collect::<Vec<_>>()), (1, &with));
            sizes[with[0]] += 1;
        }
        assert!(sizes.iter().all(|size| (800..1200).contains(size)), "{sizes:?}");
        assert_eq!(shards.iter().filter(|&&shard| Share::Only(shard).contains_undivided()).count(), 1);
    }
}
