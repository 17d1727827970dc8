//! What is known of one object that is watched by its name.

/// What is known of it.
#[derive(Debug)]
pub(super) enum Sighting<T> {
    /// Nobody has looked yet.
    Unknown,
    /// There is none.
    Absent,
    /// As it was last seen.
    There(Box<T>),
}

impl<T> Sighting<T> {
    /// Whether somebody has looked.
    pub(super) const fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown)
    }

    /// The object, where there is one.
    pub(super) fn there(&self) -> Option<&T> {
        match self {
            Self::There(object) => Some(object),
            Self::Unknown | Self::Absent => None,
        }
    }
}

impl<T> From<Option<T>> for Sighting<T> {
    fn from(seen: Option<T>) -> Self {
        seen.map_or(Self::Absent, |object| Self::There(Box::new(object)))
    }
}
