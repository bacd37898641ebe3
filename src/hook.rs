//! A hook: the script by which git asks this program. Text only; who writes it where is not known here.
//!
//! A script is a file of its own, or a block in a script that belongs to somebody else. Both carry a checksum of
//! themselves, so that what a person has changed is told from what an older version has written.

use std::ops::Range;

/// A moment at which git asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    /// Before a commit is made.
    PreCommit,
    /// Before a push is sent.
    PrePush,
    /// When the message of a commit is written.
    CommitMsg,
}

/// Whose a text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Not ours, or there is nothing of ours in it.
    Other,
    /// Ours as it was written, at this place of the text.
    Ours(Range<usize>),
    /// Ours, and changed since.
    Edited,
}

/// What a hook is called that was there before ours: the name with this behind it.
pub const BEFORE: &str = ".before-sf-scan";

/// A file that holds nothing but this was made for our block.
const SHEBANG: &[u8] = b"#!/bin/sh\n";

const SCRIPT: &str = "# sf-scan hook, checksum ";
const BLOCK: &str = "# sf-scan block, checksum ";
const BLOCK_END: &str = "# end of the sf-scan block\n";

/// Where the checksum goes; it is computed over a text that has this there.
const NO_SUM: &str = "0000000000000000";

impl Hook {
    /// All of them.
    pub const ALL: &[Hook] = &[Hook::PreCommit, Hook::PrePush, Hook::CommitMsg];

    /// The name that git has for it.
    pub fn name(self) -> &'static str {
        match self {
            Hook::PreCommit => "pre-commit",
            Hook::PrePush => "pre-push",
            Hook::CommitMsg => "commit-msg",
        }
    }

    /// What it is good for.
    pub fn about(self) -> &'static str {
        match self {
            Hook::PreCommit => "what a commit would bring in",
            Hook::PrePush => "what a push would publish",
            Hook::CommitMsg => "the message of a commit",
        }
    }

    /// The options of the check, for a shell.
    fn options(self) -> &'static str {
        match self {
            Hook::PreCommit => "--staged",
            Hook::PrePush => "--pre-push --remote=\"$1\"",
            Hook::CommitMsg => "--commit-msg \"$1\"",
        }
    }

    /// The whole hook. It asks `program`, or if that is gone the one on the path, then runs the hook that was there
    /// before. A check that cannot be made fails. Both get all of standard input, which only a push has.
    pub fn script(self, program: &[u8]) -> Vec<u8> {
        let (name, options) = (self.name(), self.options());
        let chain = match self {
            Hook::PrePush => format!(
                "lines=$(cat; echo .)\n\
                 printf %s \"${{lines%.}}\" | \"$program\" {options} || exit\n\
                 printf %s \"${{lines%.}}\" | \"$0{BEFORE}\" \"$@\"\n"
            ),
            _ => format!("\"$program\" {options} || exit\nexec \"$0{BEFORE}\" \"$@\"\n"),
        };
        let head = format!(
            "#!/bin/sh\n\
             {SCRIPT}{NO_SUM}. Installed by: sf-scan --install-hook {name}\n\
             # Undone by: sf-scan --uninstall-hook. What is changed here is left alone by both.\n\
             program="
        );
        let tail = format!(
            "\nif ! [ -f \"$program\" ] || ! [ -x \"$program\" ]; then\n\
             \x20   program=sf-scan\n\
             {}\
             fi\n\
             if ! [ -x \"$0{BEFORE}\" ]; then\n\
             \x20   exec \"$program\" {options}\n\
             fi\n\
             {chain}",
            self.missing("    ")
        );
        seal([head.as_bytes(), &quoted(program), tail.as_bytes()].concat(), SCRIPT)
    }

    /// The lines that fail where the program is not on the path.
    fn missing(self, indent: &str) -> String {
        let name = self.name();
        [
            "if ! command -v sf-scan >/dev/null 2>&1; then".to_owned(),
            format!("    echo 'sf-scan: the {name} hook cannot find the program sf-scan, so nothing was checked.' >&2"),
            format!("    echo 'Install it and run: sf-scan --install-hook {name}' >&2"),
            "    echo \"To do without it, remove its part of $0\" >&2".to_owned(),
            "    exit 2".to_owned(),
            "fi".to_owned(),
        ]
        .iter()
        .map(|line| format!("{indent}{line}\n"))
        .collect()
    }

    /// The block in the script of somebody else, which goes on after it with the same standard input. The script is
    /// shared, so no program of one machine is named.
    fn block(self) -> Vec<u8> {
        let (name, options) = (self.name(), self.options());
        let check = match self {
            Hook::PrePush => format!(
                "sf_scan_lines=$(cat)\n\
                 printf '%s\\n' \"$sf_scan_lines\" | sf-scan {options} || exit\n\
                 if [ -n \"$sf_scan_lines\" ]; then\n\
                 exec <<SF_SCAN_LINES\n$sf_scan_lines\nSF_SCAN_LINES\n\
                 fi\n"
            ),
            _ => format!("sf-scan {options} || exit\n"),
        };
        let text = format!(
            "{BLOCK}{NO_SUM}. Added by: sf-scan --install-hook {name}\n\
             # Removed by: sf-scan --uninstall-hook. What is changed here is left alone by both.\n\
             {}{check}{BLOCK_END}",
            self.missing("")
        );
        seal(text.into_bytes(), BLOCK)
    }

    /// The script of somebody else with our block in it: before all that it does, so that nothing takes standard input
    /// away; but husky up to 8 runs a script once more from the line on that loads `husky.sh`.
    pub fn with_block(self, text: &[u8]) -> Vec<u8> {
        let mut at = 0;
        let mut start = 0;
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let is_shebang = start == 0 && line.starts_with(b"#!");
            start += line.len();
            let is_loader = !line.trim_ascii_start().starts_with(b"#") && contains(line, b"/husky.sh");
            if is_shebang || is_loader {
                at = start;
            }
        }
        let text = if text.is_empty() { SHEBANG } else { text };
        let at = if text == SHEBANG { text.len() } else { at };
        let newline: &[u8] = if at > 0 && text[at - 1] != b'\n' { b"\n" } else { b"" };
        [&text[..at], newline, &self.block(), &text[at..]].concat()
    }
}

/// The text without the block at `place`; nothing if it was made for the block.
pub fn without_block(text: &[u8], place: Range<usize>) -> Option<Vec<u8>> {
    let rest = [&text[..place.start], &text[place.end..]].concat();
    (rest != SHEBANG && !rest.is_empty()).then_some(rest)
}

/// Whose hook this is.
pub fn owner_of_script(text: &[u8]) -> Owner {
    let Some(at) = line_start(text, SCRIPT) else { return Owner::Other };
    if is_sealed(text, at, SCRIPT) { Owner::Ours(0..text.len()) } else { Owner::Edited }
}

/// Whether there is a block of ours in this script of somebody else.
pub fn owner_of_block(text: &[u8]) -> Owner {
    let Some(start) = line_start(text, BLOCK) else { return Owner::Other };
    let end = line_start(&text[start..], BLOCK_END).map(|at| start + at + BLOCK_END.len());
    match end {
        Some(end) if is_sealed(&text[start..end], 0, BLOCK) => Owner::Ours(start..end),
        _ => Owner::Edited,
    }
}

/// Where the first line begins that begins with `words`.
fn line_start(text: &[u8], words: &str) -> Option<usize> {
    let mut start = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        if line.starts_with(words.as_bytes()) {
            return Some(start);
        }
        start += line.len();
    }
    None
}

/// Whether the checksum behind the `marker` at `at` is that of the text.
fn is_sealed(text: &[u8], at: usize, marker: &str) -> bool {
    let sum = at + marker.len()..at + marker.len() + NO_SUM.len();
    if sum.end > text.len() {
        return false;
    }
    let mut bare = text.to_vec();
    bare[sum].copy_from_slice(NO_SUM.as_bytes());
    seal(bare, marker) == text
}

/// Puts the checksum of a text into its place behind the `marker`. It tells changes, it does not guard against anybody.
fn seal(mut text: Vec<u8>, marker: &str) -> Vec<u8> {
    // FNV-1a.
    let sum = text
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    if let Some(at) = line_start(&text, marker) {
        let at = at + marker.len();
        text[at..at + NO_SUM.len()].copy_from_slice(format!("{sum:016x}").as_bytes());
    }
    text
}

/// A word for a shell.
fn quoted(text: &[u8]) -> Vec<u8> {
    let mut word = vec![b'\''];
    for &byte in text {
        match byte {
            b'\'' => word.extend(br"'\''"),
            byte => word.push(byte),
        }
    }
    word.push(b'\'');
    word
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_ours_until_it_is_changed() {
        for hook in Hook::ALL {
            let mut text = hook.script(b"/a b/it's/sf-scan");
            assert_eq!(owner_of_script(&text), Owner::Ours(0..text.len()));
            assert_eq!(owner_of_block(&text), Owner::Other);
            text.extend(b"# mine\n");
            assert_eq!(owner_of_script(&text), Owner::Edited);
        }
        assert_eq!(owner_of_script(b"#!/bin/sh\nexec make\n"), Owner::Other);
        assert_eq!(owner_of_script(format!("{SCRIPT}12").as_bytes()), Owner::Edited);
    }

    #[test]
    fn a_block_goes_in_and_comes_out() {
        let cases: &[(&[u8], usize)] = &[
            (b"npm test\n", 0),
            (b"npm test", 0),
            (b"#!/bin/sh\nnpm test\n", 10),
            (b"#!/bin/sh\n# x\n. \"$(dirname -- \"$0\")/_/husky.sh\"\n\nnpm test\n", 48),
            (b"\xFF\xFE\n", 0),
        ];
        for hook in Hook::ALL {
            for &(text, at) in cases {
                let with = hook.with_block(text);
                let Owner::Ours(place) = owner_of_block(&with) else { panic!("{with:?}") };
                assert_eq!(place.start, at, "{}", String::from_utf8_lossy(&with));
                assert_eq!(without_block(&with, place).as_deref(), Some(text));
            }
            let alone = hook.with_block(b"");
            let Owner::Ours(place) = owner_of_block(&alone) else { panic!("{alone:?}") };
            assert!(alone.starts_with(SHEBANG));
            assert_eq!(without_block(&alone, place), None);
        }
    }

    #[test]
    fn a_changed_block_is_not_ours_any_more() {
        let text = Hook::PreCommit.with_block(b"npm test\n");
        let text = String::from_utf8(text).expect("text").replace("--staged", "--history");
        assert_eq!(owner_of_block(text.as_bytes()), Owner::Edited);
        let cut = text.replace(BLOCK_END, "");
        assert_eq!(owner_of_block(cut.as_bytes()), Owner::Edited);
    }
}
