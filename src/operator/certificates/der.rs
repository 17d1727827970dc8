//! What a certificate says of itself that decides about its rotation: who signed it, whose it is, and from when until when.
//! Reads as much of the DER of RFC 5280 as that takes; whether it holds is for the TLS library.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct About {
    /// The name of whoever signed it, as DER.
    pub(super) issuer: Vec<u8>,
    /// The name of whose it is, as DER.
    pub(super) subject: Vec<u8>,
    /// It holds from then,
    pub(super) from: Timestamp,
    /// until then.
    pub(super) until: Timestamp,
}

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// Reads a certificate; `None` where it is none.
pub(super) fn about(certificate: &[u8]) -> Option<About> {
    let mut whole = Reader(certificate);
    let mut fields = Reader(Reader(whole.take(SEQUENCE)?.content).take(SEQUENCE)?.content);
    if fields.0.first() == Some(&VERSION) {
        fields.take(VERSION)?;
    }
    fields.take(INTEGER)?;
    fields.take(SEQUENCE)?;
    let issuer = fields.take(SEQUENCE)?.whole.to_vec();
    let mut validity = Reader(fields.take(SEQUENCE)?.content);
    let (from, until) = (validity.time()?, validity.time()?);
    let subject = fields.take(SEQUENCE)?.whole.to_vec();
    Some(About { issuer, subject, from, until })
}

struct Element<'a> {
    whole: &'a [u8],
    content: &'a [u8],
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next element, which must have this tag.
    fn take(&mut self, tag: u8) -> Option<Element<'a>> {
        let (first, rest) = self.0.split_first()?;
        let (short, rest) = rest.split_first()?;
        let (length, rest) = match short {
            0..=0x7f => (usize::from(*short), rest),
            // Certificates are far below what three octets count.
            0x81..=0x83 => {
                let (octets, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
                (octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
            }
            _ => return None,
        };
        let (content, after) = rest.split_at_checked(length)?;
        let whole = self.0.get(..self.0.len() - after.len())?;
        self.0 = after;
        (*first == tag).then_some(Element { whole, content })
    }

    fn time(&mut self) -> Option<Timestamp> {
        let short = self.0.first() == Some(&UTC_TIME);
        let text = self.take(if short { UTC_TIME } else { GENERALIZED_TIME })?.content;
        let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
        let (year, rest) = text.split_at_checked(if short { 2 } else { 4 })?;
        let year: i16 = number(year)?;
        // RFC 5280, 4.1.2.5.1: two digits from 50 on are of the last century.
        let year = if short { year + if year < 50 { 2_000 } else { 1_900 } } else { year };
        let mut pairs = rest.as_bytes().chunks(2).map(|pair| number::<i8>(std::str::from_utf8(pair).ok()?));
        let mut next = || pairs.next().flatten();
        let date = Date::new(year, next()?, next()?).ok()?;
        let time = Time::new(next()?, next()?, next()?, 0).ok()?;
        if pairs.next().is_some() {
            return None;
        }
        Some(date.to_datetime(time).to_zoned(TimeZone::UTC).ok()?.timestamp())
    }
}

fn number<N: std::str::FromStr>(digits: &str) -> Option<N> {
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Valid from 1999 until 2051, so that both ways to write a time occur.
    fn certificate() -> Vec<u8> {
        let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        parameters.not_before = rcgen::date_time_ymd(1999, 12, 31);
        parameters.not_after = rcgen::date_time_ymd(2051, 2, 3);
        let key = rcgen::KeyPair::generate().unwrap();
        parameters.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_says_whose_it_is_and_from_when_until_when() {
        let about = about(&certificate()).unwrap();
        assert_eq!(about.from.to_string(), "1999-12-31T00:00:00Z");
        assert_eq!(about.until.to_string(), "2051-02-03T00:00:00Z");
        assert_eq!(about.issuer, about.subject);
        assert!(about.subject.windows(22).any(|part| part == b"rcgen self signed cert"));
    }

    #[test]
    fn what_is_no_certificate_is_none() {
        let good = certificate();
        for end in 0..good.len() {
            assert_eq!(about(&good[..end]), None, "cut off at {end}");
        }
        for wrong in [&b""[..], b"\x30", b"\x30\x84\xff\xff\xff\xff", b"\x30\x80\x00\x00", &[0xff; 64]] {
            assert_eq!(about(wrong), None, "{wrong:?}");
        }
    }
}
