//! Prompts of any length: what people write, and what is written to hurt. Made from their kind and length alone.

/// A kind of prompt.
pub type Kind = (&'static str, fn(usize) -> String);

/// What honest clients send, of which the median prompt is the first.
pub const HONEST: &[Kind] = &[("prose", prose), ("code", code), ("german", german), ("table", table)];

/// What is made to be slow to judge.
pub const HOSTILE: &[Kind] = &[
    ("digits", |n| filled(n, digits)),
    ("digit run", |n| "1234567890".chars().cycle().take(n).collect()),
    ("card-like", |n| filled(n, |r| format!("4{:03} {:04} {:04} {:04} ", r(1000), r(10_000), r(10_000), r(10_000)))),
    ("phone-like", |n| filled(n, |r| format!("+49 {} {} ", r(1000), r(1_000_000)))),
    ("iban-like", |n| {
        filled(n, |r| {
            format!(
                "DE{:02} {:04} {:04} {:04} {:04} {:02} ",
                r(100),
                r(10_000),
                r(10_000),
                r(10_000),
                r(10_000),
                r(100)
            )
        })
    }),
    ("addresses", |n| {
        filled(n, |r| format!("{}.{}.{}.{} fe80::{:x}:{:x} ", r(400), r(400), r(400), r(400), r(65_536), r(65_536)))
    }),
    ("hex", |n| filled(n, |r| format!("{:08x}", r(usize::MAX >> 34)))),
    ("hex words", |n| filled(n, |r| format!("{:02x} {:02x}{:02x}-", r(256), r(256), r(256)))),
    ("base64 noise", |n| {
        filled(n, |r| {
            char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[r(64)]).to_string()
        })
    }),
    ("base64 text", |n| base64(&prose(n * 3 / 4))),
    ("base64 twice", |n| base64(&base64(&prose(n * 9 / 16)))),
    ("percent", |n| filled(n, |r| format!("%{:02x}", 0x61 + r(26)))),
    ("html", |n| filled(n, |r| format!("&#{};", 97 + r(26)))),
    ("escapes", |n| filled(n, |r| format!("\\u00{:02x}", 0x61 + r(26)))),
    ("spelled", |n| filled(n, |r| format!("{}.", char::from(b'a' + u8::try_from(r(26)).unwrap_or(0))))),
    ("homoglyphs", |n| filled(n, |r| ["а", "е", "о", "р", "с", "у", "х", "і", " "][r(9)].to_owned())),
    ("full width", |n| {
        filled(n, |r| char::from_u32(0xff41 + u32::try_from(r(26)).unwrap_or(0)).unwrap_or('a').to_string())
    }),
    ("zero width", |n| filled(n, |r| format!("{}\u{200b}", char::from(b'a' + u8::try_from(r(26)).unwrap_or(0))))),
    ("combining", |n| filled(n, |r| format!("{}\u{301}\u{323}", char::from(b'a' + u8::try_from(r(26)).unwrap_or(0))))),
    ("mixed scripts", |n| {
        filled(n, |r| ["word ", "слово ", "λόγος ", "言葉", "שלום ", "ﷺ", "ŵ", "कि "][r(8)].to_owned())
    }),
    ("hangul", |n| {
        filled(n, |r| char::from_u32(0xac00 + u32::try_from(r(11_000)).unwrap_or(0)).unwrap_or('a').to_string())
    }),
    ("tags", |n| filled(n, |r| char::from_u32(0xe0061 + u32::try_from(r(26)).unwrap_or(0)).unwrap_or('a').to_string())),
    ("at flood", |n| "a@".repeat(n / 2)),
    ("mail-like", |n| filled(n, |r| format!("{}@{}.c0 ", r(10), r(10)))),
    ("key flood", |n| "AKIA".repeat(n / 4)),
    ("key-like", |n| {
        filled(n, |r| {
            ["AKIA1234 ", "ghp_abc ", "xoxb-12 ", "sk-abc ", "eyJhbG.", "AIza ", "password=", "Bearer x "][r(8)]
                .to_owned()
        })
    }),
    ("password flood", |n| "password: ".repeat(n / 10)),
    ("urls", |n| filled(n, |r| format!("https://h{}/p:", r(10)))),
    ("near phrases", |n| {
        filled(n, |r| {
            ["project ", "ignore all previous instruction ", "merger ", "termination claus ", "letter of inten "][r(5)]
                .to_owned()
        })
    }),
    ("underlines", |n| "ignore_all_previous_".repeat(n / 20)),
    ("spaces", |n| "a  \n".repeat(n / 4)),
    ("signs", |n| filled(n, |r| char::from(b"!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~"[r(31)]).to_string())),
    ("brackets", |n| "{".repeat(n)),
    ("name words", |n| {
        filled(n, |r| {
            ["ssn ", "nhs: ", "tfn ", "dob ", "geboren ", "uid ", "wire ", "swift ", "tel "][r(9)].to_owned()
                + &digits(r)
        })
    }),
];

/// The body of a chat query with one message of about so many bytes.
#[must_use]
pub fn chat(text: &str) -> String {
    let text = serde_json::Value::from(text);
    format!(
        "{{\"model\":\"llama\",\"messages\":[{{\"role\":\"system\",\"content\":\"You are a helpful assistant.\"}},\
         {{\"role\":\"user\",\"content\":{text}}}],\"temperature\":0.7,\"max_tokens\":256,\"stream\":false}}"
    )
}

/// Bodies whose form is what hurts, by name.
#[must_use]
pub fn forms(bytes: usize) -> Vec<(&'static str, String)> {
    let call = |arguments: String| {
        let call =
            serde_json::json!([{"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}]);
        format!(
            "{{\"model\":\"llama\",\"messages\":[{{\"role\":\"assistant\",\"content\":null,\"tool_calls\":{call}}}]}}"
        )
    };
    let deep = "{\"a\":[".repeat(15) + &"1,".repeat(bytes / 4) + "1" + &"]}".repeat(15);
    let twice = serde_json::json!({"inner": "{\"q\":\"where\",\"n\":[1,2,3]}", "also": prose(bytes / 4)}).to_string();
    let many = |text: &str| {
        let one = format!("{{\"role\":\"user\",\"content\":\"{text}\"}}");
        format!("{{\"model\":\"llama\",\"messages\":[{}]}}", vec![one.as_str(); bytes / one.len()].join(","))
    };
    vec![
        ("json in a string", call(deep)),
        ("json in strings", call(twice)),
        ("many messages", many("hi")),
        ("many digits", many("12 34")),
        ("many mails", many("a@b.co")),
        (
            "escaped",
            format!(
                "{{\"model\":\"llama\",\"messages\":[{{\"role\":\"user\",\"content\":\"{}\"}}]}}",
                "\\u0061".repeat(bytes / 6)
            ),
        ),
    ]
}

/// An honest prompt that differs with its number: pieces of all kinds, one after another.
#[must_use]
pub fn mixed(number: usize, bytes: usize) -> String {
    let kinds = HONEST.iter().map(|(_, text)| text(bytes * 4)).collect::<Vec<_>>();
    let mut text = String::new();
    let mut at = number;
    while text.len() < bytes {
        let kind = &kinds[at % 4];
        let from = kind.floor_char_boundary((at * 97) % (kind.len() / 2));
        let to = kind.floor_char_boundary(from + 80 + (at * 31) % 300);
        text.push_str(&kind[from..to]);
        text.push('\n');
        at += number / 4 + 1;
    }
    text.truncate(text.floor_char_boundary(bytes));
    text
}

const SENTENCES: &[&str] = &[
    "Please summarise the attached report for the board and point out what changed since the last quarter.",
    "The customer wrote that the delivery came two days late, and that one of the boxes was damaged.",
    "What would be a good structure for a talk of twenty minutes about growing vegetables on a balcony?",
    "She asked whether the contract can be ended early, and what the notice period would be in that case.",
    "Explain in simple words how a heat pump works, and why it needs less power than an electric heater.",
    "Our team has 14 people in 3 offices; we meet on Tuesdays at 10:30 and write down what was decided.",
    "Rewrite this paragraph so that it is shorter, friendlier and free of jargon, but keep all its facts.",
    "If the function is called with an empty list, it should return an error instead of a null value.",
];

fn prose(bytes: usize) -> String {
    let mut at = 0;
    filled(bytes, |r| {
        at += 1 + r(2);
        format!("{}{}", SENTENCES[at % SENTENCES.len()], if at % 5 == 0 { "\n\n" } else { " " })
    })
}

fn german(bytes: usize) -> String {
    const LINES: &[&str] = &[
        "Könnten Sie mir bitte erklären, wie die Kündigungsfrist für diese Wohnung geregelt ist? ",
        "Die Prüfung der Unterlagen dauert länger als üblich, weil ein Anhang fehlt. ",
        "Für das nächste Treffen wäre eine kurze Übersicht über die offenen Punkte schön. ",
    ];
    filled(bytes, |r| LINES[r(3)].to_owned())
}

fn code(bytes: usize) -> String {
    filled(bytes, |r| {
        let n = r(100);
        format!("    let value_{n} = compute(&items[{n}], Options {{ depth: {}, name: \"n\" }})?;\n", r(10))
    })
}

fn table(bytes: usize) -> String {
    filled(bytes, |r| {
        format!("| 2026-0{}-1{} | {}.{:02} | shipped to store {} | ok |\n", 1 + r(9), r(10), r(1000), r(100), r(50))
    })
}

fn digits(r: &mut dyn FnMut(usize) -> usize) -> String {
    let (one, other) = (r(1_000_000_000), r(10_000));
    match r(4) {
        0 => format!("{one} "),
        1 => format!("{:03}-{:02}-{other:04} ", one % 1000, one % 89),
        2 => format!("{:02}.{:02}.{other} ", one % 32, one % 13),
        _ => format!("{one}{other:04} "),
    }
}

fn filled(bytes: usize, mut piece: impl FnMut(&mut dyn FnMut(usize) -> usize) -> String) -> String {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |bound: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed >> 33).unwrap_or(0) % bound.max(1)
    };
    let mut text = String::with_capacity(bytes + 128);
    while text.len() < bytes {
        text.push_str(&piece(&mut random));
    }
    text.truncate(text.floor_char_boundary(bytes));
    text
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
