//! Reads the source of a pattern with ASCII classes and word boundaries: `\d` is `[0-9]`.
//!
//! Knows nothing of how patterns run.

use std::ops::Range;

use regex_syntax::ast::{self, AssertionKind, Ast, ClassPerl, ClassPerlKind, ClassSetItem};
use regex_syntax::hir::Hir;

/// Reads a pattern with ASCII classes and word boundaries.
pub(super) fn parse(source: &str) -> Result<Hir, String> {
    let ascii = with_ascii_classes(source)?;
    let hir =
        regex_syntax::ParserBuilder::new().nest_limit(64).build().parse(&ascii).map_err(|error| describe(&error))?;
    Ok(hir)
}

fn describe(error: &regex_syntax::Error) -> String {
    let (kind, column) = match error {
        regex_syntax::Error::Parse(e) => (e.kind().to_string(), e.span().start.column),
        regex_syntax::Error::Translate(e) => (e.kind().to_string(), e.span().start.column),
        _ => return "is not a regular expression".to_owned(),
    };
    format!("is not a regular expression this gate can use: {kind} at character {column}")
}

/// Spells `\d`, `\w`, `\s` and `\b` out as their ASCII forms, by the spans of the parsed pattern.
fn with_ascii_classes(source: &str) -> Result<String, String> {
    let tree = ast::parse::ParserBuilder::new()
        .nest_limit(64)
        .build()
        .parse(source)
        .map_err(|error| describe(&regex_syntax::Error::Parse(error)))?;
    let mut edits = ast::visit(&tree, Spans(Vec::new())).map_err(|()| "cannot be read".to_owned())?;
    edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    let mut out = source.to_owned();
    for (range, text) in edits {
        out.replace_range(range, &text);
    }
    Ok(out)
}

struct Spans(Vec<(Range<usize>, String)>);

impl Spans {
    fn perl(&mut self, class: &ClassPerl) {
        let members = match class.kind {
            ClassPerlKind::Digit => "0-9",
            ClassPerlKind::Space => r"\t\n\x0b\x0c\r\x20",
            ClassPerlKind::Word => "0-9A-Za-z_",
        };
        let not = if class.negated { "^" } else { "" };
        self.0.push((class.span.start.offset..class.span.end.offset, format!("[{not}{members}]")));
    }
}

impl ast::Visitor for Spans {
    type Output = Vec<(Range<usize>, String)>;
    type Err = ();

    fn finish(self) -> Result<Self::Output, ()> {
        Ok(self.0)
    }

    fn visit_pre(&mut self, node: &Ast) -> Result<(), ()> {
        match node {
            Ast::ClassPerl(class) => self.perl(class),
            Ast::Assertion(assertion) => {
                let text = match assertion.kind {
                    AssertionKind::WordBoundary => r"(?-u:\b)",
                    AssertionKind::NotWordBoundary => r"(?-u:\B)",
                    AssertionKind::WordBoundaryStart | AssertionKind::WordBoundaryStartAngle => r"(?-u:\b{start})",
                    AssertionKind::WordBoundaryEnd | AssertionKind::WordBoundaryEndAngle => r"(?-u:\b{end})",
                    AssertionKind::WordBoundaryStartHalf => r"(?-u:\b{start-half})",
                    AssertionKind::WordBoundaryEndHalf => r"(?-u:\b{end-half})",
                    AssertionKind::StartLine
                    | AssertionKind::EndLine
                    | AssertionKind::StartText
                    | AssertionKind::EndText => return Ok(()),
                };
                self.0.push((assertion.span.start.offset..assertion.span.end.offset, text.to_owned()));
            }
            _ => {}
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), ()> {
        if let ClassSetItem::Perl(class) = item {
            self.perl(class);
        }
        Ok(())
    }
}
