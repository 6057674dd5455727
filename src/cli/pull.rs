//! `befriend import easemob` and `befriend import netease`: an app moves in from elsewhere.

use std::{
    env, fs,
    num::{NonZeroU32, NonZeroUsize},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::Args;

use super::{
    Failure,
    progress::{Progress, note},
    serve::stop_on_signal,
    transfer::{HowArgs, call, show},
};
use crate::{
    config::{self, Shown},
    domain::Secret,
    ops::Core,
    pull::{self, Easemob, EasemobSettings, NetEase, NetEaseSettings, Pace, Vendor},
    transfer::{self, Unkeepable},
};

#[derive(Args, Debug)]
pub(super) struct EasemobArgs {
    /// The app key, as "org#app", of the app here.
    app_key: String,
    /// The address of the API there, as https://a1.easemob.com.
    #[arg(long)]
    url: String,
    /// The app key there [default: the same].
    #[arg(long, value_name = "APP_KEY")]
    from: Option<String>,
    /// The client_id there.
    #[arg(long, env = "BEFRIEND_EASEMOB_CLIENT_ID")]
    client_id: String,
    /// A file with the client_secret there, and nothing else.
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    #[command(flatten)]
    pull: PullArgs,
}

#[derive(Args, Debug)]
pub(super) struct NeteaseArgs {
    /// The app key, as "org#app", of the app here.
    app_key: String,
    /// The address of the API there, as https://api-cn.yunxinapi.com/nimserver.
    #[arg(long)]
    url: String,
    /// The AppKey there.
    #[arg(long, value_name = "APP_KEY", env = "BEFRIEND_NETEASE_APP_KEY")]
    from: String,
    /// A file with the AppSecret there, and nothing else.
    #[arg(long, value_name = "FILE")]
    app_secret_file: Option<PathBuf>,
    #[command(flatten)]
    pull: PullArgs,
}

#[derive(Args, Debug)]
struct PullArgs {
    /// The folder for what is pulled, and for the note of how far it is.
    #[arg(long)]
    folder: PathBuf,
    /// A file of usernames, one a line: pull the lists of these.
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// Calls a second, of all kinds together. The vendors take 100 of an app, which its own servers
    /// share: the default leaves them half.
    #[arg(long, value_name = "N", default_value = "50")]
    rate: NonZeroU32,
    /// Calls under way at the most.
    #[arg(long, value_name = "N", default_value = "16")]
    in_flight: NonZeroUsize,
    /// How often a call that failed is made again.
    #[arg(long, value_name = "N", default_value_t = 8)]
    retries: u32,
    /// The first pause before that; it doubles each time, up to a minute.
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = config::any_duration)]
    backoff: Shown<Duration>,
    #[command(flatten)]
    how: HowArgs,
}

impl PullArgs {
    fn pace(&self) -> Pace {
        Pace {
            per_second: self.rate,
            in_flight: self.in_flight.get(),
            retries: self.retries,
            backoff: self.backoff.0,
        }
    }
}

pub(super) async fn easemob(core: &Arc<Core>, args: EasemobArgs) -> Result<ExitCode, Failure> {
    let file = args.client_secret_file.as_deref();
    let settings = EasemobSettings {
        url: args.url,
        app_key: args.from.unwrap_or_else(|| args.app_key.clone()),
        client_id: args.client_id,
        client_secret: secret(file, "--client-secret-file", "BEFRIEND_EASEMOB_CLIENT_SECRET")?,
    };
    let vendor = Vendor::Easemob(Box::new(Easemob::new(settings, args.pull.pace())?));
    bring_in(core, &args.app_key, &vendor, args.pull).await
}

pub(super) async fn netease(core: &Arc<Core>, args: NeteaseArgs) -> Result<ExitCode, Failure> {
    let file = args.app_secret_file.as_deref();
    let settings = NetEaseSettings {
        url: args.url,
        app_key: args.from,
        app_secret: secret(file, "--app-secret-file", "BEFRIEND_NETEASE_APP_SECRET")?,
    };
    let vendor = Box::new(NetEase::new(settings, args.pull.pace(), core.clock.clone())?);
    bring_in(core, &args.app_key, &Vendor::NetEase(vendor), args.pull).await
}

/// Pulls, imports what was pulled, and compares.
async fn bring_in(
    core: &Arc<Core>,
    app_key: &str,
    vendor: &Vendor,
    args: PullArgs,
) -> Result<ExitCode, Failure> {
    let stop = stop_on_signal();
    if vendor.is_in_the_clear() {
        note(
            "warning: the address is plain http://: whoever listens on the way reads the app's data",
        );
    }
    // Before anything is pulled: hours later would be late for a typing error.
    call(core, app_key).await?;
    let mut progress = Progress::new();
    let users = args.users.as_deref();
    let pulled = pull::pull(vendor, &args.folder, users, &stop, &mut progress).await;
    progress.end();
    let pulled = pulled?;
    let call = call(core, app_key).await?;
    let options = args.how.options(Unkeepable::LeaveOut, true);
    let sources = transfer::sources(&[args.folder])?;
    // A batch that is broken off leaves nothing behind.
    let report = tokio::select! {
        report = transfer::import(&call, &sources, options, &mut progress) => Some(report),
        () = stop.cancelled() => None,
    };
    progress.end();
    let report = report.ok_or("stopped; the same command goes on from here")??;
    print!("pulled: {} users, {} unknown there", pulled.users, pulled.unknown);
    for (count, what) in [(pulled.refused, "refused there"), (pulled.bad_names, "bad names")] {
        if count > 0 {
            print!(", {count} {what}");
        }
    }
    println!();
    show(&report, options);
    let left_out = pulled.unknown + pulled.refused + pulled.bad_names;
    let clean = report.is_clean() && left_out == 0;
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A secret, from a file or the environment: on a command line others could read it.
fn secret(file: Option<&Path>, flag: &str, variable: &str) -> Result<Secret, Failure> {
    let text = match file {
        Some(file) => fs::read_to_string(file)
            .map_err(|error| format!("{flag}: can't read {}: {error}", file.display()))?,
        None => env::var(variable)
            .map_err(|_| format!("the secret is missing: set {variable}, or give {flag}"))?,
    };
    match text.trim() {
        "" => Err(format!("{flag} or {variable}: the secret is empty").into()),
        secret => Ok(Secret::presented(secret)),
    }
}
