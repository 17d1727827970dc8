//! Images that Text Generation Inference reads out of the rendered prompt: `![](target)`, wherever they stand in it.
//!
//! Parts of one message are joined without anything between them, so a mark that is cut in pieces over neighbouring parts
//! counts as well. `![name](target)` is plain text to that server.
//!
//! Source: TGI `router/src/validation.rs` (`chunk_inputs`).

const MARK: &str = "![](";

/// What kinds of images a text brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Images {
    /// Some as `data:`.
    pub(super) inline: bool,
    /// Some the server would fetch, or of which only a piece can be seen here.
    pub(super) remote: bool,
}

/// The images in `text`.
pub(super) fn images(text: &str) -> Images {
    let inline = |target: &str| target.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
    let targets = || text.split(MARK).skip(1);
    Images { inline: targets().any(inline), remote: targets().any(|target| !inline(target)) || is_piece(text) }
}

/// Whether a mark may begin before this text, or end after it. `!` at the end and `(` at the beginning are too common to
/// count alone; one of the other pieces is then in this text or in a neighbour's.
fn is_piece(text: &str) -> bool {
    text.starts_with("[](") || text.starts_with("](") || text.ends_with("![]") || matches!(text, "[" | "]" | "[]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, inline: bool, remote: bool) {
        assert_eq!(images(text), Images { inline, remote }, "{text}");
    }

    #[test]
    fn images_are_told_by_their_targets() {
        check("a ![](https://example.com/a.png) b", false, true);
        check("![](DATA:image/png;base64,AAAA)", true, false);
        check("![](data:x)![](/etc/passwd)", true, true);
        check("![](", false, true);
        check("![logo](https://example.com/a.png)", false, false);
        check("[a](b) (c) wow!", false, false);
        check("", false, false);
    }

    #[test]
    fn a_mark_cut_anywhere_shows_in_one_of_its_pieces() {
        let text = "see ![](https://example.com) there";
        let at = text.find(MARK).unwrap();
        for first in at + 1..at + MARK.len() {
            for second in first..at + MARK.len() {
                let pieces = [&text[..first], &text[first..second], &text[second..]];
                assert!(pieces.iter().any(|piece| images(piece).remote), "{pieces:?}");
            }
        }
    }
}
