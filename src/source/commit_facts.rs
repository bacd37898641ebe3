//! The facts of a commit for people: who wrote it, when, and the first line of its message.

use crate::date::Time;
use crate::finding::Commit;
use crate::git::objects::object::{field, message, signature};
use crate::git::people::People;
use crate::input::ObjectId;
use crate::secret::mask_shapes;
use crate::text::printable;

/// The facts of a commit that can no longer be read: its id and when it was committed.
pub(super) fn unread_commit(people: &People, id: ObjectId, committed: Time) -> Commit {
    Commit { committed, authored: committed, ..commit(people, id, &[]) }
}

/// The facts of a commit or a tag, from its bytes. For a tag, the tagger counts as the author. What is missing is empty, or
/// `unknown` for a name.
pub(super) fn commit(people: &People, id: ObjectId, bytes: &[u8]) -> Commit {
    /// Longer names are cut.
    const MAX_NAME_CHARS: usize = 100;
    /// Longer subjects are cut.
    const MAX_SUBJECT_CHARS: usize = 120;
    let author = signature(field(bytes, b"author").or_else(|| field(bytes, b"tagger")).unwrap_or_default());
    let committer = field(bytes, b"committer").map_or(author, signature);
    let (name, email) = people.proper(author.name, author.email);
    let name = if name.is_empty() { b"unknown" } else { name };
    let mut lines = message(bytes).split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let subject = lines.find(|line| !line.is_empty()).unwrap_or_default();
    Commit {
        committed: committer.time,
        id,
        author: shown(name, MAX_NAME_CHARS),
        email: shown(email, MAX_NAME_CHARS),
        authored: author.time,
        subject: shown(subject, MAX_SUBJECT_CHARS),
    }
}

/// Text of a commit for people: printable, keys masked, and cut after `max_chars` characters.
fn shown(text: &[u8], max_chars: usize) -> String {
    /// Text is masked before it is cut, so that no part of a key is left. This is far more than a key has.
    const MAX_READ_BYTES: usize = 4096;
    let text = printable(&mask_shapes(&text[..text.len().min(MAX_READ_BYTES)]));
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_printable_masked_and_cut_text() {
        let people = People::parse(b"\xFF <a@b>\n");
        let id = ObjectId::new(&[1; 20]);
        let key = format!("api_{}", "Q7".repeat(16));
        let text = format!(
            "tree x\nauthor A <a@b> 10 +0100\ncommitter B <c@d> 20 +0000\n\n\n{key} \x1b {}\nmore\n",
            "é".repeat(200)
        );
        let shown = commit(&people, id, text.as_bytes());
        assert_eq!((shown.author.as_str(), shown.email.as_str()), ("\\xff", "a@b"));
        assert_eq!((shown.authored.seconds, shown.authored.offset, shown.committed.seconds), (10, 3600, 20));
        assert!(shown.subject.starts_with(&format!("api_Q7Q7{} \\x1b é", "*".repeat(28))), "{shown:?}");
        assert_eq!(shown.subject.chars().count(), 121);
        let empty = commit(&people, id, b"\xFF");
        assert_eq!(
            (empty.author.as_str(), empty.email.as_str(), empty.subject.as_str()),
            ("unknown", "", "")
        );
    }
}
