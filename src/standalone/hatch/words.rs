//! What is said through the hatch, and how it is framed. Both ends are of one program, so this is no contract; the number
//! in each line tells two versions apart.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::approvals::{Hold, Person};
use crate::base::{Digest, HoldId};
use crate::wire::Format;

/// Longest line: a hold as stored has 64 KB, and JSON escapes some of it again.
const LINE_BYTES_MAX: u64 = 512 << 10;
/// How long one end waits for the other to take or give its words.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Grows when the words change.
const VERSION: u32 = 1;

/// What is asked.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub(super) enum Ask {
    /// All text of a held query.
    Text {
        /// Which.
        hold: HoldId,
    },
    /// What the rules say of an edit, and what the hold would be; the bytes follow.
    Try(EditWords),
    /// The edit is meant.
    Edit(EditWords),
}

/// A person's edit without its bytes.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct EditWords {
    /// Of what.
    pub hold: HoldId,
    /// Who.
    pub by: Person,
    /// Why.
    pub reason: String,
    /// The digest of the full view of the edited form.
    pub view: Option<Digest>,
    /// The form that was edited.
    pub from: Digest,
}

/// What is answered.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub(super) enum Answer {
    /// The text follows.
    Text {
        /// What it is read as.
        format: Format,
    },
    /// What the hold would be.
    Tried {
        /// The hold.
        hold: Box<Hold>,
    },
    /// What it is.
    Edited {
        /// The hold.
        hold: Box<Hold>,
    },
    /// The gate does not have the text.
    Gone,
    /// Why not, for people.
    Refused {
        /// The words.
        why: String,
    },
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Line<T> {
    version: u32,
    bytes: usize,
    #[serde(flatten)]
    words: T,
}

/// One end of a connection.
pub(super) struct Talk(BufStream<UnixStream>);

impl Talk {
    pub(super) fn over(stream: UnixStream) -> Self {
        Self(BufStream::new(stream))
    }

    pub(super) async fn say(&mut self, words: impl serde::Serialize, body: &[u8]) -> io::Result<()> {
        let line = serde_json::to_vec(&Line { version: VERSION, bytes: body.len(), words })?;
        let write = async {
            self.0.write_all(&line).await?;
            self.0.write_all(b"\n").await?;
            self.0.write_all(body).await?;
            self.0.flush().await
        };
        timeout(PATIENCE, write).await?
    }

    /// The next words, with at most `bytes_max` bytes behind them.
    pub(super) async fn hear<T: serde::de::DeserializeOwned>(&mut self, bytes_max: usize) -> io::Result<(T, Vec<u8>)> {
        let read = async {
            let mut line = Vec::new();
            (&mut self.0).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await?;
            if line.last() != Some(&b'\n') {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            let line: Line<T> = serde_json::from_slice(&line)?;
            if line.version != VERSION {
                return Err(io::Error::other("the gate and this program are of different versions"));
            }
            if line.bytes > bytes_max {
                return Err(io::Error::from(io::ErrorKind::FileTooLarge));
            }
            let mut body = vec![0; line.bytes];
            self.0.read_exact(&mut body).await?;
            Ok((line.words, body))
        };
        timeout(PATIENCE, read).await?
    }
}
