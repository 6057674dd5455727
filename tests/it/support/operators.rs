//! Calls of operators by their own tokens.

use befriend::proto::{
    self, audit_service_client::AuditServiceClient, event_service_client::EventServiceClient,
    operator_token_service_client::OperatorTokenServiceClient,
};

use super::{
    TestApp,
    app::{Authorized, Bearer, OPERATOR_TOKEN},
};

impl TestApp {
    /// OperatorTokenService, as the root.
    pub fn operator_tokens(&self) -> OperatorTokenServiceClient<Authorized> {
        self.operator_tokens_as(OPERATOR_TOKEN)
    }

    /// OperatorTokenService, with this token.
    pub fn operator_tokens_as(&self, token: &str) -> OperatorTokenServiceClient<Authorized> {
        let bearer = Bearer::new(token);
        OperatorTokenServiceClient::with_interceptor(self.channel.clone(), bearer)
    }

    /// EventService, with this token.
    pub fn events_as(&self, token: &str) -> EventServiceClient<Authorized> {
        EventServiceClient::with_interceptor(self.channel.clone(), Bearer::new(token))
    }

    /// A new operator's token that does not expire.
    pub async fn operator(&self, name: &str, role: proto::OperatorRole) -> String {
        let (name, role) = (name.to_owned(), role.into());
        let request = proto::CreateOperatorTokenRequest { name, role, ttl: None };
        let created = self.operator_tokens().create_operator_token(request).await;
        created.expect("a token").into_inner().access_token
    }

    /// A page of records, as the root sees them.
    pub async fn audit_page(
        &self,
        request: proto::ListAuditEventsRequest,
    ) -> Result<proto::ListAuditEventsResponse, tonic::Status> {
        let bearer = Bearer::new(OPERATOR_TOKEN);
        let mut audit = AuditServiceClient::with_interceptor(self.channel.clone(), bearer);
        Ok(audit.list_audit_events(request).await?.into_inner())
    }

    /// The newest hundred records that match, the newest first.
    pub async fn audit(&self, request: proto::ListAuditEventsRequest) -> Vec<proto::AuditEvent> {
        let request = proto::ListAuditEventsRequest { page_size: 100, ..request };
        self.audit_page(request).await.expect("a page").audit_events
    }
}
