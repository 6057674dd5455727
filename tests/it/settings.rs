//! Settings: `--help` shows each of them, and a wrong one is refused at the start with its name.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use befriend::{cli::Cli, domain::Secret};
use clap::CommandFactory as _;

use crate::support::{
    app::{OPERATOR_TOKEN, settings},
    binary, postgres,
    process::Folder,
};

/// The message of a start that is refused.
#[track_caller]
fn refusal(arguments: &[&str]) -> String {
    let output = binary::run(arguments);
    assert!(!output.status.success(), "{arguments:?} were taken");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_setting_that_can_not_be_read_is_refused_with_its_name() {
    for (arguments, setting) in [
        (&["--listen", "nonsense"][..], "--listen"),
        (&["--tls-cert", "cert.pem"], "--tls-key"),
        (&["--tls-client-ca", "ca.pem"], "--tls-cert"),
        (&["--reflection", "maybe"], "--reflection"),
        (&["--cors-origins", "example.com"], "--cors-origins"),
        (&["--max-message", "0"], "--max-message"),
        (&["--max-in-flight", "0"], "--max-in-flight"),
        (&["--keepalive", "0s"], "--keepalive"),
        (&["--max-duration", "15"], "--max-duration"),
        (&["--drain", "soon"], "--drain"),
        (&["--db-connections", "0"], "--db-connections"),
        (&["--db-lock-timeout", "400d"], "--db-lock-timeout"),
        (&["--operator-token", "too-short-a-secret"], "--operator-token"),
        (&["--operator-token", "it has blanks and more than 32 characters"], "--operator-token"),
        (&["--failed-logins", "0"], "--failed-logins"),
        (&["--rate-burst", "much"], "--rate-burst"),
        (&["--rate-burst", "NaN"], "--rate-burst"),
        (&["--instances", "0"], "--instances"),
        (&["--max-import", "0"], "--max-import"),
        (&["--max-page", "5001"], "--max-page"),
        (&["--log-format", "xml"], "--log-format"),
        (&["--otlp-endpoint", "127.0.0.1:4317"], "--otlp-endpoint"),
        (&["--otlp-protocol", "udp"], "--otlp-protocol"),
        (&["--trace-sampling", "1.5"], "--trace-sampling"),
        (&["--log", "befriend=loud"], "--log"),
        (&["--no-such-setting", "1"], "--no-such-setting"),
    ] {
        let said = refusal(arguments);
        assert!(said.contains(setting), "{arguments:?}: {said}");
    }
}

#[test]
fn settings_that_do_not_fit_each_other_are_refused_with_a_name() {
    for (arguments, setting) in [
        (&["--token-ttl", "90d", "--max-token-ttl", "60d"][..], "--token-ttl"),
        (&["--token-ttl", "59s"], "--token-ttl"),
        (&["--db-min-connections", "21"], "--db-min-connections"),
        (&["--demo", "--listen", "0.0.0.0:0"], "--demo"),
        (&["--ephemeral", "--demo"], "--demo"),
        (&["--ephemeral", "--migrate", "false"], "--migrate"),
        (&["--ephemeral", "--data-dir", "/nowhere"], "--data-dir"),
    ] {
        let said = refusal(arguments);
        assert!(said.contains(setting), "{arguments:?}: {said}");
        let said = refusal(&[&["serve"][..], arguments].concat());
        assert!(said.contains(setting), "serve {arguments:?}: {said}");
    }
}

#[test]
fn a_refused_secret_is_not_shown() {
    let said = refusal(&["--operator-token", "too-short-a-secret"]);
    assert!(!said.contains("too-short-a-secret"), "{said}");
}

#[test]
fn a_secret_comes_from_one_place_and_a_file_holds_it() {
    let folder = Folder::new();
    let file = |name: &str, text: &str| {
        let path = folder.0.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let token = file("token", &format!("  {OPERATOR_TOKEN}\n"));
    let (empty, short) = (file("empty", " \n"), file("short", "too-short-a-secret"));
    for (flag, value) in [
        ("--operator-token", OPERATOR_TOKEN),
        ("--credentials-key", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="),
        ("--database-url", "postgres://127.0.0.1:1/nothing"),
        ("--database-password", "s3cret-password"),
    ] {
        let flag_file = format!("{flag}-file");
        let given = file("given", value);
        for (arguments, why) in [
            (&[flag, value, &flag_file, &given][..], "given twice"),
            (&[&flag_file, "/nowhere/secret"], "can't read /nowhere/secret"),
            (&[&flag_file, &empty], "is empty"),
        ] {
            // The URL has no password, so that one may be given beside it.
            let url = ["--database-url", "postgres://u@127.0.0.1:1/x", "--db-wait", "0s"];
            let url = if flag == "--database-url" { &[][..] } else { &url };
            let always = ["--listen", "127.0.0.1:0"];
            let said = refusal(&[arguments, &always, url].concat());
            assert!(said.contains(&flag_file) && said.contains(why), "{arguments:?}: {said}");
            assert!(!said.contains(value), "{arguments:?}: {said}");
        }
    }
    let said = refusal(&["--operator-token-file", &short]);
    assert!(said.contains("--operator-token") && said.contains("32"), "{said}");
    assert!(!said.contains("too-short"), "{said}");
    let settings = settings(&["--operator-token-file", &token]);
    assert_eq!(settings.access.operator_token().unwrap().unwrap().reveal(), OPERATOR_TOKEN);
    let twice = [
        "--database-url",
        "postgres://u:s3cret-1@127.0.0.1:1/x",
        "--database-password",
        "s3cret-2",
    ];
    let said = refusal(&twice);
    assert!(said.contains("--database-password") && said.contains("given twice"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn a_setting_can_come_from_the_environment_and_a_flag_wins() {
    let mut command = binary::command(&["--token-ttl", "59s"]);
    let output = command.env("BEFRIEND_LISTEN", "nonsense").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("--listen") && said.contains("nonsense"), "{said}");

    let mut command = binary::command(&["--token-ttl", "59s", "--listen", "127.0.0.1:0"]);
    let output = command.env("BEFRIEND_LISTEN", "nonsense").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("--token-ttl"), "{said}");
}

#[test]
fn a_database_that_can_not_be_used_is_named() {
    let serve = ["--listen", "127.0.0.1:0", "--database-url"];
    let said = refusal(&[&serve[..], &["nonsense"]].concat());
    assert!(said.contains("--database-url"), "{said}");
    // Nothing listens on port 1.
    let nowhere = "postgres://nobody:its-password@127.0.0.1:1/nothing";
    let said = refusal(&[&serve[..], &[nowhere]].concat());
    assert!(!said.contains("its-password"), "{said}");
}

#[tokio::test]
async fn a_certificate_that_can_not_be_read_is_named() {
    let database = postgres::fresh_database().await;
    let serve = ["--listen", "127.0.0.1:0", "--database-url", &database];
    let tls = ["--tls-cert", "/nowhere/cert.pem", "--tls-key", "/nowhere/key.pem"];
    let said = refusal(&[&serve[..], &tls].concat());
    assert!(said.contains("--tls-cert") && said.contains("/nowhere/cert.pem"), "{said}");
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = refusal(&["--listen", &address]);
    assert!(said.contains("--listen") && said.contains(&address), "{said}");
}

#[test]
fn the_help_names_every_setting_with_its_environment_variable() {
    let output = binary::run(&["--help"]);
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    let command = Cli::command();
    let settings =
        command.get_arguments().filter(|a| !matches!(a.get_id().as_str(), "help" | "version"));
    let mut count = 0;
    for setting in settings {
        let flag = format!("--{}", setting.get_long().unwrap());
        let variable = setting.get_env().unwrap_or_else(|| panic!("{flag} has no variable"));
        let variable = variable.to_str().unwrap();
        assert!(
            help.contains(&format!("{flag} ")) || help.contains(&format!("{flag}\n")),
            "{flag}"
        );
        assert!(help.contains(&format!("[env: {variable}")), "{flag}: {variable}");
        assert!(setting.get_help().is_some(), "{flag} is not explained");
        count += 1;
    }
    assert!(count > 30, "only {count} settings were looked at");
}

#[test]
fn make_env_writes_secrets_that_can_be_used() {
    let folder = Folder::new();
    let (env, secrets) = (folder.0.join(".env"), folder.0.join("secrets"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/make-env");
    let read = |name: &str| fs::read_to_string(secrets.join(name)).unwrap();
    let names = ["postgres_password", "operator_token", "credentials_key"];
    let made = Command::new("sh").arg(script).arg(&env).output().unwrap();
    let written = names.map(read);
    let again = Command::new("sh").arg(script).arg(&env).output().unwrap();
    assert!(made.status.success() && again.status.success(), "{made:?} {again:?}");
    assert_eq!(written, names.map(read), "a second run changes nothing");
    assert!(fs::read_to_string(&env).unwrap().contains("\nSECRETS_FOLDER=./secrets\n"));
    // The containers read the files by their own users, and nobody else gets to them.
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&secrets), mode(&secrets.join("operator_token"))), (0o700, 0o644));

    assert_eq!(written[0].len(), 64);
    let path = |name: &str| secrets.join(name).to_str().unwrap().to_owned();
    let (token, key) = (path("operator_token"), path("credentials_key"));
    let settings = settings(&["--operator-token-file", &token, "--credentials-key-file", &key]);
    assert!(settings.access.operator_token().unwrap().is_some());
    let keyring = settings.access.credentials_key.keyring().unwrap();
    assert!(keyring.seal(&Secret::presented("x"), Default::default()).is_some());
}

/// The variables of a command and of the commands below it.
fn variables(command: &clap::Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(|argument| argument.get_env());
    let own = own.map(|name| name.to_str().unwrap().to_owned());
    own.chain(command.get_subcommands().flat_map(variables)).collect()
}

#[test]
fn every_variable_that_a_document_or_a_deployment_names_is_a_setting() {
    let known = variables(&Cli::command());
    // What docker-compose.yml and the Makefile read by themselves, and a secret that no flag takes.
    let others = [
        "BEFRIEND_IMAGE",
        "BEFRIEND_PUBLISH",
        "BEFRIEND_GRPCURL",
        "BEFRIEND_EASEMOB_CLIENT_SECRET",
        // What befriend.testing of the client for Python reads.
        "BEFRIEND_BINARY",
    ];
    let files = [&documents()[..], &deployments()[..]].concat();
    assert!(files.len() > 20, "{files:?}");
    let mut unknown = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let names = text.split(|char: char| !(char.is_ascii_uppercase() || char == '_'));
        let names = names.filter(|name| name.starts_with("BEFRIEND_") && !name.ends_with('_'));
        let wrong = names.filter(|name| !known.contains(*name) && !others.contains(name));
        unknown.extend(wrong.map(|name| format!("{}: {name}", file.display())));
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}

/// The documents of the repository.
fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let top = ["README.md", "README.zh-CN.md", "CHANGELOG.md", "CONTRIBUTING.md"];
    let mut all: Vec<_> = top.iter().map(|name| root.join(name)).collect();
    let docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    all.extend(docs.filter(|path| path.is_file()));
    all
}

/// The files that set befriend up in containers, under systemd and in Kubernetes.
fn deployments() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let top = ["Dockerfile", "docker-compose.yml", ".env.example"];
    let mut all: Vec<_> = top.iter().map(|name| root.join(name)).collect();
    let mut folders = vec![root.join("deploy")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { all.push(path) }
        }
    }
    all
}
