//! The tour: five queries, each with what must come of it. What is told is checked; a tour that fails says where.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tokio::process::Command;

use super::Addresses;
use super::client::{Answer, post};

const LOOK_TRIES: u32 = 100;
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// Plays the tour; true when everything happened as told.
pub(super) async fn play(addresses: &Addresses, data: &Path) -> anyhow::Result<bool> {
    let tour = Guide { url: format!("http://{}/v1/chat/completions", addresses.gate), data, passed: true };
    tour.play().await
}

struct Guide<'a> {
    url: String,
    data: &'a Path,
    passed: bool,
}

impl Guide<'_> {
    async fn play(mut self) -> anyhow::Result<bool> {
        println!("A tour of Countersign. Each query goes to the gate at {}.", self.url);
        self.clean().await?;
        self.personal_data().await?;
        self.credential().await?;
        self.sign_off().await?;
        self.record().await?;
        println!(
            "\n{}",
            if self.passed {
                "The tour is over: everything happened as told."
            } else {
                "The tour found something wrong: see `not as told` above."
            }
        );
        Ok(self.passed)
    }

    async fn clean(&mut self) -> anyhow::Result<()> {
        headline(1, "A clean query passes unchanged.");
        let answer = self.ask("What is the capital of France?").await?;
        let said = show(&answer);
        self.expect(answer.status == 200 && said == "I received: What is the capital of France?");
        Ok(())
    }

    async fn personal_data(&mut self) -> anyhow::Result<()> {
        headline(
            2,
            "Personal data is taken out before the model sees it. The demonstration model answers with what it received:",
        );
        let answer = self
            .ask("Write to ada@example.com and cc bob@example.com; ada@example.com pays by 4539 1488 0343 6467.")
            .await?;
        let said = show(&answer);
        self.expect(
            answer.status == 200
                && said == "I received: Write to [EMAIL_1] and cc [EMAIL_2]; [EMAIL_1] pays by [CREDIT_CARD_1].",
        );
        Ok(())
    }

    async fn credential(&mut self) -> anyhow::Result<()> {
        headline(3, "A credential is refused; the model never sees it.");
        // Put together here so that no scanner takes this source for a leak.
        let key = ["AKIA", "QYLPMN5HFIQR7XYA"].concat();
        let answer = self.ask(&format!("Why does {key} not work?")).await?;
        show(&answer);
        self.expect(answer.status == 403 && answer.body["error"]["code"] == "policy_denied");
        Ok(())
    }

    async fn sign_off(&mut self) -> anyhow::Result<()> {
        headline(4, "A query that needs sign-off waits, its client unchanged, until somebody decides.");
        let asked = "Summarise project nightingale for the board.";
        let older = self.pending().await?;
        let asking = self.ask(asked);
        let deciding = async {
            let (id, view) = self.newly_held(&older).await?;
            println!("  held as {id}; a reviewer looks and approves:");
            self.countersign(&["approvals", "show", &id]).await?;
            self.countersign(&["approve", &id, "--view", &view, "--as", "alice", "--reason", "the board may know"])
                .await
        };
        let (answer, decided) = tokio::join!(asking, deciding);
        decided?;
        let answer = answer?;
        let said = show(&answer);
        self.expect(answer.status == 200 && said == format!("I received: {asked}"));
        Ok(())
    }

    async fn record(&mut self) -> anyhow::Result<()> {
        headline(5, "Everything is recorded, and the record can be checked.");
        self.countersign(&["audit", "tail", "-n", "12"]).await?;
        self.countersign(&["audit", "verify"]).await
    }

    async fn ask(&self, text: &str) -> anyhow::Result<Answer> {
        println!("  > {text}");
        post(&self.url, &json!({"model": "demo", "messages": [{"role": "user", "content": text}]})).await
    }

    /// The id of the hold that was not there before, and the digest of its view.
    async fn newly_held(&self, older: &[(String, String)]) -> anyhow::Result<(String, String)> {
        for _ in 0..LOOK_TRIES {
            if let Some(new) = self.pending().await?.into_iter().find(|hold| !older.contains(hold)) {
                return Ok(new);
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
        bail!("the query was not held: `countersign approvals list` shows nothing new")
    }

    /// Ids and views of all pending holds.
    async fn pending(&self) -> anyhow::Result<Vec<(String, String)>> {
        let out = self.command(&["approvals", "list", "-o", "json"]).output().await?;
        let list: Value = serde_json::from_slice(&out.stdout).with_context(|| {
            format!("`countersign approvals list` failed: {}", String::from_utf8_lossy(&out.stderr))
        })?;
        let pending = list.as_array().into_iter().flatten().filter(|item| item["status"]["phase"] == "Pending");
        let named =
            pending.filter_map(|item| Some((item["metadata"]["name"].as_str()?, item["spec"]["view"].as_str()?)));
        Ok(named.map(|(id, view)| (id.to_owned(), view.to_owned())).collect())
    }

    /// Runs a command as a person would, showing it and what it prints.
    async fn countersign(&self, args: &[&str]) -> anyhow::Result<()> {
        let shown: Vec<String> =
            args.iter().map(|a| if a.contains(' ') { format!("'{a}'") } else { (*a).to_owned() }).collect();
        println!("  $ countersign {} --data {}", shown.join(" "), self.data.display());
        let out = self.command(args).output().await?;
        for line in String::from_utf8_lossy(&out.stdout).lines().chain(String::from_utf8_lossy(&out.stderr).lines()) {
            println!("    {line}");
        }
        if out.status.success() { Ok(()) } else { bail!("`countersign {}` failed: {}", args.join(" "), out.status) }
    }

    fn command(&self, args: &[&str]) -> Command {
        let program = std::env::current_exe().unwrap_or_else(|_| "countersign".into());
        let mut command = Command::new(program);
        command.args(args).arg("--data").arg(self.data).kill_on_drop(true);
        command
    }

    fn expect(&mut self, as_told: bool) {
        if !as_told {
            println!("  not as told!");
            self.passed = false;
        }
    }
}

fn headline(number: u8, text: &str) {
    println!("\n{number}. {text}");
}

/// Prints an answer; gives what the model said.
fn show(answer: &Answer) -> String {
    let said = answer.body["choices"][0]["message"]["content"].as_str().unwrap_or_default();
    let refusal = answer.body["error"]["message"].as_str().unwrap_or_default();
    let (who, words) = if refusal.is_empty() { ("model", said) } else { ("gate", refusal) };
    println!("  < {} {who}: {words}   ({})", answer.status.as_u16(), answer.query);
    said.to_owned()
}
