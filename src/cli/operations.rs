//! The commands of an operator that work on a database, as the calls of the API do.

use std::{process::ExitCode, sync::Arc};

use clap::Subcommand;

use super::{
    apps::{self, AppArgs},
    audits::{self, AuditArgs},
    blocks::{self, BlocksArgs},
    callback_rules::{self, RuleArgs},
    error::CommandError,
    events::{self, EventsArgs},
    export::{ExportArgs, export},
    friends::{self, FriendsArgs},
    import::{ImportArgs, import},
    operators::{self, OperatorArgs},
    relations::{self, RelationArgs},
    requests::{self, RequestsArgs},
    tokens::{self, TokenArgs},
    users::{self, UserArgs},
};
use crate::{config::CredentialsKeyArgs, ops::Core};

#[derive(Debug, Subcommand)]
pub(super) enum Operation {
    /// Create, show, change and delete apps (the tenants).
    App(AppArgs),
    /// Create, show and revoke the tokens of operators.
    Operator(OperatorArgs),
    /// Show who changed what.
    Audit(AuditArgs),
    /// Issue a token of an app and print it; show and revoke tokens.
    Token(TokenArgs),
    /// Show, create, change and delete the users of an app.
    User(UserArgs),
    /// Show and change a user's friends.
    Friends(FriendsArgs),
    /// Show a user's friend requests.
    Requests(RequestsArgs),
    /// Show and change whom a user blocks.
    Blocks(BlocksArgs),
    /// Show what users are to each other.
    Relation(RelationArgs),
    /// Show, create, change and delete the callback rules of an app.
    Rule(RuleArgs),
    /// Show an app's callback events, and send them again.
    Events(EventsArgs),
    /// Export an app's users, friends and blocks to files.
    Export(ExportArgs),
    /// Import users, friends and blocks into an app, from files or from another service.
    Import(ImportArgs),
}

impl Operation {
    /// The key to seal secrets with, as the command's own flags have it.
    pub(super) fn credentials_key(&self) -> CredentialsKeyArgs {
        let Self::App(args) = self else { return CredentialsKeyArgs::default() };
        args.credentials_key().cloned().unwrap_or_default()
    }

    pub(super) async fn run(self, core: &Arc<Core>) -> Result<ExitCode, CommandError> {
        match self {
            Self::App(args) => apps::run(core, args).await?,
            Self::Operator(args) => operators::run(core, args).await?,
            Self::Audit(args) => audits::run(core, args).await?,
            Self::Token(args) => tokens::run(core, args).await?,
            Self::User(args) => users::run(core, args).await?,
            Self::Friends(args) => friends::run(core, args).await?,
            Self::Requests(args) => requests::run(core, args).await?,
            Self::Blocks(args) => blocks::run(core, args).await?,
            Self::Relation(args) => relations::run(core, args).await?,
            Self::Rule(args) => callback_rules::run(core, args).await?,
            Self::Events(args) => events::run(core, args).await?,
            Self::Export(args) => export(core, args).await?,
            Self::Import(args) => return import(core, args).await,
        }
        Ok(ExitCode::SUCCESS)
    }
}
