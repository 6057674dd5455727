//! The samples of the vendor's documents, asked and answered.

use super::golden::hold;
use crate::support::{TestApp, tenant::friend_limit};

#[tokio::test]
async fn contacts_are_asked_and_answered_as_the_vendor_prints_it() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme#testapp").await;
    hold(&app, &tenant, include_str!("golden/easemob_contacts.txt")).await;
}

#[tokio::test]
async fn blocks_are_asked_and_answered_as_the_vendor_prints_it() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme#testapp").await;
    hold(&app, &tenant, include_str!("golden/easemob_blocks.txt")).await;
}

#[tokio::test]
async fn users_and_tokens_are_asked_and_answered_as_the_vendor_prints_it() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme#testapp").await;
    hold(&app, &tenant, include_str!("golden/easemob_users.txt")).await;
}

#[tokio::test]
async fn errors_are_told_as_the_vendor_prints_it() {
    let app = TestApp::start().await;
    let limits = befriend::proto::AppLimits { block_limit: Some(1), ..friend_limit(1) };
    let tenant = app.tenant_with("acme#testapp", limits).await;
    hold(&app, &tenant, include_str!("golden/easemob_errors.txt")).await;
}
