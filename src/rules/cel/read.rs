//! Reads plain expressions from their text. Most conditions of policies are plain, and the parser of the whole language takes
//! more time and memory for its own tables than all rules together.
//!
//! Guarantees: what is read means what the whole language means by it, and cannot fail; whatever is not surely plain is not
//! read here, nor judged to be wrong.

use std::iter::Peekable;
use std::vec::IntoIter;

use super::plain::{Comparison, Fact, List, Number, Plain, Relation, Text};

/// A plain expression; `None` when it is not surely one.
pub(super) fn read(source: &str) -> Option<Plain> {
    let mut reader = Reader(tokens(source)?.into_iter().peekable());
    let Value::Holds(plain) = reader.either()? else { return None };
    reader.0.next().is_none().then_some(plain)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'s> {
    Word(&'s str),
    Text(&'s str),
    Number(i64),
    Sign(&'s str),
}

/// Longer signs first.
const SIGNS: [&str; 14] = ["||", "&&", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", "[", "]", ","];

fn tokens(source: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut rest = source;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let Some(first) = rest.chars().next() else { return Some(tokens) };
        let (token, after) = match first {
            'a'..='z' | 'A'..='Z' | '_' => {
                let (word, after) = split(rest, |c| c.is_ascii_alphanumeric() || c == '_');
                (Token::Word(word), after)
            }
            '0'..='9' => {
                let (digits, after) = split(rest, |c| c.is_ascii_digit());
                // Fractions, other bases and kinds of numbers have letters or points behind.
                let plain = !after.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_'));
                let one_zero = digits == "0" || !digits.starts_with('0');
                (Token::Number(digits.parse().ok().filter(|_| plain && one_zero)?), after)
            }
            '\'' | '"' => {
                let (text, after) = rest.get(1..)?.split_once(first)?;
                // Escapes, texts over several lines, and texts in three quotes.
                if text.contains(['\\', '\n', '\r']) || after.starts_with(first) {
                    return None;
                }
                (Token::Text(text), after)
            }
            '.' => (Token::Sign("."), rest.get(1..)?),
            _ => {
                let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign))?;
                (Token::Sign(sign), rest.get(sign.len()..)?)
            }
        };
        tokens.push(token);
        rest = after;
    }
}

fn split(text: &str, inside: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !inside(c)).unwrap_or(text.len()))
}

/// What an expression, or a piece of one, is.
enum Value {
    Holds(Plain),
    Text(Text),
    Number(Number),
    List(List),
}

/// Goes through the tokens; each method reads what binds tighter than the one before. Nesting is bounded before.
struct Reader<'s>(Peekable<IntoIter<Token<'s>>>);

impl<'s> Reader<'s> {
    fn take(&mut self, sign: &str) -> Option<()> {
        self.0.next_if(|token| matches!(token, Token::Sign(found) if *found == sign)).map(|_| ())
    }

    fn word(&mut self) -> Option<&'s str> {
        match self.0.next()? {
            Token::Word(word) => Some(word),
            Token::Text(_) | Token::Number(_) | Token::Sign(_) => None,
        }
    }

    fn either(&mut self) -> Option<Value> {
        self.joined("||", Self::both, &|a, b| Plain::Or(Box::new([a, b])))
    }

    fn both(&mut self) -> Option<Value> {
        self.joined("&&", Self::relation, &|a, b| Plain::And(Box::new([a, b])))
    }

    fn joined(
        &mut self,
        sign: &str,
        one: fn(&mut Self) -> Option<Value>,
        join: &dyn Fn(Plain, Plain) -> Plain,
    ) -> Option<Value> {
        let first = one(self)?;
        if self.take(sign).is_none() {
            return Some(first);
        }
        let Value::Holds(first) = first else { return None };
        let mut all = vec![first];
        loop {
            let Value::Holds(next) = one(self)? else { return None };
            all.push(next);
            if self.take(sign).is_none() {
                return balanced(all, join).map(Value::Holds);
            }
        }
    }

    fn relation(&mut self) -> Option<Value> {
        let left = self.negated()?;
        let Some(name) = self.relating() else { return Some(left) };
        let right = self.negated()?;
        if self.relating().is_some() {
            return None;
        }
        Some(Value::Holds(match (name, left, right) {
            ("in", Value::Text(text), Value::List(list)) => Plain::In(text, list),
            ("==", Value::Text(a), Value::Text(b)) => Plain::Texts(Comparison::Equal, Box::new([a, b])),
            ("!=", Value::Text(a), Value::Text(b)) => Plain::Texts(Comparison::NotEqual, Box::new([a, b])),
            (name, Value::Number(a), Value::Number(b)) => Plain::Numbers(Relation::named(name)?, [a, b]),
            _ => return None,
        }))
    }

    fn relating(&mut self) -> Option<&'s str> {
        let relates = |token: &Token<'s>| match token {
            Token::Word(word) => *word == "in",
            Token::Sign(sign) => matches!(*sign, "==" | "!=" | "<" | "<=" | ">" | ">="),
            Token::Text(_) | Token::Number(_) => false,
        };
        match self.0.next_if(relates)? {
            Token::Word(name) | Token::Sign(name) => Some(name),
            Token::Text(_) | Token::Number(_) => None,
        }
    }

    fn negated(&mut self) -> Option<Value> {
        let mut times = 0;
        while self.take("!").is_some() {
            times += 1;
        }
        let value = self.member()?;
        match (times, value) {
            (0, value) => Some(value),
            (_, Value::Holds(plain)) if times % 2 == 0 => Some(Value::Holds(plain)),
            (_, Value::Holds(plain)) => Some(Value::Holds(Plain::Not(Box::new(plain)))),
            _ => None,
        }
    }

    fn member(&mut self) -> Option<Value> {
        let value = self.primary()?;
        if self.take(".").is_none() {
            return Some(value);
        }
        let comparison = match self.word()? {
            "contains" => Comparison::Contains,
            "startsWith" => Comparison::StartsWith,
            "endsWith" => Comparison::EndsWith,
            _ => return None,
        };
        self.take("(")?;
        let part = self.primary()?;
        self.take(")")?;
        // Nothing of what these answer can be asked further.
        let (Value::Text(text), Value::Text(part), None) = (value, part, self.take(".")) else { return None };
        Some(Value::Holds(Plain::Texts(comparison, Box::new([text, part]))))
    }

    fn primary(&mut self) -> Option<Value> {
        match self.0.next()? {
            Token::Text(text) => Some(Value::Text(Text::Literal(text.to_owned()))),
            Token::Number(number) => Some(Value::Number(Number::Literal(number))),
            Token::Word("true") => Some(Value::Holds(Plain::Literal(true))),
            Token::Word("false") => Some(Value::Holds(Plain::Literal(false))),
            Token::Word(variable) => {
                self.take(".")?;
                named(variable, self.word()?)
            }
            Token::Sign("(") => {
                let Value::Holds(inner) = self.either()? else { return None };
                self.take(")")?;
                Some(Value::Holds(inner))
            }
            Token::Sign("[") => self.list(),
            Token::Sign(_) => None,
        }
    }

    fn list(&mut self) -> Option<Value> {
        let mut texts = Vec::new();
        if self.take("]").is_some() {
            return Some(Value::List(List::Literal(texts)));
        }
        loop {
            let Token::Text(text) = self.0.next()? else { return None };
            texts.push(text.to_owned());
            if self.take(",").is_none() {
                self.take("]")?;
                return Some(Value::List(List::Literal(texts)));
            }
        }
    }
}

fn named(variable: &str, field: &str) -> Option<Value> {
    let text = || Fact::named(variable, field).map(|fact| Value::Text(Text::Fact(fact)));
    let number = || Number::named(variable, field).map(Value::Number);
    let list = || List::named(variable, field).map(Value::List);
    text().or_else(number).or_else(list).or_else(|| Plain::named(variable, field).map(Value::Holds))
}

/// Joins conditions so that none lies deep: one after the other they would be as deep as they are many.
fn balanced(mut all: Vec<Plain>, join: &dyn Fn(Plain, Plain) -> Plain) -> Option<Plain> {
    if all.len() < 2 {
        return all.pop();
    }
    let behind = all.split_off(all.len() / 2);
    Some(join(balanced(all, join)?, balanced(behind, join)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Patterns, parsed};
    use super::*;

    /// The same for the same meaning, however `and` and `or` are bracketed.
    fn flat(plain: &Plain) -> String {
        fn gather<'p>(plain: &'p Plain, and: bool, out: &mut Vec<&'p Plain>) {
            match plain {
                Plain::And(both) if and => both.iter().for_each(|one| gather(one, and, out)),
                Plain::Or(both) if !and => both.iter().for_each(|one| gather(one, and, out)),
                one => out.push(one),
            }
        }
        match plain {
            Plain::And(_) | Plain::Or(_) => {
                let (and, mut all) = (matches!(plain, Plain::And(_)), Vec::new());
                gather(plain, and, &mut all);
                format!("{}{:?}", if and { "all" } else { "any" }, all.into_iter().map(flat).collect::<Vec<_>>())
            }
            Plain::Not(inner) => format!("not({})", flat(inner)),
            other => format!("{other:?}"),
        }
    }

    /// What the whole language makes of it.
    fn whole(source: &str) -> Option<(Plain, bool)> {
        let (root, reads_query) = parsed(source, &mut Patterns::default()).ok()?;
        Some((Plain::of(&root)?, reads_query))
    }

    fn expression() -> impl Strategy<Value = String> {
        let text = || {
            prop_oneof![
                Just("query.model".to_owned()),
                Just("query . route".to_owned()),
                Just("caller.user".to_owned()),
                Just("workload.name".to_owned()),
                "'[a-z\u{e9}\"]{0,3}'",
                "\"[a-z' /]{0,3}\"",
            ]
        };
        let number = || {
            prop_oneof![
                Just("query.tokensMax".to_owned()),
                Just("query.choices".to_owned()),
                "[1-9][0-9]{0,4}",
                Just("0".to_owned())
            ]
        };
        let list = prop_oneof![
            Just("caller.groups".to_owned()),
            Just("query.tools".to_owned()),
            "\\[('[a-z]', ){0,2}'b'\\]",
            Just("[]".to_owned())
        ];
        let relation = prop_oneof![Just("=="), Just("!="), Just("<"), Just("<="), Just(">"), Just(">=")];
        let leaf = prop_oneof![
            Just("true".to_owned()),
            Just("query.stream".to_owned()),
            Just("caller.authenticated".to_owned()),
            (text(), prop_oneof![Just("=="), Just("!=")], text()).prop_map(|(a, sign, b)| format!("{a} {sign} {b}")),
            (number(), relation, number()).prop_map(|(a, sign, b)| format!("{a}{sign}{b}")),
            (text(), list).prop_map(|(a, b)| format!("{a} in {b}")),
            (text(), prop_oneof![Just("contains"), Just("startsWith"), Just("endsWith")], text())
                .prop_map(|(a, name, b)| format!("{a}.{name}({b})")),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 2..5).prop_map(|all| all.join(" && ")),
                prop::collection::vec(inner.clone(), 2..5).prop_map(|all| all.join("||")),
                inner.clone().prop_map(|one| format!("({one})")),
                inner.clone().prop_map(|one| format!("!({one})")),
                inner.prop_map(|one| format!("! !{one}")),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_the_whole_language_reads(source in expression()) {
            if let Some(read) = read(&source) {
                let (expected, reads_query) = whole(&source).expect("is an expression");
                prop_assert_eq!(flat(&read), flat(&expected), "{}", source);
                prop_assert_eq!(read.reads_query(), reads_query, "{}", source);
            }
        }

        #[test]
        fn signs_in_any_order_are_read_as_the_whole_language_reads_them(
            pieces in prop::collection::vec(
                prop::sample::select(&[
                    "query", ".", "model", "query.model", "caller.groups", "'a'", "\"b\"", "''", "'", "\\", "0", "07", "5", "1.5",
                    "2u", "==", "!=", "<", "in", "!", "(", ")", "[", "]", ",", "&&", "||", "true", "contains(", "-", "+", "?", ":",
                    " ", "//", "r'a'", "size(", "query.stream", "\n",
                ][..]),
                1..9,
            ),
        ) {
            let source = pieces.concat();
            if let Some(read) = read(&source) {
                let whole = whole(&source);
                prop_assert!(whole.is_some(), "{} is read as {:?}", source, read);
                prop_assert_eq!(flat(&read), flat(&whole.expect("was looked at").0), "{}", source);
            }
        }
    }

    #[test]
    fn conditions_as_policies_have_them_are_read() {
        for source in [
            "!('legal' in caller.groups)",
            "query.model == 'llama3' && !('staff' in caller.groups)",
            "caller.user == 'mallory' && query.model.startsWith('llama')",
            "query.model in ['a', 'b'] || (query.tokensMax > 500 && query.stream)",
        ] {
            let read = read(source).expect("is plain");
            assert_eq!(flat(&read), flat(&whole(source).expect("is CEL").0), "{source}");
        }
        for source in [
            "query.model.matches('a')",
            "query.model == 5",
            "!query.model",
            "'a' 'b'",
            "a.b",
            "query.model",
            "size(query.tools) > 1",
        ] {
            assert!(read(source).is_none(), "{source}");
        }
    }
}
