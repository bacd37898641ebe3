//! The texts of the git hooks that run this program. This module writes no files.
//!
//! A hook is a script of its own, or a block in a script of others. Both contain a checksum of their own text. It shows
//! whether a person has changed the text, or an older version of this program wrote it.

use std::ops::Range;

/// A git hook that this program can check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    /// Before a commit is made.
    PreCommit,
    /// Before a push is sent.
    PrePush,
    /// When the message of a commit is written.
    CommitMsg,
}

/// Who wrote a script or a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Others: the text has nothing of ours.
    Other,
    /// This program, and it is unchanged. The range is where it is in the text.
    Ours(Range<usize>),
    /// This program, but it was changed since.
    Edited,
}

/// The suffix for a hook that existed before ours. It is renamed to `pre-commit.before-sf-scan`, and our script runs it.
pub const RENAMED_SUFFIX: &str = ".before-sf-scan";

/// The first line of a script that was created for our block.
const SHEBANG: &[u8] = b"#!/bin/sh\n";

/// The beginning of the line with the checksum of a script.
const SCRIPT_MARKER: &str = "# sf-scan hook, checksum ";
/// The beginning of the first line of a block, which has its checksum.
const BLOCK_MARKER: &str = "# sf-scan block, checksum ";
const BLOCK_END: &str = "# end of the sf-scan block\n";

/// The placeholder for the checksum. The checksum is computed while this is in its place.
const CHECKSUM_PLACEHOLDER: &str = "0000000000000000";

impl Hook {
    /// All hooks.
    pub const ALL: &[Hook] = &[Hook::PreCommit, Hook::PrePush, Hook::CommitMsg];

    /// The name of the hook's file, such as `pre-commit`.
    pub fn name(self) -> &'static str {
        match self {
            Hook::PreCommit => "pre-commit",
            Hook::PrePush => "pre-push",
            Hook::CommitMsg => "commit-msg",
        }
    }

    /// What the hook checks, for messages: "it checks ...".
    pub fn about(self) -> &'static str {
        match self {
            Hook::PreCommit => "what a commit would bring in",
            Hook::PrePush => "what a push would publish",
            Hook::CommitMsg => "the message of a commit",
        }
    }

    /// The options with which the hook runs this program, quoted for a shell.
    fn options(self) -> &'static str {
        match self {
            Hook::PreCommit => "--staged",
            Hook::PrePush => "--pre-push --remote=\"$1\"",
            Hook::CommitMsg => "--commit-msg \"$1\"",
        }
    }

    /// The text of the hook as a script of its own. It runs `program`, or the program on the path if that file is gone. Then
    /// it runs the hook that existed before. If the program cannot be run, the hook fails.
    ///
    /// Only a pre-push hook has standard input. The script reads it once and passes all of it to both.
    pub fn script(self, program: &[u8]) -> Vec<u8> {
        let (name, options) = (self.name(), self.options());
        let run_both = match self {
            Hook::PrePush => format!(
                "lines=$(cat; echo .)\n\
                 printf %s \"${{lines%.}}\" | \"$program\" {options} || exit\n\
                 printf %s \"${{lines%.}}\" | \"$0{RENAMED_SUFFIX}\" \"$@\"\n"
            ),
            _ => format!("\"$program\" {options} || exit\nexec \"$0{RENAMED_SUFFIX}\" \"$@\"\n"),
        };
        let head = format!(
            "#!/bin/sh\n\
             {SCRIPT_MARKER}{CHECKSUM_PLACEHOLDER}. Installed by: sf-scan --install-hook {name}\n\
             # Undone by: sf-scan --uninstall-hook. What is changed here is left alone by both.\n\
             program="
        );
        let tail = format!(
            "\nif ! [ -f \"$program\" ] || ! [ -x \"$program\" ]; then\n\
             \x20   program=sf-scan\n\
             {}\
             fi\n\
             if ! [ -x \"$0{RENAMED_SUFFIX}\" ]; then\n\
             \x20   exec \"$program\" {options}\n\
             fi\n\
             {run_both}",
            self.program_check("    ")
        );
        with_checksum([head.as_bytes(), &shell_quoted(program), tail.as_bytes()].concat(), SCRIPT_MARKER)
    }

    /// Shell lines that exit with 2 if the program is not on the path.
    fn program_check(self, indent: &str) -> String {
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

    /// The block for a script of others. The script continues after it with the same standard input. Such scripts are
    /// committed, so the block has no path of this machine.
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
            "{BLOCK_MARKER}{CHECKSUM_PLACEHOLDER}. Added by: sf-scan --install-hook {name}\n\
             # Removed by: sf-scan --uninstall-hook. What is changed here is left alone by both.\n\
             {}{check}{BLOCK_END}",
            self.program_check("")
        );
        with_checksum(text.into_bytes(), BLOCK_MARKER)
    }

    /// The script of others with our block added. The block comes first, before a command can consume standard input. But
    /// it comes after the line that loads `husky.sh`: husky up to version 8 runs the whole script again from that line.
    pub fn with_block(self, text: &[u8]) -> Vec<u8> {
        let text = if text.is_empty() { SHEBANG } else { text };
        let mut at = 0;
        let mut line_end = 0;
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let is_shebang = line_end == 0 && line.starts_with(b"#!");
            let is_comment = line.trim_ascii_start().starts_with(b"#");
            let loads_husky = !is_comment && contains(line, b"/husky.sh");
            line_end += line.len();
            if is_shebang || loads_husky {
                at = line_end;
            }
        }
        let newline: &[u8] = if at > 0 && text[at - 1] != b'\n' { b"\n" } else { b"" };
        [&text[..at], newline, &self.block(), &text[at..]].concat()
    }
}

/// The text without the block at `block`. `None` if the script was created for the block, so that the file can be removed.
pub fn without_block(text: &[u8], block: Range<usize>) -> Option<Vec<u8>> {
    let remaining = [&text[..block.start], &text[block.end..]].concat();
    let has_other_commands = remaining != SHEBANG && !remaining.is_empty();
    has_other_commands.then_some(remaining)
}

/// Who wrote this hook.
pub fn owner_of_script(text: &[u8]) -> Owner {
    let Some(at) = line_start(text, SCRIPT_MARKER) else { return Owner::Other };
    if has_valid_checksum(text, at, SCRIPT_MARKER) { Owner::Ours(0..text.len()) } else { Owner::Edited }
}

/// Who wrote the block in this script. [`Owner::Other`] if it has no block.
pub fn owner_of_block(text: &[u8]) -> Owner {
    let Some(start) = line_start(text, BLOCK_MARKER) else { return Owner::Other };
    let end = line_start(&text[start..], BLOCK_END).map(|at| start + at + BLOCK_END.len());
    match end {
        Some(end) if has_valid_checksum(&text[start..end], 0, BLOCK_MARKER) => Owner::Ours(start..end),
        _ => Owner::Edited,
    }
}

/// The offset of the first line that begins with `prefix`.
fn line_start(text: &[u8], prefix: &str) -> Option<usize> {
    let mut start = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        if line.starts_with(prefix.as_bytes()) {
            return Some(start);
        }
        start += line.len();
    }
    None
}

/// Whether the text is unchanged: the checksum after the `marker`, which begins at `at`, is right.
fn has_valid_checksum(text: &[u8], at: usize, marker: &str) -> bool {
    let checksum = at + marker.len()..at + marker.len() + CHECKSUM_PLACEHOLDER.len();
    if checksum.end > text.len() {
        return false;
    }
    let mut with_placeholder = text.to_vec();
    with_placeholder[checksum].copy_from_slice(CHECKSUM_PLACEHOLDER.as_bytes());
    with_checksum(with_placeholder, marker) == text
}

/// Replaces the placeholder after the `marker` by the checksum of the text. The checksum detects edits. It is no protection
/// against an attacker.
fn with_checksum(mut text: Vec<u8>, marker: &str) -> Vec<u8> {
    let checksum = fnv1a(&text);
    if let Some(line) = line_start(&text, marker) {
        let at = line + marker.len();
        text[at..at + CHECKSUM_PLACEHOLDER.len()].copy_from_slice(format!("{checksum:016x}").as_bytes());
    }
    text
}

/// The 64-bit FNV-1a hash (draft-eastlake-fnv).
fn fnv1a(bytes: &[u8]) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let mut hash = OFFSET_BASIS;
    for &byte in bytes {
        hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    }
    hash
}

/// The text as one word of a shell script, in single quotes.
fn shell_quoted(text: &[u8]) -> Vec<u8> {
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
    fn detects_changed_script() {
        for hook in Hook::ALL {
            let mut text = hook.script(b"/a b/it's/sf-scan");
            assert_eq!(owner_of_script(&text), Owner::Ours(0..text.len()));
            assert_eq!(owner_of_block(&text), Owner::Other);
            text.extend(b"# mine\n");
            assert_eq!(owner_of_script(&text), Owner::Edited);
        }
        assert_eq!(owner_of_script(b"#!/bin/sh\nexec make\n"), Owner::Other);
        assert_eq!(owner_of_script(format!("{SCRIPT_MARKER}12").as_bytes()), Owner::Edited);
    }

    #[test]
    fn removes_block_that_it_added() {
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
                let Owner::Ours(block) = owner_of_block(&with) else { panic!("{with:?}") };
                assert_eq!(block.start, at, "{}", String::from_utf8_lossy(&with));
                assert_eq!(without_block(&with, block).as_deref(), Some(text));
            }
            let alone = hook.with_block(b"");
            let Owner::Ours(block) = owner_of_block(&alone) else { panic!("{alone:?}") };
            assert!(alone.starts_with(SHEBANG));
            assert_eq!(without_block(&alone, block), None);
        }
    }

    #[test]
    fn detects_changed_block() {
        let text = Hook::PreCommit.with_block(b"npm test\n");
        let text = String::from_utf8(text).expect("text").replace("--staged", "--history");
        assert_eq!(owner_of_block(text.as_bytes()), Owner::Edited);
        let cut = text.replace(BLOCK_END, "");
        assert_eq!(owner_of_block(cut.as_bytes()), Owner::Edited);
    }
}
