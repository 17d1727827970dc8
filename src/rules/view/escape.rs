//! Escapes inside running text: percent-encoding, HTML character references, `\u0041` and `\x41`.
//!
//! Words are often escaped in part, so a view holds the escapes of one neighbourhood together with the plain text
//! between and around them. Does not know which language an escape comes from.

use std::ops::Range;

use super::decode::{Before, DecodeBudget};
use super::map::Map;
use super::{View, ViewKind};

/// How far apart escapes may stand to share a view, and how much plain text around them belongs to it: a phrase.
const NEAR_BYTES: usize = 96;
/// Longest character reference with a name, without `&` and `;`.
const NAME_BYTES_MAX: usize = 8;

/// An escape: its place and what it stands for.
struct Escape {
    place: Range<usize>,
    said: char,
}

/// Adds the views of all kinds of escapes.
pub(super) fn views(text: &str, before: Option<&Before<'_>>, budget: &mut DecodeBudget, views: &mut Vec<View>) {
    let kinds: [(ViewKind, u8, Reader); 3] =
        [(ViewKind::Url, b'%', percent), (ViewKind::Html, b'&', reference), (ViewKind::Escape, b'\\', backslash)];
    if memchr::memchr3(b'%', b'&', b'\\', text.as_bytes()).is_none() {
        return;
    }
    for (kind, sign, read) in kinds {
        let mut near: Vec<Escape> = Vec::new();
        let mut from = 0;
        while let Some(at) = text.as_bytes().get(from..).and_then(|rest| memchr::memchr(sign, rest)).map(|i| from + i) {
            let Some(escape) = read(text, at) else {
                from = at + 1;
                continue;
            };
            from = escape.place.end;
            if near.last().is_some_and(|last| at - last.place.end > NEAR_BYTES) {
                view((kind, text, before), &near, budget, views);
                near.clear();
            }
            near.push(escape);
        }
        view((kind, text, before), &near, budget, views);
    }
}

type Reader = fn(&str, usize) -> Option<Escape>;

/// The view of one neighbourhood of escapes.
fn view(
    (kind, text, before): (ViewKind, &str, Option<&Before<'_>>),
    near: &[Escape],
    budget: &mut DecodeBudget,
    views: &mut Vec<View>,
) {
    let (Some(first), Some(last)) = (near.first(), near.last()) else { return };
    let start = text.floor_char_boundary(first.place.start.saturating_sub(NEAR_BYTES));
    let end = text.ceil_char_boundary(last.place.end.saturating_add(NEAR_BYTES).min(text.len()));
    if before.is_some_and(|before| before.holds(&(start..end))) {
        return;
    }
    // Counted by bytes only: a page of markup has an escape every few lines, and one is enough to hide a word.
    if !budget.take_bytes(end - start) {
        return;
    }
    let mut said = String::with_capacity(end - start);
    let mut map = Map::default();
    let mut at = start;
    for escape in near {
        plain(text, at..escape.place.start, &mut said, &mut map);
        said.push(escape.said);
        map.replace(escape.said.len_utf8(), escape.place.clone());
        at = escape.place.end;
    }
    plain(text, at..end, &mut said, &mut map);
    views.push(View::new(kind, said, map));
}

fn plain(text: &str, range: Range<usize>, said: &mut String, map: &mut Map) {
    map.copy(range.len(), range.start);
    said.push_str(text.get(range).unwrap_or_default());
}

/// `%C3%A9`: as many triplets as make one character.
fn percent(text: &str, at: usize) -> Option<Escape> {
    let mut raw = [0_u8; 4];
    let mut end = at;
    for length in 1..=raw.len() {
        let [b'%', digits @ ..] = text.as_bytes().get(end..end + 3)? else { return None };
        *raw.get_mut(length - 1)? = u8::try_from(number(digits, 16)?).ok()?;
        end += 3;
        if let Ok(said) = std::str::from_utf8(raw.get(..length)?) {
            return Some(Escape { place: at..end, said: said.chars().next()? });
        }
    }
    None
}

/// `&#105;`, `&#x69;` and a few names.
fn reference(text: &str, at: usize) -> Option<Escape> {
    let rest = text.as_bytes().get(at + 1..)?;
    let length = rest.iter().take(NAME_BYTES_MAX + 1).take_while(|b| b.is_ascii_alphanumeric() || **b == b'#').count();
    let name = rest.get(..length)?;
    let closed = usize::from(rest.get(length) == Some(&b';'));
    let said = match name {
        [b'#', b'x' | b'X', digits @ ..] => char::from_u32(number(digits, 16)?)?,
        [b'#', digits @ ..] => char::from_u32(number(digits, 10)?)?,
        _ if closed == 1 => named(name)?,
        _ => return None,
    };
    Some(Escape { place: at..at + 1 + length + closed, said })
}

fn named(name: &[u8]) -> Option<char> {
    Some(match name {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        b"nbsp" => ' ',
        b"shy" | b"zwnj" | b"zwj" => '\u{ad}',
        b"commat" => '@',
        b"period" => '.',
        b"colon" => ':',
        b"sol" => '/',
        b"lowbar" => '_',
        b"hyphen" | b"dash" => '-',
        b"equals" => '=',
        b"Tab" => '\t',
        b"NewLine" => '\n',
        _ => return None,
    })
}

/// `\u0041`, `\u{41}`, `\U00000041`, `\x41`, surrogate pairs included.
fn backslash(text: &str, at: usize) -> Option<Escape> {
    let (unit, length) = unit(text, at)?;
    if (0xd800..0xdc00).contains(&unit) {
        let (low, more) = self::unit(text, at + length)?;
        let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
        let c = char::from_u32(0x10000 + ((unit - 0xd800) << 10) + low)?;
        return Some(Escape { place: at..at + length + more, said: c });
    }
    Some(Escape { place: at..at + length, said: char::from_u32(unit)? })
}

/// The value and length of one backslash escape.
fn unit(text: &str, at: usize) -> Option<(u32, usize)> {
    let rest = text.as_bytes().get(at..)?;
    let [b'\\', sign, rest @ ..] = rest else { return None };
    let digits = match (sign, rest.first()) {
        (b'x', _) => 2,
        (b'U', _) => 8,
        (b'u', Some(b'{')) => {
            let length = rest.iter().take(8).position(|b| *b == b'}')?;
            return Some((number(rest.get(1..length)?, 16)?, length + 3));
        }
        (b'u', _) => 4,
        _ => return None,
    };
    Some((number(rest.get(..digits)?, 16)?, digits + 2))
}

/// A number of digits only; none for no digits or one too large to be a character.
fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let digits = std::str::from_utf8(digits).ok()?;
    if digits.starts_with('+') {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}
