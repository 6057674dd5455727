//! `befriend import easemob` and `befriend import netease`: an app moves from another service to
//! befriend.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use clap::Args;

use super::{options::OptionArgs, report::print_report};
use crate::{
    cli::{
        core::call,
        error::CommandError,
        output::OutputArgs,
        progress::{Progress, print_error},
        secrets::from_file_or_variable,
        signals::listen_to_stops,
    },
    domain::parse_duration,
    ops::Core,
    pull::{self, Easemob, EasemobSettings, NetEase, NetEaseSettings, Pace, Vendor},
    transfer::{self, InvalidValues},
};

#[derive(Args, Debug)]
pub(in crate::cli) struct EasemobArgs {
    /// The app key, as "org#app", of the app in befriend.
    app_key: String,
    /// The address of Easemob's API, as https://a1.easemob.com.
    #[arg(long)]
    url: String,
    /// The app key of the app at Easemob [default: the same].
    #[arg(long, value_name = "APP_KEY")]
    from: Option<String>,
    /// The client_id of the app at Easemob.
    #[arg(long, env = "BEFRIEND_EASEMOB_CLIENT_ID")]
    client_id: String,
    /// A file that holds the client_secret of the app at Easemob, and nothing else.
    #[arg(long, env = "BEFRIEND_EASEMOB_CLIENT_SECRET_FILE", value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    #[command(flatten)]
    pull: PullArgs,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct NetEaseArgs {
    /// The app key, as "org#app", of the app in befriend.
    app_key: String,
    /// The address of NetEase's API, as https://api-cn.yunxinapi.com/nimserver.
    #[arg(long)]
    url: String,
    /// The AppKey of the app at NetEase.
    #[arg(long, value_name = "APP_KEY", env = "BEFRIEND_NETEASE_APP_KEY")]
    from: String,
    /// A file that holds the AppSecret of the app at NetEase, and nothing else.
    #[arg(long, env = "BEFRIEND_NETEASE_APP_SECRET_FILE", value_name = "FILE")]
    app_secret_file: Option<PathBuf>,
    #[command(flatten)]
    pull: PullArgs,
}

#[derive(Args, Debug)]
struct PullArgs {
    /// The folder for the pulled data, and for the record of how far the pull is.
    #[arg(long)]
    folder: PathBuf,
    /// A file of usernames, one a line: pull the lists of these users only.
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// Calls a second, of all kinds together. Easemob and NetEase take 100 of an app; the default
    /// leaves half of them to the app's own servers.
    #[arg(long, value_name = "N", default_value = "50")]
    rate: NonZeroU32,
    /// How many calls may be under way at once.
    #[arg(long, value_name = "N", default_value = "16")]
    in_flight: NonZeroUsize,
    /// How often a call that failed is repeated.
    #[arg(long, value_name = "N", default_value_t = 8)]
    retries: u32,
    /// How long to wait before the first repetition; the wait doubles each time, up to a minute.
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = parse_duration)]
    backoff: Duration,
    #[command(flatten)]
    import: OptionArgs,
}

impl PullArgs {
    fn pace(&self) -> Pace {
        Pace {
            per_second: self.rate,
            in_flight: self.in_flight.get(),
            retries: self.retries,
            backoff: self.backoff,
        }
    }
}

/// Moves an app from Easemob. Returns whether nothing was left out and nothing differs.
pub(super) async fn easemob(
    core: &Arc<Core>,
    args: EasemobArgs,
    output: OutputArgs,
) -> Result<bool, CommandError> {
    let settings = EasemobSettings {
        url: args.url,
        app_key: args.from.unwrap_or_else(|| args.app_key.clone()),
        client_id: args.client_id,
        client_secret: from_file_or_variable(
            "--client-secret",
            args.client_secret_file.as_deref(),
            "BEFRIEND_EASEMOB_CLIENT_SECRET",
        )?,
    };
    let vendor = Vendor::Easemob(Box::new(Easemob::new(settings, args.pull.pace())?));
    pull_and_import(core, &args.app_key, &vendor, args.pull, output).await
}

/// Moves an app from NetEase. Returns whether nothing was left out and nothing differs.
pub(super) async fn netease(
    core: &Arc<Core>,
    args: NetEaseArgs,
    output: OutputArgs,
) -> Result<bool, CommandError> {
    let settings = NetEaseSettings {
        url: args.url,
        app_key: args.from,
        app_secret: from_file_or_variable(
            "--app-secret",
            args.app_secret_file.as_deref(),
            "BEFRIEND_NETEASE_APP_SECRET",
        )?,
    };
    let vendor = Box::new(NetEase::new(settings, args.pull.pace(), core.clock.clone())?);
    pull_and_import(core, &args.app_key, &Vendor::NetEase(vendor), args.pull, output).await
}

/// Pulls, imports what was pulled, and compares that with what is in the app then.
async fn pull_and_import(
    core: &Arc<Core>,
    app_key: &str,
    vendor: &Vendor,
    args: PullArgs,
    output: OutputArgs,
) -> Result<bool, CommandError> {
    let stop = listen_to_stops();
    if vendor.is_in_the_clear() {
        print_error(
            "warning: the address is plain http://: everybody on the network path can read the data",
        );
    }
    // Before the pull, which takes hours: a misspelled app key is reported at once.
    call(core, app_key).await?;
    let mut progress = Progress::new();
    let users = args.users.as_deref();
    let pulled = pull::pull(vendor, &args.folder, users, &stop, &mut progress).await;
    progress.end();
    let pulled = pulled?;
    // A new call: the deadline of the first one is long past.
    let call = call(core, app_key).await?;
    let options = args.import.options(InvalidValues::LeaveOut, true);
    let sources = transfer::sources(&[args.folder])?;
    // An import can be dropped at any point: its open transaction is rolled back.
    let report = tokio::select! {
        report = transfer::import(&call, &sources, options, &mut progress) => Some(report),
        () = stop.cancelled() => None,
    };
    progress.end();
    let report = report.ok_or("stopped; the same command goes on from here")??;
    print_report(output, Some(&pulled), &report, options)?;
    let left_out = pulled.unknown + pulled.refused + pulled.bad_names;
    Ok(report.is_clean() && left_out == 0)
}
