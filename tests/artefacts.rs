//! Generated files are what the code generates: the schemas of the resources, the custom resources of a cluster and the
//! operator's rights in it, the messages of the distribution protocol, and the references of the command line, of the
//! resources, of detectors, of routes and of refusals.
//! `UPDATE=1` rewrites them.

#![expect(clippy::unwrap_used, reason = "a helper of tests may fail the test")]

use std::fmt::Write as _;
use std::path::Path;

use clap::CommandFactory as _;
use countersign::api::chain::ApprovalChain;
use countersign::api::exception::ApprovalException;
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

/// Leaves out what only an API server understands.
fn for_editors(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.retain(|key, _| !key.starts_with("x-kubernetes-"));
            fields.values_mut().for_each(for_editors);
        }
        Value::Array(items) => items.iter_mut().for_each(for_editors),
        _ => {}
    }
}

fn resources() -> Value {
    let mut generator = SchemaGenerator::default();
    let kinds = [
        resource::<ApprovalPolicy>(&mut generator, "ApprovalPolicy"),
        resource::<ApprovalPolicy>(&mut generator, "ClusterApprovalPolicy"),
        resource::<ApprovalChain>(&mut generator, "ApprovalChain"),
        resource::<ApprovalChain>(&mut generator, "ClusterApprovalChain"),
        resource::<ApprovalException>(&mut generator, "ApprovalException"),
    ];
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Resources of countersign.dev/v1alpha1",
        "oneOf": kinds,
        "$defs": generator.take_definitions(true),
    });
    for_editors(&mut schema);
    schema
}

#[test]
fn the_schema_of_the_resources_is_current() {
    let schema = resources();
    check("schema/countersign.dev_v1alpha1.json", &(serde_json::to_string_pretty(&schema).unwrap() + "\n"));
}

#[cfg(feature = "operator")]
#[test]
fn the_rights_of_the_operator_are_current() {
    for (file, text) in countersign::operator::manifests("countersign-system") {
        check(&format!("config/rbac/{file}"), &text);
    }
}

#[cfg(feature = "operator")]
#[test]
fn the_custom_resources_are_current() {
    let definitions = countersign::api::crd::definitions();
    let mut expected: Vec<_> = definitions.iter().map(|crd| format!("{}.yaml", crd.spec.names.plural)).collect();
    for (definition, file) in definitions.iter().zip(&expected) {
        let head = "# Generated from src/api: `make generate` rewrites this file.\n";
        check(&format!("crds/{file}"), &(head.to_owned() + &serde_saphyr::to_string(definition).unwrap()));
    }
    let folder = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("crds")).unwrap();
    let mut there: Vec<_> = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    there.sort();
    expected.sort();
    assert_eq!(there, expected, "crds/ has what no type gives any more");
}

/// What `src/distribution/protocol.rs` says before what is generated.
const PROTOCOL_HEAD: &str = "//! The messages of `proto/countersign/distribution/v1alpha1`, as Rust has them.
//!
//! Generated: `make generate` rewrites this file. Knows nothing of what a message is worth.

";

#[test]
fn the_messages_of_the_distribution_protocol_are_current() {
    let out = tempfile::tempdir().unwrap();
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    let files = protox::compile(["countersign/distribution/v1alpha1/distribution.proto"], [proto]).unwrap();
    tonic_prost_build::configure()
        .out_dir(out.path())
        // Both halves are one stream, and the server writes bundles without copying them for each gate: `distribution::stream`.
        .build_client(false)
        .build_server(false)
        .emit_rerun_if_changed(false)
        .bytes(".countersign.distribution.v1alpha1.Bundle.bytes")
        .compile_fds(files)
        .unwrap();
    let generated = std::fs::read_to_string(out.path().join("countersign.distribution.v1alpha1.rs")).unwrap();
    check("src/distribution/protocol.rs", &(PROTOCOL_HEAD.to_owned() + &generated));
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

#[test]
fn the_reference_of_the_gate_in_a_pod_is_current() {
    let intro = "`countersign-sidecar` stands in front of the model server of a Pod. What it is told stays the same for as long \
                 as the Pod lives; rule sets come from the operator. How they come is in [kubernetes.md](kubernetes.md).\n";
    let help = countersign::resident::help();
    check("docs/sidecar.md", &(document("The gate in a Pod", intro) + "\n```text\n" + &help + "```\n"));
}

/// The head of a generated document.
fn document(title: &str, intro: &str) -> String {
    format!("<!-- Generated from the code: `make generate` rewrites this file. -->\n\n# {title}\n\n{intro}\n")
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

/// The type of a field: a link where it has a table of its own.
fn type_of(field: &Value) -> String {
    if let Some(name) = field["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("[{name}](#{})", name.to_ascii_lowercase());
    }
    if let Some(fixed) = field["const"].as_str() {
        return format!("`{fixed}`");
    }
    if let Some(either) = field["anyOf"].as_array().or_else(|| field["oneOf"].as_array()) {
        let kinds: Vec<_> = either.iter().filter(|one| one["type"] != "null").map(type_of).collect();
        return kinds.join(" or ");
    }
    let kinds: Vec<&str> = match &field["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => kind.as_str().into_iter().collect(),
    };
    match kinds.into_iter().find(|kind| *kind != "null") {
        Some("array") => format!("list of {}", type_of(&field["items"])),
        Some("object") if field["additionalProperties"].is_object() => "map of texts".to_owned(),
        Some("string") => "text".to_owned(),
        Some(kind) => kind.to_owned(),
        None => String::new(),
    }
}

fn describe_type(name: &str, schema: &Value, out: &mut String) {
    let _ = writeln!(out, "\n## {name}\n\n{}\n", schema["description"].as_str().unwrap_or_default());
    if let Some(fields) = schema["properties"].as_object() {
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        out.push_str("| field | type | default | meaning |\n|---|---|---|---|\n");
        for (key, field) in fields {
            let default = match field.get("default").filter(|value| !value.is_object()) {
                _ if required.contains(&key.as_str()) => "required".to_owned(),
                Some(Value::Null) | None => String::new(),
                Some(value) => format!("`{}`", value.to_string().trim_matches('"')),
            };
            let about = cell(field["description"].as_str().unwrap_or_default());
            let _ = writeln!(out, "| `{key}` | {} | {default} | {about} |", type_of(field));
        }
    } else if let Some(values) = schema["oneOf"].as_array() {
        out.push_str("| value | meaning |\n|---|---|\n");
        for value in values {
            let about = cell(value["description"].as_str().unwrap_or_default());
            let _ = writeln!(out, "| `{}` | {about} |", value["const"].as_str().unwrap_or_default());
        }
    } else {
        let _ = writeln!(out, "{}.", type_of(schema));
    }
}

#[test]
fn the_reference_of_the_resources_is_current() {
    let schema = resources();
    let mut out = document(
        "Fields of the resources",
        "What [policies](policies.md) explains, field by field. Times are written `30s`, `10m`, `1h30m`, `24h`.",
    );
    for kind in schema["oneOf"].as_array().unwrap() {
        describe_type(kind["title"].as_str().unwrap(), kind, &mut out);
    }
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        describe_type(name, definition, &mut out);
    }
    check("docs/api.md", &out);
}

#[test]
fn the_reference_of_detectors_is_current() {
    use countersign::detect;

    let mut out = document(
        "Detectors",
        "What stands under `detectors` in a policy: a detector's name, or a group's for all of its detectors. A match is \
         redacted as its mark and a number, `[EMAIL_1]`.",
    );
    out.push_str("\n## Groups\n\n| group | detectors | what they find |\n|---|---|---|\n");
    for group in detect::groups() {
        let _ = writeln!(out, "| `{}` | {} | {} |", group.name, group.detectors().count(), cell(group.about));
    }
    for group in detect::groups().iter().filter(|group| group.name != "national-ids") {
        let _ = writeln!(out, "\n## `{}`\n\n| detector | mark | finds |\n|---|---|---|", group.name);
        for detector in group.detectors() {
            let _ = writeln!(out, "| `{}` | `{}` | {} |", detector.name, detector.mark, cell(detector.about));
        }
    }
    check("docs/detectors.md", &out);
}

#[test]
fn the_reference_of_refusals_is_current() {
    let mut out = document(
        "What a refused client is told",
        "Codes never change. Where it says so, `x-should-retry` tells the SDK whether to come again; elsewhere the \
         client's own rules apply.",
    );
    out.push_str("\n| code | status | `x-should-retry` | message, for example |\n|---|---|---|---|\n");
    for told in countersign::sidecar::refusals() {
        let retry = told.should_retry.map(|retry| format!("`{retry}`")).unwrap_or_default();
        let _ = writeln!(out, "| `{}` | {} | {retry} | {} |", told.code, told.status, cell(&told.message));
    }
    check("docs/refusals.md", &out);
}

#[test]
fn the_reference_of_routes_is_current() {
    use countersign::wire::{self, Route, Server};

    let mut out = document(
        "Routes",
        "What each kind of server's routes mean to the gate: judged by a format, passed (no query in them), or refused \
         with a code. What is not listed is refused as `route_unknown`. `allowRoutes` of a policy lets those through that \
         are refused as `route_administration` or `route_state`.",
    );
    for server in Server::ALL {
        let _ = writeln!(out, "\n## `{}`\n\n| methods | path | meaning |\n|---|---|---|", server.name());
        for row in wire::routes_named(server) {
            let meaning = match row.meaning {
                Route::Judge(format) => format!("judged as {format:?}"),
                Route::Pass => "passes".to_owned(),
                Route::Refuse(refusal) => format!("`{}`", refusal.code()),
            };
            let _ = writeln!(out, "| {} | `{}` | {meaning} |", row.methods.name(), row.pattern);
        }
    }
    check("docs/routes.md", &out);
}

#[test]
fn every_policy_in_the_documentation_passes_lint() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let mut documents = vec![root.join("README.md")];
    documents.extend(std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    let mut seen = 0;
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
        for block in blocks.filter(|block| block.starts_with("apiVersion:")) {
            seen += 1;
            let path = folder.path().join("policy.yaml");
            std::fs::write(&path, block).unwrap();
            let lint = std::process::Command::new(env!("CARGO_BIN_EXE_countersign")).arg("lint").arg(&path).output();
            let lint = lint.unwrap();
            let said = String::from_utf8_lossy(&lint.stdout).into_owned();
            assert!(lint.status.success() && !said.contains("warning"), "{}:\n{said}", document.display());
        }
    }
    assert!(seen >= 2, "the documentation lost its examples: {seen}");
}
