//! Generated files are what the code generates: the schemas of the resources and the reference of the command line.
//! `UPDATE=1` rewrites them.

#![expect(clippy::unwrap_used, reason = "a helper of tests may fail the test")]

use std::fmt::Write as _;
use std::path::Path;

use clap::CommandFactory as _;
use countersign::api::chain::ApprovalChain;
use countersign::api::policy::ApprovalPolicy;
use countersign::cli::Cli;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

#[track_caller]
fn check(path: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, generated).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == generated, "{} is not what the code generates; UPDATE=1 rewrites it", path.display());
}

/// The schema of one kind, as editors want it: its `kind` fixed, Kubernetes' own metadata let be.
fn resource<T: JsonSchema>(generator: &mut SchemaGenerator, kind: &str) -> Value {
    let mut schema: Schema = T::json_schema(generator);
    let object = schema.ensure_object();
    let properties = object.get_mut("properties").unwrap().as_object_mut().unwrap();
    properties.insert("apiVersion".to_owned(), json!({"const": countersign::api::API_VERSION}));
    properties.insert("kind".to_owned(), json!({"const": kind}));
    properties.insert("status".to_owned(), json!({"type": "object", "description": "Written by controllers."}));
    object.get_mut("required").unwrap().as_array_mut().unwrap().push(json!("kind"));
    object.insert("title".to_owned(), json!(kind));
    schema.to_value()
}

#[test]
fn the_schema_of_the_resources_is_current() {
    let mut generator = SchemaGenerator::default();
    let kinds = [
        resource::<ApprovalPolicy>(&mut generator, "ApprovalPolicy"),
        resource::<ApprovalPolicy>(&mut generator, "ClusterApprovalPolicy"),
        resource::<ApprovalChain>(&mut generator, "ApprovalChain"),
        resource::<ApprovalChain>(&mut generator, "ClusterApprovalChain"),
    ];
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Resources of countersign.dev/v1alpha1",
        "oneOf": kinds,
        "$defs": generator.take_definitions(true),
    });
    check("schema/countersign.dev_v1alpha1.json", &(serde_json::to_string_pretty(&schema).unwrap() + "\n"));
}

fn describe(command: &mut clap::Command, name: &str, out: &mut String) {
    let level = name.split(' ').count();
    let _ = writeln!(out, "{} `{name}`\n", "#".repeat(level));
    let usage = command.clone().bin_name(name).term_width(100).render_long_help().to_string();
    let _ = writeln!(out, "```text\n{}\n```\n", usage.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim());
    for inner in command.get_subcommands_mut() {
        let name = format!("{name} {}", inner.get_name());
        describe(inner, &name, out);
    }
}

#[test]
fn the_reference_of_the_command_line_is_current() {
    let mut command = Cli::command();
    command.build();
    let mut reference = String::new();
    describe(&mut command, "countersign", &mut reference);
    check("docs/cli.md", &(reference.trim_end().to_owned() + "\n"));
}
