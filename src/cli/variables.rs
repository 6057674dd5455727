//! Environment variables that look like settings and are none: a misspelled setting would be ignored
//! without a word.

use std::collections::BTreeSet;

use clap::Command;

use crate::config::nearest;

/// What begins all settings of ours, but for the database's URL.
const PREFIX: &str = "BEFRIEND_";

/// Variables that are no flag's: the commands in `--demo`'s text, a secret of imports, the program that tests
/// start, and what only docker-compose.yml reads, which hands all of its `.env` on.
const OTHERS: [&str; 5] = [
    "BEFRIEND_GRPCURL",
    "BEFRIEND_EASEMOB_CLIENT_SECRET",
    "BEFRIEND_BINARY",
    "BEFRIEND_IMAGE",
    "BEFRIEND_PUBLISH",
];

/// A sentence on each variable of this process that begins as our settings do and is none.
pub(super) fn warnings(command: &Command) -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    unknown(command, names)
}

fn unknown(command: &Command, names: impl Iterator<Item = String>) -> Vec<String> {
    let mut known: BTreeSet<String> = OTHERS.map(str::to_owned).into();
    collect(command, &mut known);
    let strange = |name: &String| {
        name.starts_with(PREFIX) && !known.contains(name) && !is_of_kubernetes(name)
    };
    let mut strange: Vec<String> = names.filter(strange).collect();
    strange.sort();
    let sentence = |name: String| {
        // The prefix, which all have in common, makes none like another.
        let known = known.iter().filter_map(|known| known.strip_prefix(PREFIX));
        let near = nearest(name.trim_start_matches(PREFIX), known);
        let hint = near.map_or(String::new(), |near| format!("; did you mean {PREFIX}{near}?"));
        format!("there is no setting {name}{hint}")
    };
    strange.into_iter().map(sentence).collect()
}

/// The variables of a command's flags, and of those of its subcommands.
fn collect(command: &Command, known: &mut BTreeSet<String>) {
    let variables = command.get_arguments().filter_map(|arg| arg.get_env()?.to_str());
    known.extend(variables.map(str::to_owned));
    for subcommand in command.get_subcommands() {
        collect(subcommand, known);
    }
}

/// Whether Kubernetes sets such a variable for a service that is called befriend, or befriend-something:
/// BEFRIEND_SERVICE_HOST, BEFRIEND_PORT, BEFRIEND_PORT_50051_TCP_ADDR.
fn is_of_kubernetes(name: &str) -> bool {
    let port =
        name.split("_PORT_").skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    name.contains("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.ends_with("_PORT")
        || port
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    #[test]
    fn a_variable_that_is_no_setting_is_told_with_the_one_that_is_like_it() {
        let flag = |name| Arg::new(name).long(name).env(name);
        let serve = clap::Command::new("serve").arg(flag("BEFRIEND_MAX_CHECK"));
        let command = clap::Command::new("befriend").arg(flag("BEFRIEND_LISTEN")).subcommand(serve);
        let names = [
            "BEFRIEND_LISTEN",
            "BEFRIEND_MAX_CHECK",
            "BEFRIEND_IMAGE",
            "BEFRIEND_LISTENS",
            "BEFRIEND_UNHEARD_OF",
            "BEFRIEND_SERVICE_HOST",
            "BEFRIEND_SERVICE_PORT_GRPC",
            "BEFRIEND_PORT",
            "BEFRIEND_ADMIN_PORT_9090_TCP_ADDR",
            "PATH",
        ];
        let said = unknown(&command, names.map(str::to_owned).into_iter());
        assert_eq!(
            said,
            [
                "there is no setting BEFRIEND_LISTENS; did you mean BEFRIEND_LISTEN?",
                "there is no setting BEFRIEND_UNHEARD_OF",
            ]
        );
    }
}
