//! Everything that takes part in a run: the services, their app and its data set.

use std::{collections::HashMap, fs, path::Path, sync::Mutex};

use befriend::{
    private_postgres::PrivatePostgres,
    proto::{
        self, app_service_client::AppServiceClient,
        callback_rule_service_client::CallbackRuleServiceClient,
    },
    store,
};
use sqlx::PgPool;
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};

use crate::{
    APP, Flags,
    common::app::{Failure, Token, authorized, create_app, issue_token, operator},
    data,
    machine::Process,
    operations::{self, Caller, Operation},
    pgbench::Pgbench,
};

/// Everything that takes part in a run.
pub struct Bench<'a> {
    pub flags: &'a Flags,
    pub pool: PgPool,
    /// The process id of the Postgres server.
    pub postgres: u32,
    pub pgbench: Pgbench,
    pub caller: Caller,
    pub app_id: String,
    pub rule: Rule,
    pub echo: (Process, Vec<Channel>),
    pub service: (Process, Vec<Channel>),
    /// Another build of the service.
    pub other: Option<(Process, Vec<Channel>)>,
    /// The CPU time that the start of pgbench takes, by operation and number of callers.
    pub starts: Mutex<HashMap<(Operation, usize), Cpu>>,
}

/// CPU time in seconds.
#[derive(Clone, Copy, Default)]
pub struct Cpu {
    pub database: f64,
    pub client: f64,
}

/// The callback rule that some operations run with.
pub struct Rule {
    service: CallbackRuleServiceClient<Channel>,
    rule_id: String,
}

impl Rule {
    pub async fn enable(&self, enabled: bool) -> Result<(), Failure> {
        let change = proto::UpdateCallbackRuleRequest {
            app_key: APP.to_owned(),
            rule_id: self.rule_id.clone(),
            enabled: Some(enabled),
            ..Default::default()
        };
        self.service.clone().update_callback_rule(authorized(&operator(), change)).await?;
        Ok(())
    }
}

impl<'a> Bench<'a> {
    /// Starts the services, and loads the data set unless the database holds it already.
    pub async fn prepare(flags: &'a Flags, postgres: &PrivatePostgres) -> Result<Self, Failure> {
        fs::create_dir_all(&flags.output)?;
        store::migrate(postgres.url()).await?;
        let pool = PgPool::connect(postgres.url()).await?;
        let connections = flags.all_connections();
        let start = async |binary: &Path, log: &str| {
            let process = Process::befriend(binary, postgres.url(), &flags.output.join(log))?;
            let channels = connect(&process.url, connections).await?;
            Ok::<_, Failure>((process, channels))
        };
        let binary = Path::new(env!("CARGO_BIN_EXE_befriend"));
        let service = start(binary, "befriend.log").await?;
        let other = match &flags.other {
            Some(binary) => Some(start(binary, "other.log").await?),
            None => None,
        };
        let echo = Process::echo()?;
        let echo_channels = connect(&echo.url, connections).await?;
        let (app_id, token, rule) = app(&service.1[0]).await?;
        if !data::is_there(&pool, flags.size).await? {
            data::load(&pool, binary, postgres.url(), &flags.output, flags.size).await?;
        }
        let newest = data::newest_of_crowd(&pool, &app_id, flags.size).await?;
        let others = format!("{{{}}}", operations::others(flags.size).join(","));
        let pgbench =
            Pgbench { url: postgres.url().to_owned(), folder: flags.output.clone(), others };
        Ok(Self {
            flags,
            pool,
            postgres: postgres.server_pid(),
            pgbench,
            caller: Caller { token, size: flags.size, newest },
            app_id,
            rule,
            echo: (echo, echo_channels),
            service,
            other,
            starts: Mutex::default(),
        })
    }
}

async fn connect(url: &str, connections: usize) -> Result<Vec<Channel>, Failure> {
    let mut channels = Vec::new();
    for _ in 0..connections {
        let endpoint = Endpoint::from_shared(url.to_owned())?.tcp_nodelay(true);
        channels.push(endpoint.connect().await?);
    }
    Ok(channels)
}

/// The app of the data set, which the first run creates: its id, a token, and its callback rule.
async fn app(channel: &Channel) -> Result<(String, Token, Rule), Failure> {
    let operator = operator();
    let mut apps = AppServiceClient::new(channel.clone());
    let mut service = CallbackRuleServiceClient::new(channel.clone());
    let (app, secret) = match create_app(channel.clone(), APP).await {
        Ok(created) => {
            let rule = proto::CreateCallbackRuleRequest {
                app_key: APP.to_owned(),
                url: "http://127.0.0.1:9/".to_owned(),
                ..Default::default()
            };
            service.create_callback_rule(authorized(&operator, rule)).await?;
            (created.app, created.client_secret)
        }
        Err(status) if status.code() == Code::AlreadyExists => {
            let rotate =
                proto::RotateClientSecretRequest { app_key: APP.to_owned(), revoke_tokens: false };
            let rotated =
                apps.rotate_client_secret(authorized(&operator, rotate)).await?.into_inner();
            (rotated.app, rotated.client_secret)
        }
        Err(status) => return Err(status.into()),
    };
    let app = app.unwrap_or_default();
    let token = issue_token(channel.clone(), app.client_id, secret).await?;
    let list = proto::ListCallbackRulesRequest { app_key: APP.to_owned() };
    let rules = service.list_callback_rules(authorized(&operator, list)).await?.into_inner().rules;
    let rule_id = rules.into_iter().next().ok_or("the app has no rule")?.rule_id;
    Ok((app.uuid, token, Rule { service, rule_id }))
}
