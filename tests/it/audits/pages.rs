//! ListAuditEvents: its filters and its pages.

use befriend::{clock::Clock, proto};
use time::{Duration, macros::datetime};
use tonic::{Code, Status};

use super::{actions, all, by};
use crate::support::{TestApp, expect_error, metadata};

#[tokio::test]
async fn records_are_filtered_by_time_actor_action_and_app() {
    let noon = datetime!(2026-11-21 12:00 UTC);
    let clock = Clock::stopped_at(noon);
    let app = TestApp::with(&[], clock.clone()).await;
    let first = app.tenant("acme#chat").await;
    clock.advance(Duration::MINUTE);
    app.operator("alice", proto::OperatorRole::Admin).await;
    clock.advance(Duration::MINUTE);
    app.tenant("other#app").await;
    let at = |minutes| {
        let seconds = (noon + Duration::minutes(minutes)).unix_timestamp();
        Some(prost_types::Timestamp { seconds, nanos: 0 })
    };
    let (create, issue) = ("AppService/CreateApp", "TokenService/IssueToken");
    let operator = "OperatorTokenService/CreateOperatorToken";
    let cases: [(proto::ListAuditEventsRequest, &[&str]); 8] = [
        (
            proto::ListAuditEventsRequest { start_time: at(1), end_time: at(2), ..all() },
            &[operator],
        ),
        (proto::ListAuditEventsRequest { start_time: at(3), ..all() }, &[]),
        (by(proto::ActorKind::Root, ""), &[create, operator, create]),
        (by(proto::ActorKind::App, ""), &[issue, issue]),
        (by(proto::ActorKind::Unspecified, &first.app.client_id), &[issue]),
        (by(proto::ActorKind::Operator, &first.app.client_id), &[]),
        (proto::ListAuditEventsRequest { action: create.to_owned(), ..all() }, &[create, create]),
        (
            proto::ListAuditEventsRequest {
                app_key: "other#app".to_owned(),
                action: issue.to_owned(),
                ..all()
            },
            &[issue],
        ),
    ];
    for (request, expected) in cases {
        assert_eq!(actions(&app.audit(request.clone()).await), expected, "{request:?}");
    }
    for (request, field) in [
        (proto::ListAuditEventsRequest { app_key: "nonsense".to_owned(), ..all() }, "app_key"),
        (proto::ListAuditEventsRequest { actor_kind: 9, ..all() }, "actor_kind"),
        (proto::ListAuditEventsRequest { action: "a\0".to_owned(), ..all() }, "action"),
        (proto::ListAuditEventsRequest { actor_name: "a".repeat(257), ..all() }, "actor_name"),
    ] {
        let refused = app.audit_page(request).await;
        let details = expect_error(refused, Code::InvalidArgument, "INVALID_ARGUMENT");
        assert_eq!(metadata(&details, "field"), field);
    }
}

#[tokio::test]
async fn pages_are_the_whole_audit_newest_first_and_a_token_fits_its_filters() -> Result<(), Status>
{
    // All at the same time, so that only the ids order them.
    let clock = Clock::stopped_at(datetime!(2026-11-21 12:00 UTC));
    let app = TestApp::with(&[], clock).await;
    for number in 0..7 {
        app.tenant(&format!("acme#app{number}")).await;
    }
    let whole = app.audit(all()).await;
    assert_eq!(whole.len(), 14);
    let (mut walked, mut page_token) = (Vec::new(), String::new());
    loop {
        let page =
            app.audit_page(proto::ListAuditEventsRequest { page_size: 5, page_token, ..all() });
        let page = page.await?;
        walked.extend(page.audit_events);
        if page.next_page_token.is_empty() {
            break;
        }
        page_token = page.next_page_token;
    }
    assert_eq!(walked, whole);
    let first = app.audit_page(proto::ListAuditEventsRequest { page_size: 5, ..all() }).await?;
    let page_token = first.next_page_token;
    let other = by(proto::ActorKind::App, "");
    let refused = app.audit_page(proto::ListAuditEventsRequest { page_token, ..other }).await;
    expect_error(refused, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
    Ok(())
}
