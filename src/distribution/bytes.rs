//! The pieces that bundles are made of: numbers of fixed width, most significant byte first, and texts behind their length.
//!
//! Guarantees: there is one way to write a thing and reading takes no other; no length is believed before the bytes are there.

/// Bytes that are not what they should be, by the field that they were read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// Writes pieces one after another.
#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn short(&mut self, number: u16) {
        self.raw(&number.to_be_bytes());
    }

    pub(super) fn long(&mut self, number: u64) {
        self.raw(&number.to_be_bytes());
    }

    /// A length or a count. All are below the limits, which are checked before anything is written.
    pub(super) fn count(&mut self, number: usize) {
        self.raw(&u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.count(text.len());
        self.raw(text.as_bytes());
    }
}

/// Reads pieces one after another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn raw(&mut self, length: usize, field: &'static str) -> Result<&'a [u8], Malformed> {
        let (taken, left) = self.0.split_at_checked(length).ok_or(Malformed(field))?;
        self.0 = left;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Malformed> {
        self.raw(N, field)?.try_into().map_err(|_| Malformed(field))
    }

    pub(super) fn short(&mut self, field: &'static str) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.array(field)?))
    }

    pub(super) fn long(&mut self, field: &'static str) -> Result<u64, Malformed> {
        Ok(u64::from_be_bytes(self.array(field)?))
    }

    pub(super) fn count(&mut self, max: usize, field: &'static str) -> Result<usize, Malformed> {
        let count = u32::from_be_bytes(self.array(field)?);
        usize::try_from(count).ok().filter(|count| *count <= max).ok_or(Malformed(field))
    }

    pub(super) fn text(&mut self, max: usize, field: &'static str) -> Result<&'a str, Malformed> {
        let length = self.count(max, field)?;
        std::str::from_utf8(self.raw(length, field)?).map_err(|_| Malformed(field))
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed("end")) }
    }
}
