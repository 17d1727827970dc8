//! Where verbs write, and how they end.

use std::io::{self, BufRead, IsTerminal as _, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

/// How a verb ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, nothing to object to.
    Done,
    /// Findings, or an expectation that was not met.
    Findings,
    /// Bad usage or unusable input.
    Unusable,
}

impl Exit {
    /// The graver of two.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        let rank = |exit| match exit {
            Self::Done => 0,
            Self::Findings => 1,
            Self::Unusable => 2,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Findings => Self::from(1),
            Exit::Unusable => Self::from(2),
        }
    }
}

/// How results are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// What a stretch of output means; the colour follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// As expected.
    Good,
    /// Not as expected.
    Bad,
    /// Worth a look.
    Caution,
    /// Less important.
    Dim,
    /// A heading.
    Strong,
}

impl Tone {
    const fn style(self) -> Style {
        match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Caution => AnsiColor::Yellow.on_default(),
            Self::Dim => Style::new().dimmed(),
            Self::Strong => Style::new().bold(),
        }
    }

    /// The text in this tone; the stream drops the colour where it is not wanted.
    #[must_use]
    pub(super) fn paint(self, text: &str) -> String {
        let style = self.style();
        format!("{style}{text}{style:#}")
    }
}

/// Where verbs write.
pub struct Console {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    /// Somebody at a terminal, who can be asked.
    person: Option<Box<dyn BufRead>>,
    columns: Option<usize>,
}

impl Console {
    /// The process's own streams, coloured as asked.
    #[must_use]
    pub fn standard() -> Self {
        let terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
        let person = terminal.then(|| Box::new(io::stdin().lock()) as Box<dyn BufRead>);
        let mut table = comfy_table::Table::new();
        let columns = table.width().or_else(|| table.use_stderr().width()).map(usize::from);
        Self { out: Box::new(anstream::stdout()), err: Box::new(anstream::stderr()), person, columns }
    }

    /// Writes to the given streams.
    #[must_use]
    pub fn to(out: impl Write + 'static, err: impl Write + 'static) -> Self {
        Self { out: Box::new(out), err: Box::new(err), person: None, columns: None }
    }

    /// The same, with somebody who answers.
    #[must_use]
    pub fn with_person(mut self, answers: impl BufRead + 'static) -> Self {
        self.person = Some(Box::new(answers));
        self
    }

    /// How wide the screen is; `None` when what is written does not go to one.
    pub(super) fn columns(&self) -> Option<usize> {
        self.columns
    }

    /// Whether somebody can be asked.
    pub(super) fn can_ask(&self) -> bool {
        self.person.is_some()
    }

    /// Asks for a yes; an empty answer is `otherwise`, no answer is no.
    pub(super) fn agrees(&mut self, question: &str, otherwise: &str) -> io::Result<bool> {
        let Some(answer) = self.ask(question)? else { return Ok(false) };
        let answer = if answer.is_empty() { otherwise.to_owned() } else { answer.to_lowercase() };
        Ok(matches!(answer.as_str(), "y" | "yes"))
    }

    /// Asks whoever is at the terminal, and takes one line; `None` when nobody is there or nothing more is said.
    pub(super) fn ask(&mut self, question: &str) -> io::Result<Option<String>> {
        let Some(person) = &mut self.person else { return Ok(None) };
        write!(self.err, "{question} ")?;
        self.err.flush()?;
        let mut line = String::new();
        let read = person.read_line(&mut line)?;
        Ok((read > 0).then(|| line.trim().to_owned()))
    }

    /// One line of results.
    pub fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(self.out, "{}", text.as_ref())
    }

    /// Results that end their lines themselves.
    pub fn text(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        self.out.write_all(text.as_ref().as_bytes())
    }

    /// Results as JSON.
    pub fn json(&mut self, value: &impl serde::Serialize) -> anyhow::Result<()> {
        serde_json::to_writer_pretty(&mut self.out, value)?;
        Ok(self.line("")?)
    }

    /// One object of a stream, as one line of JSON.
    pub fn json_line(&mut self, value: &impl serde::Serialize) -> anyhow::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        Ok(self.line("")?)
    }

    /// Something that is no result: what went wrong, what is being done.
    pub fn note(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(self.err, "{}", text.as_ref().trim_end_matches('\n'))
    }

    /// Says why a verb failed. Whoever closed our output early (`| head`) has seen enough.
    pub(super) fn complain(&mut self, error: &anyhow::Error) -> Exit {
        let pipe = |e: &(dyn std::error::Error + 'static)| {
            e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
        };
        if error.chain().any(pipe) {
            return Exit::Done;
        }
        // There is nowhere left to report that standard error is closed.
        let _ = self.note(format!("{} {error:#}", Tone::Bad.paint("error:")));
        Exit::Unusable
    }
}
