//! The test bed itself: who is who, and that nothing is left of it.

use std::env;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::cluster::{Guard, Program};
use super::{cluster, done};

/// Set for the process that is to be killed: the folder that it uses.
const FOLDER: &str = "COUNTERSIGN_TEST_GUARDED_FOLDER";

#[test]
fn people_are_who_their_certificates_say() {
    let alice = cluster().person("alice", &["legal", "on-call"]);
    let said = done(&cluster().kubectl_as(&alice, &["auth", "whoami", "-o", "json"], ""));
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["status"]["userInfo"]["username"], "alice");
    assert_eq!(said["status"]["userInfo"]["groups"], serde_json::json!(["legal", "on-call", "system:authenticated"]));
    let refused = cluster().kubectl_as(&alice, &["get", "pods", "-A"], "");
    assert!(!refused.status.success());
}

/// Not a test of its own: what [`nothing_is_left_of_a_test_run_that_is_killed`] starts and kills.
#[test]
fn a_process_that_waits_to_be_killed() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let guard = Guard::over(folder);
    let _program = Program::start(Path::new("/usr/bin/sleep"), &["infinity".to_owned()], guard.group(), folder);
    println!("\ngroup {}", guard.group());
    loop {
        thread::park();
    }
}

#[test]
fn nothing_is_left_of_a_test_run_that_is_killed() {
    let folder = tempfile::tempdir().unwrap().keep();
    let mut run = Command::new(env::current_exe().unwrap())
        .args(["--exact", "bed::a_process_that_waits_to_be_killed", "--nocapture"])
        .env(FOLDER, &folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(run.stdout.take().unwrap()).lines().map(Result::unwrap);
    let group = lines.find_map(|line| line.strip_prefix("group ").map(str::to_owned)).unwrap();
    let alive = || members(&group);
    assert_eq!(alive().len(), 2, "the leader and the program");
    run.kill().unwrap();
    run.wait().unwrap();
    for _ in 0..500 {
        if alive().is_empty() && !folder.exists() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("still there: processes {:?}, folder {}", alive(), folder.exists());
}

/// Processes of a group that still run: who is dead and not buried yet holds nothing.
fn members(group: &str) -> Vec<String> {
    let mut members = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let fields: Vec<_> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        if fields.get(2) == Some(&group) && fields[0] != "Z" {
            members.push(stat);
        }
    }
    members
}
