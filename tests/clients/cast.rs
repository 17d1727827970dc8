//! Who plays: the clients with the ways in which each is called, the scenarios, and the ways to the gate. Data only.

use std::time::Duration;

use super::upstream::Received;

/// A client library, or curl.
#[derive(Debug, PartialEq, Eq)]
pub struct Client {
    pub name: &'static str,
    pub program: &'static str,
    pub asks_again: AsksAgain,
    /// The status of the answer that says to come again.
    pub told_again: u64,
    pub calls: &'static [Call],
}

/// Who asks again when the gate says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsksAgain {
    /// The library, by itself; its caller sees nothing of it.
    Library,
    /// The program around it.
    Caller,
}

/// One way of calling a client.
#[derive(Debug, PartialEq, Eq)]
pub struct Call {
    pub name: &'static str,
    pub answer: Answer,
}

/// How an answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Whole,
    /// The empty deltas of a held stream can be seen by the caller.
    Streamed,
    /// What keeps a held stream alive never reaches the caller: comments and pings.
    StreamedQuietly,
}

/// The call that proves nothing about who asks.
const ANONYMOUS: &str = "chat-anonymous";

const fn whole(name: &'static str) -> Call {
    Call { name, answer: Answer::Whole }
}

const fn streamed(name: &'static str) -> Call {
    Call { name, answer: Answer::Streamed }
}

const fn quiet(name: &'static str) -> Call {
    Call { name, answer: Answer::StreamedQuietly }
}

pub const CLIENTS: &[Client] = &[
    Client {
        name: "openai-python",
        program: "openai_client.py",
        asks_again: AsksAgain::Library,
        told_again: 409,
        calls: &[
            whole("chat"),
            streamed("chat-stream"),
            streamed("chat-helper"),
            whole("completions"),
            streamed("completions-stream"),
            whole("responses"),
            quiet("responses-stream"),
            whole("async-chat"),
            streamed("async-chat-stream"),
            quiet("async-responses-stream"),
        ],
    },
    Client {
        name: "openai-node",
        program: "openai_client.mjs",
        asks_again: AsksAgain::Library,
        told_again: 409,
        calls: &[
            whole("chat"),
            streamed("chat-stream"),
            streamed("chat-helper"),
            whole("completions"),
            whole("responses"),
            quiet("responses-stream"),
        ],
    },
    Client {
        name: "anthropic",
        program: "anthropic_client.py",
        asks_again: AsksAgain::Library,
        told_again: 409,
        calls: &[
            whole("messages"),
            quiet("messages-stream"),
            quiet("messages-helper"),
            whole("async-messages"),
            quiet("async-messages-stream"),
        ],
    },
    Client {
        name: "ollama",
        program: "ollama_client.py",
        asks_again: AsksAgain::Caller,
        told_again: 409,
        calls: &[
            whole("chat"),
            streamed("chat-stream"),
            whole("generate"),
            streamed("generate-stream"),
            whole("async-chat"),
            streamed("async-chat-stream"),
        ],
    },
    Client {
        name: "langchain-openai",
        program: "langchain_client.py",
        asks_again: AsksAgain::Library,
        told_again: 409,
        calls: &[whole("invoke"), streamed("stream"), whole("ainvoke"), streamed("astream")],
    },
    Client {
        name: "curl",
        program: "curl_client.py",
        asks_again: AsksAgain::Caller,
        told_again: 429,
        calls: &[whole("chat"), streamed("chat-stream")],
    },
    Client {
        name: "curl-retrying",
        program: "curl_client.py",
        asks_again: AsksAgain::Library,
        told_again: 429,
        calls: &[whole("chat-retry")],
    },
];

/// What happens to a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    Pass,
    Refuse,
    Redact,
    Approve,
    Deny,
    /// A hold of most of a minute: the stream is kept alive by empty deltas too.
    Outlast,
    /// A hold of minutes, as people take them.
    Minutes,
    /// The same within one slice.
    Slice,
    /// A hold that is longer than a slice.
    Join,
    Expire,
    /// The gate is shut down and started again during the hold.
    Restart,
    /// The gate is killed and started again during the hold.
    Kill,
    /// People were asked before the query came.
    Ahead,
    /// People change the query before they approve it.
    Edit,
    /// The client asks now and fetches the answer later.
    Later,
    /// The same, and people say no.
    LaterDenied,
    /// Twenty turns, of which the third is held.
    Converse,
    /// The client goes away, and its hold with it.
    Leave,
    /// The client goes away, and its hold stays.
    Stay,
}

impl Scenario {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Refuse => "refuse",
            Self::Redact => "redact",
            Self::Approve => "approve",
            Self::Deny => "deny",
            Self::Outlast => "outlast",
            Self::Minutes => "minutes",
            Self::Slice => "slice",
            Self::Join => "join",
            Self::Expire => "expire",
            Self::Restart => "restart",
            Self::Kill => "kill",
            Self::Ahead => "ahead",
            Self::Edit => "edit",
            Self::Later => "later",
            Self::LaterDenied => "later-denied",
            Self::Converse => "converse",
            Self::Leave => "leave",
            Self::Stay => "stay",
        }
    }

    /// What the query says; the policies of the stage look for these words.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Pass | Self::Converse => "Tell me about swans.",
            Self::Leave => "Summarise the handover.",
            Self::Refuse => "Tell me the forbidden word.",
            Self::Redact => "Write to ada@example.org, please.",
            Self::Expire => "Summarise the ephemeral paper.",
            Self::Approve
            | Self::Deny
            | Self::Outlast
            | Self::Minutes
            | Self::Slice
            | Self::Join
            | Self::Restart
            | Self::Kill
            | Self::Ahead
            | Self::Edit
            | Self::Later
            | Self::LaterDenied
            | Self::Stay => "Summarise the contract.",
        }
    }

    /// What of it the model server gets.
    pub const fn forwarded(self) -> &'static str {
        match self {
            Self::Redact => "Write to [EMAIL_1], please.",
            Self::Edit => "Summarise the leaflet.",
            _ => self.sentence(),
        }
    }
}

/// The way from the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To the model server, without the gate: what arrives is what the client sends.
    Bare,
    /// To the gate.
    Direct,
    /// To the gate through nginx with its default settings.
    Nginx,
    /// To the gate through nginx that speaks HTTP/1.1 on both sides.
    Nginx11,
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Nginx11 => "nginx11",
        }
    }
}

/// One query of one client.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub client: &'static Client,
    pub call: &'static Call,
    pub scenario: Scenario,
    pub way: Way,
}

impl Case {
    /// Names it everywhere: it is the caller's user name, and stands in the text.
    pub fn id(&self) -> String {
        format!("{}.{}.{}.{}", self.way.name(), self.scenario.name(), self.client.name, self.call.name)
    }

    /// Nobody in particular asks.
    pub fn is_anonymous(&self) -> bool {
        self.call.name == ANONYMOUS
    }

    pub fn text(&self) -> String {
        format!("{} Grüße", self.said(self.scenario.sentence()))
    }

    /// The part of the text that differs from case to case.
    pub fn said(&self, sentence: &str) -> String {
        format!("[{}] {sentence}", self.id())
    }

    /// The body that the model server is to get of this case, after what the same call has sent without a gate.
    pub fn sends(&self, like: &Received) -> Option<String> {
        let like = String::from_utf8(like.body.clone()).ok()?;
        let from = self.bare().said(Scenario::Pass.sentence());
        like.contains(&from).then(|| like.replace(&from, &self.said(self.scenario.forwarded())))
    }

    /// The same call without a gate.
    pub const fn bare(&self) -> Self {
        Self { way: Way::Bare, scenario: Scenario::Pass, ..*self }
    }

    pub fn streams(&self) -> bool {
        self.call.answer != Answer::Whole
    }

    /// How long people take at least.
    pub fn takes(&self) -> Duration {
        match self.scenario {
            // nginx gives up after 60 s without a byte, so it must have been comments that kept this alive.
            Scenario::Outlast if self.call.answer == Answer::StreamedQuietly && self.way == Way::Nginx => {
                Duration::from_secs(68)
            }
            // A stream is given an empty delta after 45 s, where its format has them.
            Scenario::Outlast => Duration::from_secs(46),
            // A stream is past the slices of clients that do not stream.
            Scenario::Join if self.streams() => Duration::from_secs(9),
            Scenario::Minutes if self.streams() => Duration::from_mins(6),
            Scenario::Minutes => Duration::from_mins(4),
            // Within a slice of 290 s: Node gives up after 300 s, whatever its time-out.
            Scenario::Slice => Duration::from_secs(270),
            _ => Duration::ZERO,
        }
    }
}

/// What only some clients play: they go about it in a way of their own.
pub fn stories(ways: &[Way]) -> Vec<Case> {
    const STORIES: &[(&str, Call, Scenario)] = &[
        ("openai-python", whole("conversation"), Scenario::Converse),
        ("openai-python", streamed("conversation-stream"), Scenario::Converse),
        ("openai-python", whole("leaves"), Scenario::Leave),
        ("openai-python", streamed("leaves-stream"), Scenario::Leave),
        ("openai-python", whole("leaves"), Scenario::Stay),
        ("openai-python", streamed("leaves-stream"), Scenario::Stay),
        ("curl", whole("ask-later"), Scenario::Later),
        ("curl", whole("ask-later"), Scenario::LaterDenied),
        ("curl", whole(ANONYMOUS), Scenario::Join),
    ];
    let client = |name: &str| CLIENTS.iter().find(|client| client.name == name).expect("the client plays");
    let all = ways.iter().flat_map(|&way| {
        STORIES.iter().map(move |(name, call, scenario)| Case { client: client(name), call, scenario: *scenario, way })
    });
    all.collect()
}

/// Every client, in every way of calling it, over these ways, in these scenarios.
pub fn cases(ways: &[Way], scenarios: &[Scenario]) -> Vec<Case> {
    let mut cases = Vec::new();
    for client in CLIENTS {
        for call in client.calls {
            for &way in ways {
                cases.extend(scenarios.iter().map(|&scenario| Case { client, call, scenario, way }));
            }
        }
    }
    // A client that does not stream waits a slice at most; a stream knows no slices.
    cases.retain(|case| case.streams() || case.scenario != Scenario::Outlast);
    cases.retain(|case| !case.streams() || case.scenario != Scenario::Slice);
    // A person edits one query at a time; two calls of each client are enough.
    cases.retain(|case| {
        case.scenario != Scenario::Edit || case.client.calls.iter().take(2).any(|call| call == case.call)
    });
    cases
}
