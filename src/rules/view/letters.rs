//! The tables of folding: which characters cannot be seen, and which look like a Latin letter or digit.
//!
//! Facts from the Unicode Character Database and the confusables of UTS 39, narrowed to alphabets that are used to
//! imitate Latin. Case pairs of Cyrillic fold to one letter, so that folding does not tell cases apart.

use std::sync::LazyLock;

/// Characters without a visible shape of their own: joiners, direction controls, fillers, selectors, tags, controls.
pub(super) const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\0'..='\u{8}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}'
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffd}'
        | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Line breaks beyond CR and LF.
pub(super) const fn is_line_break(c: char) -> bool {
    matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Marks that decorate a letter without making another word of it, whatever the letter: diacritics of Latin, Greek and
/// Cyrillic, points of Hebrew and Arabic, enclosing marks. Vowel signs of other scripts are letters and stay.
pub(super) const fn is_diacritic(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}'..='\u{5c2}'
        | '\u{5c4}'..='\u{5c5}' | '\u{5c7}' | '\u{610}'..='\u{61a}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}'
        | '\u{6d6}'..='\u{6dc}' | '\u{6df}'..='\u{6e4}' | '\u{6e7}'..='\u{6e8}' | '\u{6ea}'..='\u{6ed}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20f0}' | '\u{2df0}'..='\u{2dff}'
        | '\u{a66f}'..='\u{a672}' | '\u{fe20}'..='\u{fe2f}')
}

/// The zeros of the decimal digits of scripts; NFKD knows those of mathematics and full width.
const ZEROS: [u32; 33] = [
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0, 0xf20,
    0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0,
    0xa900, 0xa9d0, 0xaa50,
];

const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
const SMALL: [&str; 26] = [
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w",
    "x", "y", "z",
];

/// The ASCII that a character beyond ASCII looks like or stands for.
pub(super) fn lookalike(c: char) -> Option<&'static str> {
    let code = c as u32;
    let row = usize::try_from(code).ok().and_then(|code| ROWS.get(code)).copied().unwrap_or_default();
    if let Some((_, plain)) = usize::from(row).checked_sub(1).and_then(|row| LETTERS.get(row)) {
        return Some(plain);
    }
    match code {
        // Letters in brackets, which NFKD takes apart with the brackets; negative circled and squared capitals, regional
        // indicators, which it does not.
        0x249c..=0x24b5 => nth(&SMALL, code - 0x249c),
        0x1f110..=0x1f129 => nth(&SMALL, code - 0x1f110),
        0x1f150..=0x1f169 => nth(&SMALL, code - 0x1f150),
        0x1f170..=0x1f189 => nth(&SMALL, code - 0x1f170),
        0x1f1e6..=0x1f1ff => nth(&SMALL, code - 0x1f1e6),
        0x600..=0xabff => {
            let zero = ZEROS.get(ZEROS.partition_point(|zero| *zero <= code).checked_sub(1)?)?;
            nth(&DIGITS, code - zero)
        }
        _ => None,
    }
}

fn nth(list: &[&'static str], index: u32) -> Option<&'static str> {
    list.get(usize::try_from(index).ok()?).copied()
}

/// The row of [`LETTERS`] of each character, counted from one; 0 for none.
static ROWS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut rows = vec![0; 0xac00];
    for ((shapes, _), number) in LETTERS.iter().zip(1..) {
        for shape in shapes.chars() {
            if let Some(row) = rows.get_mut(shape as usize) {
                *row = number;
            }
        }
    }
    rows
});

/// Shapes and what they look like. Both cases of a Cyrillic letter stand together; Greek goes by shape.
const LETTERS: &[(&str, &str)] = &[
    ("аАɑαΑᴀⱭꭺᎪꓮ", "a"),
    ("вВЬьΒβʙᏴꓐƀɓ", "b"),
    ("сСϲϹᴄⅽↄⲥᏟꓚ", "c"),
    ("ԁԀđɖɗᴅᎠꓓð", "d"),
    ("еЕєЄҽҼεΕᴇεᎬꓰǝəɛ", "e"),
    ("ƒꜰϝϜꓝ", "f"),
    ("ɡɢԍԌɠᏀꓖ", "g"),
    ("нНһҺΗʜħᎻꓧհ", "h"),
    ("іІӏӀιΙıɩɪℹᎥꓲ", "i"),
    ("јЈϳᴊᎫꓙȷ", "j"),
    ("кКκΚᴋᏦꓗĸқҚ", "k"),
    ("ʟłᏞꓡɫ", "l"),
    ("мМΜμᴍᎷꓟ", "m"),
    ("ΝηɴꓠпПոռɲŋ", "n"),
    ("оОοΟσΣςᴏøօՕⲟꓳөӨ", "o"),
    ("рРρΡᴘᏢꓑ", "p"),
    ("ԛԚɋ", "q"),
    ("ʀгГꓣᎡᏒɾ", "r"),
    ("ѕЅꜱᏚꓢ", "s"),
    ("тТτΤᴛŧᎢꓔ", "t"),
    ("υᴜꓴսՍʋ", "u"),
    ("νᴠѵѴᏙꓦ", "v"),
    ("ѡѠԝԜωΩɯᴡᎳꓪ", "w"),
    ("хХχΧⅹꓫ", "x"),
    ("уУүҮΥγʏꓬ", "y"),
    ("ΖᴢᏃꓜƶ", "z"),
    ("æÆ", "ae"),
    ("œŒ", "oe"),
    ("ßẞ", "ss"),
    ("‘’‚‛′ʹʼˈ", "'"),
    ("“”„‟″", "\""),
    ("‐‑‒–—―−⁃", "-"),
    ("⁄∕⧸", "/"),
    ("。․", "."),
    ("∶꞉", ":"),
    ("∗⁎", "*"),
];
