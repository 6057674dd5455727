//! The file of settings, what the settings come to, and variables that are none.

use std::{fs, process::Command};

use serde_json::Value;

use crate::support::{
    app::OPERATOR_TOKEN,
    binary::{self, Service, command},
    postgres,
    process::Folder,
};

/// A folder with a file of settings; the file's path.
fn file(text: &str) -> (Folder, String) {
    let folder = Folder::new();
    let path = folder.0.join("befriend.toml");
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

/// What a command says that fails.
#[track_caller]
fn refusal(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success(), "{command:?} succeeded");
    String::from_utf8(output.stderr).unwrap()
}

/// The value and the source of a setting, as `config check` shows them.
#[track_caller]
fn effective(settings: &Value, name: &str) -> (String, String) {
    let found = settings.as_array().unwrap().iter().find(|one| one["setting"] == name);
    let found = found.unwrap_or_else(|| panic!("no {name} in {settings}"));
    let text = |member: &str| found[member].as_str().unwrap_or("-").to_owned();
    (text("value"), text("source"))
}

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let (_folder, path) = file(&format!(
        "db-connections = 7\nmax-import = 8\nmax-check = 9\nmigrate = false\nrate-burst = 2.5\n\
         callback-schedule = [\"1s\", \"2s\"]\noperator-token = \"{OPERATOR_TOKEN}\"\n\
         database-url = \"postgres://u:s3cret@db/x\"\n"
    ));
    let check = ["config", "check", "--output", "json", "--config", &path, "--max-check", "3"];
    let output = command(&check)
        .env("BEFRIEND_MAX_IMPORT", "4")
        .env("BEFRIEND_MAX_CHECK", "5")
        .output()
        .unwrap();
    let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{printed}");
    assert!(!printed.contains(OPERATOR_TOKEN) && !printed.contains("s3cret"), "{printed}");
    let settings = serde_json::from_str(&printed).unwrap();
    for (name, value, source) in [
        ("db-connections", "7", "file"),
        ("max-import", "4", "environment"),
        ("max-check", "3", "flag"),
        ("migrate", "false", "file"),
        ("rate-burst", "2.5", "file"),
        ("callback-schedule", "1s,2s", "file"),
        ("operator-token", "(secret)", "file"),
        ("credentials-key", "-", "default"),
        ("database-url", "postgres://u@db:5432/x", "file"),
        ("max-page", "50", "default"),
    ] {
        assert_eq!(effective(&settings, name), (value.to_owned(), source.to_owned()), "{name}");
    }
}

#[test]
fn a_secret_of_the_file_gives_way_to_the_file_of_a_secret_and_the_other_way_round() {
    let (folder, path) = file("operator-token-file = \"/nowhere/token\"\n");
    let check = ["config", "check", "--config", &path];
    assert!(refusal(command(&check)).contains("can't read /nowhere/token"));
    let mut with_variable = command(&check);
    let output = with_variable.env("BEFRIEND_OPERATOR_TOKEN", OPERATOR_TOKEN).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let token = folder.0.join("token");
    fs::write(&token, OPERATOR_TOKEN).unwrap();
    let (_other, path) = file("operator-token = \"of the file: not a token\"\n");
    let flags = ["--config", &path, "--operator-token-file", token.to_str().unwrap()];
    let output = binary::run(&[&["config", "check"], &flags[..]].concat());
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_file_that_can_not_be_used_is_refused_with_its_name_and_without_its_values() {
    for (text, parts) in [
        ("listen = \"s3cret", &["line 1"][..]),
        ("\nmax-chekc = \"s3cret\"\n", &["there is no setting max-chekc", "there is max-check"]),
        ("config = \"s3cret\"\n", &["there is no setting config"]),
        ("[listen]\nport = \"s3cret\"\n", &["listen must be a text"]),
        ("max-check = \"many\"\n", &["has the setting max-check", "--max-check"]),
    ] {
        let (_folder, path) = file(text);
        for arguments in [&["--config", &path][..], &["app", "list", "--config", &path]] {
            let said = refusal(command(arguments));
            assert!(said.contains(&path), "{text:?}: {said}");
            assert!(parts.iter().all(|part| said.contains(part)), "{text:?}: {said}");
            assert!(!said.contains("s3cret"), "{text:?}: {said}");
        }
    }
    let said = refusal(command(&["--config", "/nowhere/befriend.toml"]));
    assert!(said.contains("can't read /nowhere/befriend.toml"), "{said}");
    // A certificate of the file needs a key, wherever that is named.
    let (_folder, path) = file("tls-cert = \"/nowhere/cert.pem\"\n");
    let said = refusal(command(&["--config", &path]));
    assert!(said.contains("--tls-key is missing"), "{said}");
    let said = refusal(command(&["config", "check", "--config", &path, "--tls-key", "k.pem"]));
    assert!(said.contains("can't read /nowhere/cert.pem"), "{said}");
}

#[tokio::test]
async fn a_service_starts_with_a_file_and_tells_variables_that_are_no_settings() {
    let database = postgres::fresh_database().await;
    let (_folder, path) =
        file(&format!("database-url = \"{database}\"\noperator-token = \"{OPERATOR_TOKEN}\"\n"));
    let mut service = Service::start_with(&["--config", &path], |command| {
        command.env("BEFRIEND_LISTENS", "0.0.0.0:1").env("BEFRIEND_SERVICE_PORT", "1");
    })
    .await;
    service.logs("serving").await;
    assert!(service.stop().await);
    let told = "there is no setting BEFRIEND_LISTENS; did you mean BEFRIEND_LISTEN?";
    assert_eq!(service.logged.matches(told).count(), 1, "{}", service.logged);
    assert!(!service.logged.contains("BEFRIEND_SERVICE_PORT"), "{}", service.logged);
    assert!(service.logged.contains("\"database\":\"postgres://"), "{}", service.logged);

    let mut list = command(&["app", "list", "--config", &path]);
    let output = list.env("BEFRIEND_UNHEARD_OF", "1").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("befriend: there is no setting BEFRIEND_UNHEARD_OF\n"), "{said}");
}

#[test]
fn commands_without_a_database_offer_no_flags_of_one_and_take_none() {
    for name in ["receiver", "health"] {
        let help = String::from_utf8(binary::run(&[name, "--help"]).stdout).unwrap();
        assert!(help.contains("Usage") && !help.contains("--data"), "{help}");
        assert!(!help.contains("DATABASE"), "{help}");
        for arguments in [[name, "--database-url", "x"], ["--database-url", "x", name]] {
            let said = refusal(command(&arguments));
            assert!(said.contains("uses no database"), "{said}");
        }
    }
    let help = String::from_utf8(binary::run(&["app", "list", "--help"]).stdout).unwrap();
    assert!(help.contains("--database-url"), "{help}");
}
